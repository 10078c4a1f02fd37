"""The config of a run: the common keys, and the keys of its method.

A file is flat: common keys (`common`) and keys of the method that `mode` names (`methods`), in one mapping. A key that
the method does not know is an error; a published key of another method passes where it has its published default, as
published files write some of these out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from mcts_math.common import Common
from mcts_math.engine.load import require
from mcts_math.errors import ConfigError
from mcts_math.methods import METHODS, Method, methods_that_know
from mcts_math.search.mcts import PublishedOptions
from mcts_math.settings import (
    Settings,
    describe_keys,
    describe_names,
    is_override,
    make_settings,
    read_settings,
    suggest,
    without_nulls,
)
from mcts_math.values.families import REWARDS

_PUBLISHED_KEYS: Final = PublishedOptions.model_fields
"""The keys of the published methods: MCTS knows them all."""


class Config(Common):
    """All settings of a run."""

    options: Settings = Field(default_factory=METHODS["mcts"].options, exclude=True)  # the keys of the method

    @property
    def method(self) -> Method:
        return METHODS[self.mode]

    @property
    def reads_verdicts(self) -> bool:
        """The ground truth takes part in the search, or chooses the answer."""
        return self.method.reads_verdicts(self.options)

    def notes(self, *, values: bool) -> list[str]:
        """What its author may not know of it, to be told before it is run. `values`: there are any."""
        told = []
        if obsolete := self.obsolete_given():
            told.append(f"obsolete keys are ignored: {', '.join(obsolete)}")
        if "mode" not in self.model_fields_set:
            told.append(f"mode is not set: it is {self.mode}, whose numbers are explained by --help mode={self.mode}")
        if self.method.uses_values(self.options) and not (values or self.reads_verdicts):
            told.append(
                f"mode {self.mode} ranks by values, and value is not set: the first samples win (docs/values.md)"
            )
        return told

    def given(self) -> dict[str, Any]:
        """The keys that were set, as a flat mapping that `make_config` takes."""
        return self.model_dump(exclude_unset=True) | self.options.model_dump(exclude_unset=True)

    def resolved(self) -> dict[str, Any]:
        """Every key with the value that is in force, as stored with the results. Reads the prompt files."""
        form = self.make_format()
        followed = {
            "step_delim": form.step_delim,
            "stop": list(form.stops),
            "seed": self.run_seed,
            "result_unwrap": self.prompt_wrap,
            "value": self.value_source,
            "need_value_func": self.value_source == "head",
        }
        return self.model_dump() | self.options.model_dump() | followed

    def changed(self, **settings: Any) -> Config:
        """This config with other settings; what follows from keys that are absent follows from the new ones."""
        return make_config(without_nulls(self.given() | settings, filter(_is_key, settings)))


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file (None: defaults) and applies `key=value` overrides, whose values are YAML too.

    Raises ConfigError for a file that can't be read, and for keys that are unknown, of a wrong type or value, or
    contradict each other.
    """
    return make_config(*_read(path, overrides))


