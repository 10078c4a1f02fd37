"""The page as a server of this machine shows it, for files that still grow: `/` is the page, `/news` what it has not
seen yet, `/tree` one tree. No page of another site can read them: a request must name this machine as its host."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from mcts_math.errors import MctsMathError, RecordError, boundary
from mcts_math.evaluate.grading import Grader
from mcts_math.view.assemble import page
from mcts_math.view.build import head_of, pack
from mcts_math.view.follow import Follower

Answer: TypeAlias = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""

PORT: Final = 8600
"""Where a program that is told none serves its page."""
_HOST: Final = "127.0.0.1"
_NAMES: Final = (_HOST, "localhost")
_PACKED, _TEXT = "application/gzip", "text/plain; charset=utf-8"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer:
    """Serves the page of one or two files, as a context manager; port 0 takes a free one. Raises RecordError: it is
    taken."""

    def __init__(self, followers: Sequence[Follower], port: int) -> None:
        self._followers = followers
        self._reading = threading.Lock()  # one request at a time reads the files
        with boundary(f"port {port} can't be used", RecordError, "Choose another one."):
            self._server = ThreadingHTTPServer((_HOST, port), partial(_Handler, self._answer))
        self._server.daemon_threads = True

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._server.server_port}/"

    def run(self) -> None:
        """Answers until `stop` is called from another thread."""
        self._server.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        self._server.shutdown()

    def _answer(self, target: str) -> Answer:
        try:
            address = urlsplit(target)
            with self._reading:
                return self._found(address.path, parse_qs(address.query))
        except MctsMathError as error:
            return HTTPStatus.CONFLICT, _TEXT, str(error).encode()
        except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
            return HTTPStatus.BAD_REQUEST, _TEXT, f"not a request of the page: {error!r}".encode()

    def _found(self, path: str, query: Mapping[str, list[str]]) -> Answer:
        if path == "/":
            before, between, after = (part.encode() for part in page(served=True))
            return HTTPStatus.OK, "text/html; charset=utf-8", before + head_of(None) + between + after
        if path == "/news":
            seen = json.loads(query["seen"][0])
            news = [follower.news(*map(int, seen[i])) for i, follower in enumerate(self._followers)]
            return HTTPStatus.OK, _PACKED, pack({"sources": news})
        if path == "/tree":
            source, number, place = (int(query[key][0]) for key in ("source", "number", "place"))
            return HTTPStatus.OK, _PACKED, pack(self._followers[source].tree(number, place))
        return HTTPStatus.NOT_FOUND, _TEXT, b"no such page"


class _Handler(BaseHTTPRequestHandler):
    """What `http.server` asks for: a class with a method of this name."""

    def __init__(self, answer: Callable[[str], Answer], *args: Any) -> None:
        self._answer = answer
        super().__init__(*args)

    def handle(self) -> None:
        with suppress(ConnectionError):  # a browser went away: nobody is there to be told
            super().handle()

    def do_GET(self) -> None:
        is_ours = self.headers.get("Host", "").removesuffix(f":{self.server.server_port}") in _NAMES  # type: ignore[attr-defined]
        forbidden = HTTPStatus.FORBIDDEN, _TEXT, b"this page is for this machine only"
        status, kind, body = self._answer(self.path) if is_ours else forbidden
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the page asks every other second."""


@contextmanager
def dashboard(output: Path, port: int) -> Iterator[str]:
    """Serves the page of a file, which need not be there yet, from a thread while a run writes it; yields its
    address."""
    with Grader(1) as grader, PageServer([Follower(output, grader)], port) as server:
        thread = threading.Thread(target=server.run, name="dashboard", daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.stop()
            thread.join()
