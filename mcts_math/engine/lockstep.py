"""The engine in rounds: the same requests give the same bits, whatever the timing.

`HFEngine` batches what happens to be there, and sums over batches of other shapes round differently; now and then that
tips a draw, so two equal runs differ in a few questions. `Lockstep` waits until every tree in flight waits for the
model, puts the requests in order and runs them as one batch. What is in a batch then follows from the trees alone.
It costs the time in which interpreter and model would have worked at once; two processes side by side win it back.

Promised on one machine, for equal package versions, number of threads and questions in flight together. A snippet that
is cut off by its time limit may still differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from mcts_math.engine.batch import Batch
from mcts_math.engine.jobs import Job
from mcts_math.engine.model import CausalModel
from mcts_math.errors import EngineError
from mcts_math.requests import (
    Check,
    Checker,
    Evaluate,
    Evaluation,
    Execute,
    Generate,
    Generation,
    Interpreter,
    Observation,
    Sample,
)

T = TypeVar("T")

_TURNS = 12  # of the event loop without a new request, after which all trees wait for the model
_PROMPTS = 1 << 14  # whose tokens are kept: a search asks for the values and the steps below one prompt


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much is computed at once, as in `HFEngine.load`; fixed numbers, since free memory changes."""

    max_batch_size: int = 256
    max_batch_tokens: int = 1 << 17
    max_prefill_tokens: int = 4096
    prefix_cache_tokens: int = 1 << 17


class Lockstep:
    """Policy and value model over a loaded model; use `interpreter` and `checker` in place of the ones that are given.

    One object serves one run: it starts with an empty prefix cache, which also changes roundings.
    """

    def __init__(
        self, model: CausalModel, interpreter: Interpreter, checker: Checker, limits: BatchLimits | None = None
    ) -> None:
        limits = limits or BatchLimits()
        self._model = model
        self._encode_prompt = lru_cache(_PROMPTS)(model.codec.encode_prompt)
        self._batch = Batch(
            model,
            max_batch_size=limits.max_batch_size,
            max_batch_tokens=limits.max_batch_tokens,
            max_prefill_tokens=limits.max_prefill_tokens,
            prefix_cache_tokens=limits.prefix_cache_tokens,
        )
        self._waiting: list[tuple[Job, str, asyncio.Future[None]]] = []
        self._elsewhere = 0  # requests that interpreter and checker are busy with
        self._arrivals = 0
        self._round: asyncio.Task[None] | None = None
        self.interpreter = _CountedInterpreter(interpreter, self)
        self.checker = _CountedChecker(checker, self)

    async def generate(self, request: Generate) -> Generation:
        """As `HFEngine.generate`. Raises EngineError where the model breaks down."""
        prompt = self._encode_prompt(request.prompt)
        if len(prompt) >= self._model.context_length:
            return Generation((), too_long=True, num_prompt_tokens=len(prompt))
        want_value = request.want_value and self._model.head is not None
        job = Job(prompt, request.num_samples, request.sampling, request.seed, want_value)
        await self._run(job, request.task_id)
        samples = tuple(sample for sample in job.samples if isinstance(sample, Sample))
        return Generation(samples, job.value, num_prompt_tokens=len(prompt), num_cached_tokens=job.num_cached)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """As `HFEngine.evaluate`."""
        if self._model.head is None:
            raise EngineError("a value was asked of a model that was loaded without value head; load with need_value")
        prompt = self._encode_prompt(request.prompt)
        if len(prompt) >= self._model.context_length:
            return Evaluation(None, too_long=True, num_prompt_tokens=len(prompt))
        job = Job(prompt, want_value=True)
        await self._run(job, request.task_id)
        return Evaluation(job.value, num_prompt_tokens=len(prompt), num_cached_tokens=job.num_cached)

    async def close(self) -> None:
        """Ends the round that is under way, if any; the model stays loaded."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)

    async def _run(self, job: Job, task_id: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, task_id, future))
        self._wake()
        await future

    async def count(self, work: Awaitable[T]) -> T:
        """Counts one request as being elsewhere until it is answered."""
        self._elsewhere += 1
        try:
            return await work
        finally:
            self._elsewhere -= 1
            self._wake()

    def _wake(self) -> None:
        self._arrivals += 1
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._rounds())

    async def _rounds(self) -> None:
        """Runs rounds as long as requests wait."""
        while await self._all_wait():
            waiting, self._waiting = self._waiting, []
            waiting = [entry for entry in waiting if not entry[2].done()]
            waiting.sort(key=_order)
            try:
                await asyncio.to_thread(self._compute, [job for job, _, _ in waiting])
            except Exception as error:  # whatever it is, those who wait must hear of it
                failure = f"the model broke down: {type(error).__name__}: {error}"
                for _, _, future in waiting:
                    if not future.done():
                        future.set_exception(EngineError(failure))
                return
            for _, _, future in waiting:
                if not future.done():
                    future.set_result(None)

    async def _all_wait(self) -> bool:
        """Whether requests wait, once nothing is elsewhere and no tree is on its way to its next request."""
        quiet = 0
        while quiet < _TURNS:
            if self._elsewhere:
                return False  # its answer wakes us
            seen = self._arrivals
            await asyncio.sleep(0)
            quiet = quiet + 1 if seen == self._arrivals else 0
        return bool(self._waiting)

    def _compute(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._batch.add(job)
        while not self._batch.is_idle:
            self._batch.step()


def _order(entry: tuple[Job, str, asyncio.Future[None]]) -> tuple[object, ...]:
    """By length first: rows that run together are padded to the longest of them."""
    job, task_id, _ = entry
    return len(job.prompt), task_id, job.num_samples, job.prompt, job.seed


class _CountedInterpreter:
    """An interpreter whose outstanding requests are counted."""

    def __init__(self, inner: Interpreter, owner: Lockstep) -> None:
        self._inner = inner
        self._owner = owner

    async def execute(self, request: Execute) -> Observation:
        return await self._owner.count(self._inner.execute(request))

    async def release(self, session: str) -> None:
        await self._owner.count(self._inner.release(session))

    async def close(self) -> None:
        await self._inner.close()


class _CountedChecker:
    """A checker whose outstanding requests are counted."""

    def __init__(self, inner: Checker, owner: Lockstep) -> None:
        self._inner = inner
        self._owner = owner

    async def check(self, request: Check) -> bool:
        return await self._owner.count(self._inner.check(request))

    async def close(self) -> None:
        await self._inner.close()
