"""Comparisons in worker processes that can be killed: bounded time and memory for any text, from any thread.

Workers are started afresh (exec), never forked, so that they inherit nothing of an engine in this process. Each has
one thread here that feeds it, so a heavy pair holds up only itself.
"""

from __future__ import annotations

import json
import os
import queue
import re
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mcts_math.answer.equivalence import Gold, check
from mcts_math.answer.verdict import DEFAULT_POLICY, Policy, Status, Verdict
from mcts_math.errors import CheckerError

_START_LIMIT_S: Final = 60.0
_BATCH: Final = 16  # pairs handed to a worker at once by `check_many`
_BATCH_CHARS: Final = 4000  # what a pipe holds without waiting for its reader
_ROOT: Final = str(Path(__file__).resolve().parents[2])
_EASY: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?\Z", re.ASCII)


class _CutError(Exception):
    """The worker did not answer in time, or died."""


class _Worker:
    """One child process and the pipes to it."""

    def __init__(self, memory_mb: int) -> None:
        paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mcts_math.answer.worker", str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # an interrupt at the terminal is the parent's to handle
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._received = b""
        try:
            greeting = self.receive(_START_LIMIT_S)
        except _CutError as error:
            self.kill()
            raise CheckerError(f"a worker of the answer checker did not start: {error}") from error
        if "error" in greeting:
            self.kill()
            raise CheckerError(f"a worker of the answer checker can't run: {greeting['error']}")

    def send(self, jobs: Iterable[dict[str, Any]]) -> None:
        """Hands over jobs; they are answered one after the other."""
        try:
            self._input.write(b"".join(json.dumps(job).encode() + b"\n" for job in jobs))
            self._input.flush()
        except OSError as error:
            raise _CutError("the worker died") from error

    def receive(self, limit_s: float) -> dict[str, Any]:
        """The next reply; the worker is of no use after `_CutError`."""
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise _CutError(f"cut after {limit_s:g} s")
            chunk = os.read(self._output.fileno(), 1 << 16)
            if not chunk:
                raise _CutError("the worker died")
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output):
            try:
                pipe.close()
            except OSError:
                continue  # what was still in the buffer of a dead worker


@dataclass(frozen=True)
class _Job:
    """One pair and the future of its verdict."""

    future: Future[Verdict]
    gold: str | tuple[str, ...]
    pred: str

    @property
    def size(self) -> int:
        """Characters to send."""
        return len(self.pred) + (len(self.gold) if isinstance(self.gold, str) else sum(map(len, self.gold)))


