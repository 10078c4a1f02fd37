"""Finding the code in what a model wrote. By lines only, once over: whether it is Python, the sandbox says.

The rule, the first that applies:

1. What a thinking block holds is no answer: only text after the last `</think>` counts, and none of a block without
   an end.
2. Of the fenced blocks, the last that defines the entry point, at the margin if one does; the others may lend it
   imports and helpers. A fence within a docstring is text. `[BEGIN] … [DONE]` and the like are fences too.
3. Fenced blocks, none of which does: all of them together where that does; else the last one, as the body of the
   function that the prompt begins, or as it stands. For a whole program: the last that reads its input, one that is
   marked as Python before one that is not; or the last that is marked; or the last. Where that calls nothing, or prints
   nothing, all of them together.
4. No block, but a line that defines the entry point: from the first line that begins code (import, def, class, @) on.
5. Else a bare function body that goes on with the prompt, where it looks like one: it begins indented, or returns.

Text after unfenced code, and after a fence that was never closed, is cut off by the sandbox: from the first line that
is not Python. Blocks of other languages (```bash, ```text) are passed over. A block of `>>>` lines is what was typed.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(r"^\ufeff?([ \t>]*)(`{3,}|~{3,})[ \t]*([^\s`]*)")
_PYTHON: Final = frozenset({"", "python", "py", "python3", "py3", "{python}", "{.python}", "ipython", "pycon"})
_BEGINS_CODE: Final = re.compile(r"^(?:import\s+\w|from\s+[\w.]+\s+import\b|def\s+\w|async\s+def\s|class\s+\w|@\w)")
_RETURNS: Final = re.compile(r"^[ \t]*(?:return|yield|raise)\b", re.MULTILINE)
_OPENS: Final = {"[begin]": "[done]", "[python]": "[/python]", "<code>": "</code>", "<python>": "</python>"}
_THOUGHT: Final = re.compile(r"<(/?)(?:think|thinking|reasoning)>")
_QUOTES: Final = re.compile(r"\\.|#.*|\"\"\"|'''|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_READS: Final = re.compile(r"\binput\s*\(|\bstdin\b|\b(?:fd)?open\(0|\bos\.read\(|\bread\(0|\bfileinput\b|/dev/fd/0")
_ORDER_MARK: Final = re.compile(r"\A\s*\ufeff+")
_NO_NAMES: Final = (re.compile(r"(?!)"),)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to take a completion.

    Attributes:
        code: the code, with what may follow it.
        body: it goes on with the prompt; else it is a program of its own.
        open: its end was not marked: lines that are not Python may be cut off.
        sure: it was meant as code; if it is not Python, that is the model's mistake.
        others: code of other blocks, whose imports and helpers it may use.
    """

    code: str
    body: bool
    open: bool
    sure: bool
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    code: str
    closed: bool
    marked: bool = True  # as Python; else nothing says what it is


def readings(completion: str, entry_points: str | Iterable[str] = "") -> list[Reading]:
    """The ways to take a completion, best first; empty where it holds no code.

    Args:
        completion: what the model wrote.
        entry_points: names that the code must define; none for a whole program.
    """
    names = [entry_points] if isinstance(entry_points, str) else list(entry_points)
    text = _ORDER_MARK.sub("", _answer(completion.replace("\r\n", "\n").replace("\r", "\n")))
    defines = _defines([name for name in names if name])
    found = _fenced(_blocks(text, defines, docstrings=True), defines)
    for reading in _fenced(_blocks(text, defines, docstrings=False), defines):
        if reading not in found:
            found.append(reading)
    return found or _unfenced(text, defines)


def extract_code(completion: str, entry_points: str | Iterable[str] = "") -> str | None:
    """The code in a completion, or None where there is none; see the head of this file.

    A bare body comes without its prompt. Whether the code is Python was not looked at.
    """
    found = readings(completion, entry_points)
    return found[0].code if found else None


def _answer(text: str) -> str:
    """The text without its thinking blocks."""
    begun, end = False, 0
    for mark in _THOUGHT.finditer(text):
        begun = not mark.group(1)
        end = end if begun else mark.end()
    return "" if begun else text[end:]


def _defines(names: list[str]) -> tuple[re.Pattern[str], ...]:
    """What finds a line that defines one of the names: at the margin; and at any depth."""
    if not names:
        return _NO_NAMES
    name = "|".join(map(re.escape, names))
    rule = rf"(?:(?:async\s+)?def\s+(?:{name})\s*[(\[]|class\s+(?:{name})\b|(?:{name})\s*(?::[^=\n]+)?=(?!=))"
    return re.compile(f"^{rule}", re.MULTILINE), re.compile(rf"^[ \t]*{rule}", re.MULTILINE)


def _fenced(blocks: list[_Block], defines: tuple[re.Pattern[str], ...]) -> list[Reading]:
    if not blocks:
        return []
    if defines is _NO_NAMES:
        return _programs(blocks)
    for rule in defines:
        for place, block in reversed(list(enumerate(blocks))):
            if rule.search(block.code):
                return [_with_others(blocks, place)]
    last = blocks[-1]
    bodies = (Reading(code, True, not last.closed, True) for code in _as_body(last.code))
    return [*bodies, _together(blocks)]


def _programs(blocks: list[_Block]) -> list[Reading]:
    """The block that is the whole program; if it is not marked and turns out not to be Python, the last that is."""
    marked = [place for place, block in enumerate(blocks) if block.marked]
    reading = [place for place, block in enumerate(blocks) if _READS.search(block.code)]
    both = [place for place in reading if blocks[place].marked]
    best = (both or reading or marked or [len(blocks) - 1])[-1]
    places = [best, *([] if blocks[best].marked else marked[-1:])]
    parts = [blocks[place] for place in marked] if reading and marked else blocks
    return [*(_with_others(blocks, place) for place in places), _together(parts)]


