"""Which brace closes which."""

from __future__ import annotations

import re
from typing import Final

_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)


def matching(text: str, start: int) -> int:
    """Index of the `}` that closes the `{` at `start`, or -1."""
    depth = 0
    index = start
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if not depth:
                return index
        index += 1
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
