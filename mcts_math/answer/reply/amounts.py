"""Patterns of what may be an answer in a sentence: an amount, a formula, several of them."""

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
    r"|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}(?:, \d{4})?"
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
    r"(?:(?: ?/ ?| per )[^\W\d]{1,20}[²³]?)?)(?![\w'’-])"
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
