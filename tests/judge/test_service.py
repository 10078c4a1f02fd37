"""The HTTP service in a real uvicorn process, and its client against it and against servers that misbehave."""

# ruff: noqa: E501

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from problems import ADD, GOOD, Ask

from mcts_math.errors import ConfigError, JudgeError, TaskError
from mcts_math.judge import NO_CODE, Case, JudgeClient, Judgement, Problem

pytest.importorskip("uvicorn", reason="the extra `judge` is not installed")

from mcts_math.judge.service import Settings, make_app

T = TypeVar("T")
Made = Callable[[JudgeClient], Coroutine[Any, Any, T]]
LEVELS = sys.getrecursionlimit()  # of lists: Python can't read so many as JSON, or can't copy them
DEEP = json.dumps({"problem": {"entry_point": "f", "cases": [{"input": [], "output": 0}]}, "completion": GOOD}).replace(
    "0", "[" * LEVELS + "]" * LEVELS
)
ENDLESS = "def add(a, b):\n    while True: pass"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def service(repo: Path, workers: int = 1, **settings: object) -> Iterator[str]:
    """A service; yields its address. Ends with the check that nothing of it is left."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "mcts_math.judge:app", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(
        [*command, "--log-level", "warning"],
        cwd=repo,
        env={**os.environ, **{f"JUDGE_{name}": str(value) for name, value in settings.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx2.get(f"{address}/health").raise_for_status()
                break
            except httpx2.HTTPError:
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < until
                time.sleep(0.1)
        yield address
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=30)[0]
    assert "Traceback" not in output, output


@pytest.fixture(scope="module")
def address(repo: Path) -> Iterator[str]:
    with service(repo, TIMEOUT_S=1, MAX_IN_FLIGHT=4, MAX_RUNNING=2, MAX_BODY_KB=64) as found:
        yield found


@pytest.fixture(scope="module")
def two_workers(repo: Path) -> Iterator[str]:
    with service(repo, workers=2) as found:
        yield found


def post(address: str, problem: object = None, completion: object = GOOD, path: str = "") -> Any:
    body = {"problem": asdict(ADD) if problem is None else problem, "completion": completion}
    return httpx2.post(f"{address}{path}", json=body, timeout=30)


@pytest.mark.parametrize("path", ["", "/", "/judge", "/api/v1/evaluate"])
def test_published_contract(address: str, path: str) -> None:
    response = post(address, path=path)
    assert response.status_code == 200
    assert response.json() == {"passed": True, "result": "passed"}


@pytest.mark.parametrize(
    ("completion", "result"),
    [
        ("def add(a, b): return 0", "failed: AssertionError: assert add(1, 2) == 3"),
        ("nothing", NO_CODE),
        (ENDLESS, "timed out"),
        ("import os\nos._exit(0)\ndef add(a, b): 0", "failed: the code's process ended: an exit, a crash, or out of memory"),
        ("def add(a, b): raise ValueError(chr(0xD800))", "failed: ValueError: ?: assert add(1, 2) == 3"),
    ],
)  # fmt: skip
def test_what_fails(address: str, completion: str, result: str) -> None:
    body = json.dumps({"problem": asdict(ADD), "completion": completion})
    assert httpx2.post(address, content=body, timeout=30).json() == {"passed": False, "result": result}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "not JSON"),
        (b"[" * 10**4, 422, "not JSON"),
        (b"\xff\xfe", 422, "not JSON"),
        (b"[]", 422, "`problem`"),
        (b'{"problem": {}, "completion": ""}', 422, "the field `prompt` is missing"),
        (json.dumps({"problem": asdict(ADD)}).encode(), 422, "`completion`"),
        (json.dumps({"problem": asdict(ADD) | {"entry_point": "a b"}, "completion": ""}).encode(), 422, "entry_point"),
        (json.dumps({"problem": asdict(ADD) | {"test": "assert ("}, "completion": GOOD}).encode(), 422, "`test`"),
        (DEEP, 422, "recursion depth|lists within lists"),
        (b"x" * 70_000, 413, "longer than"),
    ],
)
def test_bad_requests(address: str, body: bytes | str, status: int, words: str) -> None:
    response = httpx2.post(address, content=body, timeout=30)
    assert response.status_code == status
    assert re.search(words, response.json()["detail"])


def test_more_than_it_takes_get_503_and_it_lives(address: str) -> None:
    async def run() -> list[Any]:
        async with httpx2.AsyncClient(timeout=60) as client:
            body = {"problem": asdict(ADD), "completion": ENDLESS}
            posts = [client.post(address, json=body) for _ in range(40)]
            await asyncio.sleep(0)
            return await asyncio.gather(*posts)

    responses = asyncio.run(run())
    assert {response.status_code for response in responses} == {200, 503}
    assert {r.headers.get("Retry-After") for r in responses if r.status_code == 503} == {"1"}
    assert httpx2.get(f"{address}/health").json() == {"status": "ok", "isolation": "full", "in_flight": 0}
    assert post(address).json()["passed"]


def test_a_client_that_goes_away_leaves_nothing(address: str) -> None:
    for _ in range(4):  # all that it takes
        with pytest.raises(httpx2.TimeoutException):
            httpx2.post(address, json={"problem": asdict(ADD), "completion": ENDLESS}, timeout=0.2)
    until = time.monotonic() + 90  # on a busy machine each of them may take ten times its limit, two at a time
    while httpx2.get(f"{address}/health").json()["in_flight"]:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert post(address).json()["passed"]


def test_several_workers(two_workers: str) -> None:
    assert [post(two_workers).json()["passed"] for _ in range(6)] == [True] * 6


def test_bad_setting_is_named(repo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mcts_math.judge; mcts_math.judge.app"],
        cwd=repo,
        env={**os.environ, "JUDGE_TIMEOUT_S": "soon"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "JUDGE_TIMEOUT_S is 'soon'; it must be a number" in done.stderr


def with_client(address: str, use: Made[T], **options: Any) -> T:
    async def run() -> T:
        client = JudgeClient(address, **({"pause_s": 0.01, "num_tries": 3, "timeout_s": 5.0} | options))
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(run())


def test_client_and_service_agree_with_the_judge_here(address: str) -> None:
    cases = [GOOD, "nothing", "def add(a, b): return 0", f"Some text.\n\n{GOOD}\nMore text."] * 10

    async def use(client: JudgeClient) -> list[tuple[bool, str, str | None]]:
        found = await asyncio.gather(*(client.judge(ADD, case) for case in cases))
        return [(j.passed, j.result, j.code) for j in found]

    code = "def add(a, b):\n    return a + b"
    expected = [
        (True, "passed", code),
        (False, NO_CODE, None),
        (False, "failed: AssertionError: assert add(1, 2) == 3", "def add(a, b): return 0"),
        (True, "passed", code),
    ]
    # More at a time than the service takes: it says 503 to some, and they wait.
    assert with_client(address, use) == expected * 10
    assert with_client(address.removeprefix("http://"), use) == expected * 10


READINGS = (
    "```python\ndef one():\n    return 1\n```\nand\n```python\ndef add(a, b):\n    return a + b * one()\n```",
    "<think>\n```python\ndef add(a, b): return 0\n```\n</think>\ndef add(a, b): return a + b",
    "from here on: no code\nimport of goods\ndef add(a, b): return a + b",
    "    return a + b",
    "```python\ndef add(a, b)\n```",
    "nothing",
    "def add(a, b):\n    return a + b if a < 0 else 'ü\ud800'",
)


def test_the_service_says_what_a_judge_here_says(address: str, ask: Ask) -> None:
    problems = [
        Problem("def add(a, b):\n", ADD.test, "add"),
        Problem("", "", "add", (Case((1, 2), 3), Case((0, 0), 1)), every_test=True),
        Problem("", "assert add(0.1, 0.2) == 0.3", "add", tolerance=1e-6, isolation="one_process"),
    ]
    cases = [(problem, completion) for problem in problems for completion in READINGS]

    async def there(client: JudgeClient) -> list[Judgement]:
        return list(await asyncio.gather(*(client.judge(problem, completion) for problem, completion in cases)))

    assert with_client(address, there) == ask(*cases)


def test_a_published_service_is_sent_the_completion_and_believed() -> None:
    bodies: list[Any] = []

    class Kept(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            reply(self, b'{"passed": false, "result": "failed: no"}')

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Kept)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        found = with_client(f"127.0.0.1:{running.server_port}", lambda client: client.judge(ADD, GOOD))
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
    assert found == Judgement(False, "failed: no", "def add(a, b):\n    return a + b")
    assert bodies[0]["problem"] == {"prompt": "", "test": ADD.test, "entry_point": "add"}
    assert bodies[0]["completion"] == GOOD


def test_a_proxy_in_the_environment_does_not_stop_a_judge_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server(lambda handler, _: reply(handler, b'{"passed": true, "result": "passed"}')) as (address, _):
        for name in (address, address.replace("127.0.0.1", "localhost")):
            assert with_client(name, lambda client: client.judge(ADD, GOOD)).passed


def test_a_completion_too_long_for_the_service_fails(address: str) -> None:
    judgement = with_client(address, lambda client: client.judge(ADD, f"def add(a, b):\n    return '{'x' * 70_000}'"))
    assert (judgement.passed, judgement.result) == (False, "failed: too long for the judge")


def test_a_problem_too_long_for_the_service_is_no_verdict_on_the_completion() -> None:
    with (
        server(lambda handler, _: reply(handler, b"", 413)) as (address, _),
        pytest.raises(TaskError, match="JUDGE_MAX_BODY_KB"),
    ):
        with_client(address, lambda client: client.judge(Problem("", "assert add(1, 2) == 3\n" * 9, "add"), GOOD))


def test_a_client_that_hangs_up_early_is_no_fault_of_the_service() -> None:
    async def run() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
        await make_app(Settings())(scope, receive, send)
        return sent

    assert asyncio.run(run())[0]["status"] == 400


def test_a_problem_that_the_service_refuses_is_an_error(address: str) -> None:
    with pytest.raises(TaskError, match=r"refuses the problem.*`test` is not Python"):
        with_client(address, lambda client: client.judge(Problem("", "assert (", "add"), GOOD))


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler, int], None]) -> Iterator[tuple[str, list[int]]]:
    """A server that answers as told: (handler, number of the request). Yields its address, and the requests it saw."""
    seen: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(len(seen))
            answer(self, len(seen))

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has had enough is no news."""

    running = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", seen
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


