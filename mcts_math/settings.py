"""Settings from YAML files and `key=value` overrides, validated by pydantic models.

A key's description is the one place that explains it: `--help` prints it. An unknown key, a key that stands twice and a
wrong type are errors that name file and key.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from mcts_math.errors import ConfigError
from mcts_math.files import read_text


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-5, without a dot, as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _integer(value: Any) -> Any:
    """Published files write whole numbers as -1.0 too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Real = Annotated[float, BeforeValidator(_number)]
Integer = Annotated[int, BeforeValidator(_integer)]
UserPath = Annotated[str, AfterValidator(os.path.expanduser)]  # shells leave ~ as it is in key=value


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


Model = TypeVar("Model", bound=BaseModel)

_OVERRIDE: Final = "override"
OBSOLETE: Final = "obsolete"
"""Description of a key that is accepted and not obeyed."""
_ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "max_tokens": ("max_new_tokens", "max_completion_tokens", "max_output_tokens", "max_gen_tokens"),
    "model_dir": ("model", "model_name", "model_path", "model_name_or_path", "checkpoint"),
    "seed": ("random_seed", "rng_seed"),
    "stop": ("stop_sequences", "stop_strings", "stop_words"),
    "iterations": ("num_simulations", "n_simulations", "simulations", "num_iterations", "n_iterations", "rollouts"),
    "step_beam_width": ("num_beams", "beam_width", "beam_size"),
    "trials": ("n", "num_samples", "n_samples", "num_return_sequences", "num_attempts"),
    "n_generate_sample": ("n", "num_samples", "n_samples", "num_return_sequences"),
    "chat_template_kwargs": ("enable_thinking",),
    "engine_args": ("dtype", "device", "max_model_len", "tensor_parallel_size", "gpu_memory_utilization"),
    "learning_rate": ("lr",),
    "epochs": ("num_train_epochs", "num_epochs"),
    "micro_batch_size": ("per_device_train_batch_size",),
}
"""Names that other toolkits have for our keys. Of two keys for one name the first that is known is meant."""
_MERGE: Final = "tag:yaml.org,2002:merge"
_TRAP: Final = re.compile(r"[-+]?0_*\d")  # an octal number
_COLUMN: Final = 35  # where the meaning of a key begins in a help text


def read_settings(path: str | Path | None, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings of a YAML file with `key=value` overrides applied, whose values are YAML too, and each key's source;
    null stays (see `without_nulls`). Raises ConfigError for a file that can't be read, or an override of another
    form."""
    settings = {} if path is None else _read_yaml(Path(path))
    where = dict.fromkeys(settings, str(path))
    for override in overrides:
        key, equals, text = (part.strip() for part in override.partition("="))
        if not equals or not key:
            raise ConfigError(
                f"override {override!r}: write {key or 'key'}=VALUE as one word, without spaces around the sign."
            )
        quotes = f" Quote a list or a mapping for the shell: '{key}={text[:1]}…'." if text[:1] in ("[", "{") else ""
        settings[key] = _parse(text, f"override {override!r}: the value", quotes) if text else ""
        where[key] = f"{_OVERRIDE} {key}={text}"
    return settings, where


def is_override(key: str, where: Mapping[str, str]) -> bool:
    """Whether a key's source is an override, not a file."""
    return where.get(key, "").startswith(f"{_OVERRIDE} {key}=")


def load_settings(model: type[Model], path: str | Path | None, overrides: Sequence[str] = ()) -> Model:
    """Reads a YAML file into a model, with `key=value` overrides. Raises ConfigError where a file, key, type or value
    is wrong."""
    settings, where = read_settings(path, overrides)
    given = [key for key in model.model_fields if is_override(key, where)]
    return make_settings(model, without_nulls(settings, given), where)


def without_nulls(settings: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """`settings` without those of the keys that are null: behind a file, `key=null` stands for the key's default."""
    gone = {key for key in keys if settings[key] is None}
    return {key: value for key, value in settings.items() if key not in gone}


def make_settings(model: type[Model], settings: Mapping[str, Any], where: Mapping[str, str] | None = None) -> Model:
    """Validates settings. `where` names the source of each key, for messages. Raises ConfigError."""
    where = where or {}
    for key in settings:
        if key not in model.model_fields:
            raise ConfigError(
                f"{where.get(key, 'config')}: unknown key {key!r}.{suggest(str(key), model.model_fields)}"
            )
    try:
        return model(**settings)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(item, where, model) for item in error.errors())) from None


def suggest(name: str, known: Iterable[str], otherwise: str = "Run with --help for all keys.") -> str:
    """What a user may have meant, or where that can't be told another advice: a sentence with a space before it."""
    known = list(known)
    same = [key for key, names in _ELSEWHERE.items() if key in known and name in names]
    near = same or difflib.get_close_matches(name, known, 1, 0.5)
    return f" Did you mean {near[0]!r}?" if near else f" {otherwise}".rstrip()


