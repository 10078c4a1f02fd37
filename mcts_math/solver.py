"""From Python: `solve` and its kin. `solve_stream` is the one loop that drives a run; everything else stands on it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, closing
from pathlib import Path
from typing import Any, Final

from typing_extensions import Unpack

from mcts_math.concurrency import patient_collector
from mcts_math.config import Config, make_config
from mcts_math.cost import Cost
from mcts_math.errors import MctsMathError, TaskError
from mcts_math.loggers import check_logger, open_logger
from mcts_math.messages import Sampling
from mcts_math.monitor import Monitor, Totals
from mcts_math.requests import Services
from mcts_math.scheduler import RunLimits, Scheduler, Solved
from mcts_math.search.expansion import Expansion, Search
from mcts_math.search.grade import grade
from mcts_math.services import Provided, has_values, open_services
from mcts_math.tasks import Task, make_tasks
from mcts_math.tree import Tree, new_tree
from mcts_math.verifiers import check_problems

_LOGS: Final = Path("outputs")
"""Where `solve` has a logger put its files, as the programs do."""
_FAULTS: Final = 8
"""So many questions that end by a fault, and as many as still grow, before any that does not, are no bad luck."""


def solve(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    on_solved: Callable[[Solved], None] | None = None,
    **provided: Unpack[Provided],
) -> list[Solved]:
    """Solves every task and returns the results in the order of the tasks.

    Inside a running event loop (a notebook), await `solve_async` instead.

    Args:
        config: a `Config`, or its keys as a mapping.
        tasks: tasks, or records as in a question file.
        on_solved: called with each result as it comes, in the order of finishing; what it raises ends the run and is
            passed on.
        **provided: objects that stand in for what the config names, such as `policy` or `value_model`; see `Provided`.

    Returns:
        One result a task. Where a service breaks down half-way, the finished ones stand, the others say why in their
        `error`, and a RuntimeWarning is given; so it is, with a traceback, where code of yours or ours breaks down.

    Raises:
        MctsMathError: bad config or tasks, or a service that broke down before any question was done.
        RuntimeError: called inside a running event loop.
        Exception: what a provided object, a search or an engine raised on each of the first questions: on eight at
            least, and on half of those that were begun.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass  # as it should be; what the run raises is not to be told as a consequence of this
    else:
        raise RuntimeError("An event loop runs here already: use `await solve_async(…)` in place of `solve(…)`.")
    return asyncio.run(solve_async(config, tasks, on_solved=on_solved, **provided))


async def solve_async(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    on_solved: Callable[[Solved], None] | None = None,
    **provided: Unpack[Provided],
) -> list[Solved]:
    """`solve` for callers with an event loop of their own."""
    config = config if isinstance(config, Config) else make_config(config)
    tasks = make_tasks(tasks)
    check_logger(config.log_to)
    for note in config.notes(values=has_values(config, provided.get("value_model"))):
        warnings.warn(note, UserWarning, stacklevel=2)
    results: dict[str, Solved] = {}
    failure = ""
    logger = open_logger(config.log_to, config.mode, _LOGS, {"config": config.resolved()}, warnings.warn)
    with closing(Monitor(len(tasks), totals := Totals(), logger)) as monitor:
        async with aclosing(solve_stream(config, tasks, on_open=monitor.watch, **provided)) as stream:
            while True:
                try:
                    solved = await anext(stream, None)
                except MctsMathError as error:
                    if not results:
                        raise
                    missing = f"{len(tasks) - len(results)} of {len(tasks)} questions were not finished: {error}"
                    warnings.warn(missing, RuntimeWarning, stacklevel=2)
                    failure = f"not finished: {error}"
                    break
                if solved is None:
                    break
                results[solved.tree.task.id] = solved
                totals.add(solved)
                monitor.log_if_due()
                if on_solved is not None:
                    on_solved(solved)  # what it raises is the caller's, and ends the run
    if totals.first_traceback:
        warnings.warn(f"{totals.errors} failed. The first: {totals.first_traceback}", RuntimeWarning, stacklevel=2)
    return [results.get(task.id) or Solved(new_tree(task), Cost(), failure) for task in tasks]