class CheckerPool:
    """Worker processes that compare answers.

    Safe to use from any thread. Use as a context manager, or call `close`.

    Args:
        num_workers: processes, >= 1; one for each core where None. They start when first needed.
        limit_s: wall-clock seconds for one pair, > 0; a pair that takes longer is a TIMEOUT.
        memory_mb: address space of a worker, >= 64.
        policy: the rules of comparison.
        cache_size: verdicts to remember, >= 0.
    """

    def __init__(
        self,
        num_workers: int | None = None,
        limit_s: float = 2.0,
        memory_mb: int = 1024,
        policy: Policy = DEFAULT_POLICY,
        cache_size: int = 100_000,
    ) -> None:
        if num_workers is not None and num_workers < 1:
            raise ValueError(f"num_workers must be >= 1, not {num_workers}")
        if limit_s <= 0 or memory_mb < 64 or cache_size < 0:
            raise ValueError("limit_s must be > 0, memory_mb >= 64 and cache_size >= 0")
        self.num_workers = (
            num_workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        self.policy = policy
        self._limit_s = limit_s
        self._memory_mb = memory_mb
        self._queue: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._cache: OrderedDict[tuple[Gold, str], Verdict] = OrderedDict()
        self._cache_size = cache_size
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._pending = 0
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
        job = self._prepare(gold, pred)
        if not job.future.done():
            self._enqueue([job])
        return job.future

    def check_many(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Verdict]:
        """Verdicts of many (gold, answer) pairs, in order, as they come in, over all workers."""
        window: deque[Future[Verdict]] = deque()
        batch: list[_Job] = []

        def flush() -> None:
            if batch:
                self._enqueue(batch.copy())
                batch.clear()

        for gold, pred in pairs:
            job = self._prepare(gold, pred)
            window.append(job.future)
            if not job.future.done():
                batch.append(job)
            full = len(window) > 8 * _BATCH * self.num_workers
            if full or len(batch) == _BATCH or sum(job.size for job in batch) > _BATCH_CHARS:
                flush()  # before any wait below: the first of the window may be in the batch
            while window and (full or window[0].done()):
                yield window.popleft().result()
                full = False
        flush()
        while window:
            yield window.popleft().result()

    def _prepare(self, gold: Gold, pred: str) -> _Job:
        """A job, whose verdict is set where no worker is needed."""
        golds = gold if isinstance(gold, str) else tuple(gold)
        job = _Job(Future(), golds, pred)
        verdict = easy_verdict(golds, pred, self.policy) or self._known((golds, pred))
        if verdict is not None:
            job.future.set_result(verdict)
        return job

    def _enqueue(self, jobs: list[_Job]) -> None:
        with self._lock:
            if self._closed:
                raise CheckerError("the answer checker was closed")
            self._pending += 1
            if len(self._threads) < min(self.num_workers, self._pending):
                thread = threading.Thread(target=self._serve, name=f"checker-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._queue.put(jobs)

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

    def _remember(self, job: _Job, verdict: Verdict) -> None:
        with self._lock:
            self._cache[job.gold, job.pred] = verdict
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)

    def _serve(self) -> None:
        """The thread of one worker: feeds it jobs, replaces it when it had to be killed."""
        worker: _Worker | None = None
        while (jobs := self._queue.get()) is not None:
            waiting = deque(job for job in jobs if job.future.set_running_or_notify_cancel())
            while waiting:
                try:
                    worker = worker or _Worker(self._memory_mb)
                    self._work(worker, waiting)
                except _CutError as cut:  # of the first one that waits; the others get a new worker
                    if worker is not None:
                        worker.kill()
                    worker = None
                    self._settle(waiting, Verdict(Status.TIMEOUT, str(cut), "", ""))
                except Exception as error:  # of the infrastructure: the callers must see it, and the thread must live
                    problem = error if isinstance(error, CheckerError) else CheckerError(repr(error))
                    while waiting:
                        waiting.popleft().future.set_exception(problem)
            with self._lock:
                self._pending -= 1
        if worker is not None:
            worker.kill()

    def _work(self, worker: _Worker, waiting: deque[_Job]) -> None:
        """Has a worker answer all jobs that wait, in order; those answered no longer wait."""
        policy = asdict(self.policy)
        worker.send({"gold": job.gold, "pred": job.pred, "policy": policy} for job in waiting)
        while waiting:
            reply = worker.receive(self._limit_s)
            self._settle(waiting, Verdict(Status(reply["status"]), reply["reason"], reply["gold"], reply["pred"]))

    def _settle(self, waiting: deque[_Job], verdict: Verdict) -> None:
        job = waiting.popleft()
        self._remember(job, verdict)
        job.future.set_result(verdict)


def easy_verdict(gold: Gold, pred: str, policy: Policy) -> Verdict | None:
    """The verdict of a pair that needs no worker: the same text, or plain numbers. None for any other pair."""
    golds = (gold,) if isinstance(gold, str) else gold
    if pred in golds and pred.strip():
        return Verdict(Status.EQUAL, "the same text", pred, pred)
    if golds and len(pred) < 32 and _EASY.match(pred) and all(len(g) < 32 and _EASY.match(g) for g in golds):
        return check(gold, pred, policy)
    return None
