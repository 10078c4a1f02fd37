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


class _Capture(io.StringIO):
    """A stdout that keeps both ends of what is printed, in bounded memory."""

    def __init__(self, tell: Callable[[str], object] | None) -> None:
        super().__init__()
        self._tell = tell

    def write(self, text: str, /) -> int:
        count = super().write(text)
        if self._tell is not None:
            self._tell(text)
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


def _is_print(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"


def prints(statement: ast.stmt) -> bool:
    """Whether a statement is a call of print, or an if, for, while or def with one inside."""
    if isinstance(statement, (ast.If, ast.For, ast.While)):
        return any(map(prints, statement.body)) or any(map(prints, statement.orelse))
    if isinstance(statement, ast.FunctionDef):
        return any(map(prints, statement.body))
    return _is_print(statement)


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


class _Snippet:
    """One snippet at work in `state`, its global variables."""

    def __init__(self, code: str, state: dict[str, object], style: Style) -> None:
        self._code, self._state, self._style = code, state, style
        self._left = style.chars  # to be told

    def show(self) -> str:
        """Runs it and returns what is shown."""
        body = ast.parse(self._code).body
        printing = [i for i, statement in enumerate(body) if prints(statement)]
        if len(printing) >= 2:
            return self._show_prints(body, printing)
        if not body:
            return ""
        self._run(body[:-1])
        value = self._run_last(body[-1])
        is_text = issubclass(type(value), str)
        text = str.__str__(value if is_text else str(value))  # a class of its own may have methods that lie
        return truncate(self._number(text) if is_text else text, self._style.chars)

    def _show_prints(self, body: list[ast.stmt], printing: list[int]) -> str:
        shown = []
        lines = _LINE.findall(self._code)
        start = 0
        for i in printing:
            self._run(body[start:i])
            printed = self._run([body[i]], last=i == printing[-1])
            shown.append(label(lines, body[i]) + truncate(self._number(printed), self._style.chars))
            start = i + 1
        return "".join(shown)

    def _number(self, text: str) -> str:
        return text if self._style.exact else round_number(text)

    def _tell(self, text: object) -> None:
        if self._left > 0 and self._style.tell is not None and isinstance(text, str) and text:
            told = str.__str__(text)[: self._left]
            self._left -= len(told)
            self._style.tell(told)

    def _run(self, statements: list[ast.stmt], last: bool = False) -> str:
        """Executes statements and returns what they printed."""
        if not statements:
            return ""
        code = _compile(statements)
        sys.stdout = capture = _Capture(None if last and _is_print(statements[-1]) else self._tell)
        exec(code, self._state)
        return capture.getvalue()

    def _run_last(self, statement: ast.stmt) -> object:
        """The value of the last statement, or what it printed where there is none."""
        if not isinstance(statement, ast.Expr):
            return self._run([statement])
        sys.stdout = capture = _Capture(None if _is_print(statement) else self._tell)
        try:
            expression = compile(ast.Expression(statement.value), "<string>", "eval", dont_inherit=True)
            value = eval(expression, self._state)
        except Exception:
            again = self._run([statement])
            return capture.getvalue() + again
        return capture.getvalue() if value is None else value


def run(code: str, state: dict[str, object], style: Style) -> Shown:
    """Runs a snippet.

    Args:
        code: as the model wrote it.
        state: its global variables, changed in place; what ran before a failure stands.
        style: how its observation looks.
    """
    try:
        shown = Shown(_Snippet(sanitize(code), state, style).show().strip(), failed=False)
    except BaseException as error:
        shown = Shown(truncate(_describe(error).strip(), style.chars), failed=True)
    return shown._replace(text=truncate(shown.text, style.total_chars))


def _describe(error: BaseException) -> str:
    name = str.__str__(type.__dict__["__name__"].__get__(type(error)))
    try:
        return f"{name}: {error}"
    except BaseException as second:
        try:
            return f"{type(second).__name__}: {second}"
        except BaseException:
            return f"{name}:"
