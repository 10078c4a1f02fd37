"""The judge as an HTTP service with the published contract: POST {problem, completion} -> {passed, result}.

    uvicorn mcts_math.judge:app --port 9999 --workers 4

A request with `details: true`, as our own client sends, is told code, tests, num_passed and num_tests too. Any path
takes the POST, so that whatever address a client has in `OJ_API` works. GET /health says whether it lives. Settings
come from the environment, see `Settings`. Each worker process is a judge of its own with its own limits.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from mcts_math.errors import ConfigError, JudgeError, MctsMathError, TaskError
from mcts_math.judge.judge import Judge, JudgeLimits
from mcts_math.judge.problem import Problem
from mcts_math.web import Refused, read_body, reply

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response
except ImportError as error:
    raise JudgeError("the judge service needs FastAPI and uvicorn: pip install 'mcts_math[judge]'") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """What one worker process of the service allows.

    Attributes:
        limits: of one judgement. JUDGE_TIMEOUT_S (5), JUDGE_TOTAL_TIMEOUT_S (60), JUDGE_MAX_TOTAL_TIMEOUT_S (900),
            JUDGE_MEMORY_MB (512), JUDGE_MAX_RUNNING (two a core) and JUDGE_ALLOW_UNSAFE_EXEC (0 or 1).
        max_in_flight: requests at a time; more get 503 with Retry-After. JUDGE_MAX_IN_FLIGHT (64).
        max_body_bytes: of one request. JUDGE_MAX_BODY_KB (1024).
    """

    limits: JudgeLimits = field(default_factory=JudgeLimits)
    max_in_flight: int = 64
    max_body_bytes: int = 1 << 20

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Reads the variables named above. Raises ConfigError naming the one that is wrong."""
        given = {
            field: change(_number(name, environment[name], least))
            for field, (name, least, change) in _VARIABLES.items()
            if environment.get(name)
        }
        own = {field: given.pop(field) for field in ("max_in_flight", "max_body_bytes") if field in given}
        return cls(JudgeLimits(**given), **own)


_VARIABLES: Final[dict[str, tuple[str, float, Callable[[float], Any]]]] = {
    "timeout_s": ("JUDGE_TIMEOUT_S", 0.1, float),
    "total_timeout_s": ("JUDGE_TOTAL_TIMEOUT_S", 0.1, float),
    "max_total_timeout_s": ("JUDGE_MAX_TOTAL_TIMEOUT_S", 0.1, float),
    "memory_bytes": ("JUDGE_MEMORY_MB", 16, lambda number: int(number) << 20),
    "max_running": ("JUDGE_MAX_RUNNING", 1, int),
    "allow_unsafe_exec": ("JUDGE_ALLOW_UNSAFE_EXEC", 0, bool),
    "max_in_flight": ("JUDGE_MAX_IN_FLIGHT", 1, int),
    "max_body_bytes": ("JUDGE_MAX_BODY_KB", 1, lambda number: int(number) << 10),
}
"""By field of `Settings` or of its limits: the variable, its least value, what is made of it."""


def _number(name: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}; it must be a number.") from None
    if not least <= value < 1e12:
        raise ConfigError(f"{name} is {text}; it must be at least {least:g}.")
    return value


def make_app(settings: Settings | None = None) -> FastAPI:
    """The service; `settings` come from the environment where None."""
    settings = settings or Settings.from_environment(os.environ)
    judge = Judge(settings.limits)
    num_in_flight = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with judge:
            yield

    app = FastAPI(title="mcts_math judge", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> Response:
        level = judge.level.isolation.value if judge.level is not None else "not started"
        return reply(200, {"status": "ok", "isolation": level, "in_flight": num_in_flight})

    @app.post("/{path:path}")
    async def post(request: Request) -> Response:
        nonlocal num_in_flight
        if num_in_flight >= settings.max_in_flight:
            return _refusal(Refused(503, f"{num_in_flight} requests are in flight; try again later"))
        num_in_flight += 1
        try:
            problem, completion, details = _parse(await read_body(request, settings.max_body_bytes))
            judgement = await judge.judge(problem, completion)
        except Refused as refused:
            return _refusal(refused)
        except TaskError as error:
            return _refusal(Refused(422, str(error)))
        except MctsMathError as error:
            return _refusal(Refused(500, str(error)))
        finally:
            num_in_flight -= 1
        return reply(200, judgement.to_record(details))

    return app


def _refusal(refused: Refused) -> Response:
    return reply(refused.status, {"detail": refused.detail}, refused.headers)


def _parse(body: bytes) -> tuple[Problem, str, bool]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(422, f"the body is not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("problem"), dict):
        raise Refused(422, "the body must be an object with `problem` (an object) and `completion` (a string)")
    if not isinstance(data.get("completion"), str):
        raise Refused(422, "`completion` is missing or not a string")
    return Problem.from_record(data["problem"]), data["completion"], data.get("details") is True
