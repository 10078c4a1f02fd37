"""From Python: `solve` and its kin. `solve_stream` is the one loop that drives a run; everything else stands on it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from typing_extensions import Unpack

from mcts_math.config import Config, make_config
from mcts_math.engine.load import check_arguments, check_model, load_policy
from mcts_math.engine.spec import AdapterOptions, EngineOptions
from mcts_math.errors import ConfigError, TaskError
from mcts_math.interpreter import Limits as InterpreterLimits
from mcts_math.interpreter import SandboxInterpreter
from mcts_math.judge import JudgeLimits
from mcts_math.requests import Adapter, Checker, Interpreter, Policy, ValueModel, Verifier
from mcts_math.scheduler import Limits, Scheduler, Services, Solved
from mcts_math.strategy import make_search
from mcts_math.task import Task, is_code_task, make_tasks
from mcts_math.verifiers import check_problems, make_verifier


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
        on_solved: called with each result as it comes, in the order of finishing.
        **provided: objects that stand in for what the config names, such as `policy` or `value_model`; see `Provided`.

    Returns:
        One result a task. Where a service breaks down half-way, the finished ones stand, the others say why in their
        `error`, and a RuntimeWarning is given.

    Raises:
        MctsMathError: bad config or tasks, or a service that broke down before any question was done.
    """
    return asyncio.run(solve_async(config, tasks, on_solved=on_solved, **provided))


async def solve_async(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    on_solved: Callable[[Solved], None] | None = None,
    **provided: Unpack[Provided],
) -> list[Solved]:
    """`solve` for callers with an event loop of their own."""
    tasks = make_tasks(tasks)
    results: dict[str, Solved] = {}
    try:
        async with aclosing(solve_stream(config, tasks, **provided)) as stream:
            async for solved in stream:
                results[solved.tree.task.id] = solved
                if on_solved is not None:
                    on_solved(solved)
    except MctsMathError as error:
        if not results:
            raise
        warnings.warn(
            f"{len(tasks) - len(results)} of {len(tasks)} questions were not finished: {error}",
            RuntimeWarning,
            stacklevel=2,
        )
        failure = f"not finished: {error}"
        return [results.get(task.id) or Solved(new_tree(task), Cost(), failure) for task in tasks]
    return [results[task.id] for task in tasks]


async def solve_stream(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    on_open: Callable[[Scheduler, Services], None] | None = None,
    report: Callable[[str], None] = lambda text: None,
    **provided: Unpack[Provided],
) -> AsyncGenerator[Solved, None]:
    """Yields every question as it finishes, in whatever order; use with `contextlib.aclosing`.

    Args:
        config, tasks, provided: as in `solve`.
        on_open: called once when all services are there, before the first question.
        report: takes lines of text meant for the user.

    Raises:
        MctsMathError: bad config or tasks, or a service that broke down; what was yielded before stands.
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
        stream = await stack.enter_async_context(aclosing(scheduler.run(tasks, make_search, grade)))
        async for solved in stream:
            yield solved


def search_maker(config: Config, *, use_values: bool) -> Callable[[Tree], Search]:
    """The search that a config describes, with everything but the tree filled in. Reads the prompt files."""
    form = make_format(config.prompt_wrap, config.format_options)
    expansion = Expansion(
        format=form,
        sampling=Sampling(config.temperature, config.top_p, config.top_k, config.max_tokens, form.stops),
        max_depth=config.max_depth,
        run_seed=config.run_seed,
        use_values=use_values,
    )

    def search(tree: Tree) -> Search:
        yield from config.method.search(tree, expansion, config.options)
        yield from grade(tree)

    return search


def limits_of(config: Config) -> Limits:
    """The bounds of a run."""
    return Limits(config.in_flight, config.max_total_time, config.max_question_tokens, config.max_run_tokens)


def check_tasks(config: Config, tasks: Sequence[Task]) -> None:
    """Raises TaskError where the config asks for what the tasks don't have."""
    check_problems(tasks)
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


async def open_services(
    config: Config,
    stack: AsyncExitStack,
    policy: Policy | None = None,
    value_model: ValueModel | None = None,
    interpreter: Interpreter | None = None,
    checker: Checker | None = None,
    verifier: Verifier | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Services:
    """Makes the services that are not passed in; `stack` closes them.

    What can be refused at little cost comes first: the checkpoint's files, then the sandbox, and last the model.
    """
    options = engine_options(config)
    if policy is None:
        check_model(options)
        check_arguments(options)
    if interpreter is None:
        interpreter = await _open_interpreter(config, stack, report)
    if checker is None:
        checker = PoolChecker()
        stack.push_async_callback(checker.close)
    if verifier is None:
        verifier = make_verifier(checker, limits=JudgeLimits(allow_unsafe_exec=config.allow_unsafe_exec))
        stack.push_async_callback(verifier.close)
    if policy is None:
        policy = await asyncio.to_thread(load_policy, options)
        stack.push_async_callback(policy.close)
    if value_model is None and hasattr(policy, "evaluate"):
        value_model = cast(ValueModel, policy)
    if config.need_value_func and value_model is None:
        raise ConfigError("need_value_func is true, but the policy has no `evaluate` method. Pass value_model=….")
    adapter = cast(Adapter, policy) if config.mode == "fttt" and hasattr(policy, "adapt") else None
    if config.mode == "fttt" and adapter is None:
        raise ConfigError(
            "mode fttt trains an adapter a question, but the policy has no `adapt` method. Use engine: hf."
        )
    return Services(policy, value_model, interpreter, checker, verifier, adapter)


def engine_options(config: Config) -> EngineOptions:
    """What the config says of the engine."""
    adapter = AdapterOptions(
        rank=config.adapter_rank,
        alpha=config.adapter_alpha,
        dropout=config.adapter_dropout,
        targets=tuple(config.adapter_targets),
        lr=config.adapter_lr,
    )
    return EngineOptions(
        config.engine,
        config.model_dir,
        config.engine_args,
        need_value=config.need_value_func,
        adapter=adapter if config.mode == "fttt" else None,
        num_replicas=config.num_replicas,
    )


async def _open_interpreter(config: Config, stack: AsyncExitStack, report: Callable[[str], None]) -> Interpreter:
    limits = InterpreterLimits(
        step_timeout_s=config.interpreter_timeout_s,
        memory_bytes=config.interpreter_memory_mb << 20,
        snapshot_bytes=config.interpreter_snapshots_mb << 20,
        allow_unsafe_exec=config.allow_unsafe_exec,
    )
    interpreter = SandboxInterpreter(limits)
    stack.push_async_callback(interpreter.close)
    report(str(await interpreter.start()))
    return interpreter
