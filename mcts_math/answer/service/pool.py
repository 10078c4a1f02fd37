"""Comparisons in worker processes that can be killed: bounded time and memory for any text, from any thread.

Workers are started afresh (exec), never forked, so that they inherit nothing of an engine in this process. Each has
one thread here that feeds it pair by pair. While a pair takes long, a spare worker takes its place: a heavy pair holds
up only itself.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import asdict
from typing import Final, NamedTuple

from mcts_math.answer.rules.check import Gold, check
from mcts_math.answer.service.child import Child, CutError
from mcts_math.answer.verdict import DEFAULT_POLICY, Policy, Status, Verdict
from mcts_math.errors import CheckerError
from mcts_math.requests import Check

_WINDOW: Final = 4096  # pairs that may wait for a heavy one before them, for each worker
MAX_REMEMBERED: Final = 100_000  # verdicts
_EASY: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?\Z", re.ASCII)


class _Job(NamedTuple):
    """One pair and the future of its verdict."""

    future: Future[Verdict]
    gold: str | tuple[str, ...]
    pred: str


class CheckerPool:
    """Worker processes that compare answers.

    Safe to use from any thread. Use as a context manager, or call `close`.

    Args:
        num_workers: processes, >= 1; one for each core where None. They start when first needed.
        limit_s: wall-clock seconds for one pair, > 0; a pair that takes longer is a TIMEOUT.
        memory_mb: address space of a worker, >= 64.
        policy: the rules of comparison.
    """

    def __init__(
        self,
        num_workers: int | None = None,
        limit_s: float = 2.0,
        memory_mb: int = 1024,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        if num_workers is not None and num_workers < 1:
            raise ValueError(f"num_workers must be >= 1, not {num_workers}")
        if limit_s <= 0 or memory_mb < 64:
            raise ValueError("limit_s must be > 0 and memory_mb >= 64")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.num_workers = num_workers or cores
        self.policy = policy
        self._limit_s = limit_s
        self._memory_mb = memory_mb
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._cache: OrderedDict[tuple[Gold, str], Verdict] = OrderedDict()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._pending = 0  # jobs that wait or are at work
        self._heavy = 0  # workers that are at a pair that takes long
        self._closed = False

    def __enter__(self) -> CheckerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, gold: Gold, pred: str) -> Verdict:
        """Compares one pair and waits for the verdict.

        Raises:
            CheckerError: the pool is closed, or no worker can be started.
        """
        return self.submit(gold, pred).result()

    def submit(self, gold: Gold, pred: str) -> Future[Verdict]:
        """Compares one pair; the future holds its `Verdict`, at once where the pair is easy or known.

        Raises:
            CheckerError: the pool is closed.
        """
        golds = gold if isinstance(gold, str) else tuple(gold)
        job = _Job(Future(), golds, pred)
        verdict = easy_verdict(golds, pred, self.policy)
        if verdict is None:
            verdict = self._known((golds, pred))
        if verdict is not None:
            job.future.set_result(verdict)
            return job.future
        with self._lock:
            if self._closed:
                raise CheckerError("the answer checker was closed")
            self._pending += 1
            self._start_threads()
            self._queue.put(job)
        return job.future

    def check_many(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Verdict]:
        """Verdicts of many (gold, answer) pairs, in order, as they come in, over all workers."""
        window: deque[Future[Verdict]] = deque()
        for gold, pred in pairs:
            window.append(self.submit(gold, pred))
            while window and (window[0].done() or len(window) > _WINDOW * self.num_workers):
                yield window.popleft().result()
        while window:
            yield window.popleft().result()

    def _start_threads(self) -> None:
        """One thread for each worker that can be put to use; heavy pairs may double their number."""
        workers = self.num_workers + min(self._heavy, self.num_workers)
        while len(self._threads) < min(workers, self._pending):
            thread = threading.Thread(target=self._serve, name=f"checker-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Ends the workers after the jobs that are queued. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join()

    def _known(self, key: tuple[Gold, str]) -> Verdict | None:
        with self._lock:
            verdict = self._cache.get(key)
            if verdict is not None:
                self._cache.move_to_end(key)
            return verdict

    def _serve(self) -> None:
        """The thread of one worker: feeds it jobs, replaces it when it had to be killed."""
        worker: Child | None = None
        while (job := self._queue.get()) is not None:
            if job.future.set_running_or_notify_cancel():
                try:
                    worker = worker or Child(self._memory_mb)
                    self._settle(job, self._judged(worker, job))
                except CutError as cut:
                    if worker is not None:
                        worker.kill()
                    worker = None
                    self._settle(job, Verdict(Status.TIMEOUT, str(cut), "", ""))
                except Exception as error:  # of the infrastructure: the callers must see it, and the thread must live
                    problem = error if isinstance(error, CheckerError) else CheckerError(repr(error))
                    job.future.set_exception(problem)
            with self._lock:
                self._pending -= 1
        if worker is not None:
            worker.kill()

    def _judged(self, worker: Child, job: _Job) -> Verdict:
        slow: list[bool] = []

        def heavy() -> None:
            slow.append(True)
            with self._lock:
                self._heavy += 1
                if not self._closed:
                    self._start_threads()

        try:
            question = {"gold": job.gold, "pred": job.pred, "policy": asdict(self.policy)}
            reply = worker.ask(question, self._limit_s, heavy)
        finally:
            with self._lock:
                self._heavy -= len(slow)
        return Verdict(**{**reply, "status": Status(reply["status"])})

    def _settle(self, job: _Job, verdict: Verdict) -> None:
        with self._lock:
            self._cache[job.gold, job.pred] = verdict
            while len(self._cache) > MAX_REMEMBERED:
                self._cache.popitem(last=False)
        job.future.set_result(verdict)


class PoolChecker:
    """Answers `Check` requests. Easy pairs are answered at once; no pair waits for another.

    Args:
        num_workers: as of a `CheckerPool`.
    """

    def __init__(self, num_workers: int | None = None) -> None:
        self.pool = CheckerPool(num_workers)

    async def check(self, request: Check) -> bool:
        """Whether the answer equals one of the accepted ones; one that can't be read, or not in time, does not.

        Raises:
            CheckerError: the checker is closed, or no worker can be started.
        """
        future = self.pool.submit(request.golds, request.answer)
        if future.done():
            return future.result().equal
        import asyncio  # here, so that scoring without an event loop does not pay for it

        return (await asyncio.wrap_future(future)).equal

    async def close(self) -> None:
        """Ends the workers."""
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self.pool.close)


def easy_verdict(gold: Gold, pred: str, policy: Policy) -> Verdict | None:
    """The verdict of a pair that needs no worker: the same text, or plain numbers. None for any other pair."""
    golds = (gold,) if isinstance(gold, str) else gold
    if pred in golds and pred.strip():
        return Verdict(Status.EQUAL, "the same text", pred, pred)
    if golds and len(pred) < 32 and _EASY.match(pred) and all(len(g) < 32 and _EASY.match(g) for g in golds):
        return check(gold, pred, policy)
    return None
