"""Wiring: config -> strategy and services; tasks -> trees.

`solve` is the Python entry point. Any object that meets `requests.Policy` may stand in for the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, cast

from mcts_math.answer import PoolChecker
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
    policy: Policy | None = None,
    value_model: ValueModel | None = None,
    interpreter: Interpreter | None = None,
    checker: Checker | None = None,
    verifier: Verifier | None = None,
    on_solved: Callable[[Solved], None] | None = None,
) -> list[Solved]:
    """Solves every task and returns the results in the order of the tasks.

    Services that are passed in are used as they are and left open; the others are made from the config and closed.
    Inside a running event loop (a notebook), await `solve_async` instead.

    Args:
        config: a `Config`, or its keys as a mapping.
        tasks: tasks, or records as in a qaf file.
        policy: what writes the steps; absent: the engine that the config names, on `model_dir`.
        value_model: what scores prompts; absent: the policy, where it has an `evaluate` method.
        interpreter: what runs code; absent: the sandbox.
        checker: what compares answers; absent: the pooled answer checker.
        verifier: what judges whole attempts; absent: the checker for answers, the sandbox for programs.
        on_solved: called with each result as it comes, in the order of finishing.

    Raises:
        MctsMathError: bad config or tasks, or a service that broke down.
    """
    return asyncio.run(
        solve_async(
            config,
            tasks,
            policy=policy,
            value_model=value_model,
            interpreter=interpreter,
            checker=checker,
            verifier=verifier,
            on_solved=on_solved,
        )
    )


async def solve_async(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    policy: Policy | None = None,
    value_model: ValueModel | None = None,
    interpreter: Interpreter | None = None,
    checker: Checker | None = None,
    verifier: Verifier | None = None,
    on_solved: Callable[[Solved], None] | None = None,
) -> list[Solved]:
    """`solve` for callers with an event loop of their own."""
    config = config if isinstance(config, Config) else make_config(config)
    tasks = make_tasks(tasks)
    results: dict[str, Solved] = {}
    async with AsyncExitStack() as stack:
        services = await open_services(config, stack, policy, value_model, interpreter, checker, verifier)
        stream = make_scheduler(config, tasks, services).run(tasks, make_search(config))
        solved_tasks = await stack.enter_async_context(aclosing(stream))
        async for solved in solved_tasks:
            results[solved.tree.task.id] = solved
            if on_solved is not None:
                on_solved(solved)
    return [results[task.id] for task in tasks]


def make_scheduler(config: Config, tasks: Sequence[Task], services: Services) -> Scheduler:
    """A scheduler under the config's limits. Raises TaskError as `check_tasks`."""
    check_tasks(config, tasks)
    limits = Limits(config.in_flight, config.max_total_time, config.max_question_tokens, config.max_run_tokens)
    return Scheduler(services, limits)


def check_tasks(config: Config, tasks: Sequence[Task]) -> None:
    """Raises TaskError where the config asks for what the tasks don't have."""
    check_problems(tasks)
    unanswered = [task.id for task in tasks if not task.answers] if config.is_sampling else []
    if unanswered:
        raise TaskError(
            f"is_sampling rewards answers by the ground truth, but {len(unanswered)} of {len(tasks)} questions have no "
            f"`answer` (first: id {unanswered[0]!r}). Add answers, or set is_sampling=false."
        )
    _check_kinds(config, tasks)


def _check_kinds(config: Config, tasks: Sequence[Task]) -> None:
    """Raises TaskError where a mode can't do anything with some of the tasks."""
    programs = [task.id for task in tasks if is_code_task(task)]
    if programs and config.mode in ("sbs", "mcts", "self_consistency"):
        raise TaskError(
            f"mode {config.mode} needs answers to rank or to vote over, but {len(programs)} of {len(tasks)} questions "
            f"ask for programs (first: id {programs[0]!r}). Use another mode, such as best_of_n."
        )
    bare = [task.id for task in tasks if not task.answers and not is_code_task(task)]
    if bare and config.reads_verdicts:
        raise TaskError(
            f"mode {config.mode} has every attempt judged, but {len(bare)} of {len(tasks)} questions have neither "
            f"`answer` nor tests (first: id {bare[0]!r}). Add answers, or use mode self_consistency."
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
