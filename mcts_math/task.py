"""Questions: reading a qaf file (SPEC A1: question, answer, further keys) into `Task`s.

A task is known by its id, never by its text. The id is the record's own `id` where it has one. Else it derives from
the question's text, so that it stays the same when a file is cut, shuffled or merged; equal questions are numbered in
file order and each keeps its own result.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from mcts_math.errors import TaskError

JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One question.

    Attributes:
        id: unique within a run.
        question: the text, as read.
        answers: accepted answers, any of them is right; empty where unknown.
        record: the input record as read, carried through to the output.
    """

    id: str
    question: str
    answers: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict, compare=False)


RUN_KEYS = frozenset({"react", "solutions", "cost", "correct", "stopped", "error", "attempts", "method", "oracle"})
"""Keys that a run adds to a question's record."""


def is_code_task(task: Task) -> bool:
    """Whether a task is judged by running its tests: its record holds a problem of the published form."""
    return "entry_point" in task.record


def load_tasks(path: str | Path) -> list[Task]:
    """Reads a `.json` (a list, or an object whose `example` key holds the list) or `.jsonl` question file.

    Raises:
        TaskError: naming file, line or position, and what to change.
    """
    path = Path(path)
    tasks = collect_tasks(read_records(path))
    if not tasks:
        raise TaskError(f"{path} holds no question. It needs at least one record with a `question` key.")
    return tasks


def make_tasks(records: Iterable[Task | Mapping[str, Any]]) -> list[Task]:
    """Tasks from tasks or records; a record is one of a qaf file. Raises TaskError as `load_tasks` does."""
    return collect_tasks((f"record {index}", record) for index, record in enumerate(records))


def collect_tasks(records: Iterable[tuple[str, Any]]) -> list[Task]:
    """Tasks from (where, task or qaf record); errors name `where`. Raises TaskError as `load_tasks` does."""
    tasks: list[Task] = []
    copies: Counter[str] = Counter()
    seen: dict[str, str] = {}
    for where, record in records:
        task = record if isinstance(record, Task) else _task(record, where, copies)
        if task.id in seen:
            raise TaskError(f"{where}: id {task.id!r} stands at {seen[task.id]} too. Give each record its own id.")
        seen[task.id] = where
        tasks.append(task)
    return tasks


def answers_of(record: Mapping[str, Any], where: str = "record") -> tuple[str, ...]:
    """Accepted answers of a qaf record: its `answer`, a string, a number or a list of these; () where absent."""
    answer = record.get("answer")
    if answer is None:
        return ()
    values = answer if isinstance(answer, list) else [answer]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise TaskError(f"{where}: `answer` must be a string or a list of strings, not {json.dumps(answer)[:80]}.")
    return tuple(str(value) for value in values)


def _task(record: Any, where: str, copies: Counter[str]) -> Task:
    if not isinstance(record, Mapping):
        raise TaskError(f"{where}: expected an object with a `question` key, found {type(record).__name__}.")
    question = record.get("question")
    if not isinstance(question, str):
        keys = ", ".join(map(repr, list(record)[:8])) or "none"
        raise TaskError(f"{where}: no `question` string (keys: {keys}). Rename the key that holds the question.")
    if not question.strip():
        raise TaskError(f"{where}: the question is empty. Remove the record or write its question.")
    if (position := _half_character(question)) is not None:
        raise TaskError(f"{where}: character {position} of the question is half of a surrogate pair. Remove it.")
    given = record.get("id")
    if given is None or given == "":
        task_id = derived_id(question, copies)
    elif isinstance(given, (str, int)) and not isinstance(given, bool):
        task_id = str(given)
    else:
        raise TaskError(f"{where}: `id` must be a string or an integer, not {type(given).__name__}.")
    if "react" in record:  # a line of results asks its question anew: what was found before is not carried through
        record = {key: value for key, value in record.items() if key not in RUN_KEYS}
    return Task(task_id, question, answers_of(record, where), record)


def derived_id(question: str, copies: Counter[str]) -> str:
    """Id of a record without one. `copies` counts how often each question was seen, and is updated."""
    digest = hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    copies[digest] += 1
    return f"q-{digest}" if copies[digest] == 1 else f"q-{digest}-{copies[digest]}"


def _half_character(text: str) -> int | None:
    """Position of the first lone surrogate, which no encoding and so no tokenizer has a form for."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def read_records(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, record) of a `.json` or `.jsonl` file, or one of these as `.gz`; what a record holds is not looked at.

    Raises:
        TaskError: naming file, line or position, and what to change.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in (".json", ".jsonl"):
        raise TaskError(f"{path}: the name of a question file must end in .json or .jsonl, or one of these and .gz.")
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        raise TaskError(f"{path}: no such file. Check the path given with --qaf.") from None
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise TaskError(f"{path} can't be read as UTF-8 text: {error}.") from error
    if suffix == ".jsonl":
        # Only "\n" ends a line: splitlines() would also break at U+2028 and others, which JSON allows inside strings.
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path}:{number}", _parse(line, f"{path}:{number}")
        return
    data = _parse(text, str(path)) if text.strip() else []
    if isinstance(data, dict):
        data = data.get("example")
    if not isinstance(data, list):
        raise TaskError(f"{path}: expected a list of records, or an object whose `example` key holds the list.")
    for index, record in enumerate(data):
        yield f"{path}, record {index}", record


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{where}: not valid JSON: {error}. Mend or remove the line.") from error
