"""Chemical formulas and equations, which no algebra reads: `\\ce{SO4^2-}` is `\\mathrm{SO_4^{2-}}`."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_STYLE: Final = re.compile(r"\\(?:ce|mathrm|text|rm)(?![a-z])|[{}\s_$]|\^(?=\{?\d?[+-]\}?(?![A-Z\d(]))")
_ARROW: Final = re.compile(r"\\(?:to|(?:long)?rightarrow|rightleftharpoons)(?![a-z])|<?->|→|⇌|=")
_DOT: Final = re.compile(r"\\cdot(?![a-z])|[⋅•]")
_SUBSTANCE: Final = (
    r"\d{0,3}(?:[A-Z][a-z]?\d{0,3}|\((?:[A-Z][a-z]?\d{0,3}){1,9}\)\d{0,3}){1,20}[+-]?(?:\([a-z]{1,2}\))?"
)
_FORMULA: Final = re.compile(rf"{_SUBSTANCE}(?:[+>·]{_SUBSTANCE}){{0,12}}")
_PLUS: Final = re.compile(r"\+(?=\d{0,3}[A-Z(])")
_MAX_LENGTH: Final = 300


def same_formula(left: str, right: str) -> bool:
    """Whether two texts are one chemical formula or equation, however its indices and arrows are written."""
    first, second = _plain(left), _plain(right)
    return _FORMULA.fullmatch(first) is not None and _sides(first) == _sides(second)


def _sides(formula: str) -> list[list[str]]:
    """The substances on each side of an equation, in any order."""
    return [sorted(_PLUS.split(side)) for side in formula.split(">")]


def _plain(text: str) -> str:
    if len(text) > _MAX_LENGTH:
        return ""
    return _DOT.sub("·", _ARROW.sub(">", _STYLE.sub("", unicodedata.normalize("NFKC", text))))
