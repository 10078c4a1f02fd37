"""What coroutines put into the engine's inbox, and how its thread tells them that it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from mcts_math.engine.jobs import Job
from mcts_math.errors import EngineError


@dataclass(eq=False, slots=True)
class Ticket:
    """A job for the batch, and the coroutine that waits for it."""

    job: Job
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


@dataclass(eq=False, slots=True)
class Alone:
    """Work that needs the model to itself, between two steps of the batch."""

    run: Callable[[], None]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for a job any more."""

    job: Job


@dataclass(frozen=True, slots=True)
class Release:
    """A session's adapter is not needed any more."""

    session: str


Waiting: TypeAlias = Ticket | Alone
Note: TypeAlias = "Ticket | Alone | Cancel | Release | None"  # None: close


def wake(tickets: Iterable[Waiting], error: EngineError | None) -> None:
    """Lets the coroutines go on, with an error where there is one; called from the engine's thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    for ticket in tickets:
        by_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine, error)
        except RuntimeError:
            if not loop.is_closed():
                raise
            # The loop ended without waiting for its coroutines: nobody is left to be told.


def _resolve(tickets: list[Waiting], error: EngineError | None) -> None:
    """Runs in the event loop of the coroutines that wait."""
    for ticket in tickets:
        if ticket.future.done():
            continue  # cancelled meanwhile
        if error is None:
            ticket.future.set_result(None)
        else:
            failure = EngineError(str(error))  # one each: a traceback grows on an exception that is raised twice
            failure.__cause__ = error
            ticket.future.set_exception(failure)
