"""LiveCodeBench, code generation (arXiv 2403.07974): contest problems, judged by public and private cases.

1. A problem with starter code asks for a method of `Solution`; its cases are arguments, one JSON value a line, and a
   value. Any other asks for a program; its cases are what it reads and prints.
2. Private cases are JSON, or a pickled text of JSON, packed by zlib, in base64. No pickle is loaded: the text is taken
   out of one that holds nothing else.
3. As published, programs find common modules imported, each case has 6 seconds, and numbers are equal as decimals.
"""

from __future__ import annotations

import base64
import json
import pickletools
import zlib
from collections.abc import Mapping
from typing import Any, Final

from mcts_math.errors import TaskError, boundary
from mcts_math.tasks.benchmarks.base import Benchmark, Position, text_of
from mcts_math.tasks.task import JsonObject

_METHOD: Final = (
    "{text}\n\nWrite it in Python, as the method that this code begins:\n\n```python\n{starter}\n```\n\n"
    "Reply with the whole class, and the imports that it needs, in one ```python block."
)
_PROGRAM: Final = (
    "{text}\n\nWrite a Python program that reads standard input and prints the answer. Reply with the whole program in "
    "one ```python block."
)
_MODULES: Final = """
    string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json
    builtins typing
"""
IMPORTS: Final = (
    "".join(f"from {name} import *\nimport {name}\n" for name in _MODULES.split())
    + "from collections import deque\nfrom datetime import datetime\nsys.setrecursionlimit(50000)\n"
)
"""What the published judge of a contest has run before the program."""
_CASE_TIMEOUT_S: Final = 6.0
_MOST_BYTES: Final = 1 << 30
_TEXTS: Final = {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_AROUND: Final = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "STOP"}
_MOST_COMMANDS: Final = 9


def _convert(record: Mapping[str, Any], at: Position) -> JsonObject:
    text, starter = (text_of(record, name, at.where).strip() for name in ("question_content", "starter_code"))
    public = _listed(text_of(record, "public_test_cases", at.where), "public_test_cases", at.where)
    private = _private(text_of(record, "private_test_cases", at.where, "[]"), at.where)
    entry_point = f"Solution().{_function(record, at.where)}" if starter else ""
    return {
        "id": f"livecodebench/{text_of(record, 'question_id', at.where)}",
        "question": (_METHOD if starter else _PROGRAM).format(text=text, starter=starter),
        "task": "livecodebench",
        "prompt": IMPORTS,
        "test": "",
        "entry_point": entry_point,
        "cases": [_case(case, bool(starter), at.where) for case in public + private],
        "timeout_s": _CASE_TIMEOUT_S,
        "tolerance": 0.0,
    }


def _function(record: Mapping[str, Any], where: str) -> str:
    try:
        name = json.loads(text_of(record, "metadata", where))["func_name"]
    except (ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str):
        raise TaskError(f"{where}: `metadata` must be a JSON object with `func_name`, as there is `starter_code`.")
    return name


def _private(packed: str, where: str) -> list[Any]:
    """Private cases, packed or plain."""
    name = "private_test_cases"
    if packed.lstrip().startswith("["):
        return _listed(packed, name, where)
    with boundary(f"{where}: `{name}` can't be unpacked", TaskError):
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(base64.b64decode(packed, validate=True), _MOST_BYTES)
        if not unpacking.eof:
            raise ValueError(f"it is cut off, or larger than {_MOST_BYTES >> 20} MiB")
        text = _pickled_text(plain)
    return _listed(text, name, where)


def _pickled_text(pickled: bytes) -> str:
    """The text that a pickle holds. Raises ValueError where it is none, or holds anything else."""
    text: str | None = None
    for number, (command, argument, _) in enumerate(pickletools.genops(pickled)):
        if command.name in _TEXTS and text is None:
            text = str(argument)
        elif command.name not in _AROUND or number > _MOST_COMMANDS:
            raise ValueError(f"it holds more than a text: {command.name}")
    if text is None:
        raise ValueError("it holds no text")
    return text


def _listed(text: Any, name: str, where: str) -> list[Any]:
    try:
        cases = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        cases = None
    if not isinstance(cases, list):
        raise TaskError(f"{where}: `{name}` must be a list of cases in JSON.")
    return cases


def _case(case: Any, calls: bool, where: str) -> JsonObject:
    """Input and output as the judge takes them."""
    with boundary(f"{where}: a case needs `input` and `output`{', in JSON' if calls else ''}", TaskError):
        given, wanted = case["input"], case["output"]
        if calls:
            return {
                "input": [json.loads(line) for line in given.split("\n") if line.strip()],
                "output": json.loads(wanted),
            }
    return {"input": given, "output": wanted}


def _recognises(record: Mapping[str, Any]) -> bool:
    return {"question_content", "question_id", "starter_code", "public_test_cases"} <= record.keys()


LIVECODEBENCH = Benchmark(
    "LiveCodeBench", ("lighteval/code_generation_lite", "v6"), "test6.jsonl", _convert, _recognises
)
