"""Searches of a round: parts of a question file, solved by a few processes side by side, each with one model.

A part is the unit that a kill costs: its results file appears whole or not at all, in the order of the questions. With
`engine: hf` parts run in lock-step (`engine.lockstep`), so that the same part gives the same trees, whichever process
takes it and however often the round was stopped.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts_math.config import Config, make_config
from mcts_math.errors import MctsMathError, RecordError
from mcts_math.run.record import dump_line
from mcts_math.run.run import describe_run, to_record
from mcts_math.scheduler import Services, Solved
from mcts_math.solver import check_tasks, engine_options, make_scheduler, open_services
from mcts_math.strategy import make_search
from mcts_math.tasks import Task, load_tasks

_GC_THRESHOLD = 50_000  # objects: a part drops few cycles before its end, and looking for them took 3 % of its time


@dataclass(frozen=True, slots=True)
class Part:
    """One search over some questions.

    Attributes:
        name: for messages.
        settings: the search's config; `model_dir` included.
        questions: question file.
        first, count: which of its questions.
        output: results file.
        inputs: fingerprint of what the trees depend on beside the settings: questions and checkpoint.
    """

    name: str
    settings: Mapping[str, Any]
    questions: str
    first: int
    count: int
    output: str
    inputs: str

    @property
    def fingerprint(self) -> str:
        """Of all that the trees depend on."""
        facts = {key: value for key, value in self.settings.items() if key != "model_dir"}
        key = json.dumps([facts, self.first, self.count, self.inputs], sort_keys=True)
        return hashlib.sha256(key.encode()).hexdigest()[:16]

    @property
    def meta(self) -> Path:
        return Path(self.output).with_suffix(".meta.json")

    @property
    def is_done(self) -> bool:
        """Whether its results are there, made from the same inputs."""
        if not Path(self.output).exists():
            return False
        try:
            return bool(json.loads(self.meta.read_text("utf-8"))["part"]["fingerprint"] == self.fingerprint)
        except (OSError, ValueError, KeyError, TypeError):
            return False


@dataclass(frozen=True, slots=True)
class PartResult:
    """What a part came to: questions, right ones, failed ones, generated tokens, wall-clock seconds."""

    name: str
    questions: int
    correct: int
    failed: int
    tokens: int
    seconds: float


def run_parts(
    parts: Sequence[Part], *, processes: int, threads: int, report: Callable[[str], None]
) -> list[PartResult]:
    """Runs the parts that are not done yet.

    Args:
        parts: in the order in which they are begun: the longest first.
        processes: side by side.
        threads: of each, on a CPU.
        report: takes a line for every finished part.

    Raises:
        MctsMathError: a part failed, or a process died; finished parts stand.
    """
    todo = [part for part in parts if not part.is_done]
    if len(todo) < len(parts):
        report(f"{len(parts) - len(todo)} of {len(parts)} searches are done already")
    results: list[PartResult] = []
    for result in _outcomes(todo, min(processes, len(todo)), threads):
        results.append(result)
        accuracy = f"{result.correct / max(result.questions, 1):.1%} right"
        report(
            f"[{len(results)}/{len(todo)}] {result.name}: {accuracy}, {result.seconds:.0f} s, {result.tokens:,} tokens"
        )
        if result.failed:
            report(f"  {result.failed} questions failed; see `error` in the results")
    return results


def _outcomes(parts: Sequence[Part], processes: int, threads: int) -> Iterator[PartResult]:
    if not parts:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin_process, (threads,)) as pool:
        waiting = {pool.submit(solve_part, part, threads) for part in parts}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise MctsMathError(
                "a search process died (killed, or out of memory). Run the same command again to go on; lower "
                f"`processes` if memory is short ({error})."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def solve_part(part: Part, threads: int) -> PartResult:
    """Solves one part in this process and writes its results.

    Raises:
        MctsMathError: bad settings or questions, a service that broke down, a disk that is full.
    """
    begun = time.monotonic()
    gc.collect()  # the last part's prefix cache, gigabytes, is made of cycles
    config = make_config(dict(part.settings))
    tasks = load_tasks(part.questions)[part.first : part.first + part.count]
    check_tasks(config, tasks)
    solved = asyncio.run(_solve(config, tasks, threads))
    order = {task.id: place for place, task in enumerate(tasks)}
    solved.sort(key=lambda one: order[one.tree.task.id])
    _write(part, config, solved)
    return PartResult(
        part.name,
        len(solved),
        sum(one.tree.correct is True for one in solved),
        sum(bool(one.error) for one in solved),
        sum(one.cost.tokens for one in solved),
        time.monotonic() - begun,
    )


async def _solve(config: Config, tasks: Sequence[Task], threads: int) -> list[Solved]:
    async with AsyncExitStack() as stack:
        services = await _open(config, stack, threads)
        stream = await stack.enter_async_context(
            aclosing(make_scheduler(config, tasks, services).run(tasks, make_search(config)))
        )
        return [solved async for solved in stream]


async def _open(config: Config, stack: AsyncExitStack, threads: int) -> Services:
    """Lock-step on transformers; other engines as everywhere, whose batches, and so whose roundings, depend on time."""
    if config.engine != "hf":
        return await open_services(config, stack)
    from mcts_math.engine.hf.lockstep import Lockstep, load_model

    stand_in: Any = object()  # what is opened here is only the interpreter and the checker
    services = await open_services(config, stack, stand_in, stand_in)
    engine = Lockstep(load_model(engine_options(config)), services.interpreter, services.checker)
    stack.push_async_callback(engine.close)
    verifier = engine.counted(services.verifier)
    return Services(engine, engine, engine.interpreter, engine.checker, verifier)


def _write(part: Part, config: Config, solved: Sequence[Solved]) -> None:
    output = Path(part.output)
    scratch = output.with_name(output.name + ".part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.writelines(dump_line(to_record(one, config)) for one in solved)
        meta = describe_run(config, part.questions, [one.tree.task for one in solved]) | {
            "part": {"fingerprint": part.fingerprint, "first": part.first}
        }
        output.unlink(missing_ok=True)  # results and their description must never disagree
        part.meta.write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", "utf-8")
        scratch.replace(output)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise RecordError(f"{output} can't be written: {error}. Make room and run the same command again.") from error


def _begin_process(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    gc.set_threshold(_GC_THRESHOLD)
    end_with_parent()


def end_with_parent() -> None:
    """Ends this process when the one that started it is gone, even if that was killed."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
