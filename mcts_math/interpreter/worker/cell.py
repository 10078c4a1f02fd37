"""Runs one snippet and says what the model is shown: a reimplementation of the published tool's observations.

1. The code fence, backquotes and one word `python` are taken off.
2. The last statement is evaluated; a value other than None is the observation (`str` of it), else what the last
   statement printed. What earlier statements print is not shown.
3. Two or more statements that print (at top level, or inside if / for / while / def there) change the mode: the code
   runs up to the last of them and no further, and each shows what it printed, labelled with its source arguments.
4. Text that is a number is rounded to 4 decimals where that is not longer; more than 500 characters keep both ends.
5. An exception is shown as `Name: message` and nothing else is. An expression statement that raised is run once more
   as a statement, as the published tool does (its second result counts).

Nothing here protects anything: a snippet may break all of it, and thereby its own branch's text.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from types import CodeType
from typing import NamedTuple

_KEPT_CHARS = 1 << 15  # of each end of what one statement prints, while it prints
_FENCE_START = re.compile(r"^(\s|`)*(?i:python)?\s*")
_LINE = re.compile(r".*?(?:\r\n|\n|\r)|.+")  # as the compiler counts them
_PRINT_ARGUMENTS = re.compile(r"print\((.*?)\)")


class Shown(NamedTuple):
    """What a cell shows, and whether it failed."""

    text: str
    failed: bool


class _Capture(io.StringIO):
    """A stdout that keeps both ends of what is printed, in bounded memory."""

    def write(self, text: str, /) -> int:
        count = super().write(text)
        if self.tell() > 4 * _KEPT_CHARS:
            kept = self.getvalue()
            self.seek(0)
            self.truncate()
            super().write(kept[:_KEPT_CHARS] + kept[-_KEPT_CHARS:])
        return count

    def close(self) -> None:
        """Stays open: what was printed before is still shown."""


def sanitize(code: str) -> str:
    """Takes the code fence off."""
    code = _FENCE_START.sub("", code, count=1)
    end = len(code)
    while end and (code[end - 1] == "`" or code[end - 1].isspace()):  # a pattern for this would be quadratic
        end -= 1
    return code[:end]


def round_number(text: str) -> str:
    """Rounds text that is a number to 4 decimals where that is not longer; keeps a newline at the end."""
    core = text.strip()
    try:
        rounded = str(round(float(core), 4))
    except (ValueError, OverflowError):
        return text
    if len(rounded) > len(core):
        return text
    return rounded + "\n" if text.endswith("\n") else rounded


def truncate(text: str, limit: int) -> str:
    """Cuts the middle out of what is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}...{text[len(text) - half :]}"


def prints(statement: ast.stmt) -> bool:
    """Whether a statement is a call of print, or an if, for, while or def with one inside."""
    if isinstance(statement, ast.Expr):
        call = statement.value
        return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
    if isinstance(statement, (ast.If, ast.For, ast.While)):
        return any(map(prints, statement.body)) or any(map(prints, statement.orelse))
    return isinstance(statement, ast.FunctionDef) and any(map(prints, statement.body))


def source_of(lines: list[str], statement: ast.stmt) -> str:
    """What `ast.get_source_segment` gives, which splits all of the code into lines every time."""
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    chosen = [line.encode() for line in lines[first : last + 1]]
    chosen[-1] = chosen[-1][: statement.end_col_offset]
    chosen[0] = chosen[0][statement.col_offset :]
    return b"".join(chosen).decode()


def label(lines: list[str], statement: ast.stmt) -> str:
    """The source of the arguments of the prints in a statement, up to the first closing bracket of each."""
    source = source_of(lines, statement)
    arguments = " ".join(_PRINT_ARGUMENTS.findall(source))
    return f"{arguments}: " if arguments else ""


def _compile(statements: list[ast.stmt]) -> CodeType:
    module = ast.Module(body=statements, type_ignores=[])
    try:
        return compile(module, "<string>", "exec", dont_inherit=True)
    except SyntaxError:  # the published tool compiles unparsed source, which numbers the lines of the message
        return compile(ast.unparse(module), "<string>", "exec", dont_inherit=True)


def _run(statements: list[ast.stmt], state: dict[str, object]) -> str:
    """Executes statements and returns what they printed."""
    if not statements:
        return ""
    code = _compile(statements)
    sys.stdout = capture = _Capture()
    exec(code, state)
    return capture.getvalue()


def _run_last(statement: ast.stmt, state: dict[str, object]) -> object:
    """The value of the last statement, or what it printed where there is none."""
    if not isinstance(statement, ast.Expr):
        return _run([statement], state)
    sys.stdout = capture = _Capture()
    try:
        value = eval(compile(ast.Expression(statement.value), "<string>", "eval", dont_inherit=True), state)
    except Exception:
        again = _run([statement], state)
        return capture.getvalue() + again
    return capture.getvalue() if value is None else value


def _show(code: str, state: dict[str, object], limit: int) -> str:
    body = ast.parse(code).body
    if not body:
        return ""
    printing = [i for i, statement in enumerate(body) if prints(statement)]
    if len(printing) < 2:
        _run(body[:-1], state)
        value = _run_last(body[-1], state)
        if isinstance(value, str):
            return truncate(round_number(value), limit)
        try:
            text = str(value)
        except Exception:
            return ""
        return truncate(text, limit)
    shown = []
    lines = _LINE.findall(code)
    start = 0
    for i in printing:
        _run(body[start:i], state)
        printed = _run([body[i]], state)
        shown.append(label(lines, body[i]) + truncate(round_number(printed), limit))
        start = i + 1
    return "".join(shown)


def run(code: str, state: dict[str, object], limit: int) -> Shown:
    """Runs a snippet in `state`, its global variables.

    Args:
        code: as the model wrote it.
        state: changed in place; what ran before a failure stands.
        limit: characters of one print or value that are shown.
    """
    try:
        return Shown(_show(sanitize(code), state, limit).strip(), failed=False)
    except BaseException as error:
        return Shown(_describe(error).strip(), failed=True)


def _describe(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except BaseException as second:
        try:
            return f"{type(second).__name__}: {second}"
        except BaseException:
            return f"{name}:"
