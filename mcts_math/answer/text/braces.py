"""Which brace closes which."""

from __future__ import annotations

import re
from typing import Final

_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)


def matching(text: str, start: int) -> int:
    """Index of the `}` that closes the `{` at `start`, or -1."""
    depth = 0
    for match in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if not depth:
            return match.start()
    return -1


def closing_braces(text: str) -> dict[int, int]:
    """Index of the `}` that closes it by index of every `{` that is closed, in one pass."""
    pending: list[int] = []
    closed: dict[int, int] = {}
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            pending.append(match.start())
        elif match.group() == "}" and pending:
            closed[pending.pop()] = match.start()
    return closed


def balanced(text: str) -> str:
    """`text` without a brace too many at its end. One too few may be a text that was cut, `3/8` of `3/80`."""
    depth = 0
    for match in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth < 0:
            return text[:-1] if match.end() == len(text) else text
    return text
