"""Units of measurement: their usual short form, and what one is worth in another.

The metric ones are generated from prefixes, by case (mW and MW). What is no known unit is a kind of thing that is
counted: its words are compared.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from mcts_math.answer.text.things import same_things, singular
from mcts_math.answer.text.vocabulary import names


class Unit(NamedTuple):
    """A known unit: its short name, its size in base units, and the powers of its dimensions."""

    name: str
    size: Fraction
    powers: tuple[tuple[str, int], ...]


# Dimension, short name and size: other names. A dimension may be a product, with powers (`length2`).
_PLAIN: Final = {
    "length in 127/5000": "inch inches",
    "length ft 381/1250": "foot feet",
    "length yd 1143/1250": "yard yards yds",
    "length mi 201168/125": "mile miles",
    "length nmi 1852": "",
    "length ly 9460730472580800": "lightyear lightyears light-year light-years",
    "length2 acre 316160658/78125": "acres",
    "length2 ha 10000": "hectare hectares",
    "time min 60": "mins minute minutes",
    "time h 3600": "hr hrs hour hours",
    "time day 86400": "days",
    "time week 604800": "wk wks weeks",
    "time month 2629800": "months",
    "time year 31557600": "yr yrs years",
    "time century 3155760000": "centuries",
    "time decade 315576000": "decades",
    "mass lb 45359237/100000": "lbs pound pounds",
    "mass oz 45359237/1600000": "ounce ounces",
    "mass t 1000000": "tonne tonnes",
    "mass ton 1000000": "tons",
    "length3 gal 473176473/125000000000": "gallon gallons",
    "length3 qt 473176473/500000000000": "quart quarts",
    "length3 pt 473176473/1000000000000": "pint pints",
    "length3 cup 473176473/2000000000000": "cups",
    "money dollar": "dollars usd USD bucks",
    "money cent 1/100": "cents",
    "euro euro": "euros EUR",
    "sterling gbp": "GBP",
    "yen yen": "JPY",
    "yuan yuan": "CNY RMB",
    "rupee rupee": "rupees INR",
    "canada CAD": "",
    "australia AUD": "",
    "angle degree": "degrees deg",
    "angle radian": "rad rads radians",
    "length,time-1 mph 1397/3125": "",
    "length,time-1 kmh 5/18": "kph",
    "length,time-1 knot 463/900": "knots",
    "temperature celsius": "Celsius",
    "fahrenheit fahrenheit": "Fahrenheit",
    "temperature2 kelvin": "kelvins Kelvin",
    "mass,length2,time-2 kWh 3600000000": "",
    "mass,length-1,time-2 atm 101325000": "atmosphere atmospheres",
    "mass,length2,time-3 hp 745700": "horsepower",
    "frequency rpm 1/60": "",
    "ratio %": "percent percents pct",
}
# The same for units that take metric prefixes; short and long names apart.
_METRIC: Final = {
    "length m 1": "meter metre",
    "mass g 1": "gram",
    "time s 1": "second",
    "length3 L 1/1000": "liter litre",
    "mass,length2,time-2 J 1000": "joule",
    "mass,length2,time-2 cal 4184": "calorie",
    "mass,length2,time-2 eV 801088317/5000000000000000000000000000": "electronvolt",
    "mass,length,time-2 N 1000": "newton",
    "mass,length2,time-3 W 1000": "watt",
    "mass,length-1,time-2 Pa 1000": "pascal",
    "mass,length-1,time-2 bar 100000000": "",
    "current,time C 1": "coulomb",
    "current A 1": "ampere amp",
    "volt V 1": "volt",
    "ohm ohm 1": "",
    "frequency Hz 1": "hertz",
    "amount mol 1": "mole",
    "farad F 1": "farad",
    "tesla T 1": "tesla",
    "bit bit 1": "",
    "byte B 1": "byte",
}
_EXTRA: Final = {
    "g": "gm gms",
    "kg": "kilo kilos kgs",
    "km": "kms",
    "s": "sec secs",
    "L": "l",
    "mL": "ml",
    "cL": "cl",
    "dL": "dl",
    "mol": "",
    "kB": "KB",
    "Pa": "",
    "%": "",
}
_FOREIGN: Final = {
    "km": "км 千米 公里",
    "m": "м 米",
    "cm": "см 厘米",
    "mm": "мм 毫米",
    "kg": "кг 千克 公斤",
    "g": "г 克",
    "L": "л 升",
    "mL": "мл 毫升",
    "h": "ч 小时",
    "min": "мин 分钟",
    "s": "с 秒",
    "dollar": "美元",
    "yuan": "元",
    "ohm": "Ω Omega",
}
_SHORT: Final = {"k": 3, "M": 6, "G": 9, "T": 12, "m": -3, "μ": -6, "u": -6, "n": -9, "p": -12}
_SMALL: Final = {"c": -2, "d": -1}  # of metres, grams and litres only
_LONG: Final = {
    "kilo": 3,
    "mega": 6,
    "giga": 9,
    "tera": 12,
    "centi": -2,
    "deci": -1,
    "milli": -3,
    "micro": -6,
    "nano": -9,
    "pico": -12,
}
_DIMENSION: Final = re.compile(r"(?:^|,)([a-z]+?)(\d|-\d)?(?=,|$)")


def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}

    def add(spellings: tuple[str, ...], dimension: str, name: str, size: Fraction) -> None:
        powers = tuple((base, int(power or 1)) for base, power in _DIMENSION.findall(dimension))
        for spelling in spellings:
            table.setdefault(spelling, Unit(name, size, powers))

    for key, others in _PLAIN.items():
        dimension, name, *worth = key.split()
        add((name, *others.split()), dimension, name, Fraction(worth[0]) if worth else Fraction(1))
    for key, longs in _METRIC.items():
        dimension, name, size_text = key.split()
        size = Fraction(size_text)
        prefixes = {"": 0, **_SHORT, **(_SMALL if name in "mgL" else {})}
        for prefix, power in prefixes.items():
            short = ("μ" if prefix == "u" else prefix) + name
            add((prefix + name,), dimension, short, size * Fraction(10) ** power)
            add(names(_EXTRA.get(prefix + name, "")), dimension, short, size * Fraction(10) ** power)
        for prefix, power in {"": 0, **_LONG}.items():
            short = next(p for p, value in {**prefixes, **_SMALL}.items() if value == power) + name
            for word in longs.split() or [name]:
                spellings = (prefix + word, prefix + word + "s", (prefix + word).title(), (prefix + word).title() + "s")
                add(spellings, dimension, short, size * Fraction(10) ** power)
    for known, foreign in _FOREIGN.items():
        table |= dict.fromkeys(foreign.split(), table[known])
    return table


UNITS: Final = _units()
_BY_LOWER: Final = {
    lower: found for lower in {name.lower() for name in UNITS} if (found := UNITS.get(lower)) is not None
} | {
    name.lower(): unit
    for name, unit in UNITS.items()
    if len({other.name for key, other in UNITS.items() if key.lower() == name.lower()}) == 1
}
_WRITTEN_OUT: Final = (
    (re.compile(r"\b(?:square|sq)\b\.?\s*(\S+)"), r"\1^2"),
    (re.compile(r"\b(?:cubic|cu)\b\.?\s*(\S+)"), r"\1^3"),
    (re.compile(r"(?<!\S)(\S+) squared\b"), r"\1^2"),
    (re.compile(r"(?<!\S)(\S+) cubed\b"), r"\1^3"),
    (re.compile(r"\bper ?cent\b"), "percent"),
)
_TEMPERATURE: Final = re.compile(r"degrees? (celsius|fahrenheit|kelvin|[cf])", re.IGNORECASE)
_POWER: Final = re.compile(r"(.+?)\^\{?(-?\d{1,2})\}?")
# Both are called pound, or degree.
_SAME_NAME: Final = tuple(map(frozenset, (("lb", "gbp"), ("degree", "celsius"), ("degree", "fahrenheit"))))


def known_unit(name: str) -> Unit | None:
    """The unit of that name, by its exact case or, where only one unit has these letters, by any."""
    return UNITS.get(name) or _BY_LOWER.get(name.lower())


def is_known(unit: str) -> bool:
    """Whether a unit's name begins with a known unit."""
    return bool(_split(unit)[0])


