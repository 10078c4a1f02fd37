"""GSM8K: word problems of primary school; the answer is what follows `####` in the worked solution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcts_math.errors import TaskError
from mcts_math.tasks.benchmarks.base import BOXED, Benchmark, Position, text_of
from mcts_math.tasks.task import JsonObject, final_answer, marked_answer


def _convert(record: Mapping[str, Any], at: Position) -> JsonObject:
    problem, solution = text_of(record, "question", at.where), text_of(record, "answer", at.where)
    if not marked_answer(solution):
        raise TaskError(f"{at.where}: the field `answer` has no `#### NUMBER` at its end.")
    split = at.split if at.split in ("train", "test") else ""
    return {
        "id": f"gsm8k/{split}/{at.index}" if split else f"gsm8k/{at.index}",
        "question": problem.strip(),
        "answer": final_answer(solution),
        "task": "gsm8k",
        "chat_instruction": BOXED,
        "solution": solution,
    }


def _recognises(record: Mapping[str, Any]) -> bool:
    """The published file has these two fields and no other."""
    answer = record.get("answer")
    return set(record) == {"question", "answer"} and isinstance(answer, str) and "\n#### " in answer


GSM8K = Benchmark("GSM8K", ("openai/gsm8k", "main"), "test.jsonl", _convert, _recognises)