RUBBISH: dict[str, tuple[Callable[[BaseHTTPRequestHandler], object], str]] = {
    "html": (lambda h: reply(h, b"<html>Welcome!</html>"), "it answered '<html>Welcome!</html>'"),
    "empty": (lambda h: reply(h, b""), "it answered ''"),
    "a list": (lambda h: reply(h, b"[1]"), "it answered '[1]'"),
    "no result": (lambda h: reply(h, b'{"passed": true}'), "not {passed, result}"),
    "passed is text": (lambda h: reply(h, b'{"passed": "yes", "result": ""}'), "neither true nor false"),
    "deep": (lambda h: reply(h, b"[" * 10**5), "it answered"),
    "endless": (lambda h: reply(h, b"x" * (17 << 20)), "more than 16777216 bytes"),
    "status 500": (lambda h: reply(h, b"oops", 500), "status 500: 'oops'"),
    "status 404": (lambda h: reply(h, b"", 404), "status 404"),
    "hangs up": (lambda h: h.connection.shutdown(socket.SHUT_RDWR), "RemoteProtocolError"),
    "no details": (
        lambda h: reply(h, b'{"passed": true, "result": "", "tests": 3}'),
        "not {passed, result}",
    ),
    "endless tests": (
        lambda h: reply(h, b'{"passed": true, "result": "", "num_tests": 1e999}'),
        "0 of inf tests can't have passed",
    ),
    "more than all": (
        lambda h: reply(h, b'{"passed": true, "result": "", "num_passed": 2, "num_tests": 1}'),
        "2 of 1 tests can't have passed",
    ),
    "no HTTP": (lambda h: h.wfile.write(b"\0\1\2\3 what?\r\n\r\n"), "RemoteProtocolError"),
    "slow": (lambda h: time.sleep(1.6), "no answer in time"),
}


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Never silent for long, never done."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):  # the client has had enough
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)


