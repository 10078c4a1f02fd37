"""From options to an engine. Nothing heavy is imported before an engine is really loaded."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mcts_math.engine.checkpoint import NO_TEMPLATE, NO_TOOLS, inspect, read_chat_template
from mcts_math.engine.part_settings import RULE, RuleSettings, read_settings
from mcts_math.engine.spec import EngineOptions, RuleOptions
from mcts_math.engine.table import ENGINES, find_lack
from mcts_math.errors import CheckpointError, ConfigError
from mcts_math.requests import Policy
from mcts_math.settings import suggest

_PLAIN = (bool, int, float, str, type(None))


def require(engine: str, needed_by: str, **needed: bool) -> None:
    """Raises ConfigError where an engine lacks what is `needed` (see `find_lack`) by whom the message is to name."""
    if lack := find_lack(engine, **needed):
        raise ConfigError(f"{needed_by} needs {lack}.")


def check_engine(options: EngineOptions) -> None:
    """Looks at the arguments and the checkpoint's files, without loading any. Raises ConfigError, CheckpointError, and
    EngineError where the engine is not installed."""
    check_arguments(options)
    spec = ENGINES[options.engine]
    if not options.model_dir:
        otherwise = "" if spec.needs_weights else f", or with engine {options.engine} the model's name"
        example = "models/mini" if options.example is None else "Qwen/Qwen3-4B"
        raise ConfigError(f"model_dir is not set. Give a checkpoint, e.g. model_dir={example}{otherwise}.")
    if isinstance(options.adapter, RuleOptions):
        if not options.adapter.folder:
            raise ConfigError("optune_dir is not set. Give the folder that scripts/train_optune.py has made.")
        read_settings(options.adapter.folder, RULE, RuleSettings)
    if not spec.needs_weights:
        return
    folder = inspect(options.model_dir, need_value=options.need_value).path
    if folder is not None and options.example is not None:
        template = read_chat_template(folder)
        if not template:
            raise CheckpointError(f"model_dir {options.model_dir!r} {NO_TEMPLATE}")
        if options.example.tools and "tools" not in template:
            raise CheckpointError(f"the chat template of model_dir {options.model_dir!r} {NO_TOOLS}")


def check_arguments(options: EngineOptions) -> None:
    """Looks at names, types and presence of the engine's arguments. Raises ConfigError where one is unknown, missing,
    or of the wrong type, and EngineError where the engine is not installed, so that its arguments are not known."""
    spec = ENGINES[options.engine]
    for name, example in spec.required_arguments.items():
        if name not in options.arguments:
            raise ConfigError(f"engine: {options.engine} needs {name}. Give it as engine_args={{{name}: {example}}}.")
    if not options.arguments:
        return
    known = spec.argument_types()
    for name, value in options.arguments.items():
        if name not in known:
            advice = suggest(str(name), known, f"It takes: {', '.join(sorted(known))}.")
            raise ConfigError(f"engine_args: the engine {options.engine} has no argument {name!r}.{advice}")
        _check_type(name, value, known[name])


def load_policy(options: EngineOptions) -> Policy:
    """Loads an engine, or several side by side; the value head where `need_value` says so, else never. Raises
    ConfigError for an argument that the engine does not have, or what it can't do; EngineError or CheckpointError where
    it can't be loaded."""
    check_arguments(options)
    require(options.engine, "need_value", gives_values=options.need_value)
    require(options.engine, "learning at test time", adapts=options.adapter is not None)
    if options.num_replicas > 1:
        from mcts_math.engine.replicas import ReplicatedEngine

        return ReplicatedEngine.start(options)
    return ENGINES[options.engine].load(options)


def _check_type(name: str, value: Any, kind: Any) -> None:
    """Raises ConfigError where a plain value is of none of the plain types of an argument. What an engine makes of a
    mapping or of an object of its own is for the engine to say."""
    members = [kind] if get_origin(kind) not in (Union, types.UnionType) else list(get_args(kind))
    plain = [member for member in members if member in _PLAIN or get_origin(member) is Literal]
    if Any in members or (not isinstance(value, _PLAIN) and len(plain) < len(members)):
        return
    if not plain:
        return
    try:
        kind = Union[tuple(plain)]  # noqa: UP007 - made at run time
        TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError:
        *others, last = [name for member in plain for name in _describe(member)]
        wanted = f"{', '.join(others)} or {last}" if others else last
        raise ConfigError(f"engine_args: {name} must be {wanted}, not {value!r}.") from None


def _describe(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [repr(choice) for choice in get_args(kind)]
    return [{"NoneType": "null"}.get(kind.__name__, kind.__name__)]
