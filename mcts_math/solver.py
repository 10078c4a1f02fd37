"""Wiring: config -> strategy and services; tasks -> trees.

`solve` is the Python entry point. Any object that meets `requests.Policy` may stand in for the engine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from inspect import signature
from pathlib import Path
from typing import Any, cast

from mcts_math.answer import PoolChecker
from mcts_math.config import Config, make_config
from mcts_math.engine.checkpoint import inspect
from mcts_math.errors import ConfigError, TaskError
from mcts_math.interpreter import Limits as InterpreterLimits
from mcts_math.interpreter import SandboxInterpreter
from mcts_math.requests import Check, Checker, Interpreter, Policy, Sampling, ValueModel
from mcts_math.scheduler import Limits, Scheduler, Services, Solved
from mcts_math.search import Expansion, MctsOptions, Search, beam_search, extract, mcts, react
from mcts_math.step import Example, FewShotFormat, SftFormat, StepFormat, choose_examples
from mcts_math.task import Task, make_tasks
from mcts_math.tree import Tree

_PROMPTS = Path(__file__).parent / "prompts"


def solve(
    config: Config | Mapping[str, Any],
    tasks: Iterable[Task | Mapping[str, Any]],
    *,
    policy: Policy | None = None,
    value_model: ValueModel | None = None,
    interpreter: Interpreter | None = None,
    checker: Checker | None = None,
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
    on_solved: Callable[[Solved], None] | None = None,
) -> list[Solved]:
    """`solve` for callers with an event loop of their own."""
    config = config if isinstance(config, Config) else make_config(config)
    tasks = make_tasks(tasks)
    results: dict[str, Solved] = {}
    async with AsyncExitStack() as stack:
        services = await open_services(config, stack, policy, value_model, interpreter, checker)
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
    unanswered = [task.id for task in tasks if not task.answers] if config.is_sampling else []
    if unanswered:
        raise TaskError(
            f"is_sampling rewards answers by the ground truth, but {len(unanswered)} of {len(tasks)} questions have no "
            f"`answer` (first: id {unanswered[0]!r}). Add answers, or set is_sampling=false."
        )


def make_search(config: Config) -> Callable[[Tree], Search]:
    """The strategy that a config describes, with everything but the tree filled in."""
    strategy = _strategy(config, make_expansion(config))

    def search(tree: Tree) -> Search:
        try:
            yield from strategy(tree)
        finally:  # a tree that is cut short keeps what was found so far
            if config.mode == "mcts":
                tree.solutions = extract(
                    tree,
                    strategy=config.mcts_infer_strategy,
                    beam_width=config.step_beam_width,
                    c_puct=config.c_puct,
                    pruned=True,  # a tree that holds an answer gives one
                )
        if tree.solutions and tree.task.answers:
            answer = tree.nodes[tree.solutions[0]].answer or ""
            (correct,) = yield [Check(answer, tree.task.answers)]
            tree.correct = correct is True

    return search


def make_expansion(config: Config) -> Expansion:
    """How nodes are expanded under a config. Only MCTS counts errors and asks for verdicts while it searches."""
    sampling = Sampling(config.temperature, config.top_p, config.top_k, config.max_tokens, config.stops)
    is_mcts = config.mode == "mcts"
    return Expansion(
        format=make_format(config),
        sampling=sampling,
        max_depth=config.max_depth,
        run_seed=config.run_seed,
        errors_threshold=config.errors_threshold if is_mcts else None,
        remove_duplicate=config.remove_duplicate,
        check_answers=is_mcts and config.is_sampling,
    )


def make_format(config: Config) -> StepFormat:
    """The step format; reads the few-shot files where it needs them."""
    if config.prompt_wrap == "react_sft":
        return SftFormat(config.delimiter)
    instructions = _read_text(config.prompt_path, _PROMPTS / "react.txt", "prompt_path")
    examples = _read_examples(config.few_shot_path)
    if config.num_few_shot > len(examples):
        raise ConfigError(f"num_few_shot is {config.num_few_shot}, but there are only {len(examples)} examples.")
    chosen = choose_examples(examples, config.num_few_shot, config.run_seed)
    return FewShotFormat(instructions, chosen, config.delimiter)


async def open_services(
    config: Config,
    stack: AsyncExitStack,
    policy: Policy | None = None,
    value_model: ValueModel | None = None,
    interpreter: Interpreter | None = None,
    checker: Checker | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Services:
    """Makes the services that are not passed in; `stack` closes them.

    What can be refused at little cost comes first: the checkpoint's files, then the sandbox, and last the model.
    """
    if policy is None:
        check_model(config)
    if interpreter is None:
        interpreter = await _open_interpreter(config, stack, report)
    if checker is None:
        checker = PoolChecker()
        stack.push_async_callback(checker.close)
    if policy is None:
        policy = await asyncio.to_thread(load_policy, config)
        stack.push_async_callback(policy.close)
    if value_model is None and hasattr(policy, "evaluate"):
        value_model = cast(ValueModel, policy)
    if config.need_value_func and value_model is None:
        raise ConfigError("need_value_func is true, but the policy has no `evaluate` method. Pass value_model=….")
    return Services(policy, value_model, interpreter, checker)


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


def check_model(config: Config) -> None:
    """Looks at the checkpoint's files, without loading any. Raises ConfigError or CheckpointError."""
    if not config.model_dir:
        raise ConfigError("model_dir is not set. Give a checkpoint folder, e.g. model_dir=models/mini.")
    inspect(config.model_dir, need_value=config.need_value_func)


def load_policy(config: Config) -> Policy:
    """Loads the engine that the config names. Raises EngineError or CheckpointError."""
    from mcts_math.engine.hf import HFEngine

    known = list(signature(HFEngine.load).parameters)[1:]
    for key in config.engine_args:
        if key not in known or key == "need_value":
            raise ConfigError(f"engine_args: the engine hf has no argument {key!r}. It takes: {', '.join(known)}.")
    # A head is read wherever there is one: published MCTS backs values up whether or not they are needed.
    head = config.need_value_func or (config.mode == "mcts" and bool(inspect(config.model_dir).head_files))
    return HFEngine.load(config.model_dir, need_value=head, **config.engine_args)


def _strategy(config: Config, expansion: Expansion) -> Callable[[Tree], Search]:
    if config.mode == "react":
        return lambda tree: react(tree, expansion)
    if config.mode == "sbs":
        return lambda tree: beam_search(
            tree,
            expansion,
            beam_width=config.step_beam_width,
            num_samples=config.n_generate_sample,
            use_value=config.need_value_func,
            too_long_value=config.negative_reward,
        )
    options = MctsOptions(
        iterations=config.iterations,
        num_samples=config.n_generate_sample,
        c_puct=config.c_puct,
        use_value=config.need_value_func,
        update_leaf_value=config.update_leaf_value,
        is_sampling=config.is_sampling,
        positive_reward=config.positive_reward,
        negative_reward=config.negative_reward,
    )
    return lambda tree: mcts(tree, expansion, options)


def _read_text(given: str | None, bundled: Path, key: str) -> str:
    path = bundled if given is None else Path(given)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} can't be read: {error}. Leave {key} out for the bundled text.") from error


def _read_examples(given: str | None) -> list[Example]:
    text = _read_text(given, _PROMPTS / "examples.json", "few_shot_path")
    try:
        return [Example(item["question"], item["solution"]) for item in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"few_shot_path: {given}: expected a JSON list of objects with `question` and `solution`: {error!r}."
        ) from error