def _with_others(blocks: list[_Block], place: int) -> Reading:
    others = tuple(block.code for block in (*blocks[:place], *blocks[place + 1 :]))
    return Reading(blocks[place].code, body=False, open=not blocks[place].closed, sure=True, others=others)


def _together(blocks: list[_Block]) -> Reading:
    return Reading("\n".join(block.code for block in blocks), body=False, open=not blocks[-1].closed, sure=True)


def _unfenced(text: str, defines: tuple[re.Pattern[str], ...]) -> list[Reading]:
    definition = next((found for found in (rule.search(text) for rule in defines) if found is not None), None)
    if definition is None and len(defines) == 1 and text.strip():
        definition = _READS.search(text) or re.search(r"^[ \t]*print\(", text, re.MULTILINE)
    if definition is not None:
        begin = text.rfind("\n", 0, definition.start()) + 1
        indent = text[begin : definition.end()]
        indent = re.escape(indent[: len(indent) - len(indent.lstrip())])
        lines = re.finditer(f"^{indent}(.*)$", text[: definition.end()], re.MULTILINE)
        start = next((m.start() for m in lines if _BEGINS_CODE.match(m.group(1))), begin)
        # "from here on import is …": prose may begin like code; and code may begin with `if`, `try` or `x = 1`.
        return [Reading(text[place:], False, True, True) for place in dict.fromkeys((start, begin, 0))]
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


class _Scanner:
    """Takes lines one by one, and keeps the blocks of Python.

    Args:
        defines: what finds a line that defines the entry point.
        docstrings: a fence within a triple-quoted string is text.
    """

    def __init__(self, defines: tuple[re.Pattern[str], ...], docstrings: bool) -> None:
        self.found: list[_Block] = []
        self._defines, self._docstrings = defines, docstrings
        self._fence, self._indent, self._is_python, self._marked = "", "", False, True
        self._lines: list[str] = []  # of the open block, or outside any since the last one
        self._goes_on: bool | None = None  # outside: the lines are code, the prompt had its fence; None: all are empty
        self._quote = ""  # the triple quote that is open

    def take(self, line: str) -> None:
        """Takes a line."""
        mark, word = _FENCE.match(line), line.strip().lower()
        if not self._fence:
            self._outside(line, mark, word)
        elif not self._quote and self._closes(mark, word):
            self.end(closed=True)
        elif mark and self._fence in _OPENS.values() and not any(part.strip() for part in self._lines):
            self._open_by(mark)  # a tag around a fence
        else:
            self._lines.append(line)
            if self._docstrings:
                self._scan(line)
            if not self._quote and "#" not in line and line.rstrip().endswith(self._fence):
                self._lines[-1] = line.rstrip().removesuffix(self._fence)
                self.end(closed=True)

    def _outside(self, line: str, mark: re.Match[str] | None, word: str) -> None:
        is_end = (mark is not None and mark.group(3) == "") or word in _OPENS.values()
        if word in _OPENS:
            self._open(_OPENS[word], "", True)
        elif is_end and not self.found and self._goes_on:
            self.found.append(_Block(_typed("\n".join(self._lines)), closed=mark is None))
            self._lines = []
        elif mark is not None:
            self._open_by(mark)
        else:
            if line.strip():
                is_indented = self._goes_on is None and line.startswith(("    ", "\t"))
                self._goes_on = self._goes_on or is_indented or self._defines[0].match(line) is not None
            self._lines.append(line)

    def _open_by(self, mark: re.Match[str]) -> None:
        indent, fence, language = mark.groups()
        self._open(fence, indent, language.lower() in _PYTHON, language != "")

    def _open(self, fence: str, indent: str, is_python: bool, marked: bool = True) -> None:
        self._fence, self._indent, self._is_python, self._marked = fence, indent, is_python, marked
        self._lines, self._quote = [], ""

    def _closes(self, mark: re.Match[str] | None, word: str) -> bool:
        if self._fence[0] not in "`~":
            return word == self._fence
        return mark is not None and mark.group(2).startswith(self._fence) and mark.group(3) == ""

    def _scan(self, line: str) -> None:
        """Keeps track of triple quotes."""
        place = 0
        while True:
            if self._quote:
                place = line.find(self._quote, place)
                if place < 0:
                    return
                place, self._quote = place + 3, ""
            found = next((m for m in _QUOTES.finditer(line, place) if m.group() in ('"""', "'''")), None)
            if found is None:
                return
            place, self._quote = found.end(), found.group()

    def end(self, closed: bool) -> None:
        """Ends the open block, if there is one."""
        if self._fence and self._is_python and any(part.strip() for part in self._lines):
            code = "\n".join(line.removeprefix(self._indent) for line in self._lines)
            self.found.append(_Block(_typed(code), closed, self._marked))
        self._fence, self._lines, self._goes_on = "", [], None


def _blocks(text: str, defines: tuple[re.Pattern[str], ...], docstrings: bool) -> list[_Block]:
    """The fenced blocks of Python, in order; the last one may lack its end."""
    scanner = _Scanner(defines, docstrings)
    for line in text.split("\n"):
        scanner.take(line)
    scanner.end(closed=False)
    return scanner.found


def _typed(code: str) -> str:
    """What was typed in a block of an interactive session; other code as it stands, but for a byte order mark."""
    code = _ORDER_MARK.sub("", code)
    if not code.lstrip().startswith(">>>"):
        return code
    marked = (line.strip() for line in code.split("\n"))
    return "\n".join(line[4:] for line in marked if line.startswith((">>>", "...")))
