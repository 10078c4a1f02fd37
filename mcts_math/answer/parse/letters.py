"""Runs of letters in a text: names of functions and constants, variables, units, words."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.tokens import CLOSING, Scanner
from mcts_math.answer.text.alphabet import matching
from mcts_math.answer.text.runs import segment
from mcts_math.answer.text.units import UNITS, known_unit
from mcts_math.answer.text.vocabulary import CONSTRUCTORS, CURRENCIES, FUNCTIONS, NAMES, SHORT_WORDS, names

_MODULES: Final = re.compile(r"(?:np|numpy|sp|sympy|math|cmath|mpmath|S|fractions|decimal|torch)\.(?=[A-Za-z])")
_CONSTRUCTOR: Final = re.compile(r"([A-Za-z]\w{0,30})(?:\.(?:open|Lopen|Ropen))?(?=\()")
_CURRENCY: Final = re.compile(rf"(?:({CURRENCIES})\b|(US)\\?\$|(Rs)\b\.?)")
_FOREIGN_WORD: Final = re.compile(r"[a-zA-Z]{0,40}[^\W\d_a-zA-Z][^\W\d_]{0,80}")
_RUN: Final = re.compile(r"[A-Za-z]+")
_SHORTENED: Final = re.compile(r"(sq|cu)(?:\. ?| )(?=[a-z])")
_DIGITS: Final = re.compile(r"\d+")
_SUBSCRIPT: Final = re.compile(r"_([A-Za-z]+|\d+|\\[a-zA-Z]+)|(\d+)(?![.\d]|\^\{)")
_MAX_SUBSCRIPT: Final = 80
_STYLE: Final = re.compile(r"\\(?:text|mathrm|mathit|rm)(?![a-z])|[ {}\\]")
_ARGUMENT: Final = re.compile(r"\s*[(\w^{\\]")
_RAISED: Final = re.compile(r"[\^_'(]")
_CALL: Final = re.compile(r" ?\(")
_EQUALS: Final = re.compile(r" ?=(?!=)")
_OPERAND: Final = re.compile(r"\s{0,3}\}?\s{0,3}(?:[\d(\\$-]|[b-z](?![a-z]))")
# Other units of two letters need a space before them: 2ms is more often 2 m s.
_COMMON_UNITS: Final = frozenset(names("mm cm km kg mg ml mL kW kJ Hz Pa MB GB KB TB kB in ft yd mi lb oz hr pt qt"))
_BEFORE_UNIT: Final = frozenset(names("sq cu square cubic per"))
_VALUES: Final = frozenset(names("num sym const"))
_VALUE_ENDS: Final = CLOSING | {"}", "^", "/"}
_SHARES: Final = frozenset({"%", "/", "frac"})  # 20% of 50, 3/4 of 20
# What words between or behind values stand for; those of the first table need an operand after them.
_BETWEEN: Final = {"minus": "-", "plus": "+", "times": "*", "multiplied by": "*", "divided by": "/", "of": "*"}
_BEHIND: Final = {"percent": "%", "mod": "mod", "squared": "^", "cubed": "^"}


def scan_letters(scanner: Scanner) -> None:
    if (currency := scanner.match(_CURRENCY)) is not None:
        scanner.add("money", {"US": "dollar", "Rs": "rupee"}.get(currency.group(2) or currency.group(3), currency[0]))
        return
    if (shortened := scanner.match(_SHORTENED)) is not None:
        scanner.add("word", shortened.group(1))
        return
    scanner.match(_MODULES)
    match = _CONSTRUCTOR.match(scanner.text, scanner.position)
    if match is not None and match.group(1) in CONSTRUCTORS:
        scanner.position = match.end()
        scanner.add("ctor", match.group())
        return
    match = scanner.match(_FOREIGN_WORD) or scanner.match(_RUN)
    assert match is not None
    run = match.group()
    if not run.isascii() or _is_unit_again(scanner, run) or (run in ("min", "max", "sec") and _is_measure(scanner)):
        scanner.add("word", run)
    elif not (scan_operator_word(scanner, run) or scan_known(scanner, run)):
        _scan_unknown(scanner, run)


def _is_unit_again(scanner: Scanner, run: str) -> bool:
    """Whether a unit follows another (`kg m`) or `per`, or is divided or multiplied by one (`kg/m`)."""
    if len(run) > 3 or not scanner.tokens or known_unit(run) is None:
        return False
    last = scanner.tokens[-2 if scanner.follows((), ("/", "*")) and len(scanner.tokens) > 1 else -1]
    word = last.text.split()[-1] if last.kind == "word" else ""
    return word in _BEFORE_UNIT or (bool(word) and known_unit(word) is not None)


def _is_measure(scanner: Scanner) -> bool:
    """Whether a function's name, just passed, has no argument, or is a unit behind a number (`5 min 30 s`)."""
    return (scanner.follows(("num",)) and scanner.peek() != "(") or not scanner.sees(_ARGUMENT)


