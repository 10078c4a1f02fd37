"""Files of training data: each line is one thing, of a known form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from mcts_math.errors import RecordError
from mcts_math.files import read_records
from mcts_math.settings import explain
from mcts_math.tasks import JsonObject

T = TypeVar("T")


def read_lines(
    paths: Iterable[str | Path], read: Callable[[JsonObject, str], T], *, may_be_empty: bool = False
) -> Iterator[T]:
    """Streams what `read` makes of each line and of where it stands. Raises RecordError, naming file and line."""
    for path in paths:
        for where, record in read_records(path, may_be_empty=may_be_empty):
            yield read(record, where)


def validated(adapter: TypeAdapter[T], data: JsonObject, where: str, what: str, remedy: str = "") -> T:
    """A line in the form of an adapter's type. Raises RecordError: `where` it is not `what`, and the remedy."""
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        problem = explain(error.errors()[0])
        raise RecordError(f"{where}: not {what}: {problem}.{remedy and ' '}{remedy}") from None
