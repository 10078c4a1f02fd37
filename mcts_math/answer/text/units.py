"""Units of measurement: their usual short form, and what one is worth in another.

The metric ones are generated from prefixes, by case (mW and MW). What is no known unit is a kind of thing that is
counted: its words are compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from mcts_math.answer.text.things import is_counted, rejects, same_things


class Unit(NamedTuple):
    """A known unit: its short name, its size in base units, and the powers of its dimensions."""

    name: str
    size: Fraction
    powers: tuple[tuple[str, int], ...]

    def scaled(self, prefix: str, power: int) -> Unit:
        """The unit with a metric prefix, which stands for a power of ten."""
        return Unit(prefix + self.name, self.size * Fraction(10) ** power, self.powers)


# Dimension (perhaps a product, with powers: `length2`), then units: short name = size, other names. Names of four
# letters or more have a plural in -s too.
_PLAIN: Final = """
length: in=127/5000 inch inches; ft=381/1250 foot feet; yd=1143/1250 yard yds; mi=201168/125 mile; nmi=1852
length: ly=9460730472580800 lightyear light-year
length2: acre=316160658/78125; ha=10000 hectare
length3: gal=473176473/125000000000 gallon; qt=473176473/500000000000 quart; pt=473176473/1000000000000 pint
length3: cup=473176473/2000000000000 cups
time: min=60 mins minute; h=3600 hr hrs hour; day=86400 days; week=604800 wk wks; month=2629800; year=31557600 yr yrs
time: decade=315576000; century=3155760000 centuries
mass: lb=45359237/100000 lbs; pound=45359237/100000; oz=45359237/1600000 ounce; t=1000000 tonne; ton=1000000 tons
money: dollar=1 usd USD bucks; cent=1/100
euro: euro=1 EUR; sterling: gbp=1 GBP; yen: yen=1 JPY 円; yuan: yuan=1 CNY RMB; rupee: rupee=1 INR
canada: CAD=1; australia: AUD=1
angle: degree=1 deg; radian: radian=1 rad rads
length,time-1: mph=1397/3125; kmh=5/18 kph; knot=463/900
temperature: celsius=1 Celsius; temperature2: kelvin=1 Kelvin; fahrenheit: fahrenheit=1 Fahrenheit
mass,length2,time-2: kWh=3600000000
mass,length-1,time-2: atm=101325000 atmosphere; mmHg=2533125/19 torr Torr; psi=3447378646584/500000
length: Å=1/10000000000 angstrom
mass,length2,time-3: hp=745700 horsepower
time-1: rpm=1/60
ratio: %=1 percent pct
"""
# The same for units that take metric prefixes: the short name takes the short ones, the others the long ones.
_METRIC: Final = """
length: m=1 meter metre; mass: g=1 gram; time: s=1 second; length3: L=1/1000 liter litre
mass,length2,time-2: J=1000 joule; cal=4184 calorie; eV=801088317/5000000000000000000000000000 electronvolt
mass,length,time-2: N=1000 newton; mass,length2,time-3: W=1000 watt
mass,length-1,time-2: Pa=1000 pascal; bar=100000000 bar
current,time: C=1 coulomb; current: A=1 ampere amp; time-1: Hz=1 hertz
mass,length2,time-3,current-1: V=1000 volt; mass,length2,time-3,current-2: ohm=1000 ohm
mass,length2,time-2,current-1: Wb=1000 weber; mass,time-2,current-1: T=1000 tesla
mass-1,length-2,time4,current2: F=1/1000 farad
amount: mol=1 mole; bit: bit=1 bit; byte: B=1 byte
"""
_ALSO: Final = """
g: gm gms г 克; kg: kilo kilos kgs кг 千克 公斤; km: kms км 千米 公里; m: м 米; cm: см 厘米; mm: мм 毫米
L: l л 升; mL: ml мл 毫升; cL: cl; dL: dl; s: sec secs с 秒
h: ч 小时 часов часа час 시간 時間 Stunde Stunden heure heures hora horas; min: мин 分钟 минут 분 Minuten
day: 天 день дня дней 일 Tage Tag jour jours día días dia dias; year: 年 лет года 년 Jahre Jahr años anos
degree: 度 градусов градус Grad degrés grados 도; kB: KB
dollar: 美元; yuan: 元; ohm: Ω Omega; kohm: kΩ; Mohm: MΩ; mohm: mΩ
"""
_SHORT: Final = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "m": -3, "μ": -6, "u": -6, "n": -9, "p": -12}
_SMALL: Final = {"c": -2, "d": -1}  # of metres, grams and litres only
_LONG: Final = {"": 0, "kilo": 3, "mega": 6, "giga": 9, "tera": 12, "centi": -2, "deci": -1} | {
    word: -3 * n for n, word in enumerate(("milli", "micro", "nano", "pico"), 1)
}
_DIMENSION: Final = re.compile(r"(?:^|,)([a-z]+?)(\d|-\d)?(?=,|$)")


def _rows(table: str) -> Iterator[tuple[Unit, list[str]]]:
    """Units of a table with their other names."""
    dimension = ""
    for entry in table.strip().replace("\n", "; ").split("; "):
        named, _, written = entry.rpartition(": ")
        dimension = named or dimension
        (name, size), *others = (part.split("=") for part in written.split())
        powers = tuple((base, int(power or 1)) for base, power in _DIMENSION.findall(dimension))
        yield Unit(name, Fraction(size), powers), [other for (other,) in others]


def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for unit, others in _rows(_PLAIN):
        for name in (unit.name, *others):
            table[name] = unit
            if len(name) > 3 and name[-1] != "s":
                table.setdefault(name + "s", unit)
    for unit, others in _rows(_METRIC):
        prefixes = {**_SHORT, **(_SMALL if unit.name in ("m", "g", "L") else {})}
        shown = {power: "μ" if prefix == "u" else prefix for prefix, power in {**_SMALL, **prefixes}.items()}
        made = {power: unit.scaled(prefix, power) for power, prefix in shown.items()}
        spelled = [(prefix + unit.name, power) for prefix, power in prefixes.items()]
        longs = [(prefix + word, power) for prefix, power in _LONG.items() for word in others]
        spelled += [(name + end, power) for long, power in longs for name in (long, long.title()) for end in ("", "s")]
        for name, power in spelled:
            table.setdefault(name, made[power])
    for row in _ALSO.strip().replace("\n", "; ").split("; "):
        known, _, foreign = row.partition(": ")
        table |= dict.fromkeys(foreign.split(), table[known])
    return table


UNITS: Final = _units()
_BETWEEN: Final = str.maketrans("*·⋅", "   ")
_RAISING: Final = {"square": 2, "sq": 2, "sq.": 2, "cubic": 3, "cu": 3, "cu.": 3}
_RAISED: Final = {"squared": 2, "cubed": 3}
_BELOW: Final = re.compile(r"/ ?\(([^()]{1,40})\)")  # J/(kg·K)
_FACTOR: Final = re.compile(r"[^\s*·]+")
_PER_CENT: Final = re.compile(r"\bper cent\b")
_TEMPERATURE: Final = re.compile(r"degrees? (celsius|fahrenheit|kelvin|[cf])", re.IGNORECASE)
_POWER: Final = re.compile(r"(.+?)\^\{?(-?\d{1,2})\}?")
_PART: Final = re.compile(r"([^^]+)(?:\^-?\d{1,2})?")
# Both are called pound, or degree.
_SAME_NAME: Final = tuple(map(frozenset, (("pound", "gbp"), ("degree", "celsius"), ("degree", "fahrenheit"))))


@lru_cache(maxsize=1024)
def known_unit(name: str) -> Unit | None:
    """The unit of that name, by its exact case or, where only one unit has these letters, by any."""
    lower = name.lower()
    if name in UNITS or lower in UNITS:
        return UNITS.get(name) or UNITS[lower]
    same = {unit for other, unit in UNITS.items() if other.lower() == lower}
    return same.pop() if len(same) == 1 else None


def is_known(unit: str) -> bool:
    """Whether a unit's name begins with a known unit."""
    return bool(_split(unit)[0])


