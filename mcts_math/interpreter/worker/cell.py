"""Runs one snippet and says what the model is shown: a reimplementation of the published tool's observations.

1. The code fence, backquotes and one word `python` are taken off.
2. The last statement is evaluated; a value other than None is the observation (`str` of it), else what the last
   statement printed. What earlier statements print is not shown.
3. Two or more statements that print (at top level, or inside if / for / while / def there) change the mode: the code
   runs up to the last of them and no further, and each shows what it printed, labelled with its source arguments.
4. Text that is a number is rounded to 4 decimals where that is not longer, unless exact numbers are wanted; more than
   500 characters keep both ends.
5. An exception is shown as `Name: message` and nothing else is. An expression statement that raised is run once more
   as a statement, as the published tool does (its second result counts).
6. Departures from the published tool: an error's text is cut like any other; a value that can't be shown (its `str`
   raises, or it has more than 4,300 digits) is that error, not an empty text.

Nothing here protects anything: a snippet may break all of it, and thereby its own branch's text.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Callable
from types import CodeType, SimpleNamespace
from typing import NamedTuple

_KEPT_CHARS = 1 << 15  # of each end of what one statement prints, while it prints
_FENCE_START = re.compile(r"^(\s|`)*(?i:python)?\s*")
_PRINT_ARGUMENTS = re.compile(r"print\((.*?)\)")


class Shown(NamedTuple):
    """What a cell shows, and whether it failed."""

    text: str
    failed: bool


class Style(NamedTuple):
    """How observations look.

    Attributes:
        chars: characters of one print, value or error that are shown.
        total_chars: characters of one observation.
        exact: numbers are not rounded.
        tell: is given what is printed before the cell is done, at most `chars` characters: a cell that is stopped can
            show nothing any more. What the last statement prints is left out where it does nothing but print.
    """

    chars: int = 500
    total_chars: int = 4000
    exact: bool = False
    tell: Callable[[str], object] | None = None


_write = io.StringIO.write
_slice = str.__getitem__  # a class of its own may have another, and tell more than was asked for


# To whom what is printed is told, and how many characters of it. One for all: more objects are more pages.
_telling = SimpleNamespace(left=0, tell=len)


class _Capture(io.StringIO):
    """A stdout that keeps both ends of what is printed, in bounded memory."""

    def write(self, text: str, /) -> int:
        count = _write(self, text)
        if _telling.left > 0 and count:
            told = _slice(text, slice(_telling.left))
            _telling.left -= len(told)
            _telling.tell(told)
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


def label(code: str, statement: ast.stmt) -> str:
    """The source of the arguments of the prints in a statement, up to the first closing bracket of each."""
    arguments = " ".join(_PRINT_ARGUMENTS.findall(ast.get_source_segment(code, statement) or ""))
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


def _show(code: str, state: dict[str, object], chars: int, exact: bool) -> str:
    body = ast.parse(code).body
    if not body:
        return ""
    printing = [i for i, statement in enumerate(body) if prints(statement)]
    if len(printing) < 2:
        _run(body[:-1], state)
        if printing == [len(body) - 1] and isinstance(body[-1], ast.Expr):
            _telling.left = 0  # it prints and is done
        value = _run_last(body[-1], state)
        if type(value) is not str:  # a class of its own may have methods that lie
            exact = exact or not issubclass(type(value), str)
            value = str.__str__(value if issubclass(type(value), str) else str(value))
        return truncate(value if exact else round_number(value), chars)
    shown = []
    start = 0
    for i in printing:
        _run(body[start:i], state)
        if i == printing[-1] and isinstance(body[i], ast.Expr):
            _telling.left = 0
        printed = _run([body[i]], state)
        shown.append(label(code, body[i]) + truncate(printed if exact else round_number(printed), chars))
        start = i + 1
    return "".join(shown)


def run(code: str, state: dict[str, object], style: Style) -> Shown:
    """Runs a snippet, as the model wrote it, on its global variables: what ran before a failure stands."""
    chars, total_chars, exact, tell = style
    if tell is not None:
        _telling.tell, _telling.left = tell, chars
    try:
        text, failed = _show(sanitize(code), state, chars, exact).strip(), False
    except BaseException as error:
        text, failed = truncate(_describe(error).strip(), chars), True
    return Shown(truncate(text, total_chars), failed)


def _describe(error: BaseException) -> str:
    name = str.__str__(type.__dict__["__name__"].__get__(type(error)))
    try:
        return f"{name}: {error}"
    except BaseException as second:
        try:
            return f"{type(second).__name__}: {second}"
        except BaseException:
            return f"{name}:"