def load_config_as(mode: str, path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """`load_config` for a program that is one method, whatever the file names: what the file says for another one is
    left out, and its value source where this one asks for no values as it is set."""
    settings, where = _read(path, overrides)
    if mode != settings.get("mode", Common.model_fields["mode"].default):
        kept = {k: v for k, v in settings.items() if is_override(k, where) or not methods_that_know(k)}
        own = {k: v for k, v in kept.items() if k in METHODS[mode].options.model_fields}
        if not METHODS[mode].uses_values(make_settings(METHODS[mode].options, own, where)):
            idle = ("value", "value_args", "need_value_func")
            kept = {k: v for k, v in kept.items() if is_override(k, where) or k not in idle}
        settings = kept | {"mode": mode}
    return make_config(settings, where)


def _read(path: str | Path | None, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """`read_settings`, where null in an override stands for the default."""
    settings, where = read_settings(path, overrides)
    return without_nulls(settings, [key for key in settings if _is_key(key) and is_override(key, where)]), where


def _is_key(key: str) -> bool:
    """Whether null may stand for the default of a key."""
    return key != "mode" and (key in Common.model_fields or bool(methods_that_know(key)))


def make_config(settings: Mapping[str, Any], where: Mapping[str, str] | None = None) -> Config:
    """Validates a flat mapping of settings. `where` names the source of each key, for messages. Raises ConfigError."""
    where = where or {}
    if not isinstance(settings, Mapping):
        raise ConfigError(f"config: expected a mapping of keys, found {settings!r}. Read a file with load_config.")
    common = make_settings(Common, {k: v for k, v in settings.items() if k in Common.model_fields}, where)
    method = METHODS[common.mode]
    options = make_settings(method.options, _own_keys(settings, common.mode, where), where)
    _check_method(common, options, where)
    if (reward := REWARDS.get(common.value_source)) is not None:
        given = where.get("value_args", where.get("value", "config"))
        source = f"{given} (see --help value={common.value_source}): value_args"
        make_settings(
            reward.options, common.value_args, dict.fromkeys((*reward.options.model_fields, *common.value_args), source)
        )
    return Config(**common.model_dump(exclude_unset=True), options=options)


def describe_config(words: Sequence[str] = ()) -> str:
    """Keys with their defaults, for help texts.

    Of the command line's `words`, `mode=NAME` (or the name alone) asks for the keys of that method, `value=NAME` for
    those of that reward model, `all` in place of a name for all. Without these: the common keys, and which names there
    are; so too, and it is told, where there is no such name.
    """
    asked = dict(word.split("=", 1) for word in words if word.startswith(("mode=", "value=")))
    asked.update(("mode", word) for word in words if word in METHODS)
    parts, told = list[str](), list[str]()
    for name, method in METHODS.items():
        if asked.get("mode") in (name, "all"):
            parts.append(describe_keys(method.options, f"keys of mode: {name} ({method.title}: {method.summary})"))
    for name, spec in REWARDS.items():
        if asked.get("value") in (name, "all"):
            parts.append(describe_keys(spec.options, f"keys of value_args for value: {name} ({spec.summary})"))
    for key, names in (("mode", [*METHODS, "all"]), ("value", ["none", "head", *REWARDS, "all"])):
        if (name := asked.get(key, "all")) not in names:
            told.append(f"There is no {key} {name!r}.{suggest(name, names, '')}")
    more = {
        "a method has keys of its own: --help mode=NAME; the methods:": {n: m.summary for n, m in METHODS.items()},
        "a reward model has value_args of its own: --help value=NAME": {n: s.summary for n, s in REWARDS.items()},
    }
    common = [describe_keys(Common), *(describe_names(title, names) for title, names in more.items())]
    return "\n\n".join([*(parts or common), *told])


def _own_keys(settings: Mapping[str, Any], mode: str, where: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a method knows. Raises ConfigError where there are others that it can't obey."""
    mine = METHODS[mode].options.model_fields
    others = {
        k: v for k, v in settings.items() if k not in mine and k not in Common.model_fields and not _is_idle(k, v)
    }
    for key in others:
        if not methods_that_know(key):
            advice = f"Run with --help for the common keys, with --help mode={mode} for those of the method."
            meant = suggest(str(key), [*Common.model_fields, *mine], advice)
            raise ConfigError(f"{where.get(key, 'config')}: unknown key {key!r}.{meant}")
    if others:
        sources = " and ".join(dict.fromkeys(where.get(key, "config") for key in others))
        able = ", ".join(f"{key} (a key of {', '.join(methods_that_know(key))})" for key in others)
        nulls = " ".join(f"{key}=null" for key in others if key in where and not is_override(key, where))
        advice = f"Write {nulls} behind the file, or choose" if nulls else "Leave that out, or choose"
        raise ConfigError(f"{sources}: mode {mode} does not take {able}. {advice} another mode.")
    return {key: value for key, value in settings.items() if key in mine}


def _is_idle(key: str, value: Any) -> bool:
    """Whether a key of another method passes: it has its published default, as published files write some out."""
    default = _PUBLISHED_KEYS[key].default if key in _PUBLISHED_KEYS else None
    return default is not None and value == default and isinstance(value, bool) == isinstance(default, bool)


def _check_method(common: Common, options: Settings, where: Mapping[str, str]) -> None:
    """Raises ConfigError where the common keys ask for what the method or the engine can't do."""
    mode, source = common.mode, " and ".join(sorted(set(where.values()))) or "config"
    method = METHODS[mode]
    if common.value_source != "none" and not method.uses_values(options):
        raise ConfigError(f"{source}: mode {mode} asks for no values as it is set: leave out value.")
    if method.needs_token_beams and common.temperature > 0:
        given = common.temperature
        raise ConfigError(
            f"{source}: mode {mode} looks for the likeliest tokens and draws none: set temperature=0, not {given}."
        )
    require(common.engine, "value: head", gives_values=common.value_source == "head")
    require(common.engine, f"mode {mode}", adapts=method.adapter is not None, token_beams=method.needs_token_beams)
    require(common.engine, f"mode {mode} as it is set", tells_certainty=method.needs_certainty(options))
