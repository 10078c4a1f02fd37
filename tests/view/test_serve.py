"""Following a file that grows, and the server that shows it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from lines import answer_line, mcts_line, published_line
from stand_ins import started

from mcts_math.errors import CheckerError, RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.monitor import Totals
from mcts_math.run import cli
from mcts_math.view.follow import Follower
from mcts_math.view.serve import PageServer


def as_line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    with Grader(1) as grader:
        yield Follower(tmp_path / "grow.jsonl", grader)


def test_a_half_written_line_waits(follower: Follower) -> None:
    assert follower.news(-1, 0)["entries"] == []  # the file is not there yet
    first, second = as_line(mcts_line(1)), as_line(mcts_line(2))
    append(follower.path, first + second[:100])
    news = follower.news(-1, 0)
    assert [entry["id"] for entry in news["entries"]] == ["q1"]
    append(follower.path, second[100:])
    later = follower.news(news["number"], 1)
    assert (later["first"], [entry["id"] for entry in later["entries"]]) == (1, ["q2"])
    assert later["summary"]["done"] == 2
    assert later["notices"] == []
    tree = follower.tree(later["number"], later["entries"][0]["at"][1])
    assert tree["id"] == "q2"
    assert len(tree["nodes"]) == later["entries"][0]["nodes"]


def test_a_file_that_was_replaced_is_read_anew(follower: Follower) -> None:
    append(follower.path, as_line(answer_line(1, "1")) + as_line(answer_line(2, "1")))
    before = follower.news(-1, 0)
    fresh = follower.path.with_name("fresh")
    append(fresh, as_line(answer_line(3, "1")))
    fresh.replace(follower.path)
    after = follower.news(before["number"], 2)
    assert (after["first"], [entry["id"] for entry in after["entries"]]) == (0, ["q3"])
    with pytest.raises(RecordError, match="was replaced"):
        follower.tree(before["number"], 0)
    follower.path.write_bytes(b"")
    assert follower.news(after["number"], 1)["entries"] == []
    follower.path.unlink()
    assert follower.news(after["number"], 1)["summary"]["done"] == 0


def test_a_torn_line_that_is_cut_off_loses_nothing(follower: Follower) -> None:
    whole = as_line(answer_line(1, "1"))
    append(follower.path, whole + b'{"question": "Q2", "rea')
    before = follower.news(-1, 0)
    os.truncate(follower.path, len(whole))  # as a resumed run does
    append(follower.path, as_line(answer_line(2, "1")))
    after = follower.news(before["number"], 1)
    assert (after["first"], [entry["id"] for entry in after["entries"]]) == (1, ["q2"])


def test_a_large_file_comes_in_parts(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcts_math.view.follow._READ_S", -1.0)
    append(follower.path, b"".join(as_line(answer_line(i, "1")) for i in range(3)))
    news = [follower.news(0, seen) for seen in range(4)]
    assert [[entry["id"] for entry in part["entries"]] for part in news] == [["q0"], ["q1"], ["q2"], []]


def test_broken_lines_are_told_and_passed_over(follower: Follower) -> None:
    append(follower.path, b"{broken\n" + as_line({"question": "Q"}) + b"\n" + as_line(answer_line(1, "1")))
    news = follower.news(-1, 0)
    assert [entry["id"] for entry in news["entries"]] == ["q1"]
    assert [notice.split(": ")[0] for notice in news["notices"]] == ["grow.jsonl:1", "grow.jsonl:2"]
    assert follower.tree(news["number"], 0)["id"] == "q1"


def test_published_lines_are_judged_as_they_come(follower: Follower) -> None:
    append(follower.path, as_line(published_line(1)) + as_line(published_line(1)))
    news = follower.news(-1, 0)
    assert [entry["state"] for entry in news["entries"]] == ["right", "right"]
    assert len({entry["id"] for entry in news["entries"]}) == 2
    assert follower.tree(news["number"], 1)["id"] == news["entries"][1]["id"]


def test_what_a_run_tells_of_itself_is_shown_while_it_runs(follower: Follower) -> None:
    append(follower.path, as_line(answer_line(1, "1")))
    live = follower.path.with_name("grow.live.json")
    live.write_text(json.dumps({"time": time.time(), "total": 7, "done": 0, "trees": 3}))
    summary = follower.news(-1, 0)["summary"]
    assert (summary["total"], summary["live"]["trees"]) == (8, 3)  # this run is to solve seven more
    live.write_text(json.dumps({"time": time.time() - 3600, "total": 7, "done": 0}))
    assert follower.news(-1, 0)["summary"]["live"] is None


def test_lines_that_the_checker_could_not_judge_come_later(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    append(follower.path, as_line(published_line(1)))
    with monkeypatch.context() as patched:
        patched.setattr(Grader, "verdicts", Mock(side_effect=CheckerError("no process")))
        with pytest.raises(CheckerError, match="no process"):
            follower.news(-1, 0)
    append(follower.path, as_line(mcts_line(2)))
    news = follower.news(-1, 0)
    assert [follower.tree(news["number"], one["at"][1])["id"] for one in news["entries"]] == [
        one["id"] for one in news["entries"]
    ]
    assert news["summary"]["done"] == 2


@pytest.fixture
def server(follower: Follower) -> Iterator[PageServer]:
    with PageServer([follower], 0) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        yield server
        server.stop()
        thread.join()


def ask(server: PageServer, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rsplit(":", 1)[1].strip("/")), timeout=20)
    connection.request("GET", target, headers=headers)
    reply = connection.getresponse()
    found = reply.status, dict(reply.getheaders()), reply.read()
    connection.close()
    return found


def test_the_server_answers_what_the_page_asks(server: PageServer, follower: Follower) -> None:
    append(follower.path, as_line(mcts_line(1)))
    status, headers, body = ask(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b'id="head"' in body
    status, _, body = ask(server, "/news?seen=[[-1,0]]")
    (source,) = json.loads(gzip.decompress(body))["sources"]
    assert [entry["id"] for entry in source["entries"]] == ["q1"]
    status, _, body = ask(server, f"/tree?source=0&number={source['number']}&place=0")
    assert json.loads(gzip.decompress(body))["id"] == "q1"


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/other", 404, "no such page"),
        ("/../../etc/passwd", 404, "no such page"),
        ("/news", 400, "not a request of the page"),
        ("/news?seen=[]", 400, "not a request of the page"),
        ("/news?seen=3", 400, "not a request of the page"),
        ("/news?seen=[[1e400,0]]", 400, "not a request of the page"),
        ("/news?seen=" + "[" * 10_000, 400, "not a request of the page"),
        ("ftp://[", 400, "not a request of the page"),
        ("/tree?source=x&number=0&place=0", 400, "not a request of the page"),
        ("/tree?source=4&number=0&place=0", 400, "not a request of the page"),
        ("/tree?source=0&number=0&place=9", 409, "was replaced"),
        ("/tree?source=0&number=0&place=-1", 409, "was replaced"),
    ],
)
def test_other_requests_are_refused(
    server: PageServer, follower: Follower, target: str, status: int, message: str
) -> None:
    append(follower.path, as_line(answer_line(1, "1")))
    found, _, body = ask(server, target)
    assert (found, message in body.decode()) == (status, True)


def test_a_browser_that_goes_away_is_not_told_of(server: PageServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A run with `--dashboard` would show a traceback for each page that was closed too soon."""
    for asks in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1].strip("/")))) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(asks)
            connection.recv(len(asks) // 2)
    assert ask(server, "/other")[0] == 404
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(20)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("host", ["evil.example:80", "evil.example", "", "127.0.0.1.evil.example:8600"])
def test_a_page_of_another_site_can_not_read(server: PageServer, host: str) -> None:
    assert ask(server, "/news?seen=[[-1,0]]", Host=host)[0] == 403


def test_the_program_serves_until_it_is_interrupted(repo: Path, tmp_path: Path) -> None:
    results = tmp_path / "grow.jsonl"
    command = [sys.executable, "view_trees.py", str(results), "--serve", "0", "--workers", "1"]
    with started(command, repo) as program:
        assert program.stderr is not None
        told = program.stderr.readline()
        assert "is not there yet" in told
        results.write_bytes(as_line(answer_line(1, "1")))
        with urllib.request.urlopen(told.split()[0] + "news?seen=[[-1,0]]", timeout=30) as reply:
            (source,) = json.loads(gzip.decompress(reply.read()))["sources"]
        assert [entry["id"] for entry in source["entries"]] == ["q1"]
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=30) == 0
        assert program.stderr.read() == ""