@lru_cache(maxsize=1024)
def unit_name(words: str) -> str:
    """A unit in its usual short form where it is known (`kilometers per hour` is `km h^-1`), else in lower case."""
    words = words.strip(" .").replace("/", " per ").replace("*", " ")
    if (degrees := _TEMPERATURE.fullmatch(words)) is not None:
        return {"c": "celsius", "f": "fahrenheit", "k": "kelvin"}[degrees.group(1)[0].lower()]
    for pattern, short in _WRITTEN_OUT:
        words = pattern.sub(short, words)
    named: list[str] = []
    sign = 1
    for word in words.split():
        if word.lower() == "per" and named:
            sign = -1
            continue
        match = _POWER.fullmatch(word)
        name, power = (match.group(1), int(match.group(2))) if match is not None else (word, 1)
        known = known_unit(name)
        power, sign = power * sign, 1
        named.append((known.name if known else singular(name)) + (f"^{power}" if power != 1 else ""))
    return " ".join(named)


@lru_cache(maxsize=1024)
def unit_scale(left: str, right: str) -> Fraction | None:
    """What a number in unit `left` is multiplied by in unit `right`; None where they are of different kinds."""
    if left == right or {left, right} in _SAME_NAME:
        return Fraction(1)
    (first, mine), (second, theirs) = _split(left), _split(right)
    if (mine and theirs and not same_things(mine, theirs)) or "per" in (mine + theirs).split():
        return None
    if bool(first) != bool(second):
        unit, words = (first, theirs) if first else (second, mine)
        return Fraction(1) if _is_some_unit(words, unit) else None
    if any(dimension == "angle" for dimension, _ in _measure(first)[1]):
        return None if first != second else Fraction(1)  # degrees and radians
    return same_dimension(first, second) if first else Fraction(1)


