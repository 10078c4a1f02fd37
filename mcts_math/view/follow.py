"""Reading a results file that still grows: every whole line once, each tree again when it is asked for; a file that
was replaced or cut, as by `--overwrite` or `--resume`, is read anew."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from mcts_math.errors import MctsMathError, RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.files import parse_line, reading
from mcts_math.run.record import id_of
from mcts_math.tasks import JsonObject
from mcts_math.view.questions import Question, grade_questions, read_question
from mcts_math.view.summary import run_facts, summarise

_READ_S: Final = 1.0
"""A large file is read in parts, so that the page shows its beginning at once."""


@dataclass(slots=True)
class _Reading:
    """What was read of one file since it stood in its place."""

    number: int = 0  # tells one reading from another
    inode: int | None = None  # the file; None where there was none
    offset: int = 0  # where the first line begins that is not read
    lines: int = 0  # so many were read
    entries: list[JsonObject] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)  # (begin, length) of the lines of the entries
    notices: list[str] = field(default_factory=list)  # lines that can't be shown, and why
    copies: Counter[str] = field(default_factory=Counter)


class Follower:
    """Follows one file, which need not be there yet. `grader` judges lines without a verdict."""

    def __init__(self, path: Path, grader: Grader) -> None:
        self.path = path
        self._grader = grader
        self._reading = _Reading()

    def news(self, number: int, seen: int) -> JsonObject:
        """What a page has not seen that has `seen` entries of a reading: all, where another one has begun since.
        Raises RecordError."""
        self._read_on()
        now = self._reading
        first = seen if number == now.number else 0
        return {
            "name": self.path.name,
            "number": now.number,
            "first": first,
            "entries": now.entries[first:],
            "summary": summarise(now.entries, self.path),
            "notices": now.notices,
            **run_facts(self.path),
        }

    def tree(self, number: int, place: int) -> JsonObject:
        """The tree of an entry. Raises RecordError where the file has changed since, or can't be read."""
        with reading(self.path), self.path.open("rb") as file:
            self._take_place(file)
            line = self._line(file, number, place)
        record = parse_line(line)
        if record is None:
            raise RecordError(f"{self.path} was changed while it was read. Load the page again.")
        return read_question(record, str(self.path), self._reading.entries[place]["id"]).tree

    def _line(self, file: IO[bytes], number: int, place: int) -> bytes:
        if number != self._reading.number or not 0 <= place < len(self._reading.spans):
            raise RecordError(f"{self.path} was replaced. Wait for the list to be read anew.")
        begin, length = self._reading.spans[place]
        file.seek(begin)
        return file.read(length)

    def _read_on(self) -> None:
        with reading(self.path), suppress(FileNotFoundError), self.path.open("rb") as file:
            self._take_place(file)
            self._read_lines(file)
            return
        if self._reading.inode is not None:
            self._reading = _Reading(self._reading.number + 1)

    def _take_place(self, file: IO[bytes]) -> None:
        """Begins anew where another file stands there, or a shorter one."""
        status = os.fstat(file.fileno())
        now = self._reading
        if now.inode is not None and (status.st_ino != now.inode or status.st_size < now.offset):
            self._reading = _Reading(now.number + 1)
        self._reading.inode = status.st_ino

    def _read_lines(self, file: IO[bytes]) -> None:
        now, fresh, until = self._reading, list[Question](), time.monotonic() + _READ_S
        file.seek(now.offset)
        for line in file:
            if not line.endswith(b"\n"):
                break
            now.lines += 1
            if line.strip() and (question := self._question(line)) is not None:
                fresh.append(question)
                now.spans.append((now.offset, len(line)))
            now.offset += len(line)
            if time.monotonic() > until:
                break
        try:
            grade_questions(fresh, self._grader)
        except MctsMathError:  # the next request reads the file anew
            self._reading = _Reading(now.number + 1)
            raise
        now.entries += [one.entry | {"at": [0, place]} for place, one in enumerate(fresh, len(now.entries))]

    def _question(self, line: bytes) -> Question | None:
        where = f"{self.path.name}:{self._reading.lines}"
        record: Any = parse_line(line)
        try:
            if record is None:
                raise RecordError(f"{where}: not a JSON object. Remove the line, or solve its question again.")
            return read_question(record, where, id_of(record, self._reading.copies))
        except RecordError as error:
            self._reading.notices.append(str(error))
            return None
