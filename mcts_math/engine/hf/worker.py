"""The engine's thread: does what coroutines ask of it, steps the batch, and tells those who wait."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias, TypeVar

import torch

from mcts_math.concurrency import settle
from mcts_math.engine.hf.batch import Batch
from mcts_math.engine.hf.kv_cache import KVBlock
from mcts_math.engine.hf.lessons import Lesson, SessionWeights
from mcts_math.engine.hf.sequence import Job
from mcts_math.errors import EngineError, EngineLostError
from mcts_math.requests import Adaptation

T = TypeVar("T")


_Waiter: TypeAlias = "asyncio.Future[None]"
"""What a coroutine waits for."""


class EngineThread:
    """Owns the model from the moment it is made until it is closed."""

    def __init__(self, batch: Batch, adapters: SessionWeights | None) -> None:
        self._batch = batch
        self._adapters = adapters
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()  # None: close
        self._waiting: set[_Waiter] = set()
        self._jobs: dict[Job, _Waiter] = {}  # those in the batch
        self._lock = threading.Lock()  # guards _waiting together with _ended
        self._ended: EngineError | None = None
        self._thread = threading.Thread(target=self._work, name="hf-engine", daemon=True)
        self._thread.start()

    async def run(self, job: Job) -> None:
        """Waits until a job is done. Raises EngineError where there is no such adapter, or the thread has ended."""
        waiter = self._register()
        self._inbox.put(partial(self._admit, job, waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            self._inbox.put(partial(self._cancel, job))
            raise

    async def run_exclusive(self, work: Callable[[], T]) -> T:
        """Has work done that needs the model to itself, between two steps of the batch. Raises EngineError as `run`."""
        waiter, results = self._register(), list[T]()
        self._inbox.put(partial(self._do_exclusive, lambda: results.append(work()), waiter))
        await waiter
        return results[0]

    async def learn(self, session: str, lesson: Lesson) -> Adaptation:
        """One step of a session's adapter. Raises EngineError as `run`, and while the adapter samples."""
        return await self.run_exclusive(partial(self._learn, session, lesson))

    def release(self, session: str) -> None:
        self._inbox.put(partial(self._release, session))

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join()

    def _register(self) -> _Waiter:
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._ended is not None:
                raise type(self._ended)(str(self._ended)) from self._ended
            self._waiting.add(waiter)
        return waiter

    def _work(self) -> None:
        """The thread: reads its inbox and steps the batch until it is told to close or something breaks."""
        try:
            while self._read_inbox():
                if not self._batch.is_idle:
                    self._wake([self._jobs.pop(job) for job in self._batch.step()])
        except torch.OutOfMemoryError as error:
            advice = "lower max_batch_tokens, prefix_cache_tokens or max_prefill_tokens"
            self._end(EngineLostError(f"the GPU is out of memory; {advice} ({error})"))
        except Exception as error:  # whatever it is, those who wait must hear of it
            what = "" if isinstance(error, EngineError) else f"the model broke down: {type(error).__name__}: "
            failure = EngineLostError(f"{what}{error}")
            failure.__cause__ = error
            self._end(failure)
        else:
            self._end(EngineError("the engine is closed"))

    def _read_inbox(self) -> bool:
        """Does all that was asked, waiting for it where there is nothing else to do; False when told to close."""
        block = self._batch.is_idle
        while True:
            try:
                act = self._inbox.get(block)
            except queue.Empty:
                return True
            if act is None:
                return False
            act()
            block = False

    def _end(self, error: EngineError) -> None:
        """Fails what waits; later requests fail at the door."""
        with self._lock:
            self._ended = error
            waiting = list(self._waiting)
        self._wake(waiting, error)

    def _wake(self, waiters: Iterable[_Waiter], error: EngineError | None = None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Waiter]] = {}
        for waiter in waiters:
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
            self._waiting.discard(waiter)
        for loop, mine in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, mine, error)
            except RuntimeError:
                if not loop.is_closed():
                    raise
                # The loop ended without waiting for its coroutines: nobody is left to be told.

    def _admit(self, job: Job, waiter: _Waiter) -> None:
        if job.adapter and (self._adapters is None or job.adapter not in self._adapters):
            self._wake(
                [waiter], EngineError(f"there is no adapter {job.adapter!r}; make it with an Adapt request first")
            )
            return
        self._jobs[job] = waiter
        self._batch.add(job)

    def _cancel(self, job: Job) -> None:
        waiter = self._jobs.pop(job, None)
        if waiter is not None:
            self._waiting.discard(waiter)
            self._batch.cancel(job)

    def _do_exclusive(self, work: Callable[[], None], waiter: _Waiter) -> None:
        if not waiter.cancelled():
            try:
                work()
            except EngineError as error:  # the request's own; the model is as it was
                self._wake([waiter], error)
                return
        self._wake([waiter])

    def _learn(self, session: str, lesson: Lesson) -> Adaptation:
        assert self._adapters is not None  # `HFEngine.adapt` has looked
        if any(job.adapter == session for job in self._jobs):
            raise EngineError(f"the adapter {session!r} can't learn while it samples")
        before = self._adapters.namespace(session)
        sampled_by = session if session in self._adapters else ""  # a session's first step learns from a plain sample

        def recall(tokens: tuple[int, ...]) -> tuple[KVBlock, int]:
            return self._batch.recall(tokens, sampled_by)

        adaptation = self._adapters.step(session, lesson, recall)
        if before and self._adapters.namespace(session) != before:
            self._batch.forget(before)
        return adaptation

    def _release(self, session: str) -> None:
        if self._adapters is None or session not in self._adapters:
            return
        left = {job: waiter for job, waiter in self._jobs.items() if job.adapter == session}
        for job in left:
            del self._jobs[job]
            self._batch.cancel(job)
        self._wake(left.values(), EngineError(f"the adapter {session!r} was released while it sampled"))
        self._batch.forget(self._adapters.namespace(session))
        self._adapters.release(session)


def _resolve(waiters: list[_Waiter], error: EngineError | None) -> None:
    """Runs in the event loop of the coroutines that wait."""
    for waiter in waiters:
        failure = None if error is None else type(error)(str(error))  # one each: to be raised adds to a traceback
        if failure is not None:
            failure.__cause__ = error
        settle([waiter], failure)
