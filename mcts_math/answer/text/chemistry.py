"""Chemical formulas and equations, which no algebra reads: `\\ce{SO4^2-}` is `\\mathrm{SO_4^{2-}}`."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_STYLE: Final = re.compile(r"\\(?:ce|mathrm|text|rm)(?![a-z])|[{}\s_$]")
_RAISED: Final = re.compile(r"(?<!\^)(?=[⁰¹²³⁴-⁹⁺⁻])(?<![⁰¹²³⁴-⁹])")
_ARROW: Final = re.compile(r"\\(?:to|(?:long)?rightarrow)(?![a-z])|->|→|=")
_BOTH_WAYS: Final = re.compile(r"\\rightleftharpoons(?![a-z])|<->|⇌")
_DOT: Final = re.compile(r"\\cdot(?![a-z])|[⋅•]")
_SUBSTANCE: Final = (
    r"\d{0,3}(?:[A-Z][a-z]?\d{0,3}|\((?:[A-Z][a-z]?\d{0,3}){1,9}\)\d{0,3}){1,20}(?:\^?\d?[+-])?(?:\([a-z]{1,2}\))?"
)
_FORMULA: Final = re.compile(rf"{_SUBSTANCE}(?:(?:[+>·]|<>){_SUBSTANCE}){{0,12}}")
_PLUS: Final = re.compile(r"\+(?=\d{0,3}[A-Z(])")
_MAX_LENGTH: Final = 300


def same_formula(left: str, right: str) -> bool:
    """Whether two texts are one chemical formula or equation, however its indices and arrows are written."""
    first, second = _plain(left), _plain(right)
    if not _FORMULA.fullmatch(first) or not _FORMULA.fullmatch(second):
        return False
    if ("^" in first) != ("^" in second):  # Na+ and Na^+
        first, second = first.replace("^", ""), second.replace("^", "")
    return _sides(first) == _sides(second)


def _sides(formula: str) -> list[list[str]]:
    """The substances on each side of an equation, in any order."""
    return [sorted(_PLUS.split(side)) for side in re.split("(<?>)", formula)]


def _plain(text: str) -> str:
    if len(text) > _MAX_LENGTH:
        return ""
    text = _STYLE.sub("", unicodedata.normalize("NFKC", _RAISED.sub("^", text)))
    return _DOT.sub("·", _ARROW.sub(">", _BOTH_WAYS.sub("<>", text)))
