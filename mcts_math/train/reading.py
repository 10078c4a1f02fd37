"""Files of training data: each line is one thing, of a known type, and has an id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from mcts_math.errors import RecordError, RefusedError
from mcts_math.files import read_records
from mcts_math.settings import explain
from mcts_math.tasks import JsonObject

T = TypeVar("T")


@contextmanager
def showing(name: str) -> Iterator[None]:
    """Raises RecordError, which names a line by its id, where the model's tokenizer or template can't show it."""
    try:
        yield
    except RefusedError as error:
        raise RecordError(f"{name!r} can't be trained on: {error}. Leave it out.") from error


@dataclass(frozen=True, slots=True)
class Lines(Generic[T]):
    """How things of one type stand in a file."""

    adapter: TypeAdapter[T]
    what: str  # each line is, for messages
    remedy: str = ""

    def load(self, data: JsonObject, where: str) -> T:
        """What a line holds; its place stands for an id that it lacks. Raises RecordError, naming `where`."""
        try:
            return self.adapter.validate_python({"id": where} | data)
        except ValidationError as error:
            problem = explain(error.errors()[0])
            raise RecordError(f"{where}: not {self.what}: {problem}.{self.remedy and ' '}{self.remedy}") from None

    def dump(self, one: T) -> JsonObject:
        """The line of it, without what is at its default."""
        return self.adapter.dump_python(one, mode="json", exclude_defaults=True)  # type: ignore[no-any-return]

    def read(self, paths: Iterable[str | Path], *, may_be_empty: bool = False) -> Iterator[T]:
        """Streams what the lines of files hold. Raises RecordError, naming file and line."""
        for path in paths:
            for where, record in read_records(path, may_be_empty=may_be_empty):
                yield self.load(record, where)