def describe_keys(
    model: type[BaseModel], title: str = "config keys and their defaults:", only: Collection[str] | None = None
) -> str:
    """A title, and each key (of `only`, where given) with its default and meaning; obsolete ones last."""
    lines, obsolete = wrap(title, _width(), subsequent_indent="  "), []
    for name, info in model.model_fields.items():
        if info.description is None or not (only is None or name in only):
            continue
        if info.description == OBSOLETE:
            obsolete.append(name)
            continue
        default = info.get_default(call_default_factory=True)
        lines += _line(
            f"{name} (must be given)" if info.is_required() else f"{name} = {_show(default)}", info.description
        )
    if obsolete:
        text = f"  obsolete keys of published files, accepted and not obeyed: {', '.join(obsolete)}"
        lines += wrap(text, _width(), subsequent_indent="    ")
    return "\n".join(lines)


def describe_names(title: str, names: Mapping[str, str]) -> str:
    """A title, and each name with its meaning, in the same columns."""
    lines = wrap(title, _width(), subsequent_indent="  ")
    return "\n".join([*lines, *(line for name, meaning in names.items() for line in _line(name, meaning))])


def _line(name: str, meaning: str) -> list[str]:
    text = f"  {name:<{_COLUMN - 3}} {meaning}"
    return wrap(text, _width(), subsequent_indent=" " * _COLUMN, break_on_hyphens=False)


def _show(default: Any) -> str:
    if isinstance(default, BaseModel):
        return "{}"
    return "absent" if default is None else repr(default) if isinstance(default, str) else str(default)


def _width() -> int:
    return max(get_terminal_size().columns - 2, 2 * _COLUMN)


def explain(item: Any) -> str:
    """One of the problems that pydantic has found, in a few words: where, what, and what stands there."""
    message = str(item["msg"]).removeprefix("Value error, ").partition(" after validation")[0]
    if not item["loc"]:
        return message
    place = ".".join(part for part in map(str, item["loc"]) if "[" not in part)  # pydantic's own names have one
    return f"{place} must be given" if item["type"] == "missing" else f"{place}: {message}, not {item['input']!r}"


def _explain(item: Any, where: Mapping[str, str], model: type[BaseModel]) -> str:
    """A problem, and where its keys stand: those that it names, where it is of several."""
    problem = explain(item)
    if item["loc"]:
        key = str(item["loc"][0])
        spelling = _spell(key, item["type"], item["input"], is_override(key, where)) if len(item["loc"]) == 1 else ""
        if item["type"] == "literal_error" and len(item["loc"]) == 1:
            spelling = f" It means {model.model_fields[key].description}."
        return f"{where.get(key, 'config')}: {problem}.{spelling}"
    named = {source for key, source in where.items() if re.search(rf"\b{re.escape(str(key))}\b", problem)}
    return (
        f"{' and '.join(sorted(named or where.values())) or 'config'}: {problem}{'' if problem.endswith('?') else '.'}"
    )


def _spell(key: str, fault: str, found: Any, is_word: bool) -> str:
    """How to write a list or a mapping where something else stands: a sentence with a space before it, or ""."""
    if fault == "list_type" and isinstance(found, (str, int, float)):
        value = json.dumps([found], ensure_ascii=False)  # which is YAML too
    elif fault in ("list_type", "dict_type"):
        value = "[…]" if fault == "list_type" else "{NAME: VALUE}"
    else:
        return ""
    return f" Write {shlex.quote(f'{key}={value}') if is_word else f'{key}: {value}'}"


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML without keys that stand twice: PyYAML takes the last one silently."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    written = set[Any]()
    for key_node, _ in node.value:  # what a merge key (`<<`) brings is not written here, and may be changed
        key = key_node.value if key_node.tag == _MERGE else loader.construct_object(key_node)
        if key in written:
            raise yaml.MarkedYAMLError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        written.add(key)
    return loader.construct_mapping(node, deep=True)


def _plain_number(loader: _UniqueKeyLoader, node: yaml.ScalarNode) -> int | float:
    """A number, but none that YAML 1.1 reads otherwise than people do: 010 is 8 there, and 1:30 is 90."""
    is_float = node.tag.endswith("float")
    value = loader.construct_yaml_float(node) if is_float else loader.construct_yaml_int(node)
    if ":" in node.value or (not is_float and _TRAP.match(node.value)):
        problem = f"YAML reads {node.value} as {value}. Write the number in decimal, or put quotes around a text"
        raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
    return value


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
for _tag in ("int", "float"):
    _UniqueKeyLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _plain_number)


def _parse(text: str, what: str, remedy: str = "") -> Any:
    try:
        return yaml.load(text, _UniqueKeyLoader)
    # PyYAML's constructors raise other errors of their own, as for `seed: 2024-99-99`, which it takes for a date.
    except (yaml.YAMLError, RecursionError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{what} is not valid YAML: {_problem(error)}.{remedy}") from error


def _problem(error: Exception) -> str:
    """What is wrong with a text of YAML, and where."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    mark = error.problem_mark
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})"


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ConfigError(f"{path}: no such file.{_suggest_file(path)}")
    data = _parse(read_text(path, "Give YAML in UTF-8, as the configs in configs/.", ConfigError), str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(data).__name__}.")
    return data


def _suggest_file(path: Path) -> str:
    """The configs of about the same name that come with the project, or where they are."""
    shipped = sorted(Path("configs").rglob("*.yaml"))
    near = difflib.get_close_matches(path.stem, [file.stem for file in shipped], 1)
    meant = " or ".join(str(file) for file in shipped if file.stem in near)
    return f" Did you mean {meant}?" if meant else " The project's own configs are in its folder configs/."
