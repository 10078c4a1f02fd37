"""Who answers each kind of request: what is passed in, and for the rest what the config names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar, cast

from typing_extensions import TypedDict

from mcts_math.answer import PoolChecker
from mcts_math.config import Config
from mcts_math.engine.load import check_engine, load_policy
from mcts_math.engine.spec import EngineOptions
from mcts_math.errors import ConfigError
from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.judge import JudgeLimits
from mcts_math.requests import Adapter, Checker, Interpreter, Policy, Services, ValueModel, Verifier
from mcts_math.tasks import Task
from mcts_math.values import ValuedPolicy
from mcts_math.verifiers import make_verifier

Loaded = TypeVar("Loaded", Policy, ValueModel)


class Provided(TypedDict, total=False):
    """Objects that stand in for what the config names. They are used as they are and left open."""

    policy: Policy | None  # writes the steps; absent: the engine that the config names, on `model_dir`
    value_model: ValueModel | None  # scores partial solutions; absent: what the config's `value` says
    interpreter: Interpreter | None  # runs code; absent: the sandbox
    checker: Checker | None  # compares answers; absent: the pooled answer checker
    verifier: Verifier | None  # judges whole attempts; absent: the checker for answers, the sandbox for programs


def engine_options(config: Config) -> EngineOptions:
    adapter, prompt = config.method.adapter, config.make_format().prompt(Task("", "?"), [])
    return EngineOptions(
        engine=config.engine,
        model_dir=config.model_dir,
        arguments=config.engine_args,
        need_value=config.value_source == "head",
        adapter=None if adapter is None else adapter(config.options),
        num_replicas=config.num_replicas,
        example=None if isinstance(prompt, str) else prompt,
    )


def value_source(value_model: ValueModel | None) -> str:
    """Who scores partial solutions: `object` where a value model was passed in; "" is what the config names."""
    return "" if value_model is None else "object"


def has_values(config: Config, value_model: ValueModel | None) -> bool:
    """Whether the searches of a run may ask for values. Raises ConfigError where the method can't use a value model
    that was passed in, or needs values and there are none."""
    there = value_model is not None or config.value_source != "none"
    if value_model is not None and not config.method.uses_values(config.options):
        raise ConfigError(f"mode {config.mode} asks for no values as it is set: leave out value_model.")
    if config.method.needs_values(config.options) and not there:
        raise ConfigError(
            f"mode {config.mode} needs values as it is set: set value=head, where the checkpoint has a head, or a "
            "reward model such as value=prm 'value_args={model: …}' (docs/values.md); from Python, value_model=… too."
        )
    return there


async def open_services(
    config: Config,
    stack: AsyncExitStack,
    provided: Provided,
    report: Callable[[str], None] = lambda text: None,
    *,
    runs_code: bool = False,
) -> Services:
    """Makes the services that are not passed in; `stack` closes them. `runs_code`: others who share them run code,
    whether or not this config's steps do.

    What can be refused at little cost comes first: the checkpoint's files, then whether the machine has a sandbox,
    which starts while the model is loaded. Raises TypeError for an object of no known name, such as `valuemodel=…`, and
    MctsMathError.
    """
    if unknown := [key for key in provided if key not in Provided.__annotations__]:
        raise TypeError(f"unexpected argument {unknown[0]!r}. There are {', '.join(Provided.__annotations__)}.")
    policy, value_model = provided.get("policy"), provided.get("value_model")
    wants_values = has_values(config, value_model)
    if policy is None:
        check_engine(engine_options(config))
    reward = config.reward if value_model is None else None
    if reward is not None:
        reward.check(config.reward_options)
    interpreter = provided.get("interpreter")
    runs_code = runs_code or config.make_format().runs_code
    if interpreter is None:
        interpreter = await open_interpreter(config, stack, report, needed=runs_code)
    checker, verifier = open_judges(config, stack, provided)
    if reward is not None:
        value_model = await _load(stack, lambda: reward.load(config.reward_options))
    start = interpreter.start() if runs_code and isinstance(interpreter, SandboxInterpreter) else asyncio.sleep(0)
    if policy is None:
        policy = await _load_beside(start, config, stack, report)
    else:
        await start
    adapter = _adapter(config, policy)
    if value_model is not None:
        policy = value_model = ValuedPolicy(policy, value_model)
    elif wants_values:
        if not hasattr(policy, "evaluate"):
            raise ConfigError("value is head, but the policy has no `evaluate` method. Pass value_model=….")
        value_model = cast(ValueModel, policy)
    return Services(policy, value_model, interpreter, checker, verifier, adapter)


async def _load_beside(
    start: Awaitable[object], config: Config, stack: AsyncExitStack, report: Callable[[str], None]
) -> Policy:
    """Loads the model while the sandbox starts. Loading can't be cut short, so an error of the sandbox waits for its
    end; where both fail, the model's is raised."""
    loading = _load(stack, lambda: load_policy(engine_options(config)))
    policy, started = await asyncio.gather(loading, start, return_exceptions=True)
    failure = started if isinstance(started, BaseException) else None
    if isinstance(policy, BaseException):
        if failure is not None:
            report(f"note: besides, the interpreter does not start: {failure}")
        raise policy
    if failure is not None:
        raise failure
    return policy


