"""What the benchmarks of engines share: searches on an engine, and the same requests sent as one flat batch."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from scripted import RandomPolicy
from stand_ins import EchoInterpreter, EqualChecker, EqualVerifier

from mcts_math.config import Config
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, Services
from mcts_math.scheduler import RunLimits, Scheduler
from mcts_math.solver import search_maker
from mcts_math.tasks import Task, load_tasks

ROOT = Path(__file__).parent.parent


class Recorder:
    """Passes requests on and keeps them; on a random model, answers with made-up steps at the real cost.

    Args:
        engine: answers.
        make_believe: writes a made-up step in the form that the search reads; None: the engine's own samples.
    """

    def __init__(self, engine: Any, make_believe: Callable[[str], str] | None) -> None:
        self.engine = engine
        self._write = make_believe
        self.asked: list[Generate | Evaluate] = []
        self.answered: list[tuple[Generate | Evaluate, Generation | None]] = []
        self._steps = RandomPolicy(1)

    async def generate(self, request: Generate) -> Generation:
        if self._write is not None:  # 4 to 64 tokens, told by the seed
            length = 4 + random.Random(request.seed).randrange(61)
            request = replace(request, sampling=replace(request.sampling, max_tokens=length, stop=()))
        self.asked.append(request)
        reply = await self.engine.generate(request)
        self.answered.append((request, reply))  # what the engine has computed
        if self._write is not None and reply.samples:
            texts = [self._write(step.text) for step in (await self._steps.generate(request)).samples]
            samples = tuple(replace(one, text=text) for one, text in zip(reply.samples, texts, strict=True))
            reply = replace(reply, samples=samples)
        return reply

    async def evaluate(self, request: Evaluate) -> Evaluation:
        self.asked.append(request)
        reply = await self.engine.evaluate(request)
        self.answered.append((request, None))
        return reply

    async def close(self) -> None:
        pass


def questions(count: int) -> list[str]:
    """Prompts of the first questions of `data/mini`."""
    return [f"<question> {task.question} </question>\n" for task in load_tasks(ROOT / "data/mini/test.jsonl")[:count]]


def run_search(config: Config, tasks: Sequence[Task], policy: Any) -> float:
    """Seconds until all trees are done, as the solver drives them; snippets and answers cost nothing here."""

    async def scene() -> float:
        services = Services(policy, policy, EchoInterpreter(), EqualChecker(), EqualVerifier())
        begun = time.perf_counter()
        async for solved in Scheduler(services, RunLimits()).run(
            tasks, search_maker(config, use_values=config.value_source != "none")
        ):
            if solved.error:
                raise SystemExit(solved.error)
        return time.perf_counter() - begun

    return asyncio.run(scene())


def run_flat(requests: Sequence[Generate | Evaluate], engine: Any) -> float:
    """Seconds of the same requests, all sent at once."""

    async def scene() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*(engine.generate(r) if isinstance(r, Generate) else engine.evaluate(r) for r in requests))
        return time.perf_counter() - begun

    return asyncio.run(scene())
