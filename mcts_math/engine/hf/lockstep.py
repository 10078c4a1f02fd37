"""The engine of repeatable runs: the same requests give the same bits, whatever the timing.

`HFEngine` batches what happens to be there, and sums over batches of other shapes round differently; now and then that
tips a sample, so two equal runs differ in a few questions. `Lockstep` waits until every tree in flight waits for the
model, puts the requests in order and runs them as one batch. What is in a batch then follows from the trees alone.
It costs the time in which interpreter and model would have worked at once; two processes side by side win it back.

Promised on one machine, for equal package versions, number of threads and questions in flight together, where every
service that takes time is counted (`Lockstep.counted`). A snippet that is cut off by its time limit may still differ.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from mcts_math.concurrency import settle
from mcts_math.engine.hf.arguments import BatchLimits, HFArguments
from mcts_math.engine.hf.batch import Batch
from mcts_math.engine.hf.engine import JobEngine
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.model import load_model as load_uncached
from mcts_math.engine.hf.sequence import Job
from mcts_math.engine.hf.token_beam import beam_search
from mcts_math.engine.spec import EngineOptions
from mcts_math.engine.table import ENGINES
from mcts_math.errors import ConfigError, EngineError
from mcts_math.messages import Prompt
from mcts_math.requests import Checker, Interpreter

T = TypeVar("T")

_TURNS = 12  # of the event loop without a new request, after which all trees wait for the model
_PROMPTS = 1 << 14  # whose tokens are kept: a search asks for the values and the steps below one prompt
_ARGUMENTS = {field.name for field in fields(HFArguments)} - ENGINES["hf"].neutral_arguments  # those for the model

_models: dict[tuple[object, ...], CausalModel] = {}  # of this process: the last one that was used


def load_model(options: EngineOptions) -> CausalModel:
    """The model of some options, loaded once a process; the last one is kept, until its files change. Raises
    ConfigError for an argument that is not for the model, EngineError and CheckpointError where it can't be loaded."""
    if unknown := sorted(set(options.arguments) - _ARGUMENTS):
        raise ConfigError(f"engine_args: {unknown[0]!r} has no use here; it takes: {', '.join(sorted(_ARGUMENTS))}.")
    arguments = HFArguments(**options.arguments)
    folders = [Path(name).expanduser().resolve() for name in (options.model_dir, arguments.tuned_dir) if name]
    files = [file for folder in folders for file in sorted(folder.glob("*"))]
    states = [(str(file), (state := file.stat()).st_size, state.st_mtime_ns) for file in files]
    key = (options.model_dir, arguments, options.need_value, *map(str, folders), *states)
    if key not in _models:
        _models.clear()
        gc.collect()
        gc.freeze()  # what was imported stays: the collector need not look through it time and again
        _models[key] = load_uncached(options.model_dir, arguments, need_value=options.need_value)
    return _models[key]


@dataclass(eq=False, slots=True)
class _Waiter:
    job: Job
    task_id: str
    future: asyncio.Future[None]

    @property
    def order(self) -> tuple[object, ...]:
        """By length first: rows that run together are padded to the longest of them."""
        return len(self.job.prompt), self.task_id, self.job.num_samples, self.job.prompt, self.job.seed


class Lockstep(JobEngine):
    """Policy and value model over a loaded model, for one run: it starts with an empty prefix cache, which also changes
    roundings."""

    def __init__(
        self, model: CausalModel, interpreter: Interpreter, checker: Checker, limits: BatchLimits | None = None
    ) -> None:
        self.model = model
        self._tokens = lru_cache(_PROMPTS)(model.codec.encode_prompt)
        self._limits = limits or BatchLimits()
        self._batch = Batch(model, self._limits)
        self._waiting: list[_Waiter] = []
        self._elsewhere = 0  # requests that counted services are busy with
        self._arrivals = 0
        self._round: asyncio.Task[None] | None = None
        self._closed = False
        # those that were given, counted; use them in place of the given ones. Any other service that takes time (a
        # verifier, a value model of its own) is to be counted too, by `counted`.
        self.interpreter = self.counted(interpreter)
        self.checker = self.counted(checker)

    def counted(self, service: T) -> T:
        """A service like the given one, whose outstanding requests the batches wait for."""
        return cast(T, _Counted(service, self._count))

    async def close(self) -> None:
        """Ends the round that is under way; whoever waits gets an EngineError. The model stays loaded."""
        self._closed = True
        if self._round is not None:
            await asyncio.wait([self._round])
        waiting, self._waiting = self._waiting, []  # for a service that is still busy
        settle([one.future for one in waiting], EngineError("the engine is closed"))

    async def _encode(self, prompt: Prompt) -> tuple[int, ...] | int:
        """On the event loop, however long the text is: a thread's time must not decide on what is in a batch."""
        tokens = self._tokens(prompt)
        return tokens if len(tokens) < self.model.context_length else len(tokens)

    async def _run(self, job: Job, task_id: str) -> None:
        if job.adapter:
            raise EngineError("this engine keeps no adapters; leave out `adapter`")
        if self._closed:
            raise EngineError("the engine is closed")
        waiter = _Waiter(job, task_id, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._wake()
        await waiter.future

    async def _count(self, work: Awaitable[T]) -> T:
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
        while await self._all_wait():
            waiting, self._waiting = self._waiting, []
            waiting = sorted((one for one in waiting if not one.future.done()), key=lambda one: one.order)
            try:
                refused = await asyncio.to_thread(self._compute, [one.job for one in waiting])
            except Exception as error:  # whatever it is, those who wait must hear of it
                failure = f"the model broke down: {type(error).__name__}: {error}"
                refused = {one.job: EngineError(failure) for one in waiting}
                self._batch = Batch(self.model, self._limits)  # the broken one still holds their rows
            for one in waiting:
                settle([one.future], refused.get(one.job))

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

    @torch.inference_mode()
    def _compute(self, jobs: list[Job]) -> dict[Job, EngineError]:
        """Does all jobs; returns those that make no sense, or that closing has cut off."""
        refused: dict[Job, EngineError] = {}
        for job in jobs:
            if self._closed:
                break
            if job.sampling.beam_width == 1:
                self._batch.add(job)
                continue
            try:
                beam_search(self.model, job)
            except EngineError as error:
                refused[job] = error
        while not (self._closed or self._batch.is_idle):
            self._batch.step()
        return {job: EngineError("the engine is closed") for job in jobs if not job.is_done} | refused


class _Counted:
    def __init__(self, service: object, count: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
        self._service = service
        self._count = count

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._service, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            return self._count(result) if isawaitable(result) else result

        return call
