"""A small server that answers as told, as many servers do, and as none should."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mcts_math.engine.openai.engine import OpenAIEngine
from mcts_math.requests import Generate, Generation

GOOD: dict[str, Any] = {"text": " a", "finish_reason": "stop", "logprobs": {"token_logprobs": [-0.5, -0.25]}}
CHAT: dict[str, Any] = {
    "message": {"content": "hi"},
    "finish_reason": "stop",
    "logprobs": {"content": [{"logprob": -1.0}]},
}
Answer = tuple[int, Any]


class FakeServer(ThreadingHTTPServer):
    """Answers each POST with what `answer` says of (path, body), trials of it with what `trial` says; GETs with cards.

    By default it has one sample for a request, and tells log-probabilities.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cards: Any = {"data": [{"id": "m", "owned_by": "someone"}]}
        self.answer: Callable[[str, dict[str, Any]], Answer] = lambda path, body: (200, {"choices": [GOOD]})
        self.trial: Callable[[str, dict[str, Any]], Answer] = lambda path, body: (
            200,
            {"choices": [CHAT if "messages" in body else GOOD]},
        )
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.tried: list[tuple[str, dict[str, Any]]] = []
        self.headers: dict[str, str] = {}
        self.more_headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(200, self.server.cards)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers = dict(self.headers)
        path = self.path.removeprefix("/v1/")
        is_trial = body.get("prompt") == "1 + 1 =" or "1 + 1 = ?" in str(body.get("messages"))
        (self.server.tried if is_trial else self.server.asked).append((path, body))
        self.reply(*(self.server.trial if is_trial else self.server.answer)(path, body))

    def reply(self, status: int, content: Any) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in self.server.more_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


def ask(server: FakeServer, *requests: Generate, model: str = "m", **settings: Any) -> list[Generation]:
    """The replies to some requests, by a client that was just connected."""
    replies = try_asking(server, *requests, model=model, **settings)
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return replies


def try_asking(server: FakeServer, *requests: Generate, model: str = "m", **settings: Any) -> list[Any]:
    """The same, with what was raised in the place of a reply."""

    async def scene() -> list[Any]:
        chosen = {"pause_s": 0.01, "retries": 2} | settings
        engine = await asyncio.to_thread(lambda: OpenAIEngine.connect(model, base_url=server.url, **chosen))
        try:
            return await asyncio.gather(*map(engine.generate, requests), return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(scene())
