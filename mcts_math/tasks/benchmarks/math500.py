"""MATH500: 500 problems of MATH with their final answers; the answer is the field `answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcts_math.errors import TaskError
from mcts_math.tasks.benchmarks.base import BOXED, Benchmark, Position, text_of
from mcts_math.tasks.task import JsonObject


def _convert(record: Mapping[str, Any], at: Position) -> JsonObject:
    problem, answer = text_of(record, "problem", at.where), record.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, (str, int, float)):
        raise TaskError(f"{at.where}: the field `answer` must be a string or a number, not {type(answer).__name__}.")
    extra = {name: record[name] for name in ("subject", "level", "solution") if name in record}
    return {
        "id": f"math500/{record.get('unique_id', at.index)}",
        "question": problem.strip(),
        "answer": str(answer),
        "task": "math500",
        "chat_instruction": BOXED,
        **extra,
    }


def _recognises(record: Mapping[str, Any]) -> bool:
    return {"problem", "answer", "unique_id"} <= record.keys()


MATH500 = Benchmark("MATH500", ("HuggingFaceH4/MATH-500", None), "test.jsonl", _convert, _recognises)