def scan_operator_word(scanner: Scanner, run: str) -> bool:
    """Adds what `minus` before an operand or `squared` behind one stands for; whether the word is such a one."""
    word = run.lower()
    if word in ("and", "or", "xor"):
        scanner.add("op", word)
    elif run == "U" and scanner.follows((), CLOSING):
        scanner.add("op", "cup")
    elif run == "in" and scanner.follows(("sym",)):
        scanner.add("op", "in")
    elif not scanner.follows(_VALUES, _VALUE_ENDS) and not (word == "of" and scanner.tokens):
        return False
    elif word in _BEHIND:
        scanner.add("op", _BEHIND[word])
        if _BEHIND[word] == "^":
            scanner.add("num", "2" if word == "squared" else "3", Fraction(2 if word == "squared" else 3))
    elif word in _BETWEEN and scanner.sees(_OPERAND):
        if word == "of" and not any(token.text in _SHARES for token in scanner.tokens[-7:]):
            return False
        scanner.add("op", _BETWEEN[word])
    else:
        return False
    return True


def scan_known(scanner: Scanner, run: str) -> bool:
    """Adds a token for `run`, just passed, if it is a name with a meaning or one letter."""
    if run in ("gamma", "Gamma", "zeta") and scanner.sees(_CALL):
        scanner.add("func", run.lower())
        return True
    kind, text = NAMES.get(run, ("sym" if len(run) == 1 else "", run))
    if kind == "func" and not scanner.latex and (digits := _DIGITS.match(scanner.text, scanner.position)) is not None:
        longer = FUNCTIONS.get(run + digits.group())  # log2
        text, scanner.position = (longer, digits.end()) if longer else (text, scanner.position)
    if kind == "const" and len(run) == 1 and (scanner.peek() == "_" or (run.isupper() and scanner.sees(_EQUALS))):
        kind, text = "sym", run  # E = 5: no constant
    if kind == "sym":
        text += _subscript(scanner)
    if kind:
        scanner.add(kind, text)
    return bool(kind)


def _subscript(scanner: Scanner) -> str:
    """The subscript of a variable, just passed (`x_1`, `x_{12}`, `x1` in Python, `x_\\alpha`), or nothing."""
    if scanner.peek(2) == "_{" and (end := matching(scanner.peek(_MAX_SUBSCRIPT), 1)) > 0:
        subscript = _STYLE.sub("", scanner.peek(end)[2:])
        scanner.position += end + 1
        return "_" + subscript
    match = _SUBSCRIPT.match(scanner.text, scanner.position)
    if match is None or (match.group(2) and scanner.latex):
        return ""
    name = match.group(1) or match.group(2)
    single = scanner.latex and name[0] != "\\"  # LaTeX takes one character
    scanner.position = match.start() + 2 if single else match.end()
    return "_" + (name[0] if single else name.lstrip("\\"))


def _scan_unknown(scanner: Scanner, run: str) -> None:
    """A run of letters that is no name: a unit, known names written together, a product, or a word."""
    if scanner.python and (run in UNITS or (len(run) > 3 and segment(run) is None)):
        scanner.add("sym", run)
        return
    unit = run in UNITS and (len(run) > 3 or scanner.follows(("num", "const"), _VALUE_ENDS - {"^"}))
    unit = unit and (len(run) > 2 or run in _COMMON_UNITS or scanner.space)
    parts = None if unit or scanner.wordy or run.lower() in SHORT_WORDS else segment(run)
    if parts is None:
        scanner.add("word", run)
        return
    together = (
        len(parts) == len(run) and scanner.follows((), ("/",)) and not scanner.space and not scanner.sees(_RAISED)
    )
    if together:  # t/RC, which is t/(RC)
        scanner.add("op", "(")
    scanner.position -= len(run)
    for part in parts:
        scanner.position += len(part)
        scan_known(scanner, part)
    if together:
        scanner.add("op", ")")
