"""MBPP and its sanitised part: Python functions to write from a sentence, judged by their tests.

A program is judged by `test` where there is one (as in EvalPlus), else by `test_list`, which the prompt shows, and
`challenge_test_list`. Splits are ranges of `task_id`, as the authors give them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mcts_math.errors import TaskError
from mcts_math.tasks.benchmarks.base import Benchmark, Position, text_of, texts_of
from mcts_math.tasks.task import JsonObject

_PROMPT: Final = (
    "{text}\n\nThe Python function is called `{entry_point}` and has to pass these tests:\n\n```python\n{tests}\n```\n"
    "\nReply with the whole function, and the imports that it needs, in one ```python block."
)
_SPLITS: Final = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974)}
_DEFINED: Final = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
_CALLED: Final = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


def _convert(record: Mapping[str, Any], at: Position) -> JsonObject:
    where = at.where
    text = text_of(record, "prompt" if "prompt" in record and "text" not in record else "text", where)
    code, tests = text_of(record, "code", where), texts_of(record, "test_list", where)
    number = record.get("task_id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise TaskError(f"{where}: the field `task_id` must be a whole number, not {number!r}.")
    defined = set(_DEFINED.findall(code))
    entry_point = next((name for test in tests for name in _CALLED.findall(test) if name in defined), None)
    if entry_point is None:
        raise TaskError(f"{where}: no test in `test_list` calls a function that `code` defines.")
    setup = [*texts_of(record, "test_imports", where, ()), text_of(record, "test_setup_code", where, "")]
    challenge = texts_of(record, "challenge_test_list", where, ())
    listed = "\n".join(part for part in [*setup, *tests, *challenge] if part).replace("\r\n", "\n") + "\n"
    return {
        "id": f"mbpp/{number}",
        "question": _PROMPT.format(text=text.strip(), entry_point=entry_point, tests="\n".join(tests)),
        "task": "mbpp",
        "prompt": "",
        "test": text_of(record, "test", where, listed),
        "entry_point": entry_point,
        "solution": code,
    }


def _recognises(record: Mapping[str, Any]) -> bool:
    return {"task_id", "test_list", "code"} <= record.keys()


_REPOSITORY: Final = "google-research-datasets/mbpp"
MBPP = Benchmark("MBPP", (_REPOSITORY, "full"), "mbpp.jsonl", _convert, _recognises, _SPLITS)
MBPP_SANITIZED = Benchmark(
    "MBPP-sanitized", (_REPOSITORY, "sanitized"), "sanitized-mbpp.json", _convert, lambda record: False, _SPLITS
)
