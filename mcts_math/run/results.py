"""Writing results so that nothing is lost: one file per run, a line appended per finished tree, resumable.

Beside `NAME.jsonl` stands `NAME.meta.json`: the resolved config, versions, questions and command that made it. A run
holds a lock on its output; a second one is refused. A line is written whole or, on a full disk, not at all; a line torn
by `kill -9` is cut off when the run is resumed. What `overwrite` replaces is kept beside, as `NAME.jsonl.bak`, or as
`.bak2`, `.bak3`, … where that is taken; it is replaced when the first line of the new run could be written, not before.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import RecordError
from mcts_math.files import (
    dump_line,
    is_in_place,
    is_same_file,
    new_file,
    parse_line,
    part_of,
    put_aside,
    try_lock,
    writing,
)
from mcts_math.run.description import compare_descriptions, read_description
from mcts_math.run.record import id_of, is_open, record_to_task
from mcts_math.tasks import JsonObject, Task

_ENDING: Final = ".jsonl"


class ResultsFile:
    """The output of one run. Use as a context manager: `open`, then `begin` with all lines, or `append` them."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.done: set[str] = set()  # ids of the questions that stand in it
        self._fd = -1
        self._is_new = False
        self._replaces = False

    @property
    def meta_path(self) -> Path:
        """Where the description stands. Names that differ behind a dot (`t0.1`, `t0.2`) have one each."""
        return self.path.with_name(self.path.name.removesuffix(_ENDING) + ".meta.json")

    @property
    def live_path(self) -> Path:
        return self.path.with_name(self.path.name.removesuffix(_ENDING) + ".live.json")

    def open(
        self,
        meta: Mapping[str, Any],
        *,
        resume: bool | None = False,
        overwrite: bool = False,
        tasks: Sequence[Task] | None = None,
    ) -> ResultsFile:
        """Takes the file; with `resume` repairs it and reads which questions are done. Changes nothing else.

        Args: meta: what makes the results, see `description`. resume: go on with an existing file; None: the program
        can't. overwrite: an existing file is to be replaced by `begin`. tasks: all that a resumed run may be about;
        None: any.

        Raises RecordError where it exists and neither flag is set, it can't be written, another run holds it, it was
        made from other settings or questions, a line other than the last is broken, or a file stands beside whose
        description would be this one's.
        """
        try:
            with writing(self.path, "Choose another output."):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._require_own_description()
                self._take()
                if os.fstat(self._fd).st_size and not overwrite:
                    self._take_up(meta, resume, tasks)
                self._replaces = overwrite and bool(os.fstat(self._fd).st_size)
        except RecordError:
            self.close()
            raise
        return self

    def begin(self, meta: Mapping[str, Any], records: Iterable[JsonObject] | None = None) -> None:
        """Writes what makes the results beside them, once everything is there that the run needs; with `overwrite` puts
        the old ones aside first. `records`: all lines, which are then there at once or not at all; None: they are
        appended.

        Raises RecordError where something can't be written.
        """
        if not self._is_in_place():
            raise RecordError(f"{self.path} was taken away or replaced while this run began. Start it again.")
        with writing(self.path, "Make room, or choose another output."), new_file(self.meta_path) as fresh:
            fresh.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")  # a full disk is found out here
            if self._replaces or records is not None:
                self._swap(map(dump_line, records or ()), keep=self._replaces)
                self._replaces = False
        self._is_new = False

    def append(self, record: JsonObject) -> None:
        """Appends one line. Raises RecordError where it can't be written (the file then ends with the line before), or
        where the file was removed: what stood there is lost, and so would be what comes."""
        data, status = dump_line(record), os.fstat(self._fd)
        if not (status.st_nlink or self._is_in_place()):  # some file systems count no names
            raise RecordError(f"{self.path} was removed while the run wrote it, with all results. Start it again.")
        with writing(self.path, "Make room and add --resume to go on."):
            try:
                written = 0
                while written < len(data):
                    written += os.write(self._fd, data[written:])
            except OSError:
                os.ftruncate(self._fd, status.st_size)
                raise
        if "id" in record:
            self.done.add(str(record["id"]))

    def close(self) -> None:
        """Gives up the lock; a file that this run made and never began is taken away again."""
        if self._fd >= 0:
            if self._is_new and not os.fstat(self._fd).st_size and self._is_in_place():
                self._target.unlink()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _target(self) -> Path:
        """The file itself, where the path is a link to it."""
        return Path(os.path.realpath(self.path))

    def _require_own_description(self) -> None:
        name = self.path.name
        twin = self.path.parent / (name.removesuffix(_ENDING) if name.endswith(_ENDING) else name + _ENDING)
        if not self.path.exists() and twin.is_file() and self.meta_path.exists():
            raise RecordError(f"{self.path} and {twin} would share {self.meta_path}. Choose another output.")

    def _take(self) -> None:
        """Opens and locks the file. Another run may take it away or replace it in between: then once more."""
        flags = os.O_RDWR | os.O_APPEND
        while True:
            try:
                descriptor, is_new = os.open(self._target, flags | os.O_CREAT | os.O_EXCL, 0o644), True
            except FileExistsError:
                try:
                    descriptor, is_new = os.open(self._target, flags), False
                except FileNotFoundError:
                    continue
            self._fd = descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RecordError(f"{self.path} is no ordinary file. Choose another output.")
            self._lock(descriptor)
            if self._is_in_place():
                self._is_new = is_new
                return
            os.close(descriptor)
            self._fd = -1

    def _is_in_place(self) -> bool:
        return is_in_place(self._fd, self._target)

    def _lock(self, descriptor: int) -> None:
        if not try_lock(descriptor):
            raise RecordError(f"{self.path}: another run is writing this file. Choose another output.")

    def _take_up(self, meta: Mapping[str, Any], resume: bool | None, tasks: Sequence[Task] | None) -> None:
        if changes := compare_descriptions(read_description(self.meta_path), meta):
            made = f"{self.path} was made with other settings ({', '.join(changes)})"
            raise RecordError(f"{made}. Choose another output, or add --overwrite to start anew.")
        if not resume:
            go_on = "" if resume is None else "--resume to go on with it, "
            raise RecordError(f"{self.path} exists. Add {go_on}--overwrite to start anew, or choose another output.")
        self._repair({task.id: task for task in tasks} if tasks is not None else None)

    def _swap(self, blocks: Iterable[bytes], *, keep: bool) -> None:
        """Puts a file of this content in the place of this one, at once; `keep` makes the old one a backup."""
        new_path = part_of(self._target)
        new = os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        try:
            self._lock(new)
            with os.fdopen(os.dup(new), "wb") as out:
                out.writelines(blocks)
            if keep:
                # The results first: they must never stand without the description that a resumed run is held against.
                put_aside(self._target, self.meta_path)
            new_path.replace(self._target)
        except BaseException:
            new_path.unlink(missing_ok=True)
            os.close(new)
            raise
        os.close(self._fd)
        self._fd = new

    def _repair(self, tasks: Mapping[str, Task] | None) -> None:
        """Cuts a torn last line, drops lines of questions that are to be solved again, and fills `done`."""
        keep_all, end, offset, newline = True, 0, 0, b""
        copies: Counter[str] = Counter()
        kept: list[tuple[int, int]] = []
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                start, offset = offset, offset + len(line)
                if not line.strip():  # as left by a hand; read_records passes over it too
                    end = offset
                    continue
                record = parse_line(line)
                if not line.endswith(b"\n"):
                    if record is None:
                        break  # torn
                    newline = b"\n"  # whole, as from a hand-made file
                end = offset
                if record is None:
                    raise RecordError(f"{self.path}:{number}: not a JSON object. Remove the line, then resume.")
                if is_open(record):
                    keep_all = False
                    continue
                kept.append((start, offset))
                self.done.add(self._known(record, id_of(record, copies), f"{self.path}:{number}", tasks))
        if keep_all:
            os.ftruncate(self._fd, end)
        else:
            self._swap((os.pread(self._fd, stop - start, start) for start, stop in kept), keep=False)
        if newline:
            os.write(self._fd, newline)

    def _known(self, record: JsonObject, task_id: str, where: str, tasks: Mapping[str, Task] | None) -> str:
        """The id of a finished question. Raises RecordError where the run is not about this question."""
        if tasks is None:
            return task_id
        task = tasks.get(task_id)
        if task is None:
            raise RecordError(
                f"{where}: question {task_id!r} is not among the questions of this run. Choose another output."
            )
        before = record_to_task(record, where)
        asked = task if before.instruction else replace(task, instruction="")  # published lines have none
        if before.digest != asked.digest:
            raise RecordError(
                f"{where}: question {task_id!r} has another text or answer, or other tests, than in the question file. "
                "Choose another output."
            )
        return task_id


def require_other_file(output: str | Path, *inputs: str | Path | None) -> None:
    """Raises RecordError where results, their description or news would be written to a file that the run reads."""
    results = ResultsFile(output)
    for path in inputs:
        for mine in (results.path, results.meta_path, results.live_path):
            if path is not None and is_same_file(mine, path):
                raise RecordError(
                    f"{mine} is a file that this run reads ({path}), and results would be written there. Choose "
                    "another output."
                )