def may_be_left_out(unit: str, is_one: bool) -> bool:
    """Whether a number with this unit can be meant by the number alone.

    Args:
        unit: a known unit or not, perhaps with more words.
        is_one: the number may be one, or less; see `is_counted`.
    """
    known, words = _split(unit)
    measured = any(word in UNITS for word in words.split())  # candy bars: a bar is a unit elsewhere
    return not rejects(words) if known else is_counted(words, is_one or measured)


@lru_cache(maxsize=1024)
def unit_name(words: str) -> str:
    """A unit in its usual short form where it is known (`kilometers per hour` is `km h^-1`), else in lower case."""
    words = _BELOW.sub(lambda found: "".join(f" per {part}" for part in _FACTOR.findall(found.group(1))), words)
    words = words.strip(" .").replace("/", " per ").translate(_BETWEEN).replace("\\cdot", " ")
    words = words.replace("平方", "square ").replace("立方", "cubic ")
    words = _PER_CENT.sub("percent", words)
    if (degrees := _TEMPERATURE.fullmatch(words)) is not None:
        return {"c": "celsius", "f": "fahrenheit", "k": "kelvin"}[degrees.group(1)[0].lower()]
    named: list[tuple[str, int]] = []
    sign = power = 1
    parts = words.split()
    for word, following in zip(parts, [*parts[1:], ""], strict=True):
        if word.lower() == "per":
            sign = -1
        elif word in _RAISING and following:
            power = _RAISING[word]
        elif word in _RAISED and named:
            named[-1] = (named[-1][0], named[-1][1] * _RAISED[word])
        else:
            match = _POWER.fullmatch(word)
            name, power = (match.group(1), int(match.group(2))) if match is not None else (word, power)
            known = known_unit(name)
            named.append((known.name if known else name.lower(), sign * power))
            sign = power = 1
    return " ".join(name + (f"^{power}" if power != 1 else "") for name, power in named)


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
    if mine != theirs and set(mine + theirs) & set("^()/"):  # more units, which are not known
        return None
    return same_dimension(first, second) if first else Fraction(1)


def _is_some_unit(words: str, unit: str) -> bool:
    """Whether the words are `units` or `square units`, whatever unit they stand for."""
    name, _, power = words.partition("^")
    if name not in ("unit", "units"):
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
    known = [match is not None and match.group(1) in UNITS for match in map(_PART.fullmatch, parts)]
    count = known.index(False) if False in known else len(parts)
    return " ".join(parts[:count]), " ".join(parts[count:])


def _measure(unit: str) -> tuple[Fraction, frozenset[tuple[str, int]]]:
    """Size in base units of known units, and the powers of the dimensions."""
    factor = Fraction(1)
    powers = Counter[str]()
    for part in unit.split():
        name, _, written = part.partition("^")
        known, power = UNITS[name], int(written) if written else 1
        factor *= known.size**power
        powers.update({dimension: count * power for dimension, count in known.powers})
    return factor, frozenset((name, power) for name, power in powers.items() if power)
