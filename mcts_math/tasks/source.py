"""The one way in for questions.

A question source (`--qaf`) is one of

    FILE                a question file: .json, .jsonl, .csv, or one of these and .gz; also a file of a published data
                        set, known by the fields of its records
    NAME[/SPLIT]:FILE   a file of that published data set (names: `benchmarks.BENCHMARKS`)
    NAME[/SPLIT]        the same from the Hugging Face Hub, by the package `datasets`
    FOLDER              a split of a data set that `datasets` saved there (`save_to_disk`)
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from io import StringIO
from pathlib import Path
from typing import Any

from mcts_math.errors import TaskError, boundary, require_package
from mcts_math.files import read_text, short_digest
from mcts_math.tasks.benchmarks import BENCHMARKS, Benchmark, Position
from mcts_math.tasks.task import JsonObject, Task, collect_tasks


@dataclass(frozen=True, slots=True)
class Source:
    """Where questions come from."""

    name: str  # of a data set; "" where the fields of the records tell
    split: str  # of it; "" for the file as it is, or the data set's test split on the Hub
    path: Path | None  # the file; None for the Hub

    @property
    def stem(self) -> str:
        if self.path is None:
            return f"{self.name}-{self.split}" if self.split else self.name
        stem = Path(self.path.name.removesuffix(".gz")).stem
        return f"{self.name}-{self.split or stem}" if self.name else stem


def parse_source(source: str | Path) -> Source:
    """Reads a question source. Anything that names no data set is a file. Raises TaskError for a misspelt name."""
    text = str(source)
    head, colon, rest = text.partition(":")
    name, _, split = head.partition("/")
    if name.lower() not in BENCHMARKS or (not colon and Path(text).exists()):
        _require_no_slip(text, name)
        return Source("", "", Path(text))
    if colon and not rest:
        raise TaskError(f"--qaf {text}: no file after the colon. Leave the colon out to ask the Hugging Face Hub.")
    return Source(name.lower(), split, Path(rest) if colon else None)


def _require_no_slip(text: str, name: str) -> None:
    """Raises TaskError where what is no file reads like the name of a data set."""
    is_name = ":" in text or not Path(text).suffix
    near = difflib.get_close_matches(name.lower(), BENCHMARKS, 1, 0.7) if is_name and not Path(text).exists() else []
    if near:
        raise TaskError(f"--qaf {text}: no such file, and no data set {name!r}. Did you mean {near[0]!r}?")


def load_tasks(source: str | Path) -> list[Task]:
    """The tasks of a question source. Raises TaskError, which names file, line and field, and what to do."""
    where = parse_source(source)
    records = list(_records(where))
    name = where.name or _recognise([record for _, record in records])
    if name:
        records = list(_converted(records, BENCHMARKS[name], name, where))
    tasks = collect_tasks(records)
    if not tasks:
        raise TaskError(f"{source} holds no question. It needs at least one record with a `question` key.")
    return tasks


def make_tasks(records: Iterable[Task | Mapping[str, Any]]) -> list[Task]:
    """Tasks from tasks or question records. Raises TaskError as `load_tasks` does."""
    return collect_tasks((f"record {index}", record) for index, record in enumerate(records))


def take_shard(tasks: Sequence[Task], shard: str) -> list[Task]:
    """Every N-th task from the I-th on, for a shard `I/N`. Raises TaskError: no such text, or fewer tasks than
    shards."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard.strip(), re.ASCII)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not index < count:
        raise TaskError(f"--shard {shard}: expected I/N, I from 0 to N - 1, such as 0/8 to 7/8.")
    if count > len(tasks):
        raise TaskError(f"--shard {shard}: there are {len(tasks)} questions only. Make at most as many shards.")
    return list(tasks[index::count])


def digest_of(tasks: Sequence[Task]) -> str:
    """Of all questions together, in hexadecimal; their order does not count."""
    facts = sorted(f"{task.id}\x1f{task.digest}" for task in tasks)
    return short_digest(json.dumps(facts))


def _recognise(records: Sequence[Any]) -> str:
    """The data set whose fields all records have; "" where there is none."""
    if not records or not all(isinstance(record, Mapping) for record in records):
        return ""
    return next((name for name, one in BENCHMARKS.items() if all(map(one.recognises, records))), "")


def _converted(
    records: Iterable[tuple[str, Any]], benchmark: Benchmark, name: str, source: Source
) -> Iterator[tuple[str, Any]]:
    split = source.split or (source.path.name.partition(".")[0] if source.path else "test")
    low, high = _range(benchmark, name, source)
    for index, (where, record) in enumerate(records):
        if not isinstance(record, Mapping):
            raise TaskError(f"{where}: expected an object, found {type(record).__name__}.")
        converted = benchmark.convert(record, Position(where, index, split))
        if not benchmark.splits or low <= int(record["task_id"]) <= high:
            yield where, converted


def _range(benchmark: Benchmark, name: str, source: Source) -> tuple[float, float]:
    """The task ids of a split that is a range of these; a file without a named split is taken whole."""
    if not benchmark.splits or not source.split:
        return float("-inf"), float("inf")
    if source.split not in benchmark.splits:
        raise TaskError(f"{name} has no split {source.split!r}. It has: {', '.join(benchmark.splits)}.")
    return benchmark.splits[source.split]


