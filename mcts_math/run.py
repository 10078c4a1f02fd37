"""One run of a program: solve a question file into a results file, with progress, resuming and a summary.

What can be wrong is found out in the order of its cost: config, questions, output, checkpoint, sandbox, model.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from mcts_math.cases import without_cases, write_cases
from mcts_math.config import TRIAL_MODES, Config
from mcts_math.datasets import describe_questions, load_questions, source_stem
from mcts_math.record import error_to_record, read_records, tree_to_record
from mcts_math.requests import Check, Checker, Interpreter, Policy, Verifier
from mcts_math.results import ResultsFile
from mcts_math.scheduler import Scheduler, Services, Solved
from mcts_math.solver import check_tasks, make_scheduler, open_services
from mcts_math.strategy import make_search
from mcts_math.task import JsonObject, Task
from mcts_math.tree import Tree

_PACKAGES = ("mcts_math", "torch", "transformers", "numpy", "sympy", "latex2sympy2_extended")


@dataclass(slots=True)
class Totals:
    """Sums over the questions of this run."""

    questions: int = 0
    judged: int = 0
    correct: int = 0
    errors: int = 0
    stopped: int = 0
    tokens: int = 0
    first_error: str = ""
    begun: float = field(default_factory=time.monotonic)

    def add(self, solved: Solved) -> None:
        self.questions += 1
        self.judged += bool(solved.tree.task.answers) or solved.tree.correct is not None
        self.correct += solved.tree.correct is True
        self.stopped += bool(solved.tree.stopped)
        self.tokens += solved.cost.tokens
        if solved.error:
            self.errors += 1
            self.first_error = self.first_error or f"question {solved.tree.task.id!r}: {solved.error}"

    @property
    def accuracy(self) -> float | None:
        return self.correct / self.judged if self.judged else None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun


def default_output(config_path: str | Path, qaf: str | Path, config: Config) -> Path:
    """outputs/CONFIG.QUESTIONS.seedN.jsonl"""
    return Path("outputs") / f"{Path(config_path).stem}.{source_stem(qaf)}.seed{config.run_seed}.jsonl"


def solve_file(
    config: Config,
    qaf: str | Path,
    output: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    exclude: str | Path | None = None,
    save_correct: str | Path | None = None,
    policy: Policy | None = None,
    interpreter: Interpreter | None = None,
    checker: Checker | None = None,
    verifier: Verifier | None = None,
    report: Callable[[str], None] = print,
) -> Totals:
    """Solves the questions of a file; appends each finished tree to `output`.

    Args:
        config: what to run.
        qaf: the questions; see `datasets`.
        output: the results, JSONL.
        resume: go on with an existing output; finished questions are skipped.
        overwrite: start an existing output anew.
        exclude: a file of positions of questions to leave out, see `cases`.
        save_correct: such a file to write at the end, of the questions that `output` has right.
        policy, interpreter, checker, verifier: stand in for the services that the config names.
        report: takes the lines of text meant for the user.

    Raises:
        MctsMathError: as `solver.solve`; what was finished before is in `output`.
    """
    questions = load_questions(qaf)
    tasks = without_cases(questions, exclude) if exclude else questions
    check_tasks(config, tasks)
    make_search(config)  # reads prompt files: a bad one must not cost the loading of a model
    if obsolete := config.obsolete_given():
        report(f"note: obsolete keys are ignored: {', '.join(obsolete)}")
    meta = describe_run(config, qaf, questions)
    with ResultsFile(output).open(meta, resume=resume, overwrite=overwrite) as results:
        todo = [task for task in tasks if task.id not in results.done]
        if resume:
            report(f"resuming {output}: {len(tasks) - len(todo)} of {len(tasks)} questions are done")

        async def run() -> Totals:
            async with AsyncExitStack() as stack:
                services = await open_services(config, stack, policy, None, interpreter, checker, verifier, report)
                level = getattr(services.interpreter, "level", None)
                results.describe(meta | {"interpreter": str(level or type(services.interpreter).__name__)})
                return await _solve_into(config, todo, results, services)

        totals = asyncio.run(run()) if todo else Totals()
    if save_correct:
        solved = (str(record["id"]) for _, record in read_records(output) if record.get("correct") is True)
        num_solved = write_cases(save_correct, questions, solved)
        report(f"{num_solved} of {len(questions)} questions are solved: {save_correct}")
    return totals


def describe_run(config: Config, qaf: str | Path, questions: Sequence[Task]) -> JsonObject:
    """What is stored beside the results: config, versions, questions, command."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "config": config.resolved(),
        "versions": versions,
        "questions": describe_questions(qaf, questions),
        "command": shlex.join(["python", *sys.argv]),
        "machine": {"platform": platform.platform(), "processor": platform.machine()},
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


async def _solve_into(config: Config, tasks: list[Task], results: ResultsFile, services: Services) -> Totals:
    totals = Totals()
    scheduler = make_scheduler(config, tasks, services)
    with tqdm(total=len(tasks), unit="q", disable=None, dynamic_ncols=True, smoothing=0.1) as bar:
        ticker = asyncio.create_task(_tick(bar, totals, scheduler))
        try:
            async with aclosing(scheduler.run(tasks, make_search(config))) as solved_tasks:
                async for solved in solved_tasks:
                    await _judge_stopped(solved.tree, services.checker)
                    results.append(to_record(solved, config))
                    totals.add(solved)
                    if config.verbose:
                        bar.write(_show(solved))
                    bar.update()
        finally:
            ticker.cancel()
    return totals


async def _judge_stopped(tree: Tree, checker: Checker) -> None:
    """Judges the answer of a tree that was cut short: its search had no time left to ask."""
    if tree.stopped and tree.correct is None and tree.solutions and tree.task.answers:
        answer = tree.nodes[tree.solutions[0]].answer
        tree.correct = await checker.check(Check(answer or "", tree.task.answers))


async def _tick(bar: tqdm[NoReturn], totals: Totals, scheduler: Scheduler) -> None:
    """Shows that work goes on while no question is done."""
    begun = time.monotonic()
    while True:
        accuracy = "" if totals.accuracy is None else f"acc {totals.accuracy:.1%}, "
        failed = f", {totals.errors} failed" if totals.errors else ""
        speed = scheduler.tokens / max(time.monotonic() - begun, 1e-9)
        bar.set_postfix_str(f"{accuracy}{speed:,.0f} tok/s{failed}")
        await asyncio.sleep(0.5)


def to_record(solved: Solved, config: Config) -> JsonObject:
    """The line of one result."""
    if solved.error:
        return error_to_record(solved.tree.task, solved.error)
    cost = {key: round(value, 6) for key, value in asdict(solved.cost).items()}
    record = tree_to_record(solved.tree, mcts=config.mode == "mcts", step_delim=config.delimiter, cost=cost)
    record |= {"method": config.mode} if config.mode in TRIAL_MODES else {}
    return record | ({"oracle": True} if config.reads_verdicts else {})


def _show(solved: Solved) -> str:
    tree = solved.tree
    lines = [f"--- {tree.task.id}: {tree.task.question[:200]}"]
    if tree.solutions:
        lines += [step.text for step in tree.steps(tree.nodes[tree.solutions[0]])]
    verdict: Any = {True: "right", False: "wrong", None: "not judged"}[tree.correct]
    return "\n".join([*lines, f"--- {verdict}{': ' + solved.error if solved.error else ''}"])