async def _load(stack: AsyncExitStack, load: Callable[[], Loaded]) -> Loaded:
    """Loads something in a thread. `stack` closes it, also where the caller is cancelled before it is there."""
    # No task of its own: on Python 3.10, Ctrl-C cancels every task.
    loading = asyncio.get_running_loop().run_in_executor(None, load)

    async def close() -> None:
        await asyncio.wait([loading])
        if loading.exception() is None:
            await loading.result().close()

    stack.push_async_callback(close)
    return await asyncio.shield(loading)


async def open_interpreter(
    config: Config, stack: AsyncExitStack, report: Callable[[str], None] = lambda text: None, *, needed: bool = True
) -> SandboxInterpreter:
    """The sandbox under the config's limits, not started yet: its first cell would. `stack` closes it.

    Raises ConfigError for a limit that could not work, and InterpreterError where a module is not installed, or this
    machine has no sandbox though one is `needed` (there may be cells).
    """
    try:
        limits = SandboxLimits(
            step_timeout_s=config.interpreter_timeout_s,
            memory_bytes=config.interpreter_memory_mb << 20,
            snapshot_bytes=config.interpreter_snapshots_mb << 20,
            modules=(*dict.fromkeys(("numpy", "sympy", *config.interpreter_modules)),),
            observations=config.observations,
            input_files=tuple(config.interpreter_input_files),
            temp_bytes=config.interpreter_temp_mb << 20,
            allow_unsafe_exec=config.allow_unsafe_exec,
        )
    except ValueError as error:
        raise ConfigError(f"interpreter: {error}.") from error
    interpreter = SandboxInterpreter(limits)
    stack.push_async_callback(interpreter.close)
    if needed:
        report(str(await interpreter.prepare()))
    return interpreter


def open_judges(config: Config, stack: AsyncExitStack, provided: Provided) -> tuple[Checker, Verifier]:
    """Who compares answers, and who judges attempts; `stack` closes those that are not passed in."""
    checker, verifier = provided.get("checker"), provided.get("verifier")
    if checker is None:
        checker = PoolChecker()
        stack.push_async_callback(checker.close)
    if verifier is None:
        verifier = make_verifier(checker, limits=JudgeLimits(allow_unsafe_exec=config.allow_unsafe_exec))
        stack.push_async_callback(verifier.close)
    return checker, verifier


def _adapter(config: Config, policy: Policy) -> Adapter | None:
    if config.method.adapter is None:
        return None
    if not hasattr(policy, "adapt"):
        raise ConfigError(f"mode {config.mode} learns at test time, but the policy has no `adapt` method.")
    return cast(Adapter, policy)