async def solve_stream(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    on_open: Callable[[Scheduler, Services], None] | None = None,
    report: Callable[[str], None] = lambda text: None,
    resumed: bool = False,
    **provided: Unpack[Provided],
) -> AsyncGenerator[Solved, None]:
    """Yields every question as it finishes, in whatever order; use with `contextlib.aclosing`.

    Args:
        config, tasks, provided: as in `solve`.
        on_open: called once when all services are there, before the first question.
        resumed: other questions of the run were solved before: these may all fail without ending it.

    Raises:
        MctsMathError: bad config or tasks, or a service that broke down; what was yielded before stands.
        Exception: as `solve`. (One that says that a question alone can't be done is a TaskError or a RefusedError.)
    """
    config = config if isinstance(config, Config) else make_config(config)
    tasks = make_tasks(tasks)
    check_tasks(config, tasks)
    make_search = search_maker(config, use_values=has_values(config, provided.get("value_model")))
    async with AsyncExitStack() as stack:
        services = await open_services(config, stack, provided, report)
        scheduler = Scheduler(services, limits_of(config))
        if on_open is not None:
            on_open(scheduler, services)
        stack.enter_context(patient_collector())
        stream = await stack.enter_async_context(aclosing(scheduler.run(tasks, make_search, grade)))
        faults: list[Exception] | None = None if resumed else []  # None: something could be done without one
        async for solved in stream:
            yield solved
            if not solved.error:
                faults = None
            if solved.fault is not None and faults is not None:
                faults.append(solved.fault)
                if len(faults) >= max(_FAULTS, scheduler.in_flight[0]) and not scheduler.untold:
                    raise faults[0]


def search_maker(config: Config, *, use_values: bool) -> Callable[[Tree], Search]:
    """The search that a config describes, with everything but the tree filled in. Reads the prompt files."""
    return searcher(config, make_expansion(config, use_values=use_values))


def make_expansion(config: Config, *, use_values: bool) -> Expansion:
    """How a config expands nodes. Reads the prompt files."""
    form = config.make_format()
    return Expansion(
        format=form,
        sampling=Sampling(
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=config.top_k,
            max_tokens=config.max_tokens,
            stop=form.stops,
            want_certainty=config.method.needs_certainty(config.options),
        ),
        max_depth=config.max_depth,
        run_seed=config.run_seed,
        use_values=use_values,
    )


def searcher(config: Config, expansion: Expansion) -> Callable[[Tree], Search]:
    return lambda tree: config.method.search(tree, expansion, config.options)


def limits_of(config: Config) -> RunLimits:
    return RunLimits(
        in_flight=config.in_flight,
        question_s=config.max_total_time,
        question_tokens=config.max_question_tokens,
        run_tokens=config.max_run_tokens,
        question_samples=config.max_question_samples,
    )


def check_tasks(config: Config, tasks: Sequence[Task]) -> None:
    """Raises TaskError where the config asks for what the tasks don't have. Reads the prompt files."""
    check_problems(tasks)
    form = config.make_format()
    for task in tasks:
        if task.before:
            try:
                form.prompt(task, ())
            except TaskError as error:
                raise TaskError(f"question {task.id!r}: `chat_before`: {error}.") from None
    method, mode = config.method, config.mode
    programs = [task.id for task in tasks if task.is_code]
    if programs and method.ranks_answers:
        raise TaskError(
            f"mode {mode} needs answers to rank or to vote over, but {len(programs)} of {len(tasks)} questions "
            f"ask for programs (first: id {programs[0]!r}). Use another mode, such as best_of_n."
        )
    bare = [task.id for task in tasks if not task.can_be_judged]
    if bare and config.reads_verdicts:
        raise TaskError(
            f"mode {mode} reads verdicts of the ground truth here, but {len(bare)} of {len(tasks)} questions have "
            f"neither `answer` nor tests (first: id {bare[0]!r}). Add answers, or use a mode that reads none, such as "
            "self_consistency, or for mcts is_sampling=false."
        )