def _is_some_unit(words: str, unit: str) -> bool:
    """Whether the words are `units` or `square units`, whatever unit they stand for."""
    name, _, power = words.partition("^")
    if name != "unit":
        return False
    return _measure(unit)[1] <= frozenset({("length", int(power or 1))}) and bool(_measure(unit)[1])


def same_dimension(left: str, right: str) -> Fraction | None:
    """How many of the unit `right` make one of `left`; None where they do not measure the same, or are not known."""
    if _split(left)[1] or _split(right)[1]:
        return None
    first, second = _measure(left), _measure(right)
    return first[0] / second[0] if first[1] == second[1] else None


@lru_cache(maxsize=1024)
def _split(unit: str) -> tuple[str, str]:
    """The known units that a phrase begins with (`year` of `year old`), and its other words."""
    parts = unit.split()
    known = [part.partition("^")[0] in UNITS and len(part.partition("^")[2]) <= 3 for part in parts]
    count = known.index(False) if False in known else len(parts)
    return " ".join(parts[:count]), " ".join(parts[count:])


def _measure(unit: str) -> tuple[Fraction, frozenset[tuple[str, int]]]:
    """Size in base units of known units, and the powers of the dimensions."""
    factor = Fraction(1)
    powers: dict[str, int] = {}
    for part in unit.split():
        name, _, written = part.partition("^")
        known, power = UNITS[name], int(written) if written else 1
        factor *= known.size**power
        for dimension, count in known.powers:
            powers[dimension] = powers.get(dimension, 0) + count * power
    return factor, frozenset((name, power) for name, power in powers.items() if power)
