"""One run of a program: solve a question file into a results file, with progress, resuming and a summary.

What can be wrong is found out in the order of its cost: config, questions, output, checkpoint, sandbox, model.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tqdm import tqdm
from typing_extensions import Unpack

from mcts_math.config import Config
from mcts_math.errors import RecordError, TaskError
from mcts_math.files import is_same_file, require_writable
from mcts_math.formats import StepFormat
from mcts_math.loggers import check_logger, open_logger
from mcts_math.monitor import Monitor, Totals
from mcts_math.requests import Services
from mcts_math.run.description import describe_run
from mcts_math.run.progress import Progress
from mcts_math.run.record import error_to_record, read_results, record_to_task, tree_to_record, verdict_of
from mcts_math.run.results import ResultsFile, require_other_file
from mcts_math.scheduler import Scheduler, Solved
from mcts_math.services import Provided, has_values, value_source
from mcts_math.solver import check_tasks, solve_stream
from mcts_math.tasks import JsonObject, Task, digest_of, is_ours, load_tasks, parse_source, take_shard
from mcts_math.tasks.cases import without_cases, write_cases


def default_output(config_path: str | Path, qaf: str | Path, config: Config, shard: str = "") -> Path:
    """outputs/CONFIG.QUESTIONS-DIGEST.seedN.jsonl, with `.shardI-of-N` in it for a shard I/N: other questions have
    another name, whatever their file is called."""
    path = Path(config_path)
    folder = path.resolve().parent.name
    name = path.stem if folder in ("configs", "") else f"{folder}_{path.stem}"
    digest = digest_of(load_tasks(qaf))[:6]
    part = f".shard{shard.strip().replace('/', '-of-')}" if shard else ""
    return Path("outputs") / f"{name}.{parse_source(qaf).stem}-{digest}.seed{config.run_seed}{part}.jsonl"


def solve_file(
    config: Config,
    qaf: str | Path,
    output: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    exclude: str | Path | None = None,
    shard: str = "",
    save_correct: str | Path | None = None,
    report: Callable[[str], None] = print,
    **provided: Unpack[Provided],
) -> Totals:
    """Solves the questions of the file `qaf` (see `tasks.source`); appends each finished tree to `output`.

    Args: resume: go on with an existing output, and skip what is finished; overwrite: start it anew, and keep the old
    one beside. exclude: a file of positions of questions to leave out, see `tasks.cases`; save_correct: such a file to
    write at the end, of those that `output` has right. shard: the share of the questions to solve, see `tasks.source`.
    provided: see `Provided`.

    Raises MctsMathError as `solver.solve`; what was finished before is in `output`.
    """
    _require_own_files(
        output, save_correct, (parse_source(qaf).path, exclude, config.few_shot_path, config.prompt_path)
    )
    if save_correct:
        require_writable(save_correct, "Choose another --save_correct.", TaskError)
    questions = load_tasks(qaf)
    tasks = without_cases(questions, exclude) if exclude else questions
    if not tasks:
        raise TaskError(f"{exclude} names all {len(questions)} questions: none is left to solve.")
    tasks = take_shard(tasks, shard) if shard else tasks
    check_tasks(config, tasks)
    values = has_values(config, provided.get("value_model"))  # refuses before an output is touched
    check_logger(config.log_to)
    for note in config.notes(values=values):
        report(f"note: {note}")
    meta = describe_run(config, qaf, questions, value_source(provided.get("value_model"))) | {"to_solve": len(tasks)}
    with ResultsFile(output).open(meta, resume=resume, overwrite=overwrite, tasks=questions) as results:
        todo = [task for task in tasks if task.id not in results.done]
        if resume:
            report(f"resuming {output}: {len(tasks) - len(todo)} of {len(tasks)} questions are done")
        totals = _totals_of(output) if results.done else Totals()
        if todo:
            asyncio.run(_solve(config, todo, results, totals, meta, provided, report))
    if save_correct:
        solved = (task_id for _, task_id, record in read_results(output, may_be_empty=True) if verdict_of(record))
        num_solved = write_cases(save_correct, questions, solved)
        report(f"{num_solved} of {len(questions)} questions are solved: {save_correct}")
    return totals


def _require_own_files(
    output: str | Path, save_correct: str | Path | None, inputs: Sequence[str | Path | None]
) -> None:
    """Raises RecordError where the run would write over what it reads, or write one file twice."""
    require_other_file(output, *inputs)
    for path in (*inputs, output, ResultsFile(output).meta_path):
        if save_correct and path is not None and is_same_file(save_correct, path):
            raise RecordError(f"--save_correct {save_correct} is a file of this run ({path}). Choose another one.")


def _totals_of(output: str | Path) -> Totals:
    """Questions and verdicts of a results file, for a run that goes on with it."""
    totals = Totals()
    for where, _, record in read_results(output, may_be_empty=True):
        verdict = verdict_of(record)
        totals.questions += 1
        totals.before += 1
        # A published one was judged by nobody.
        totals.judged += is_ours(record) and (verdict is not None or record_to_task(record, where).can_be_judged)
        totals.correct += verdict is True
    return totals


async def _solve(
    config: Config,
    tasks: Sequence[Task],
    results: ResultsFile,
    totals: Totals,
    meta: JsonObject,
    provided: Provided,
    report: Callable[[str], None],
) -> None:
    """Solves tasks into an open results file. `totals`: of what stands in it, and then of what is solved, too."""
    form = config.make_format()
    source = value_source(provided.get("value_model"))
    whole = len(tasks) + totals.before
    log = open_logger(config.log_to, results.path.stem, results.path.parent, meta, report)
    progress = Progress(Monitor(whole, totals, log), results.live_path, report)

    def begin(scheduler: Scheduler, services: Services) -> None:
        """All services are there: from now on the output is this run's."""
        level = getattr(services.interpreter, "level", type(services.interpreter).__name__)
        results.begin(meta | {"interpreter": str(level or "not started")})
        progress.watch(scheduler, services)

    with (
        closing(progress),
        tqdm(total=whole, initial=totals.before, unit="q", disable=None, dynamic_ncols=True, smoothing=0.1) as bar,
    ):
        ticker = asyncio.create_task(progress.run(bar))
        tell = report if bar.disable else partial(bar.write, file=sys.stderr)  # above the bar
        try:
            resumed = bool(totals.before)
            stream = solve_stream(config, tasks, on_open=begin, report=tell, resumed=resumed, **provided)
            async with aclosing(stream):
                async for solved in stream:
                    results.append(to_record(solved, config, form, source))
                    known = totals.first_traceback
                    totals.add(solved)
                    if totals.first_traceback != known:
                        tell(totals.first_traceback)
                    if config.verbose:
                        bar.write(show(solved))
                    bar.update()
        finally:
            ticker.cancel()
            progress.tell(bar)


