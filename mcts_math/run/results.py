"""Writing results so that nothing is lost: one file per run, a line appended per finished tree, resumable.

Beside `NAME.jsonl` stands `NAME.meta.json`: the resolved config, versions, questions and command that made it. A run
holds a lock on its output; a second one is refused. A line is written whole or, on a full disk, not at all; a line torn
by `kill -9` is cut off when the run is resumed. What `overwrite` replaces is kept beside, as `NAME.jsonl.bak`, and it
is replaced when the first line of the new run could be written, not before.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import RecordError
from mcts_math.files import replace_file, try_lock
from mcts_math.run.description import compare_descriptions
from mcts_math.run.record import dump_line, error_of, id_of, parse_line, read_records, record_to_task
from mcts_math.tasks import JsonObject, Task

_ENDING: Final = ".jsonl"


class ResultsFile:
    """The output of one run. Use as a context manager: `open`, then `begin`, then `append`.

    Attributes:
        path: the file.
        done: ids of the questions that stand in it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.done: set[str] = set()
        self._fd = -1
        self._is_new = False
        self._replaces = False

    @property
    def meta_path(self) -> Path:
        """Where the description stands. Names that differ behind a dot (`t0.1`, `t0.2`) have one each."""
        return self.path.with_name(self.path.name.removesuffix(_ENDING) + ".meta.json")

    @property
    def backup_path(self) -> Path:
        """Where results are kept that were overwritten."""
        return self.path.with_name(self.path.name + ".bak")

    def open(
        self,
        meta: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
        tasks: Sequence[Task] | None = None,
    ) -> ResultsFile:
        """Takes the file; with `resume` repairs it and reads which questions are done. Changes nothing else.

        Args:
            meta: what makes the results, see `description`.
            resume: go on with an existing file.
            overwrite: an existing file is to be replaced by `begin`.
            tasks: all questions that a resumed run may be about; None: any.

        Raises:
            RecordError: it exists and neither flag is set, it can't be written, another run holds it, it was made from
                other settings or questions, or a line other than the last is broken.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._is_new = not self.path.exists()
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._lock(self._fd)
            if os.fstat(self._fd).st_size and not overwrite:
                self._take_up(meta, resume, tasks)
            self._replaces = overwrite and bool(os.fstat(self._fd).st_size)
        except OSError as error:
            self.close()
            raise RecordError(f"{self.path} can't be written: {error}. Choose another --output.") from error
        except RecordError:
            self.close()
            raise
        return self

    def begin(self, meta: Mapping[str, Any]) -> None:
        """Writes what makes the results beside them; with `overwrite` puts the old ones aside first.

        To be called when everything is there that the run needs. Raises RecordError where it can't be written.
        """
        try:
            if self._replaces:
                self._put_aside()
            replace_file(self.meta_path, json.dumps(meta, indent=2) + "\n")
        except OSError as error:
            raise RecordError(f"{self.path} can't be written: {error}. Choose another --output.") from error
        self._is_new = False

    def append(self, record: JsonObject) -> None:
        """Appends one line.

        Raises:
            RecordError: the disk is full or the file can't be written; the file then ends with the line before.
        """
        data = dump_line(record)
        size = os.fstat(self._fd).st_size
        try:
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            os.ftruncate(self._fd, size)
            raise RecordError(f"{self.path} can't be written: {error}. Make room and add --resume to go on.") from error
        if "id" in record:
            self.done.add(str(record["id"]))

    def close(self) -> None:
        """Gives up the lock; a file that this run made and never began is taken away again."""
        if self._fd >= 0:
            if self._is_new and not os.fstat(self._fd).st_size:
                self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self, descriptor: int) -> None:
        if not try_lock(descriptor):
            raise RecordError(f"{self.path}: another run is writing this file. Choose another --output.")

    def _take_up(self, meta: Mapping[str, Any], resume: bool, tasks: Sequence[Task] | None) -> None:
        if not resume:
            raise RecordError(
                f"{self.path} exists. Add --resume to go on with it, --overwrite to start anew, or choose another "
                "--output."
            )
        self._check_meta(meta)
        self._repair({task.id: task for task in tasks} if tasks is not None else None)

    def _check_meta(self, meta: Mapping[str, Any]) -> None:
        if not self.meta_path.exists():
            return  # a file of the published system, or one that was moved: nothing to compare with
        try:
            before = json.loads(self.meta_path.read_text(encoding="utf-8"))
            changes = compare_descriptions(before, meta)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{self.meta_path} is broken: {error!r}. Remove it to resume without a check.") from error
        if changes:
            raise RecordError(
                f"{self.path} was made with other settings ({', '.join(changes)}). Choose another --output."
            )

    def _put_aside(self) -> None:
        """Old results and their description become backups; an empty file takes their place."""
        new_path = self.path.with_name(f"{self.path.name}.new{os.getpid()}")
        new = os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._lock(new)
        if self.meta_path.exists():
            self.meta_path.replace(self.meta_path.with_name(self.meta_path.name + ".bak"))
        self.path.replace(self.backup_path)
        new_path.replace(self.path)
        os.close(self._fd)
        self._fd, self._replaces = new, False

    def _repair(self, tasks: Mapping[str, Task] | None) -> None:
        """Cuts a torn last line, drops lines of questions that failed, and fills `done`."""
        keep_all, end, offset, newline = True, 0, 0, b""
        copies: Counter[str] = Counter()
        kept: list[tuple[int, int]] = []
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                start, offset = offset, offset + len(line)
                record = parse_line(line)
                if not line.endswith(b"\n"):
                    if record is None:
                        break  # torn
                    newline = b"\n"  # whole, as from a hand-made file
                end = offset
                if record is None:
                    raise RecordError(f"{self.path}:{number}: not a JSON object. Remove the line, then resume.")
                if error_of(record):
                    keep_all = False
                    continue
                kept.append((start, offset))
                self.done.add(self._known(record, id_of(record, copies), f"{self.path}:{number}", tasks))
        if keep_all:
            os.ftruncate(self._fd, end)
        else:
            self._rewrite(kept)
        if newline:
            os.write(self._fd, newline)

    def _known(self, record: JsonObject, task_id: str, where: str, tasks: Mapping[str, Task] | None) -> str:
        """The id of a finished question. Raises RecordError where the run is not about this question."""
        if tasks is None:
            return task_id
        task = tasks.get(task_id)
        if task is None:
            raise RecordError(
                f"{where}: question {task_id!r} is not among the questions of this run. Choose another --output."
            )
        before = record_to_task(record, where)
        if (before.question, before.answers) != (task.question, task.answers):
            raise RecordError(
                f"{where}: question {task_id!r} has another text or answer than in the question file. Choose another "
                "--output."
            )
        return task_id

    def _rewrite(self, spans: Sequence[tuple[int, int]]) -> None:
        """Replaces the file, at once, by these spans of it."""
        temporary = self.path.with_name(self.path.name + ".repair")
        with temporary.open("wb") as out:
            for start, stop in spans:
                out.write(os.pread(self._fd, stop - start, start))
        new = os.open(temporary, os.O_RDWR | os.O_APPEND)
        fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.replace(self.path)
        os.close(self._fd)
        self._fd = new


def require_other_file(output: str | Path, *inputs: str | Path | None) -> None:
    """Raises RecordError where the output is one of the files that the run reads, under whatever name."""
    output = Path(output)
    for path in inputs:
        if path is None or not output.exists() or not Path(path).exists():
            continue
        if output.samefile(path):
            raise RecordError(f"--output {output} is a file that this run reads ({path}). Choose another --output.")


def merge_files(inputs: Sequence[str | Path], output: str | Path, *, overwrite: bool = False) -> int:
    """Unites results files, such as the shards of one run; returns the number of lines written.

    A question that failed in one file and was solved in another keeps the solved line. Memory: one entry a question.
    The description of the first input that has one stands beside the output, so that a merged run can be resumed.

    Raises:
        RecordError: a broken line, a question solved twice, inputs of different settings, or an output that exists or
            is one of the inputs.
    """
    if Path(output).resolve() in {Path(path).resolve() for path in inputs}:
        raise RecordError(f"{output} is one of the inputs. Choose another output.")
    best = _best_lines(inputs)
    meta = _common_meta(inputs) | {"merged": [str(path) for path in inputs]}
    with ResultsFile(output).open(meta, overwrite=overwrite) as out:
        out.begin(meta)
        for where, _, record in _with_ids(inputs):
            if where in best:
                out.append(record)
    return len(best)


def _common_meta(inputs: Sequence[str | Path]) -> JsonObject:
    """The description that the inputs share; empty where none has one."""
    found: JsonObject = {}
    for path in inputs:
        meta_path = ResultsFile(path).meta_path
        if not meta_path.exists():
            continue
        try:
            meta = json.loads(meta_path.read_text(encoding="utf-8"))
            changes = compare_descriptions(found, meta) if found else []
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{meta_path} is broken: {error!r}. Remove it to merge without a check.") from error
        if changes:
            raise RecordError(f"{path} was made with other settings ({', '.join(changes)}). Merge shards of one run.")
        found = found or meta
    return found


def _best_lines(inputs: Sequence[str | Path]) -> set[str]:
    """Where each question's line stands: the solved one, else the first failed one."""
    solved: dict[str, str] = {}
    failed: dict[str, str] = {}
    for where, task_id, record in _with_ids(inputs):
        if error_of(record):
            failed.setdefault(task_id, where)
        elif task_id in solved:
            raise RecordError(f"{where}: {task_id!r} is solved at {solved[task_id]} too. Merge the shards of one run.")
        else:
            solved[task_id] = where
    return {*solved.values(), *(where for task_id, where in failed.items() if task_id not in solved)}


def _with_ids(inputs: Sequence[str | Path]) -> Iterator[tuple[str, str, JsonObject]]:
    copies: Counter[str] = Counter()
    for path in inputs:
        for where, record in read_records(path):
            yield where, id_of(record, copies), record
