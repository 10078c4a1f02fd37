"""Patterns of what may be an answer in a sentence (an amount, a formula, several), and what equations come to."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.units import unit_name

AMOUNT: Final = (
    r"(?:[-−±]|(?:negative|minus) )?(?:\\?\$|[€£¥₹₩₽])?(?:\d{1,9} (?=\d{1,9}/\d))?"
    r"(?:(?:\d{1,3}(?:[ \u202f]\d{3}(?!\d)){1,4}|\d{1,30}(?:,\d{3}){0,9})(?:\.\d{1,30})?[½⅓⅔¼¾⅛⅜⅝⅞]?"
    r"|[½⅓⅔¼¾⅛⅜⅝⅞])"
    r"(?:/\d{1,30}|(?: ?: ?\d{1,6}){1,3}(?: [AaPp]\.?[Mm])?| ?[×x] ?10(?:\^\{?-?\d{1,3}\}?|[⁻⁰¹²³⁴-⁹]{1,4}))?"
    r"(?: ?\\?%|°(?! ?[CF])| (?:percent|thousand|million|billion|trillion)(?![a-z]))?"
)
_TERM: Final = r"(?:\d{1,9}(?:\.\d{1,9}|/\d{1,9})?(?:[a-z]|(?![\w.]))|[a-z])(?:\^\d|[²³])?(?![A-Za-z])"
_MEASURED: Final = (  # 2 hours and 15 minutes
    r"\d{1,4} (?:hours?|minutes?|feet|foot|pounds?|dollars?|years?|weeks?|days?|meters?)(?:,| and|, and)? \d{1,4}"
    r" (?:minutes?|seconds?|inch(?:es)?|ounces?|cents?|months?|days?|hours?|centimeters?)"
)
_SPELT: Final = (  # y = 2x + 5, 3n - 1, a⁵b³, x > 3, 2 < x < 7
    rf"(?:[a-zA-Z](?:\([a-z]\))? ?= ?)?(?=[-−]?[\d.]*(?:[a-z]"
    rf"| ?[-+−±] ?[\d.]*[a-z]))[-−]?{_TERM}(?: ?[-+−±] ?{_TERM}){{1,6}}"
    r"|(?=[a-z\d]{1,9}[²³⁰¹⁴-⁹])(?!\d{0,9}(?:[cdkm]?m|in|ft|yd|mi"
    r"|s)[²³])\d{0,9}(?:[a-z][²³⁰¹⁴-⁹]{0,3}){1,6}(?![A-Za-z])"
    rf"|{AMOUNT} ?[<≤]=? ?[a-z] ?[<≤]=? ?{AMOUNT}|{_MEASURED}"
    r"|[-−]?\d{0,9}(?:√\(?\d{1,9}\)?|π)(?:/\d{1,9})?(?!\w)"
    rf"|[a-z] ?(?:[<>]=?|[≤≥≠]) ?{AMOUNT}(?![A-Za-z0-9_.!^*/])"
)
VALUE: Final = (
    rf"(?:{_SPELT}|(?:[a-zA-Z] ?= ?\+?)?(?:(?:[(\[]{AMOUNT}(?:, ?{AMOUNT}){{1,3}}[)\]]"
    rf"|{{{AMOUNT}(?:, ?{AMOUNT}){{0,30}}}})"
    r"|(?<!\\)\$\$?(?![\d.,]{1,12} [a-z]{2,20} [^$\n]{0,80}\$\d)[^$\n]{1,300}\$\$?|\\\((?:(?!\\\))[^\n]){1,300}\\\)"
    rf"|(?:[\d(.$][\d ()+*/×·÷$%,.x-]{{0,80}}= ?){{0,3}}{AMOUNT}(?![A-Za-z0-9_.!^π√⁰¹²³⁴-⁹]|-[a-z]{{3}})))"
)
ONE: Final = re.compile(rf"(?<![A-Za-z0-9_.=+*/^×·÷<>≤≥≠±-])(?<![<>≤≥≠] )(?<![<>!]= ){VALUE}")
SEVERAL: Final = rf"{VALUE}(?:(?:(?: [a-z]{{1,12}})?(?:, and|,| and)| or) {VALUE}){{0,9}}(?:, or {VALUE})?"
_UNIT: Final = re.compile(
    r" ?(?!(?:in|a|as|at|am|pm)\b)((?:(?:square|sq\.?|cubic) )?[^\W\d]{1,20}[²³]?"
    r"(?:(?: ?/ ?| per )[^\W\d]{1,20}[²³]?)?)(?![\w'’&-])"
)
_HAS_UNIT: Final = re.compile(r"\A\W{0,3}[$€£¥₹₩₽]|[%°A-Za-z]\$?\Z")


def with_unit(value: str, text: str, end: int) -> str:
    """A value with the known unit that stands at `end` of `text`: 72 m/s is not 72 km/h."""
    found = None if _HAS_UNIT.search(value) is not None else _UNIT.match(text, end)
    if (
        found is None
        or not (unit := unit_name(found[1].replace("²", "^2").replace("³", "^3"))).known
        or unit.known != unit.factors
    ):
        return value
    return f"{value} {found[1]}"


_NAME: Final = re.compile(  # of what is computed, an operator's value, or numbers alone
    r"\s*(?:\([\w, ]{1,20}\)|\\angle ?\w{1,3}|(?:\\[a-z]{2,10} ?|[A-Za-z]|[A-Z]{2,3})(?:_\{?\w{1,5}\}?|\^\{-1\}|')?"
    r"(?:\([^()=]{1,30}\))?|[^A-Za-z]*|\\(?:(?:int|sum|lim|prod)(?![a-z])|frac\{d\b).*)\s*",
    re.DOTALL,
)
_EQUATION: Final = re.compile(
    r"\b(?:equations?|lines?|planes?|circles?|curves?|ellipses?|parabolas?|hyperbolas?|relation)\b", re.I
)
_NUMBER: Final = re.compile(
    r"(?!\s*0\s*\Z)(?:[^A-Za-z<>]|\\(?:[dt]?frac|sqrt|pi|cdot|times|text ?\{[^{}]*\}|circ|%)(?![a-z])){1,60}"
)
_ROUNDED: Final = re.compile(r"\\approx(?![a-z])|≈")
_EQUAL: Final = r"[a-zA-Z](?:_\{?\w\}?)? ?=[^=,]+"
_EQUATIONS: Final = re.compile(rf"{_EQUAL}(?:,(?:\s|\\[,;: ]|\\q?quad)*{_EQUAL})+")  # x = 1, y = 2
_LINEAR: Final = re.compile(r"-?\d{1,4}[a-z] ?[-+] ?\d{0,4}[a-z]|-?[a-z] ?[-+] ?\d{1,4}[a-z]")  # 2x + 3y, of a line
_ROWS: Final = re.compile(r"\\(?:begin|end)\{(?:aligned|split|gathered)\}|&")
_NAMED: Final = re.compile(r"\s*[a-zA-Z](?:_\{?\w\}?)? ?=")
_GAP: Final = r"(?:\s|\\q?quad(?![a-z])|\\[,;: ])*"
_JOINED: Final = re.compile(rf"{_GAP}\\(?:text|mbox|textrm|mathrm)\{{\s*(and|or)\s*\}}{_GAP}")
_CONGRUENT: Final = re.compile(r"\\equiv(?![a-z])|≡")
_NUMBERS: Final = re.compile(r"(?:[^A-Za-z]|\\[a-z]{2,10})*")
_WHERE: Final = re.compile(r",?(?:\s|\\q?quad)*\\text ?\{ ?(?:where|for|since|because|as)\b")
_TAIL: Final = re.compile(r"(?:\\[,;!]|[\s.,]){1,9}\Z")
_MODULO: Final = re.compile(r"\\p?b?mod(?![a-z])|\(mod\b|\\text\{ ?mod")


def right_side(formula: str, context: str) -> str:
    """What a chain of equations ends with; an equation itself where its left side is no name of the right one.

    A left side names a number unless the words around it speak of an equation: `x + y = 2` is 2.
    """
    formula = _WHERE.split(formula.removeprefix(r"\(").removesuffix(r"\)"))[0]
    if formula.count("$") == 1 or "$" not in formula.strip("$"):  # money, or a formula alone
        formula = formula.strip("$")
    if "{cases}" in formula:  # a system, or a function in pieces
        return formula.strip()
    if len(parts := _JOINED.split(formula)) > 1 and all(map(_NAMED.match, parts[::2])):
        return "".join(f" {part} " if place % 2 else right_side(part, context) for place, part in enumerate(parts))
    formula = formula if r"matrix}" in formula else _ROWS.sub("", formula)
    if _EQUATIONS.fullmatch(formula.strip()) is not None:
        return formula.strip()
    if len(rounded := _ROUNDED.split(formula)) > 2:
        return rounded[-1].strip()
    first, *residues = _CONGRUENT.split(formula)
    if residues and _NUMBERS.fullmatch(first) is not None:  # 2^{10} = 1024 \equiv 4 \pmod 10
        return _MODULO.split(residues[-1])[0].strip()
    ends, depth = [], 0
    for place, char in enumerate(formula):
        depth += (char in "([{") - (char in ")]}")
        if char == "=" and not depth and formula[max(place - 1, 0) : place] not in ("<", ">"):
            ends.append(place)
    left, right = (formula[: ends[-1]], formula[ends[-1] + 1 :]) if ends else ("", formula)
    named = len(ends) != 1 or _NAME.fullmatch(left) is not None
    named = named or (r"matrix}" in right and r"matrix}" not in left)  # A x, multiplied out
    number = _NUMBER.fullmatch(right) is not None and _LINEAR.fullmatch(left.strip()) is None
    named = named or (number and _EQUATION.search(context) is None)
    return _TAIL.sub("", right if named else formula).strip()
