"""Units of measurement: their usual short form, and what one is worth in another."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.vocabulary import UNITS

_WRITTEN_OUT: Final = (
    (re.compile(r"\b(?:square|sq)\b\s*(\S+)"), r"\1^2"),
    (re.compile(r"\b(?:cubic|cu)\b\s*(\S+)"), r"\1^3"),
)
_AFTERWARDS: Final = ((re.compile(r"(?<!\S)(\S+) squared\b"), r"\1^2"), (re.compile(r"(?<!\S)(\S+) cubed\b"), r"\1^3"))
_TEMPERATURE: Final = re.compile(r"degrees? (celsius|fahrenheit|kelvin|[cf])", re.IGNORECASE)
_POWER: Final = re.compile(r"(.+?)\^\{?(-?\d{1,2})\}?")
# Both are called pound, or degree.
_SAME_NAME: Final = tuple(map(frozenset, (("lb", "gbp"), ("degree", "celsius"), ("degree", "fahrenheit"))))


def unit_name(words: str) -> str:
    """A unit in its usual short form where it is known (`kilometers per hour` is `km h^-1`), else in lower case."""
    words = words.strip(" .").replace("/", " per ").replace("*", " ")
    if (degrees := _TEMPERATURE.fullmatch(words)) is not None:
        return {"c": "celsius", "f": "fahrenheit", "k": "kelvin"}[degrees.group(1)[0].lower()]
    for pattern, short in _WRITTEN_OUT + _AFTERWARDS:
        words = pattern.sub(short, words)
    named: list[str] = []
    sign = 1
    for word in words.split():
        if word.lower() == "per" and named:
            sign = -1
            continue
        match = _POWER.fullmatch(word)
        name, power = (match.group(1), int(match.group(2))) if match is not None else (word, 1)
        known = UNITS.get(name) or UNITS.get(name.lower())
        power, sign = power * sign, 1
        named.append((known[1] if known else name.lower()) + (f"^{power}" if power != 1 else ""))
    return " ".join(named)


def unit_scale(left: str, right: str) -> Fraction | None:
    """What a number in unit `left` is multiplied by in unit `right`; 1 where one is not known; None: never equal."""
    if left == right or {left, right} in _SAME_NAME:
        return Fraction(1)
    first, second = _measure(_leading(left)), _measure(_leading(right))
    if first is None or second is None:
        return None if _stems(left) == _stems(right) else Fraction(1)
    if first[1] != second[1]:
        return None
    if any(dimension == "angle" for dimension, _ in first[1]):
        return None  # degrees and radians
    return first[0] / second[0]


def is_measure(unit: str) -> bool:
    """Whether every part of a unit is known."""
    return _measure(unit) is not None


def same_dimension(left: str, right: str) -> Fraction | None:
    """How many of the unit `right` make one of `left`; None where they do not measure the same, or are not known."""
    first, second = _measure(left), _measure(right)
    if first is None or second is None or first[1] != second[1]:
        return None
    return first[0] / second[0]


def _leading(unit: str) -> str:
    """The known unit that a phrase begins with (`year old`, `cm long`), else the phrase."""
    parts = unit.split()
    known = [part.partition("^")[0] in UNITS for part in parts]
    return " ".join(parts[: known.index(False)]) if known and known[0] and not all(known) else unit


def _stems(unit: str) -> list[str]:
    return [part.partition("^")[0] for part in unit.split()]


def _measure(unit: str) -> tuple[Fraction, frozenset[tuple[str, int]]] | None:
    """Size in base units, and the powers of the dimensions; None where a part is not known."""
    factor = Fraction(1)
    powers: dict[str, int] = {}
    for part in unit.split():
        name, _, written = part.partition("^")
        known = UNITS.get(name)
        if known is None or len(written) > 3:
            return None
        power = int(written) if written else 1
        factor *= known[2] ** power
        for dimension, count in known[3]:
            powers[dimension] = powers.get(dimension, 0) + count * power
    return factor, frozenset((name, power) for name, power in powers.items() if power)
