"""HumanEval: Python functions to complete, judged by their tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcts_math.tasks.benchmarks.base import Benchmark, Position, text_of
from mcts_math.tasks.task import JsonObject

_PROMPT: Final = (
    "Complete the Python function below. Reply with the whole function, and the imports that it needs, in one "
    "```python block.\n\n```python\n{prompt}\n```"
)


def _convert(record: Mapping[str, Any], at: Position) -> JsonObject:
    prompt, test, entry_point = (text_of(record, name, at.where) for name in ("prompt", "test", "entry_point"))
    return {
        "id": text_of(record, "task_id", at.where),
        "question": _PROMPT.format(prompt=prompt.rstrip("\n")),
        "task": "humaneval",
        "prompt": prompt,
        "test": test,
        "entry_point": entry_point,
    }


def _recognises(record: Mapping[str, Any]) -> bool:
    return {"task_id", "prompt", "test", "entry_point"} <= record.keys()


HUMANEVAL = Benchmark("HumanEval", ("openai/openai_humaneval", None), "HumanEval.jsonl", _convert, _recognises)
