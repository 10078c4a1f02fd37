"""The tests and the code have one sandbox: neither takes what the other needs there."""

# ruff: noqa: E501

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import replace
from typing import cast

import pytest
from problems import ADD, GOOD, Ask

from mcts_math.errors import JudgeError
from mcts_math.interpreter.levels import Isolation, Level
from mcts_math.interpreter.parent import Connection, Layers, Parent
from mcts_math.interpreter.worker import wire
from mcts_math.judge import Judge, JudgeLimits, Judgement, Problem, judge, sandbox

FILL = """
def fill(most):
    size = 1 << 20
    for number in range(most):
        try:
            with open(str(number), "wb", 0) as file:
                while size > 1 and file.tell() < 15 << 20:
                    try:
                        file.write(bytes(size))
                    except OSError:
                        size >>= 1
        except OSError:
            return
"""


@pytest.mark.parametrize("most", [20, 9999], ids=["bytes", "files"])
@pytest.mark.parametrize("code", ["fill({})\ndef f(x): return ''", "def f(x):\n    if x == 0: fill({})\n    return ''"])
@pytest.mark.parametrize(
    "test",
    [
        "import io\nf(0)\nio.open('e', 'w').write('secret')\nassert f(1) == io.open('e').read()",
        "import os, io\nf(0)\nio.open('e', 'w').write('secret')\nassert f(1) == '' and os.path.getsize('e') == 0",
        "def test_a(): assert f(0) == ''\ndef test_b():\n    import io\n    try: io.open('e', 'w').close()\n    except OSError: return\n    assert f(1) == 5",
    ],
)
def test_the_code_takes_no_room_from_the_files_of_the_tests(ask: Ask, test: str, code: str, most: int) -> None:
    """A file whose last writes find no room is cut short, which CPython tells nobody where it is not closed by hand."""
    (judgement,) = ask((Problem("", test, "f"), f"```python\n{FILL}\n{code.format(most)}\n```"))
    assert not judgement.passed, judgement
    assert judgement.result.startswith("failed: AssertionError"), judgement


def test_the_code_and_the_tests_write_as_much_as_each_could_alone(ask: Ask) -> None:
    write = "import io\nfor n in range(5):\n    with io.open(str(n), 'wb') as file: file.write(bytes(15 << 20))"
    test = f"{write}\nimport os\nassert f(1) == sum(os.path.getsize(name) for name in os.listdir())"
    code = f"{write}\ndef f(x): return 75 << 20"
    (judgement,) = ask((Problem("", test, "f"), f"```python\n{code}\n```"))
    assert judgement.passed, judgement


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        (
            "import threading\nfor _ in range(60):\n    t = threading.Thread(target=print)\n    t.start()\n    t.join()\n",
            "",
        ),
        ("more = bytearray(350 << 20)\n", "more = bytearray(350 << 20)"),
    ],
)
def test_threads_and_memory_are_each_process_s_own(ask: Ask, tests: str, code: str) -> None:
    code += "\nimport threading, time\nfor _ in range(18): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    (judgement,) = ask((Problem("", f"{tests}assert f(1) == 1", "f"), f"```python\n{code}\ndef f(x): return 1\n```"))
    assert judgement.passed, judgement


def test_a_bound_on_all_sandboxes_counts_both_processes() -> None:
    assert JudgeLimits(max_running=7).sandbox_limits().max_running == 14


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "threading.Thread(target=time.sleep, args=(99,)).start()\n    ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)",
        "os.fork()\n    time.sleep(99)",
    ],
)
def test_whatever_the_code_does_to_its_process_the_tests_before_are_told(code: str) -> None:
    """Also where its first thread alone ends, and where nothing forbids it to fork: so its end of the socket lives on."""
    bare = Level(Isolation.BARE, Layers(namespaces=False, landlock=False, seccomp=False))
    code = f"import ctypes, os, threading, time\ndef f(x):\n    if x == 0: return 0\n    {code}"

    async def run() -> Judgement:
        async with Judge(JudgeLimits(timeout_s=1.0, allow_unsafe_exec=True), bare) as judge:
            return await judge.judge(Problem("", "assert f(0) == 0\nassert f(1) == 5", "f"), f"```python\n{code}\n```")

    judgement = asyncio.run(run())
    assert (judgement.result, judgement.num_passed) == ("timed out", 1), judgement


@pytest.mark.parametrize("isolation", ["two_processes", "one_process"])
def test_a_machine_without_room_for_a_process_is_tried_again_then_told(
    isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refusals = sandbox.receive, [errno.EAGAIN, errno.ENOMEM]
    monkeypatch.setattr(judge, "_PAUSE_S", 0.01)

    async def receive(sock: socket.socket, timeout_s: float) -> tuple[bytes, int]:
        message, pid = await real(sock, timeout_s)
        return (wire.REPLY.pack(wire.REFUSED, refusals.pop()), pid) if refusals else (message, pid)

    monkeypatch.setattr(sandbox, "receive", receive)

    async def run() -> None:
        async with Judge(JudgeLimits()) as judge:
            problem = replace(ADD, isolation=isolation)
            assert (await judge.judge(problem, GOOD)).passed
            refusals.extend([errno.EAGAIN] * 3)
            with pytest.raises(JudgeError, match=r"refuses to fork a cell.*temporarily unavailable.*ulimit -u"):
                await judge.judge(problem, GOOD)

    asyncio.run(run())


@pytest.mark.parametrize("last_words", [b"", wire.BROKEN + b"MemoryError: ", wire.BUSY + b"OSError: "])
def test_a_sandbox_that_breaks_down_is_dead_whatever_it_says(last_words: bytes) -> None:
    """Else the code would be blamed for the end of the tests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        connection = Connection(ours, ours, 1, cast(Parent, None))
        assert connection.alive
        theirs.send(last_words) if last_words else theirs.close()
        assert not connection.alive


def test_a_host_without_descriptors_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_PAUSE_S", 0.01)

    def refuse(pid: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def run() -> None:
        async with Judge(JudgeLimits()) as judge:
            monkeypatch.setattr("os.pidfd_open", refuse)
            with pytest.raises(JudgeError, match=r"Too many open files.*ulimit -n"):
                await judge.judge(ADD, GOOD)

    asyncio.run(run())
