"""What a published data set is to us, and how its records are read. A new data set is one new file and a table line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mcts_math.errors import TaskError
from mcts_math.tasks.task import JsonObject

BOXED: Final = "Reason step by step, and give the final answer in \\boxed{}."


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands: text for messages, its number in the file from 0 on, the split ("" where unknown)."""

    where: str
    index: int
    split: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published data set."""

    title: str
    hub: tuple[str, str | None]  # repository and configuration on the Hugging Face Hub
    file: str  # what its published file is called
    # a record -> a question record: `id`, `question`, `answer` where there is one, `task`, and what its verifier
    # needs. So tasks go through a results file and come back whole.
    convert: Callable[[Mapping[str, Any], Position], JsonObject]
    recognises: Callable[[Mapping[str, Any]], bool]  # by its fields, in files that are given without a name
    splits: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # name -> first and last `task_id`


def text_of(record: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    """A field that must be a string. Raises TaskError, naming `where` and the field."""
    value = record.get(name, default)
    if not isinstance(value, str):
        raise _wrong(record, name, where, value, "must be a string")
    return value


def texts_of(record: Mapping[str, Any], name: str, where: str, default: Sequence[str] | None = None) -> Sequence[str]:
    """A field that must be a list of strings. Raises TaskError, naming `where` and the field."""
    value = record.get(name, default)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise _wrong(record, name, where, value, "must be a list of strings")
    return value


def _wrong(record: Mapping[str, Any], name: str, where: str, value: Any, rule: str) -> TaskError:
    found = "is missing" if value is None else f"{rule}, not {type(value).__name__}"
    return TaskError(f"{where}: the field `{name}` {found} (fields: {', '.join(map(str, list(record)[:8]))}).")