RUBBISH["drips"] = (drip, "no answer in time")


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_retried_then_named(name: str) -> None:
    answer, words = RUBBISH[name]
    with server(lambda handler, _: answer(handler) and None) as (address, seen):
        with pytest.raises(JudgeError) as caught:
            with_client(
                address, lambda client: client.judge(ADD, GOOD), timeout_s=1.0 if name in ("slow", "drips") else 5.0
            )
        assert len(seen) == 3
    assert address in str(caught.value)
    assert "OJ_API" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("given", [{"cases": (Case("", ""),) * 2}, {"test": "assert f()", "entry_point": "f"}])
def test_a_problem_with_a_limit_of_its_own_is_waited_for(given: dict[str, Any]) -> None:
    problem = replace(Problem("", "", ""), timeout_s=1.0, **given)

    def answer(handler: BaseHTTPRequestHandler, _: int) -> None:
        time.sleep(1.6)
        reply(handler, b'{"passed": true, "result": "passed"}')

    with server(answer) as (address, seen):
        assert with_client(address, lambda client: client.judge(problem, "print()"), timeout_s=1.0).passed
        assert len(seen) == 1


def test_much_that_is_told_of_the_tests_arrives(two_workers: str) -> None:
    problem = Problem("", "", "f", (Case((1,), 1),) * 999, every_test=True)
    code = f"def f(x): raise ValueError('\N{GRINNING FACE}' * 300)\n# {'x' * 260_000}"
    judgement = with_client(two_workers, lambda client: client.judge(problem, code), timeout_s=30.0)
    assert (judgement.num_passed, judgement.num_tests, judgement.code) == (0, 999, code)


