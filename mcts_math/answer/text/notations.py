"""Rewritings of habits in writing answers into the notation that the grammar reads.

Each rule is general and keeps the meaning; text that no rule matches is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mcts_math.answer.text.spelled import spelled_number
from mcts_math.answer.text.units import UNITS

MAX_REWRITTEN: Final = 1000  # characters; the patterns take time with the square of the length
_DERIVATIVE: Final = re.compile(
    r"^\\frac\s*\{\s*(?:\\partial|(?:\\mathrm\s*\{?\s*)?d\}?)\s*(?:\^\s*\{?(\d)\}?)?\s*([a-zA-Z])(?:\s*\([a-z]\))?\s*\}"
    r"\s*\{\s*(?:(\\partial)|(?:\\mathrm\s*\{?\s*)?d\}?)\s*([a-zA-Z])\s*(?:\^\s*\{?\d\}?)?\s*\}\s*="
)
_DERIVATIVE_PLAIN: Final = re.compile(r"^d(?:\^\{?(\d)\}?)?([a-zA-Z])\s*/\s*d([a-zA-Z])(?:\^\{?\d\}?)?\s*=")
_PARTIAL: Final = re.compile(r"^\\partial\s*_\s*\{?([a-zA-Z])\}?\s*([a-zA-Z])\s*=")
_UNIT_FRACTION: Final = re.compile(
    r"(?<=[\d\s}])\\frac\s*\{\s*(?:\\(?:text|mathrm)\s*\{)?\s*([A-Za-z]+)\s*\}?\s*\}"
    r"\s*\{\s*(?:\\(?:text|mathrm)\s*\{)?\s*([A-Za-z]+)\s*(?:\^\s*\{?(\d)\}?)?\s*\}?\s*(?:\^\s*\{?(\d)\}?)?\s*\}"
)
_PLAIN_UNIT: Final = re.compile(r"(?<=\d)\s*([A-Za-z]+)(\^\{?\d\}?)?\s*/\s*([A-Za-z]+)(\^\{?\d\}?)?$")  # 9.8 m/s^2
_TWO_UNITS: Final = re.compile(r"^(\d[\d.]*)\s*([a-z]+)\s+(\d[\d.]*)\s*([a-z]+)$")  # 17 min 30 s
_COMBINATIONS: Final = re.compile(
    r"(?:\{\s*\})?(?:\^|_)\s*\{?(\w+)\}?\s*([CP])\s*_\s*\{?(\w+)\}?(?!\w)|(?<![A-Za-z\d)}])([CP])_\s*(?:\{(\w+)\}|(\w))\s*\^\s*(?:\{(\w+)\}|(\w))"
)
_OPEN_CASES: Final = re.compile(
    r"(?:\\left\s*)?\\\{\s*\\begin\{(?:array|aligned|matrix)\}(?:\{[^{}]*\})?(.*?)\\end\{(?:array|aligned|matrix)\}\s*(?:\\right\s*\.)?(?!\s*\\?(?:right\s*\\)?\})",
    re.DOTALL,
)
_ALIGNED: Final = re.compile(r"\\begin\{(aligned|align\*?|gathered|split)\}(.*?)\\end\{\1\}", re.DOTALL)
_SET_NAME: Final = re.compile(r"(\\mathbb\s*\{?[RZQNC]\}?|\bReals)\s*(?:\\\s+|-\s*)\\?\{([^{}]*?)\\?\}")

_MEASURE: Final = re.compile(r"(?<![a-zA-Z\\])m\s*\\angle(?![a-z])")

_RULES: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (_DERIVATIVE, lambda match: _derivative(match.group(2), match.group(4), match.group(1), bool(match.group(3)))),
    (_DERIVATIVE_PLAIN, lambda match: _derivative(match.group(2), match.group(3), match.group(1), False)),
    (_PARTIAL, lambda match: f"{match.group(2)}_{match.group(1)} ="),
    (_UNIT_FRACTION, lambda match: _unit_fraction(match)),
    (_COMBINATIONS, lambda match: _combination(match)),
    (re.compile(r"^(\d{1,4}) ?([CP]) ?(\d{1,4})$"), lambda m: _combination_of(m.group(1), m.group(2), m.group(3))),
    (_OPEN_CASES, r"\\begin{cases}\1\\end{cases}"),
    (re.compile(r"\s*\(\s*([a-z]\s*\\in\s*\\mathbb\s*\{?[ZN]\}?)\s*\)$"), r", \1"),
    (re.compile(r"^([abcstuAST])\(([nkm])\)\s*="), r"\1_\2 ="),
    (re.compile(r"^[a-eg-wA-Z]\(([a-z])\)\s*="), r"f(\1) ="),
    (_ALIGNED, lambda match: _rows(match.group(2))),
    (_TWO_UNITS, lambda match: _two_units(match)),
    (re.compile(r"(?<=\d)\s*[xX]\s*10\s*(?=\^)"), r"\\times 10"),
    (re.compile(r"^[a-zA-Z]\s*:\s*([a-z])\s*\\(?:mapsto|to)(?![a-z])"), r"f(\1) ="),
    (_PLAIN_UNIT, lambda match: _plain_unit(match)),
    (re.compile(r"^[^()\[\]{}]*(?:[<>]|\\[lg][et])[^()\[\]{}]*$"), lambda match: _conditions(match.group())),
    (re.compile(r"^(-?[\d.,/]+)\s*\(([a-z -]+)\)$"), lambda match: _said_twice(match)),
    (re.compile(r"^\\?#\s*(?=\d+$)"), ""),
    (re.compile(r"\\mathbb\s*\{?R\}?\s*_\s*\{?\s*(?:\\geq?|\\geqslant)\s*0\s*\}?"), r"[0,\\infty)"),
    (re.compile(r"\\mathbb\s*\{?R\}?\s*(?:_\s*\{?\s*>\s*0\s*\}?|[_^]\s*\{?\+\}?)"), r"(0,\\infty)"),
    (re.compile(r"\bdatetime\.time\((\d+), (\d+)(?:, 0)*\)"), lambda m: f"{m.group(1)}:{int(m.group(2)):02d}"),
    (re.compile(r"^(\d{1,2}:\d\d):00$"), r"\1"),
    (re.compile(r"\b(?:np|numpy)\.(True|False)_"), r"\1"),
    (re.compile(r"\b(?:math|np|numpy)\.tau\b"), "(2*pi)"),
    (re.compile(r"\bS\((-?\d+)\)"), r"\1"),
    (re.compile(r"(?<![A-Za-z\d)}\]])_(?=[a-z]\b)"), ""),
    (re.compile(r"^(\d+)\s*'$"), r"\1 ft"),
    (re.compile(r"^(\d+)\s*(?:\"|'')$"), r"\1 in"),
    # feet and inches, hours and minutes
    (re.compile(r"^(\d+)\s*h(?:rs?|ours?)?\s*(\d+)\s*m(?:ins?|inutes?)?$"), r"\1 hours \2 minutes"),
    (re.compile(r"(\\\{[^|:]*?)\\mid(?=\s*[a-z]\s*\\in\s*\\mathbb\s*\{?[ZN])"), r"\1:"),
    (re.compile(r"^(\d+)\s*'\s*(\d+)\s*(?:\"|'')$"), r"\1 ft \2 in"),
)


def rewrite_spaced(text: str) -> str:
    """The habits in which spacing commands count: `R \\ {0}` is a difference of sets, `m\\angle A` an angle."""
    if len(text) > MAX_REWRITTEN:
        return text
    text = _MEASURE.sub(" ", text)
    return _SET_NAME.sub(r"\1\\setminus \\{\2\\}", text)


def rewrite(text: str) -> str:
    """`text` with every habit rewritten; a long text as it is."""
    if len(text) > MAX_REWRITTEN:
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _derivative(of: str, by: str, order: str | None, partial: bool) -> str:
    return f"{of}_{by} =" if partial and not order else f"{of}{chr(39) * int(order or 1)} ="


def _unit_fraction(match: re.Match[str]) -> str:
    above, below, *powers = match.groups()
    if above not in UNITS or below not in UNITS:
        return match.group()
    power = powers[0] or powers[1]
    return rf"\text{{ {above}/{below}{'^' + power if power else ''}}}"


def _two_units(match: re.Match[str]) -> str:
    first, unit, second, smaller = match.groups()
    if unit not in UNITS or smaller not in UNITS:
        return match.group()
    return rf"{first}\text{{ {unit} }}{second}\text{{ {smaller}}}"


def _rows(content: str) -> str:
    """Aligned equations as a system, or as the one that they are."""
    content = content.replace("&", "")
    return rf"\begin{{cases}}{content}\end{{cases}}" if "\\\\" in content else content


def _plain_unit(match: re.Match[str]) -> str:
    above, first, below, second = match.groups()
    if above not in UNITS or below not in UNITS:
        return match.group()
    return rf"\text{{ {above}{first or ''}/{below}{second or ''}}}".replace("^{", "^").replace("}}", "}")


def _conditions(text: str) -> str:
    """A union between conditions, not between sets."""
    return text.replace("\\cup", " or ").replace("\\cap", " and ")


def _said_twice(match: re.Match[str]) -> str:
    """`7 (seven)`; `9 (apples)` is a number with its unit."""
    value = spelled_number(match.group(2))
    if value is None:
        return f"{match.group(1)} {match.group(2)}"
    return match.group(1) if match.group(1).replace(",", "") == str(value) else match.group()


def _combination(match: re.Match[str]) -> str:
    upper, kind, lower, *others = match.groups()
    if kind is None:
        kind, *both = others
        first, second = both[0] or both[1], both[2] or both[3]
        if not (first + second).isdigit() and kind == "P":
            return match.group()
        upper, lower = (
            (first, second) if first.isdigit() and second.isdigit() and int(first) >= int(second) else ("", "")
        )
        if not upper:
            return match.group()
    return _combination_of(upper, kind, lower)


def _combination_of(upper: str, kind: str, lower: str) -> str:
    if kind == "C":
        return rf"\binom{{{upper}}}{{{lower}}}"
    return rf"\frac{{({upper})!}}{{({upper}-{lower})!}}"