def test_a_port_that_is_taken_is_named(server: PageServer, follower: Follower) -> None:
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(RecordError, match=f"port {port} can't be used"):
        PageServer([follower], port)
    with pytest.raises(RecordError, match="port 99999 can't be used"):
        PageServer([follower], 99999)


def test_a_run_serves_its_own_page_while_it_goes_on(
    tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--dashboard`: the page is there before the run begins, follows its results, and is gone when it ends."""
    output, seen = tmp_path / "run.jsonl", list[Any]()

    def solve_file(config: Any, qaf: str, output: Path, **options: Any) -> Totals:
        (address,) = [word for word in capsys.readouterr().err.split() if word.startswith("http")]
        for number in (1, 2):
            append(output, as_line(answer_line(number, "1")))
            with urllib.request.urlopen(f"{address}news?seen=[[-1,0]]", timeout=30) as reply:
                seen.append(json.loads(gzip.decompress(reply.read()))["sources"][0]["summary"])
        seen.append(address)
        return Totals(questions=2)

    monkeypatch.setattr(cli, "solve_file", solve_file)
    argv = ["--cfg", "configs/mini/sbs.yaml", "--qaf", "data/mini/test.jsonl", "--output", str(output)]
    monkeypatch.chdir(repo)
    assert cli.solve_main(cli.solve_parser("…"), [*argv, "--dashboard", "0"]) == 0
    first, second, address = seen
    assert (first["done"], second["done"]) == (1, 2)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)
    with socket.create_server(("127.0.0.1", 0)) as taken:  # said before anything is loaded, and nothing is written
        assert cli.solve_main(cli.solve_parser("…"), [*argv, "--dashboard", str(taken.getsockname()[1])]) == 2
    assert "can't be used" in capsys.readouterr().err