def test_cases_that_are_no_json_are_the_problem_s_fault(ask: Ask) -> None:
    for output, words in (({1}, "type set is not JSON"), (7**9999, "Exceeds the limit")):
        problem = Problem("", "", "add", (Case((1, 2), output),))
        with pytest.raises(TaskError, match=words):
            with_client("127.0.0.1:9", lambda client, problem=problem: client.judge(problem, GOOD))
        with pytest.raises(TaskError, match=words):
            ask((problem, GOOD))


def test_a_service_that_recovers_is_forgiven() -> None:
    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number < 3:
            reply(handler, b"starting", 502)
        elif number < 12:  # busy for longer than tries last
            reply(handler, b"", 503, Retry_After="0")
        else:
            reply(handler, b'{"passed": true, "result": "passed"}')

    with server(answer) as (address, seen):
        assert with_client(address, lambda client: client.judge(ADD, GOOD)).passed
        assert len(seen) == 12


def test_patience_with_a_busy_service_ends() -> None:
    with (
        server(lambda handler, _: reply(handler, b"", 503)) as (address, _),
        pytest.raises(JudgeError, match="it is busy"),
    ):
        with_client(address, lambda client: client.judge(ADD, GOOD), patience_s=0.1)


def test_a_service_that_is_down_is_named() -> None:
    begun = time.monotonic()
    with pytest.raises(JudgeError, match=r"127\.0\.0\.1.*ConnectError.*3 tries failed"):
        with_client(f"127.0.0.1:{free_port()}", lambda client: client.judge(ADD, GOOD), pause_s=0.1)
    assert time.monotonic() - begun >= 0.2  # it paused, and longer the second time


@pytest.mark.parametrize("address", ["http://", "ftp://x", "http://a b:x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="OJ_API"):
        JudgeClient(address)


def test_a_cancelled_request_gives_its_place_back() -> None:
    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            time.sleep(1.0)
        reply(handler, b'{"passed": true, "result": "passed"}')

    async def use(client: JudgeClient) -> bool:
        first = asyncio.create_task(client.judge(ADD, GOOD))
        await asyncio.sleep(0.2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return (await asyncio.wait_for(client.judge(ADD, GOOD), 0.7)).passed

    with server(answer) as (address, _):
        assert with_client(address, use, max_in_flight=1)


def test_judging_here_needs_no_web_framework(repo: Path) -> None:
    code = "import sys, mcts_math.verifiers; print({'fastapi', 'uvicorn', 'httpx2', 'starlette'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
