"""Searches of a round: slices of a question file, which appear whole or not at all, solved by a few processes side
by side. With an engine that can they run in lock-step (`engine.hf.lockstep`), so that the same slice gives the same
trees."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts_math.config import Config, make_config
from mcts_math.engine.table import ENGINES
from mcts_math.errors import MctsMathError
from mcts_math.files import dump_line, replace_file, writing
from mcts_math.monitor import Totals
from mcts_math.run.description import describe_run, facts_of
from mcts_math.run.program import ends_with_us, without_interrupts
from mcts_math.run.results import ResultsFile
from mcts_math.run.run import to_record
from mcts_math.scheduler import Solved
from mcts_math.services import Provided, engine_options, open_interpreter, open_judges
from mcts_math.solver import solve_stream
from mcts_math.tasks import load_tasks
from mcts_math.tasks.task import Task
from mcts_math.train.stages import fingerprint_of


@dataclass(frozen=True, slots=True)
class Slice:
    """One search over some questions."""

    name: str
    settings: Mapping[str, Any]  # the search's config, as `make_config` takes it
    questions: str
    first: int  # which of its questions
    count: int
    output: str
    fingerprint: str  # of all that the trees depend on

    @classmethod
    def make(
        cls, name: str, config: Config, questions: str, first: int, tasks: Sequence[Task], output: Path, inputs: str
    ) -> Slice:
        """A slice of the file `questions`, from number `first` on, which holds these tasks there. `inputs` stands for
        what made the checkpoint; how many questions are in flight together decides on the batches, and so on the last
        digits."""
        facts = facts_of(describe_run(config, questions, tasks))
        fingerprint = fingerprint_of([facts, config.in_flight, inputs])
        return cls(name, config.given(), questions, first, len(tasks), str(output), fingerprint)

    @property
    def results(self) -> ResultsFile:
        return ResultsFile(self.output)

    @property
    def is_done(self) -> bool:
        """Whether its results are there, made from the same inputs."""
        if not Path(self.output).exists():
            return False
        try:
            stored = json.loads(self.results.meta_path.read_text("utf-8"))["slice"]["fingerprint"]
            return bool(stored == self.fingerprint)
        except (OSError, ValueError, KeyError, TypeError):
            return False


def solve_slices(slices: Sequence[Slice], *, processes: int, threads: int, report: Callable[[str], None]) -> None:
    """Solves the slices that are not done yet, in their order, in processes of so many `threads` each. Raises
    MctsMathError: a slice failed, or a process died; finished slices stand."""
    todo = [one for one in slices if not one.is_done]
    if len(todo) < len(slices):
        report(f"{len(slices) - len(todo)} of {len(slices)} searches are done already")
    for count, (one, totals) in enumerate(_outcomes(todo, min(processes, len(todo)), threads), 1):
        right = f"{totals.correct / max(totals.questions, 1):.1%} right"
        report(f"[{count}/{len(todo)}] {one.name}: {right}, {totals.seconds:.0f} s, {totals.tokens:,} tokens")
        if totals.errors:
            report(f"  {totals.errors} questions failed; the first: {totals.first_traceback or totals.first_error}")


def _outcomes(slices: Sequence[Slice], processes: int, threads: int) -> Iterator[tuple[Slice, Totals]]:
    if not slices:
        return
    context, before = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    with ProcessPoolExecutor(processes, context, _begin_process, (threads,)) as pool:
        try:
            with without_interrupts():
                submitted = {pool.submit(solve_slice, one): one for one in slices}
            for future in as_completed(submitted):
                yield submitted[future], future.result()
        except BrokenProcessPool as error:
            raise MctsMathError(
                "a search process died (killed, or out of memory). Run the same command again to go on; lower "
                f"`processes` if memory is short ({error})."
            ) from error
        except (KeyboardInterrupt, GeneratorExit):
            for process in set(multiprocessing.active_children()) - set(before):
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def solve_slice(one: Slice) -> Totals:
    """Solves one slice in this process and writes its results; returns what it came to. Raises MctsMathError."""
    totals = Totals()
    gc.collect()  # the last slice's engine is made of cycles
    config = make_config(one.settings)
    solved = asyncio.run(_solve(config, one))
    _write(one, config, solved)
    for each in solved:
        totals.add(each)
    return totals


async def _solve(config: Config, one: Slice) -> list[Solved]:
    """The results, in the order of the questions; what failed is tried once more."""
    tasks = load_tasks(one.questions)[one.first : one.first + one.count]
    async with AsyncExitStack() as stack:
        provided = await _open_lockstep(config, stack)
        found: dict[str, Solved] = {}
        for _ in range(2):
            todo = [task for task in tasks if task.id not in found or found[task.id].error]
            if todo:
                async with aclosing(solve_stream(config, todo, **provided)) as stream:
                    found |= {solved.tree.task.id: solved async for solved in stream}
    return [found[task.id] for task in tasks]


async def _open_lockstep(config: Config, stack: AsyncExitStack) -> Provided:
    """The engine in lock-step, with every service counted that takes time; nothing where the engine can't: its
    batches depend on time."""
    load = ENGINES[config.engine].load_lockstep
    if load is None:
        return Provided()
    interpreter = await open_interpreter(config, stack, needed=config.make_format().runs_code)
    checker, verifier = open_judges(config, stack, Provided())
    engine = load(engine_options(config), interpreter, checker)
    stack.push_async_callback(engine.close)
    return Provided(
        policy=engine, interpreter=engine.interpreter, checker=engine.checker, verifier=engine.counted(verifier)
    )


def _write(one: Slice, config: Config, solved: Sequence[Solved]) -> None:
    form = config.make_format()
    meta = describe_run(config, one.questions, [each.tree.task for each in solved])
    meta |= {"slice": {"fingerprint": one.fingerprint, "first": one.first}}
    with writing(one.output):
        Path(one.output).unlink(missing_ok=True)  # results and their description must never disagree
        replace_file(one.results.meta_path, json.dumps(meta, indent=2, ensure_ascii=False) + "\n")
        replace_file(Path(one.output), b"".join(dump_line(to_record(each, config, form)) for each in solved))


def _begin_process(threads: int) -> None:
    """Ends this process when the one that started it is gone, even if that was killed."""
    import torch

    torch.set_num_threads(threads)
    ends_with_us()()
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it went before anybody asked for that
        os._exit(1)
