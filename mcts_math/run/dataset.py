"""Results as a data set of the Hugging Face package `datasets`: a row a question, its tree as a line of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mcts_math.errors import RecordError, require_package
from mcts_math.files import dump_line
from mcts_math.run import record as records
from mcts_math.run.nodes import NO_VALUE, answer_in, read_field
from mcts_math.tasks import JsonObject, is_ours


def to_dataset(path: str | Path) -> Any:
    """The results of a file, ours or a published one, as a `datasets.Dataset` in its order.

    Columns: `id`, `question`, `answers` (accepted ones); of the chosen solution `solution`, `final_answer`, `value`;
    `correct` (None where not judged), `steps` (nodes of the tree), `tokens`, `seconds`, `stopped`, `error`; and `tree`,
    the whole line: written to a file again, these lines are the results. Raises RecordError where the file can't be
    read, or `datasets` is not installed.
    """
    datasets = require_package("datasets", "to_dataset", "datasets", RecordError)
    text, number = datasets.Value("string"), datasets.Value("int64")
    columns = {
        **dict.fromkeys(("id", "question", "solution", "final_answer", "stopped", "error", "tree"), text),
        "answers": datasets.List(text),
        "correct": datasets.Value("bool"),
        **dict.fromkeys(("value", "seconds"), datasets.Value("float64")),
        **dict.fromkeys(("steps", "tokens"), number),
    }
    return datasets.Dataset.from_list(list(_rows(Path(path))), features=datasets.Features(columns))


def _rows(path: Path) -> Iterator[JsonObject]:
    for where, task_id, record in records.read_results(path):
        task, solutions, cost = (
            records.record_to_task(record, where),
            records.read_solutions(record, where),
            records.costs_of(record, where),
        )
        best: Mapping[str, Any] = solutions[0] if solutions else {}
        with records.checking(where):
            value = read_field(best, "value", float, NO_VALUE)
        yield {
            "id": task_id,
            "question": task.question,
            "answers": list(task.answers),
            "solution": _text(best, "solution"),
            "final_answer": answer_in(best),
            "value": None if value == NO_VALUE else value,
            "correct": records.verdict_of(record),
            "steps": max(len(records.nodes_of(record)) - 1, 0),
            "tokens": cost.get("tokens"),
            "seconds": cost.get("seconds"),
            "stopped": _text(record, "stopped") if is_ours(record) else None,
            "error": records.error_of(record) or None,
            "tree": dump_line(record).decode().rstrip("\n"),
        }


def _text(record: Mapping[str, Any], key: str) -> str | None:
    found = record.get(key)
    return found if isinstance(found, str) else None
