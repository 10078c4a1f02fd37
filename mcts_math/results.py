"""Writing results so that nothing is lost: one file per run, a line appended per finished tree, resumable.

Beside `NAME.jsonl` stands `NAME.meta.json`: the resolved config, versions, seed and command that made it. A run holds a
lock on its output; a second one is refused. A line is written whole or, on a full disk, not at all; a line torn by
`kill -9` is cut off when the run is resumed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mcts_math.errors import RecordError
from mcts_math.record import dump_line, parse_line, read_records
from mcts_math.task import JsonObject, derived_id

RESULT_NEUTRAL_KEYS = frozenset(
    {
        "batch_size",
        "max_in_flight",
        "verbose",
        "interpreter_snapshots_mb",
        "max_run_tokens",
        "engine_args",
        "num_replicas",
    }
)
"""Config keys that a resumed run may change, as they do not change any tree."""


class ResultsFile:
    """The output of one run. Use as a context manager."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.done: set[str] = set()
        self._fd = -1

    @property
    def meta_path(self) -> Path:
        return self.path.with_suffix(".meta.json")

    def open(self, meta: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False) -> ResultsFile:
        """Creates the file, or with `resume` repairs it and reads which questions are done.

        Raises:
            RecordError: it exists and neither flag is set, it can't be written, another run holds it, it was made with
                another config, or a line other than the last is broken.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._lock()
            if os.fstat(self._fd).st_size and not overwrite:
                if not resume:
                    raise RecordError(
                        f"{self.path} exists. Add --resume to go on with it, --overwrite to start anew, "
                        "or choose another --output."
                    )
                self._check_meta(meta)
                self._repair()
            else:
                os.ftruncate(self._fd, 0)
            self.describe(meta)
        except OSError as error:
            self.close()
            raise RecordError(f"{self.path} can't be written: {error}. Choose another --output.") from error
        except RecordError:
            self.close()
            raise
        return self

    def describe(self, meta: Mapping[str, Any]) -> None:
        """Writes what made this file beside it."""
        temporary = self.meta_path.with_name(self.meta_path.name + ".tmp")
        temporary.write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(self.meta_path)

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
        self.done.add(str(record["id"]))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)  # gives up the lock too
            self._fd = -1

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordError(f"{self.path}: another run is writing this file. Choose another --output.") from None

    def _check_meta(self, meta: Mapping[str, Any]) -> None:
        if not self.meta_path.exists():
            return  # a file of the published system, or one that was moved: nothing to compare with
        try:
            before = json.loads(self.meta_path.read_text(encoding="utf-8"))["config"]
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{self.meta_path} is broken: {error!r}. Remove it to resume without a check.") from error
        now = meta.get("config", {})
        keys = [k for k in now if k not in RESULT_NEUTRAL_KEYS and before.get(k) != now[k]]
        if keys:
            changes = ", ".join(f"{k}: {before.get(k)!r} -> {now[k]!r}" for k in keys)
            raise RecordError(f"{self.path} was made with another config ({changes}). Choose another --output.")

    def _repair(self) -> None:
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
                if "error" in record:
                    keep_all = False
                    continue
                kept.append((start, offset))
                self.done.add(_id_of(record, copies))
        if keep_all:
            os.ftruncate(self._fd, end)
        else:
            self._rewrite(kept)
        if newline:
            os.write(self._fd, newline)

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


def _id_of(record: JsonObject, copies: Counter[str]) -> str:
    given = record.get("id")
    return str(given) if given not in (None, "") else derived_id(str(record.get("question", "")), copies)


def merge_files(inputs: Sequence[str | Path], output: str | Path, *, overwrite: bool = False) -> int:
    """Unites results files, such as the shards of one run; returns the number of lines written.

    A question that failed in one file and was solved in another keeps the solved line. Memory: one entry a question.

    Raises:
        RecordError: a broken line, a question solved twice, or an output that exists or is one of the inputs.
    """
    if Path(output).resolve() in {Path(path).resolve() for path in inputs}:
        raise RecordError(f"{output} is one of the inputs. Choose another output.")
    best = _best_lines(inputs)
    meta = {"config": {}, "merged": [str(path) for path in inputs]}
    with ResultsFile(output).open(meta, overwrite=overwrite) as out:
        for where, _, record in _with_ids(inputs):
            if where in best:
                out.append(record)
    return len(best)


def _best_lines(inputs: Sequence[str | Path]) -> set[str]:
    """Where each question's line stands: the solved one, else the first failed one."""
    solved: dict[str, str] = {}
    failed: dict[str, str] = {}
    for where, task_id, record in _with_ids(inputs):
        if "error" in record:
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
            yield where, _id_of(record, copies), record
