"""The engine's thread: takes what coroutines ask from its inbox, steps the batch, and tells those who wait."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from mcts_math.engine.hf.adapters import Adapters, Term
from mcts_math.engine.hf.batch import Batch
from mcts_math.engine.hf.sequence import Job
from mcts_math.errors import EngineError
from mcts_math.requests import Adaptation


@dataclass(eq=False, slots=True)
class Ticket:
    """A job for the batch, and the coroutine that waits for it."""

    job: Job
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


@dataclass(eq=False, slots=True)
class Exclusive:
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


Waiting: TypeAlias = Ticket | Exclusive
Message: TypeAlias = "Ticket | Exclusive | Cancel | Release | None"  # None: close


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


class EngineLoop:
    """Owns the model from the moment it is made until `None` is put into it.

    Args:
        batch: what samples.
        adapters: what jobs may name, if anything.
    """

    def __init__(self, batch: Batch, adapters: Adapters | None) -> None:
        self._batch = batch
        self._adapters = adapters
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._open: dict[Job, Ticket] = {}
        self._exclusive: deque[Exclusive] = deque()
        self._lock = threading.Lock()  # guards _ended together with the last look into the inbox
        self._ended: EngineError | None = None
        self._thread = threading.Thread(target=self._work, name="hf-engine", daemon=True)
        self._thread.start()

    def put(self, note: Message) -> None:
        """Hands something to the thread. Raises EngineError where somebody would wait for it in vain."""
        if not isinstance(note, Waiting):
            self._inbox.put(note)
            return
        with self._lock:
            if self._ended is not None:
                raise EngineError(str(self._ended)) from self._ended
            self._inbox.put(note)

    def join(self) -> None:
        """Waits for the end of the thread."""
        self._thread.join()

    def learn(self, adapters: Adapters, session: str, terms: Sequence[Term], seed: int) -> Adaptation:
        """One step of a session's adapter; called in the thread. Raises EngineError while it samples."""
        if any(job.adapter == session for job in self._open):
            raise EngineError(f"the adapter {session!r} can't learn while it samples")
        before = adapters.namespace(session)
        adaptation = adapters.step(session, terms, seed)
        if before and adapters.namespace(session) != before:
            self._batch.forget(before)
        return adaptation

    def _release(self, session: str) -> None:
        if self._adapters is None or session not in self._adapters:
            return
        left = [ticket for ticket in self._open.values() if ticket.job.adapter == session]
        for ticket in left:
            del self._open[ticket.job]
            self._batch.cancel(ticket.job)
        wake(left, EngineError(f"the adapter {session!r} was released while it sampled"))
        self._batch.forget(self._adapters.namespace(session))
        self._adapters.release(session)

    def _admit(self, ticket: Ticket) -> None:
        name, adapters = ticket.job.adapter, self._adapters
        if name and (adapters is None or name not in adapters):
            wake([ticket], EngineError(f"there is no adapter {name!r}; make it with an Adapt request first"))
            return
        self._open[ticket.job] = ticket
        self._batch.add(ticket.job)

    def _work(self) -> None:
        """The thread: takes messages and steps the batch until it is told to close or something breaks."""
        try:
            while self._read_inbox():
                while self._exclusive:  # all at once: those who waited for it then sample in one batch
                    self._run_exclusive(self._exclusive.popleft())
                if not self._batch.is_idle:
                    self._deliver(self._batch.step())
        except EngineError as error:
            self._end(error)
        except torch.OutOfMemoryError as error:
            self._end(
                EngineError(
                    "the GPU is out of memory; lower max_batch_tokens, prefix_cache_tokens or max_prefill_tokens "
                    f"({error})"
                )
            )
        except Exception as error:  # whatever it is, those who wait must hear of it
            failure = EngineError(f"the model broke down: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)
        else:
            self._end(EngineError("the engine is closed"))

    def _read_inbox(self) -> bool:
        """Takes all messages, waiting for one where there is nothing else to do; False when told to close."""
        block = self._batch.is_idle and not self._exclusive
        while True:
            try:
                message = self._inbox.get(block)
            except queue.Empty:
                return True
            block = False
            if message is None:
                return False
            if isinstance(message, Ticket):
                self._admit(message)
            elif isinstance(message, Exclusive):
                self._exclusive.append(message)
            elif isinstance(message, Cancel):
                if self._open.pop(message.job, None) is not None:
                    self._batch.cancel(message.job)
            else:
                self._release(message.session)

    def _run_exclusive(self, ticket: Exclusive) -> None:
        if ticket.future.cancelled():
            return
        try:
            ticket.run()
        except EngineError as error:  # the request's own; the model is as it was
            wake([ticket], error)
        except BaseException:
            self._exclusive.append(ticket)  # it waits like the others for the news that the engine broke down
            raise
        else:
            wake([ticket], None)

    def _deliver(self, jobs: Iterable[Job]) -> None:
        wake([self._open.pop(job) for job in jobs], None)

    def _end(self, error: EngineError) -> None:
        """Fails what waits and what is still in the inbox; later requests fail at the door."""
        with self._lock:
            self._ended = error
        while not self._inbox.empty():
            message = self._inbox.get()
            if isinstance(message, Ticket):
                self._open[message.job] = message
            elif isinstance(message, Exclusive):
                self._exclusive.append(message)
        wake([*self._open.values(), *self._exclusive], error)
        self._open.clear()
        self._exclusive.clear()
