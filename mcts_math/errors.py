"""The exceptions that the toolkit raises on purpose: each message says what is wrong, where, and what to do about it.

What a model does wrong is data (`step.Outcome`, `step.CellStatus`), never an exception.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def how_to_install(extra: str) -> str:
    """The command that brings the packages of an extra, for messages that miss one."""
    return f"pip install 'mcts_math[{extra}]'"


class MctsMathError(Exception):
    """Base of all errors that programs report in one line, without a traceback."""


def require_package(module: str, needed_by: str, extra: str, error: type[MctsMathError], otherwise: str = "") -> Any:
    """A module of a package that not everybody has. Raises `error` where it can't be imported: the message says who
    needs it, how to install it, and what to do otherwise."""
    try:
        return importlib.import_module(module)
    except ImportError as reason:
        package = module.partition(".")[0]
        remedy = f"{how_to_install(extra)}{otherwise and '. '}{otherwise}"
        raise error(f"{needed_by} needs the package {package} ({reason}): {remedy}") from reason


@contextmanager
def boundary(what: str, error: type[MctsMathError], remedy: str = "") -> Iterator[None]:
    """Where a package raises whatever its parts happen to raise: that becomes `error`, which says in one line `what`,
    why, and the remedy."""
    try:
        yield
    except Exception as reason:
        why = " ".join(str(reason).split()).rstrip(".")
        raise error(f"{what}: {type(reason).__name__}: {why}{remedy and '. '}{remedy}") from reason


class ConfigError(MctsMathError):
    """A config file or an override that can't be obeyed."""


class TaskError(MctsMathError):
    """A question file that can't be read."""


class RecordError(MctsMathError):
    """A results file that can't be read or written."""


class EngineError(MctsMathError):
    """A model or an engine that can't serve what was asked."""


class CheckpointError(EngineError):
    """A checkpoint that is missing, incomplete or wrong."""


class EngineLostError(EngineError):
    """An engine that worked and has died; another one could do its work."""


class RefusedError(EngineError):
    """A request that an engine won't serve for what it says. It ends its question alone; others may be fine."""


class RunBudgetError(MctsMathError):
    """The run's token budget was used up before all questions were begun; those that were begun have been yielded."""


class InterpreterError(MctsMathError):
    """The sandbox can't be set up or broke down. (A failing snippet is an Observation, not this.)"""


class CheckerError(MctsMathError):
    """The answer checker can't run. (An answer that it can't read is a Verdict, not this.)"""


class JudgeError(MctsMathError):
    """The code judge can't run, or its service can't be reached. (Code that fails is a Judgement, not this.)"""


class TrainingError(MctsMathError):
    """A training that can't go on."""