def to_record(solved: Solved, config: Config, form: StepFormat, source: str = "") -> JsonObject:
    """The line of one result. `source` of its values: see `services.value_source`; "" is what the config names."""
    method = config.method
    made_by = {"method": config.mode} if method.makes_attempts else {}
    if solved.error:
        return error_to_record(solved.tree.task, solved.error) | made_by
    cost = {key: round(value, 6) for key, value in asdict(solved.cost).items()}
    record = tree_to_record(solved.tree, method, form, cost=cost)
    if method.uses_values(config.options):
        record["value_source"] = source or config.value_name
    return record | made_by | ({"oracle": True} if config.reads_verdicts else {})


def show(solved: Solved) -> str:
    """A question with the steps of its first solution; where it has none, of its longest way, and how that ended."""
    tree = solved.tree
    end = tree.nodes[tree.solutions[0]] if tree.solutions else max(tree.nodes, key=lambda node: node.depth)
    steps = tree.steps(end)
    if solved.error:
        ended = f"failed: {solved.error}"
    elif tree.solutions:
        ended = {True: "right", False: "wrong", None: "not judged"}[tree.correct]
    else:
        last = f", the longest way ended as {steps[-1].outcome.value}" if steps else ""
        ended = f"no answer: {len(tree.nodes) - 1} steps{last}"
    cut = f", cut short by {tree.stopped}" if tree.stopped else ""
    return "\n".join([f"--- {tree.task.id}: {tree.task.question}", *(step.text for step in steps), f"--- {ended}{cut}"])
