"""Finding the code in what a model wrote. By lines only: whether it is Python, the sandbox says.

The rule, the first that applies:

1. Of the fenced blocks, the last that defines the entry point.
2. Fenced blocks, none of which does: all of them together where that does; else the last one, as the body of the
   function that the prompt begins, or as it stands.
3. No block, but a line that defines the entry point: from the first line that begins code (import, def, class, @) on.
4. Else a bare function body that goes on with the prompt, where it looks like one: it begins indented, or returns.

Text after unfenced code, and after a fence that was never closed, is cut off by the sandbox: from the first line that
is not Python. Blocks of other languages (```bash, ```text) are passed over.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(r"^([ \t>]*)(`{3,}|~{3,})[ \t]*([^\s`]*)")
_PYTHON: Final = frozenset({"", "python", "py", "python3", "py3", "{python}", "{.python}", "ipython"})
_BEGINS_CODE: Final = re.compile(r"^(?:import\s+\w|from\s+[\w.]+\s+import\b|def\s+\w|async\s+def\s|class\s+\w|@\w)")
_RETURNS: Final = re.compile(r"^[ \t]*(?:return|yield|raise)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to take a completion.

    Attributes:
        code: the code, with what may follow it.
        body: it goes on with the prompt; else it is a program of its own.
        open: its end was not marked: lines that are not Python may be cut off.
        sure: it was meant as code; if it is not Python, that is the model's mistake.
    """

    code: str
    body: bool
    open: bool
    sure: bool


@dataclass(frozen=True, slots=True)
class _Block:
    code: str
    closed: bool


def readings(completion: str, entry_point: str) -> list[Reading]:
    """The ways to take a completion, best first; empty where it holds no code."""
    text = completion.replace("\r\n", "\n").replace("\r", "\n")
    defines = re.compile(
        rf"^(?:(?:async\s+)?def\s+{re.escape(entry_point)}\s*[(\[]|class\s+{re.escape(entry_point)}\b"
        rf"|{re.escape(entry_point)}\s*(?::[^=\n]+)?=(?!=))",
        re.MULTILINE,
    )
    blocks = _blocks(text, defines)
    if not blocks:
        return _unfenced(text, defines)
    for block in reversed(blocks):
        if defines.search(block.code):
            return [Reading(block.code, body=False, open=not block.closed, sure=True)]
    whole = "\n".join(block.code for block in blocks)
    last = blocks[-1]
    return [
        *(Reading(code, True, not last.closed, True) for code in _as_body(last.code)),
        Reading(whole, body=False, open=not last.closed, sure=True),
    ]


def extract_code(completion: str, entry_point: str) -> str | None:
    """The code in a completion, or None where there is none; see the head of this file.

    A bare body comes without its prompt. Whether the code is Python was not looked at.
    """
    found = readings(completion, entry_point)
    return found[0].code if found else None


def _unfenced(text: str, defines: re.Pattern[str]) -> list[Reading]:
    if (definition := defines.search(text)) is not None:
        starts = re.finditer(r"^.*$", text[: definition.end()], re.MULTILINE)
        start = next((m.start() for m in starts if _BEGINS_CODE.match(m.group())), definition.start())
        found = [Reading(text[start:], False, True, True)]
        if start < definition.start():  # "from here on import is …": prose may begin like code
            found.append(Reading(text[definition.start() :], False, True, True))
        return found
    body = text.strip("\n")
    if not body.strip() or not (body[0].isspace() or _RETURNS.search(body)):
        return []
    return [Reading(code, True, True, False) for code in _as_body(body)]


def _as_body(code: str) -> list[str]:
    """A function body as it stands; else with its first line's indentation put back, or indented as a whole."""
    if code[:1].isspace():
        return [code]
    rest = [line for line in code.split("\n")[1:] if line.strip()]
    ways = [f"    {code}", textwrap.indent(code, "    ")]
    # Where the line after a header is indented once only, nothing was stripped off the first one.
    was_stripped = rest and len(rest[0]) - len(rest[0].lstrip()) >= (8 if code.split("\n")[0].endswith(":") else 4)
    return ways if was_stripped else ways[::-1]


def _blocks(text: str, defines: re.Pattern[str]) -> list[_Block]:
    """The fenced blocks of Python, in order; the last one may lack its end."""
    found: list[_Block] = []
    fence, indent, is_python = "", "", False
    lines: list[str] = []
    before: list[str] = []  # lines outside any block so far
    is_defined = False  # by one of them
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if not fence:
            if mark is None:
                before.append(line)
                is_defined = is_defined or defines.match(line) is not None
                continue
            if not found and mark.group(3) == "" and (is_defined or _is_indented(before)):
                # The prompt ended with an opening fence: this one closes it.
                found.append(_Block("\n".join(before), closed=False))
                is_defined, before = False, []
                continue
            indent, fence = mark.group(1), mark.group(2)
            is_python, lines = mark.group(3).lower() in _PYTHON, []
        elif mark is not None and mark.group(2).startswith(fence) and mark.group(3) == "":
            if is_python and any(part.strip() for part in lines):
                found.append(_Block(_dedent(lines, indent), closed=True))
            fence = ""
        else:
            lines.append(line)
    if fence and is_python and any(part.strip() for part in lines):
        found.append(_Block(_dedent(lines, indent), closed=False))
    return found


def _is_indented(lines: list[str]) -> bool:
    first = next((line for line in lines if line.strip()), "")
    return first.startswith(("    ", "\t"))


def _dedent(lines: list[str], indent: str) -> str:
    """A block's lines without the indentation of its fence."""
    return "\n".join(line.removeprefix(indent) for line in lines)
