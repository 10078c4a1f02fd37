"""The judge as an HTTP service with the published contract: POST {problem, completion} -> {passed, result}.

    uvicorn mcts_math.judge:app --port 9999 --workers 4

Any path takes the POST, so that whatever address a client has in `OJ_API` works. GET /health says whether it lives.
Settings come from the environment, see `Settings`. Each worker process is a judge of its own with its own limits.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcts_math.errors import ConfigError, JudgeError, MctsMathError, TaskError
from mcts_math.judge.judge import Judge, JudgeLimits
from mcts_math.judge.problem import Problem

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse
    from starlette.requests import ClientDisconnect
except ImportError as error:
    raise JudgeError("the judge service needs FastAPI and uvicorn: pip install 'mcts_math[judge]'") from error

_BODY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What one worker process of the service allows.

    Attributes:
        limits: of one judgement. JUDGE_TIMEOUT_S (3), JUDGE_MEMORY_MB (512), JUDGE_MAX_RUNNING (one a core) and
            JUDGE_ALLOW_UNSAFE_EXEC (0 or 1).
        max_in_flight: requests at a time; more get 503 with Retry-After. JUDGE_MAX_IN_FLIGHT (64).
        max_body_bytes: of one request. JUDGE_MAX_BODY_KB (1024).
    """

    limits: JudgeLimits = field(default_factory=JudgeLimits)
    max_in_flight: int = 64
    max_body_bytes: int = 1 << 20

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Reads the variables named above. Raises ConfigError naming the one that is wrong."""
        default = cls()

        def number(name: str, value: float, least: float) -> float:
            text = environment.get(name, "")
            try:
                value = float(text) if text else value
            except ValueError:
                raise ConfigError(f"{name} is {text!r}; it must be a number.") from None
            if not least <= value < 1e12:
                raise ConfigError(f"{name} is {text}; it must be at least {least:g}.")
            return value

        limits = JudgeLimits(
            timeout_s=number("JUDGE_TIMEOUT_S", default.limits.timeout_s, 0.1),
            memory_bytes=int(number("JUDGE_MEMORY_MB", default.limits.memory_bytes >> 20, 16)) << 20,
            max_running=int(number("JUDGE_MAX_RUNNING", default.limits.max_running, 1)),
            allow_unsafe_exec=bool(number("JUDGE_ALLOW_UNSAFE_EXEC", 0, 0)),
        )
        max_in_flight = int(number("JUDGE_MAX_IN_FLIGHT", default.max_in_flight, 1))
        return cls(limits, max_in_flight, int(number("JUDGE_MAX_BODY_KB", default.max_body_bytes >> 10, 1)) << 10)


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that gets an error status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def make_app(settings: Settings | None = None) -> FastAPI:
    """The service; `settings` come from the environment where None."""
    settings = settings or Settings.from_environment(os.environ)
    judge = Judge(settings.limits)
    num_in_flight = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await judge.start()
        try:
            yield
        finally:
            await judge.close()

    app = FastAPI(title="mcts_math judge", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> JSONResponse:
        level = judge.level.isolation.value if judge.level is not None else "not started"
        return JSONResponse({"status": "ok", "isolation": level, "in_flight": num_in_flight})

    @app.post("/{path:path}")
    async def post(request: Request) -> JSONResponse:
        nonlocal num_in_flight
        if num_in_flight >= settings.max_in_flight:
            return _refusal(503, f"{num_in_flight} requests are in flight; try again later")
        num_in_flight += 1
        try:
            problem, completion = _parse(await _read_body(request, settings.max_body_bytes))
            judgement = await judge.judge(problem, completion)
        except Refused as refused:
            return _refusal(refused.status, refused.detail)
        except TaskError as error:
            return _refusal(422, str(error))
        except MctsMathError as error:
            return _refusal(500, str(error))
        finally:
            num_in_flight -= 1
        return _reply(200, {"passed": judgement.passed, "result": judgement.result})

    return app


def _refusal(status: int, detail: str) -> JSONResponse:
    return _reply(status, {"detail": detail}, {"Retry-After": "1"} if status == 503 else None)


def _reply(status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    # Lone surrogates, which may come from a model, have no form in UTF-8.
    text = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in content.items()}
    return JSONResponse(text, status, headers)


async def _read_body(request: Request, max_bytes: int) -> bytes:
    """The body, read no further than the limit."""

    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise Refused(413, f"the request is longer than {max_bytes} bytes")
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), _BODY_TIMEOUT_S)
    except asyncio.TimeoutError:
        raise Refused(408, f"the request did not arrive within {_BODY_TIMEOUT_S:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the client hung up before the request was complete") from None


def _parse(body: bytes) -> tuple[Problem, str]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(422, f"the body is not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("problem"), dict):
        raise Refused(422, "the body must be an object with `problem` (an object) and `completion` (a string)")
    if not isinstance(data.get("completion"), str):
        raise Refused(422, "`completion` is missing or not a string")
    return Problem.from_record(data["problem"]), data["completion"]