def _records(source: Source) -> Iterator[tuple[str, Any]]:
    if source.path is None:
        return _from_hub(source)
    return _from_folder(source.path) if source.path.is_dir() else _from_file(source.path)


def _from_file(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, record) of a file; what a record holds is not looked at."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in (".json", ".jsonl", ".csv"):
        raise TaskError(f"{path}: a question file's name must end in .json, .jsonl or .csv, or one of these and .gz.")
    text = read_text(path, "Give a file of questions, in UTF-8.", TaskError)
    if suffix == ".csv":
        yield from _from_csv(text, path)
        return
    if suffix == ".jsonl":
        # Only "\n" ends a line: JSON allows U+2028 and others in strings, at which str.splitlines() would break.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path}:{number}", _parse(line, f"{path}:{number}", "the line")
        return
    data = _parse(text, str(path), "the file") if text.strip() else []
    listed = data.get("example") if isinstance(data, dict) else data
    if not isinstance(listed, list):
        found = f"an object with the keys {list(data)[:8]}" if isinstance(data, dict) else "no list"
        raise TaskError(
            f"{path}: expected a list of records, or an object whose `example` key holds the list; found {found}. "
            "Write [{...}, ...], or name it .jsonl and write a record a line (pandas: to_json(path, orient='records'))."
        )
    for index, record in enumerate(listed):
        yield f"{path}, record {index}", record


def _from_csv(text: str, path: Path) -> Iterator[tuple[str, JsonObject]]:
    """A record a row, with the names of the first line; an empty cell is no field. Raises TaskError."""
    with boundary(f"{path}: not valid CSV", TaskError):
        first, *rows = [row for row in csv.reader(StringIO(text), strict=True) if row] or [[""]]
    names = [name.strip() for name in first]
    if len(set(names)) < len(names):
        raise TaskError(f"{path}: two columns have one name ({', '.join(names)}). Rename one.")
    if len(names) == 1 and re.search(r"[;\t|]", names[0]):
        raise TaskError(f"{path}: the names of its first line are {names[0]!r}. Separate cells by commas.")
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        if len(row) != len(names):
            raise TaskError(
                f"{where}: it has more or fewer cells than the first line has names. Quote cells with commas."
            )
        yield where, {name: cell for name, cell in zip(names, row, strict=True) if cell}


def _parse(text: str, where: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error)
        if isinstance(error, json.JSONDecodeError):
            line = f"line {error.lineno}, " if "\n" in text else ""
            near = text[error.pos : error.pos + 30].partition("\n")[0]
            place = f"before {near!r}" if near else "where it ends"
            reason = f"{error.msg.removesuffix(' at')} at {line}column {error.colno}, {place}"
        hint = " A file of a record a line is called .jsonl." if reason.startswith("Extra data at line 2,") else ""
        raise TaskError(f"{where}: not valid JSON: {reason}. Mend {what}.{hint}") from error


def _from_folder(folder: Path) -> Iterator[tuple[str, Any]]:
    if splits := sorted(path.parent.name for path in folder.glob("*/dataset_info.json")):
        raise TaskError(f"--qaf {folder} holds the splits {', '.join(splits)}. Name one: {folder / splits[0]}.")
    otherwise = "Or save it as a file: Dataset.to_json"
    if not (folder / "dataset_info.json").is_file():
        raise TaskError(f"--qaf {folder} is a folder, but none that `datasets` has saved. Give a file of questions.")
    datasets = require_package("datasets", f"--qaf {folder}", "datasets", TaskError, otherwise)
    with boundary(f"--qaf {folder}: not a data set that `datasets` has saved", TaskError):
        rows = datasets.load_from_disk(str(folder))
    yield from plain_rows(rows, str(folder))


def plain_rows(rows: Iterable[Mapping[str, Any]], name: str) -> Iterator[tuple[str, JsonObject]]:
    """Rows of `datasets` as results files can carry them, times as text. Raises TaskError for other columns."""
    for index, row in enumerate(rows):
        where, record = f"{name}, record {index}", {}
        for column, value in row.items():
            try:
                record[column] = json.loads(json.dumps(value, default=_time_as_text))
            except (TypeError, ValueError) as error:
                raise TaskError(
                    f"{where}: column {column!r} can't be carried through results: {error}. Leave it out: "
                    f"Dataset.remove_columns({column!r})."
                ) from None
        yield where, record


def _time_as_text(value: Any) -> str:
    if isinstance(value, (date, time)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _from_hub(source: Source) -> Iterator[tuple[str, Any]]:
    benchmark = BENCHMARKS[source.name]
    repository, configuration = benchmark.hub
    split = source.split or "test"
    instead = f"Or download {benchmark.file} and pass --qaf {source.name}:/path/to/{benchmark.file}"
    datasets = require_package("datasets", f"--qaf {source.name}", "datasets", TaskError, instead)
    with boundary(f"--qaf {source.name}: {repository} can't be had from the Hugging Face Hub", TaskError, instead):
        rows = datasets.load_dataset(repository, configuration, split=split)
    yield from plain_rows(rows, f"{repository}, {split}")
