"""Runs of letters in a text: names of functions and constants, variables, units, words."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.runs import segment
from mcts_math.answer.parse.scan_numbers import based_value
from mcts_math.answer.parse.tokens import CLOSING, Scanner
from mcts_math.answer.text.braces import matching
from mcts_math.answer.text.units import UNITS, known_unit
from mcts_math.answer.text.vocabulary import (
    CONSTANTS,
    CONSTRUCTORS,
    EMPTY_NAMES,
    FUNCTIONS,
    GREEK,
    REAL_NAMES,
    SHORT_WORDS,
    names,
)

_MODULES: Final = re.compile(r"(?:np|numpy|sp|sympy|math|cmath|mpmath|S|fractions|decimal|torch)\.(?=[A-Za-z])")
_CONSTRUCTOR: Final = re.compile(r"([A-Za-z]\w*)(\.(?:open|Lopen|Ropen))?(?=\()")
_FOREIGN_WORD: Final = re.compile(r"[a-zA-Z]{0,40}[^\W\d_a-zA-Z][^\W\d_]{0,80}")
_RUN: Final = re.compile(r"[A-Za-z]+")
_DIGITS: Final = re.compile(r"\d+")
_SUBSCRIPT: Final = re.compile(r"_([A-Za-z]+|\d+)|(\d+)(?![.\d])")
_MAX_SUBSCRIPT: Final = 80
_STYLE: Final = re.compile(r"\\(?:text|mathrm|mathit|rm)(?![a-z])|[ {}\\]")
_COMMAND_SUBSCRIPT: Final = re.compile(r"_\\[a-zA-Z]+")
_BASE: Final = re.compile(r"\s*(\d{1,2})(?!\d)\s*(\))?")
_ARGUMENT: Final = re.compile(r"\s*[(\w^{\\]")
# Other units of two letters need a space before them: 2ms is more often 2 m s.
_COMMON_UNITS: Final = frozenset(names("mm cm km kg mg ml mL kW kJ Hz Pa MB GB KB TB kB in ft yd mi lb oz hr pt qt"))
_VALUE_ENDS: Final = frozenset({")", "}", "^", "/"})


def scan_letters(scanner: Scanner) -> None:
    """Takes the run of letters at the position."""
    scanner.match(_MODULES)
    match = _CONSTRUCTOR.match(scanner.text, scanner.position)
    if match is not None and match.group(1) in CONSTRUCTORS:
        scanner.position = match.end()
        scanner.add("ctor", match.group())
        return
    match = scanner.match(_FOREIGN_WORD) or scanner.match(_RUN)
    assert match is not None
    run = match.group()
    if not run.isascii():
        scanner.add("word", run)
        return
    if run.lower() in ("and", "or", "xor"):
        scanner.add("op", run.lower())
    elif scan_operator_word(scanner, run.lower()):
        return
    elif _continues_unit(scanner, run):
        scanner.add("word", run)
    elif run == "mod" and scanner.follows(("num", "sym"), CLOSING):
        scanner.add("op", "mod")
    elif run == "U" and scanner.follows((), CLOSING):
        scanner.add("op", "cup")
    elif run == "in" and scanner.follows(("sym",), frozenset()):
        scanner.add("op", "in")
    elif run in ("min", "max", "sec") and _is_no_function(scanner):
        scanner.add("word", run)
    elif not (run == "base" and _base_suffix(scanner)) and not scan_known(scanner, run):
        _scan_unknown(scanner, run)


def _continues_unit(scanner: Scanner, run: str) -> bool:
    """Whether a unit follows another (`kg m`), or is divided or multiplied by one (`kg/m`)."""
    if known_unit(run) is None or not scanner.tokens:
        return False
    last = scanner.tokens[-1]
    if last.text in ("/", "*") and len(scanner.tokens) > 1:
        last = scanner.tokens[-2]
    return last.kind == "word" and len(run) < 4 and known_unit(last.text.split()[-1]) is not None


def _is_no_function(scanner: Scanner) -> bool:
    """Whether a name, just passed, has no argument, or is a unit between a number and another (`5 min 30 s`)."""
    if scanner.follows(("num",), frozenset()) and scanner.peek() != "(":
        return True
    return not _ARGUMENT.match(scanner.text, scanner.position)


_OPERATOR_WORDS: Final = {"minus": "-", "plus": "+", "times": "*", "multiplied by": "*", "divided by": "/"}
_SHARES: Final = frozenset({"%", "/", "frac"})  # 20% of 50, 3/4 of 20
_OPERAND: Final = re.compile(r"\s{0,3}\}?\s{0,3}(?:[\d(\\$-]|[b-z](?![a-z]))")


def scan_operator_word(scanner: Scanner, word: str) -> bool:
    """Adds what `minus` before an operand or `squared` behind one stands for; whether the word is such a one."""
    values = scanner.follows(("num", "sym", "const"), CLOSING | _VALUE_ENDS)
    if word == "percent" and values:
        scanner.add("op", "%")
    elif (
        word == "of"
        and any(token.text in _SHARES for token in scanner.tokens[-7:])
        and _OPERAND.match(scanner.text, scanner.position)
    ):
        scanner.add("op", "*")
    elif word in _OPERATOR_WORDS and values and _OPERAND.match(scanner.text, scanner.position):
        scanner.add("op", _OPERATOR_WORDS[word])
    elif word in ("squared", "cubed") and values:
        scanner.add("op", "^")
        scanner.add_number("2" if word == "squared" else "3", Fraction(2 if word == "squared" else 3))
    else:
        return False
    return True


def scan_known(scanner: Scanner, run: str) -> bool:
    """Adds a token for `run`, just passed, if it is a name with a meaning or one letter."""
    if run == "Gamma" and scanner.peek() == "(":
        scanner.add("func", "gamma")
    elif run in FUNCTIONS:
        name = FUNCTIONS[run]
        digits = _DIGITS.match(scanner.text, scanner.position)
        if digits is not None and not scanner.latex and run + digits.group() in FUNCTIONS:
            name = FUNCTIONS[run + digits.group()]
            scanner.position = digits.end()
        scanner.add("func", name)
    elif run in CONSTANTS and not (scanner.peek() == "_" and len(run) == 1):
        if CONSTANTS[run].startswith("-"):
            scanner.add("op", "-")
        scanner.add("const", CONSTANTS[run].lstrip("-"))
    elif run in EMPTY_NAMES or run in REAL_NAMES:
        scanner.add("const", "empty" if run in EMPTY_NAMES else "reals")
    elif run in GREEK or len(run) == 1:
        _scan_variable(scanner, run)
    else:
        return False
    return True


def _base_suffix(scanner: Scanner) -> bool:
    """`52 base 8` or `52 (base 8)`: rewrites the number before it."""
    match = _BASE.match(scanner.text, scanner.position)
    opened = scanner.follows((), frozenset({"("}))
    number = scanner.tokens[-1 - opened] if len(scanner.tokens) > opened else None
    if match is None or number is None or number.kind != "num" or opened != bool(match.group(2)):
        return False
    value = based_value(number.text, int(match.group(1)))
    if value is None:
        return False
    del scanner.tokens[-1 - opened :]
    scanner.depth -= opened
    scanner.position = match.end()
    scanner.add_number(number.text, value)
    return True


def _scan_variable(scanner: Scanner, name: str) -> None:
    """A variable with its subscript: `x_1`, `x_{12}`, `x1` (Python), `x_\\alpha`."""
    name = name.removeprefix("var")
    if scanner.peek(2) == "_{" and (end := matching(scanner.peek(_MAX_SUBSCRIPT), 1)) > 0:
        subscript = _STYLE.sub("", scanner.peek(end)[2:])
        scanner.position += end + 1
        scanner.add("sym", f"{name}_{subscript}")
        return
    match = _SUBSCRIPT.match(scanner.text, scanner.position)
    if match is not None and not (match.group(2) and scanner.latex):
        subscript = match.group(1) or match.group(2) or ""
        if scanner.latex and match.group(1):
            subscript = subscript[0]  # LaTeX takes one character
            scanner.position += 2
        else:
            scanner.position = match.end()
        name += "_" + subscript
    elif (command := scanner.match(_COMMAND_SUBSCRIPT)) is not None:
        name += command.group().replace("\\", "")
    scanner.add("sym", name)


def _scan_unknown(scanner: Scanner, run: str) -> None:
    """A run of letters that is no name: a unit, known names written together, a product, or a word."""
    if scanner.python and (run in UNITS or (len(run) > 3 and segment(run) is None)):
        scanner.add("sym", run)
        return
    if run.lower() in SHORT_WORDS:
        scanner.add("word", run)
        return
    unit = run in UNITS and (len(run) > 3 or scanner.follows(("num", "const"), _VALUE_ENDS))
    unit = unit and (len(run) > 2 or run in _COMMON_UNITS or scanner.space)
    parts = None if unit or scanner.wordy else segment(run)
    if parts is None:
        scanner.add("word", run)
        return
    end = scanner.position
    for offset, part in parts:
        scanner.position = end - len(run) + offset + len(part)
        if scanner.position < end or not scan_known(scanner, part):
            _add_part(scanner, part)
    scanner.position = max(scanner.position, end)


def _add_part(scanner: Scanner, part: str) -> None:
    if part in FUNCTIONS:
        scanner.add("func", FUNCTIONS[part])
    elif part in CONSTANTS:
        scanner.add("const", CONSTANTS[part].lstrip("-"))
    else:
        scanner.add("sym", part)
