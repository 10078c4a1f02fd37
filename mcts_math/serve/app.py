"""The service over HTTP: `/v1/chat/completions`, `/v1/models`, `/health`, `/metrics`."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from mcts_math.concurrency import cancel, within
from mcts_math.scheduler import Solved
from mcts_math.serve.deltas import Deltas
from mcts_math.serve.gateway import Access, Gateway
from mcts_math.serve.models import ServedModel
from mcts_math.serve.orders import Order, read_request
from mcts_math.serve.replies import Writer, error, event, reason
from mcts_math.tasks import JsonObject
from mcts_math.web import Refused, read_body, reply

T = TypeVar("T")

_ALIVE_S: Final = 10.0
"""A stream sends something at least so often: proxies hang up on silence, and only so is it seen that a client went."""
_KEEP_S: Final = 75
"""A connection is kept so long between requests, longer than clients keep theirs: both ends must not race to use it."""
_GONE: Final = 499
"""The status of a request whose client went: nobody reads it, but it is counted."""


def make_server(gateway: Gateway, access: Access, drain_s: int = 60) -> uvicorn.Server:
    """A server of an open gateway. Told to end, it gives requests in flight `drain_s` seconds."""
    config = uvicorn.Config(
        make_app(gateway, access),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_S,
        timeout_graceful_shutdown=drain_s,
    )
    return uvicorn.Server(config)


def make_app(gateway: Gateway, access: Access) -> FastAPI:
    """The application of an open gateway, which it closes when the server has drained."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await gateway.close()

    app = FastAPI(title="mcts_math", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    chats = Chats(gateway, access)
    begun = int(time.time())

    def require(request: Request) -> None:
        access.require(request.headers.get("host", ""), request.headers.get("authorization", ""))

    def card(model: ServedModel) -> JsonObject:
        about = {"mode": model.config.mode, "base_model": model.config.model_dir}
        return {"id": model.name, "object": "model", "created": begun, "owned_by": "mcts_math", **about}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        require(request)
        return await chats.answer(request)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        require(request)
        return reply(200, {"object": "list", "data": [card(model) for model in gateway.models.values()]})

    @app.get("/v1/models/{name}")
    async def model(request: Request, name: str) -> Response:
        require(request)
        if name not in gateway.models:
            raise Refused(404, f"no model {name[:80]!r}", "model", "model_not_found")
        return reply(200, card(gateway.models[name]))

    @app.get("/health")
    async def health() -> Response:
        ready = gateway.is_ready
        return reply(200 if ready else 503, {"status": "ok" if ready else "loading"})

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        require(request)
        return Response(gateway.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.exception_handler(Refused)
    async def refuse(_: Request, refused: Refused) -> Response:
        return reply(refused.status, error(refused), refused.headers)

    @app.exception_handler(HTTPException)
    async def refuse_path(request: Request, problem: HTTPException) -> Response:
        refused = Refused(problem.status_code, f"{request.method} {request.url.path[:80]}: {problem.detail}")
        return reply(refused.status, error(refused), problem.headers)

    return app


class Chats:
    def __init__(self, gateway: Gateway, access: Access) -> None:
        self._gateway, self._access = gateway, access

    async def answer(self, request: Request) -> Response:  # raises Refused
        with ExitStack() as held:
            visit = held.enter_context(self._gateway.metrics.visit())
            try:
                order = self._gateway.order(read_request(await self._body(request)))
                visit.model = order.model.name
                held.enter_context(self._gateway.place(order.model))
                writer = Writer(f"chatcmpl-{uuid.uuid4().hex}", order)
                if order.request.stream:
                    visit.status = 200
                    return _Stream(self._events(order, writer), held.pop_all())
                solved = await _unless_gone(request, self._gateway.solve(order, writer.id))
            except Refused as refused:
                visit.status = refused.status
                raise
            visit.status = _GONE if solved is None else 200
            return Response(status_code=_GONE) if solved is None else reply(200, writer.completion(solved))

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # which a page of another site can't send unasked
            raise Refused(415, f"the body must be application/json, not {kind[:80] or 'of no type'}")
        return await read_body(request, self._access.max_body_bytes)

    async def _events(self, order: Order, writer: Writer) -> AsyncIterator[bytes]:
        """The reply in parts. The server ends this where the client goes."""
        changed = asyncio.Event()
        deltas = Deltas(order.model.expansion.format, order.model.config.method.is_chain)
        search = deltas.watch(order.make_search, changed.set)
        solving = asyncio.create_task(self._gateway.solve(order, writer.id, search))
        solving.add_done_callback(lambda _: changed.set())
        try:
            yield event(writer.chunk({"role": "assistant", "content": ""}))
            while not solving.done():
                with suppress(asyncio.TimeoutError):
                    await within(_ALIVE_S, changed.wait())
                if not changed.is_set():
                    yield b": searching\n\n"
                changed.clear()
                for delta in deltas.news():
                    yield event(writer.chunk(delta))
            for data in _ending(await solving, writer, deltas):
                yield event(data)
            yield b"data: [DONE]\n\n"
        except Refused as refused:
            yield event(error(refused))
        finally:
            await cancel([solving])


class _Stream(StreamingResponse):
    """Events, and what is held until they have been sent, or the client has gone."""

    def __init__(self, events: AsyncIterator[bytes], held: ExitStack) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


def _ending(solved: Solved, writer: Writer, deltas: Deltas) -> list[JsonObject]:
    """What a stream ends with: what was not sent yet of each choice, and what the search has found."""
    first, *others = writer.chosen(solved.tree)
    parts = [writer.chunk(delta) for delta in deltas.rest(solved.tree, first)]
    for index, end in enumerate(others, 1):
        other = Deltas(deltas.form, deltas.is_chain)
        parts += [writer.chunk(delta, index) for delta in other.rest(solved.tree, end)]
    parts += [writer.chunk({}, index, reason(solved)) for index in range(len(others) + 1)]
    return [*parts, writer.last_chunk(solved)]


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives; None where the client goes before it is done: it is then cancelled."""
    working, going = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([working, going], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await cancel([working, going])


async def _gone(request: Request) -> None:
    """Returns when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        continue
