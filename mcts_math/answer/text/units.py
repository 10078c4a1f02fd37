"""Units of measurement: their usual short form, and what one is worth in another.

The metric ones are generated from prefixes, by case (mW and MW). What is no known unit is a kind of thing that is
counted: its words are compared.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple

from mcts_math.answer.text.habits import habits, rewritten
from mcts_math.answer.text.things import is_counted, rejects, same_things
from mcts_math.answer.text.vocabulary import meanings

MAX_POWER: Final = 100  # of a unit


class Named(NamedTuple):
    """A unit that is known: its short name, its size in base units, and the powers of its dimensions."""

    name: str
    size: Fraction
    powers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """What a number counts: names with their powers, units that are known by their short names (`km h^-1`).

    The known ones may be followed by words (`year old`); a name without a known one before it is such a word.
    """

    factors: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return " ".join(name + (f"^{power}" if power != 1 else "") for name, power in self.factors)

    def __mul__(self, other: Unit) -> Unit:
        powers = Counter[str]()
        for name, power in self.factors + other.factors:
            powers[name] += power
        return Unit(tuple((name, power) for name, power in powers.items() if power))

    def __pow__(self, power: int) -> Unit:
        return Unit(tuple((name, own * power) for name, own in self.factors if power))

    @property
    def known(self) -> tuple[tuple[str, int], ...]:
        """The known units that it begins with; one with a huge power is none."""
        return tuple(takewhile(lambda factor: factor[0] in UNITS and abs(factor[1]) < MAX_POWER, self.factors))

    @property
    def words(self) -> str:
        """What is said behind the known units."""
        return str(Unit(self.factors[len(self.known) :]))

    @property
    def size(self) -> Fraction:
        """That of the known units, in base units."""
        size = Fraction(1)
        for name, power in self.known:
            size *= UNITS[name].size ** power
        return size

    @property
    def dimensions(self) -> dict[str, int]:
        """The powers of what the known units measure."""
        powers = Counter[str]()
        for name, power in self.known:
            powers.update({dimension: own * power for dimension, own in UNITS[name].powers})
        return {dimension: power for dimension, power in powers.items() if power}


# Dimension (perhaps a product, with powers: `length2`), then units: short name = size, other names. A star: the unit
# takes metric prefixes, the short name the short ones, the others the long ones. Long names have a plural, too.
_MEASURES: Final = """
length: in=127/5000 inch inches; ft=381/1250 foot feet; yd=1143/1250 yard yds; mi=201168/125 mile; nmi=1852
length: ly=9460730472580800 lightyear light-year
length2: acre=316160658/78125; ha=10000 hectare
length3: gal=473176473/125000000000 gallon; qt=473176473/500000000000 quart; pt=473176473/1000000000000 pint
length3: cup=473176473/2000000000000 cups
time: min=60 mins minute; h=3600 hr hrs hour; day=86400 days; week=604800 wk wks; month=2629800; year=31557600 yr yrs
time: decade=315576000; century=3155760000 centuries
mass: lb=45359237/100000 lbs; pound=45359237/100000; oz=45359237/1600000 ounce; t=1000000 tonne; ton=1000000 tons
money: dollar=1 usd USD bucks; cent=1/100
euro: euro=1 EUR; sterling: gbp=1 GBP; yen: yen=1 JPY 円; yuan: yuan=1 CNY RMB; ¥: ¥=1; rupee: rupee=1 INR
canada: CAD=1; australia: AUD=1
angle: degree=1 deg; radian: radian=1 rad rads
length,time-1: mph=1397/3125; kmh=5/18 kph; knot=463/900
temperature: celsius=1 Celsius; temperature2: kelvin=1 Kelvin K; fahrenheit: fahrenheit=1 Fahrenheit
mass,length2,time-2: kWh=3600000000
mass,length-1,time-2: atm=101325000 atmosphere; mmHg=2533125/19 torr Torr; psi=3447378646584/500000
length: Å=1/10000000000 angstrom
mass,length2,time-3: hp=745700 horsepower
time-1: rpm=1/60; level: dB=1 decibel
ratio: %=1 percent pct; ppm=1/10000
length: m*=1 meter metre; mass: g*=1 gram; time: s*=1 second; length3: L*=1/1000 liter litre
mass,length2,time-2: J*=1000 joule; cal*=4184 calorie; eV*=801088317/5000000000000000000000000 electronvolt
mass,length,time-2: N*=1000 newton; mass,length2,time-2: Nm=1000; mass,length2,time-3: W*=1000 watt
mass,length-1,time-2: Pa*=1000 pascal; bar*=100000000 bar bars
current,time: C*=1 coulomb; current: A*=1 ampere amp amps; time-1: Hz*=1 hertz
mass,length2,time-3,current-1: V*=1000 volt; mass,length2,time-3,current-2: ohm*=1000 ohm ohms
mass-1,length-2,time3,current2: S*=1/1000 siemens; mass,length2,time-2,current-2: H*=1000 henry
mass,length2,time-2,current-1: Wb*=1000 weber; mass,time-2,current-1: T*=1000 tesla
mass-1,length-2,time4,current2: F*=1/1000 farad
amount: mol*=1 mole; amount,length-3: M*=1000 molar; bit: bit*=1 bit bits; byte: B*=1 byte
"""
_ALSO: Final = """
g: gm gms г 克; kg: kilo kilos kgs кг 千克 公斤; km: kms км 千米 公里; m: м 米; cm: см 厘米; mm: мм 毫米; dm: 分米
L: l л 升; mL: ml мл 毫升 cc; cL: cl; dL: dl; s: sec secs с 秒; min: мин 分钟 분; h: ч 小时 часов 시간 Stunden heures
day: 天 дня дней 일 Tage jours días; year: 年 лет 년 Jahre años; degree: 度 градусов Grad; kB: KB
dollar: 美元; yuan: 元; ohm: Ω Omega; kohm: kΩ; Mohm: MΩ; mohm: mΩ
"""
# Prefixes by their powers of ten; some short ones go with a few units only.
_PREFIXES: Final = {"": "0"} | meanings(
    "3: k kilo; 6: M mega; 9: G giga; 12: T tera; -3: m milli; -6: μ u micro; -9: n nano; -12: p pico; "
    "-2: c centi; -1: d deci; -15: f femto; -18: a atto; 15: P peta; 18: E exa"
)
_SHORT_FOR: Final = meanings("m g L: c d; m s J W mol: f; J W mol: a; J W Hz eV: P E")
_DIMENSION: Final = re.compile(r"(?:^|,)([a-z]+?)(\d|-\d)?(?=,|$)")


def _units() -> dict[str, Named]:
    table: dict[str, Named] = {}
    dimension = ""
    for entry in _MEASURES.strip().replace("\n", "; ").split("; "):
        named, _, written = entry.rpartition(": ")
        dimension = named or dimension
        powers = tuple((base, int(power or 1)) for base, power in _DIMENSION.findall(dimension))
        (short, size), *others = (part.split("=") for part in written.split())
        own = short.rstrip("*")
        made: dict[str, Named] = {}
        for prefix, power in _PREFIXES.items() if own != short else [("", "0")]:
            names = [prefix + other for (other,) in others if len(prefix) != 1]
            if len(prefix) < 2 and own in _SHORT_FOR.get(prefix, own).split():
                names.insert(0, prefix + own)
            if names:
                made.setdefault(power, Named(names[0], Fraction(size) * Fraction(10) ** int(power), powers))
            for name in names:
                forms = {name, name + "s" * (name[-1] != "s")} if len(name) > 3 else {name}
                titles = [form.title() for form in forms if len(form) > 2 and len(prefix) != 1]
                table |= {form: made[power] for form in (*forms, *titles) if form not in table}
    also = meanings(_ALSO.strip().replace("\n", "; "))
    return table | {name: table[known] for name, known in also.items()}


UNITS: Final = _units()
DEGREE: Final = Unit((("degree", 1),))
PERCENT: Final = Unit((("%", 1),))
_RAISING: Final = {"square": 2, "sq": 2, "sq.": 2, "cubic": 3, "cu": 3, "cu.": 3}
_RAISED: Final = {"squared": 2, "cubed": 3}
_TEMPERATURES: Final = ("kelvin", "celsius")
MEASURED: Final = (
    r"(?:(?:[kcdmμn]?m|[kmμ]?g|[km]?[JWNVA]|[mcd]?[lL]|km/h|h|min|s|(?:Kilo|Zenti)?[Mm]etern?|Litern?|Kilogramm|Stunden?"
    r"|Minuten?|[Ee]uros?|litres?|mètres?|heures?|litros?|metros?|horas?)(?![a-zA-Z])|\\?%|°|€)"
)
"""A unit behind a number, which makes a single comma in it a decimal comma."""
_BELOW: Final = re.compile(r"/ ?\(([^()]{1,40})\)")  # J/(kg·K)
_FACTOR: Final = re.compile(r"[^\s*·]+")
_PLAINER: Final = habits(
    (
        ("", r"[*·⋅]|\\cdot", " "),
        ("", r"\bms(?=\^\{?-)", "m s"),  # hardly a number of times in a millisecond
        ("/", "/", " per "),
        ("", r"(\^\{-?\d\})(?=[A-Za-z])", r"\1 "),
        ("平方", "平方", "square "),
        ("立方", "立方", "cubic "),
        ("", r"\bper cent\b", "percent"),
        ("", r"\belectron[ -](?=volt)", "electron"),
        ("", r"(?i)^degrees? c(?:elsius)?$", "celsius"),
        ("", r"(?i)^degrees? f(?:ahrenheit)?$", "fahrenheit"),
    )
)
_POWER: Final = re.compile(r"(.+?)\^\{?(-?\d{1,2})\}?")
# Both are called pound, or degree, or have one sign.
_SAME_NAME: Final = tuple(
    map(frozenset, (("pound", "gbp"), ("degree", "celsius"), ("degree", "fahrenheit"), ("¥", "yen"), ("¥", "yuan")))
)


@lru_cache(maxsize=1024)
def known_unit(name: str) -> Named | None:
    """The unit of that name, by its exact case or, where only one unit has these letters, by any.

    Single letters and what they become with a prefix have one case: M is not m, mS is not ms.
    """
    lower = name.lower()
    if name in UNITS:
        return UNITS[name]
    if len(name) == 1 and name.isascii():
        return None
    if lower in UNITS:
        return UNITS[lower]
    same = {unit for other, unit in UNITS.items() if other.lower() == lower}
    return same.pop() if len(same) == 1 else None


def may_be_left_out(unit: Unit, is_one: bool) -> bool:
    """Whether a number with this unit can be meant by the number alone; `is_one` as for `is_counted`."""
    words = unit.words
    measured = any(word in UNITS for word in words.split())  # candy bars: a bar is a unit elsewhere
    return not rejects(words) if unit.known else is_counted(words, is_one or measured)


@lru_cache(maxsize=1024)
def unit_name(words: str) -> Unit:
    """The unit that words name (`kilometers per hour`); what is not known is a name in lower case."""
    words = _BELOW.sub(lambda found: "".join(f" per {part}" for part in _FACTOR.findall(found.group(1))), words)
    words = words.strip(" .")
    words = rewritten(words, _PLAINER)
    named: list[tuple[str, int]] = []
    sign = power = 1
    below = False
    parts = words.split()
    for word, following in zip(parts, [*parts[1:], ""], strict=True):
        if word.lower() == "per":
            sign, below = -1, True
        elif word in _RAISING and following:
            power = _RAISING[word]
        elif word in _RAISED and named:
            named[-1] = (named[-1][0], named[-1][1] * _RAISED[word])
        else:
            match = _POWER.fullmatch(word)
            name, power = (match.group(1), int(match.group(2))) if match is not None else (word, power)
            known = known_unit(name)
            if below and known is not None and known.name in _TEMPERATURES:  # J/mol K
                sign = -1
            named.append((known.name if known else _plain(name), sign * power))
            sign = power = 1
    return Unit(tuple(named))


def _plain(name: str) -> str:
    """A word in lower case; what may be a symbol of a unit keeps its case (mSv, MSv, Nm)."""
    is_word = len(name) > 2 and (name.istitle() or (name.isupper() and len(name) > 3))
    return name.lower() if is_word else name


@lru_cache(maxsize=1024)
def unit_scale(left: Unit, right: Unit) -> Fraction | None:
    """What a number in unit `left` is multiplied by in unit `right`; None where they are of different kinds."""
    rates = {PERCENT.factors, (("year", -1), *PERCENT.factors)}  # 5% per year
    if left == right or {str(left), str(right)} in _SAME_NAME or {left.factors, right.factors} == rates:
        return Fraction(1)
    mine, theirs = left.words, right.words
    if mine and theirs and (not same_things(mine, theirs) or (mine != theirs and mine.lower() == theirs.lower())):
        return None  # symbols in another case
    if bool(left.known) != bool(right.known):
        some, unit = (right, left) if left.known else (left, right)  # perhaps `square units`
        words, power = some.factors[0] if len(some.factors) == 1 else ("", 0)
        return Fraction(1) if words in ("unit", "units") and unit.dimensions == {"length": power} else None
    if mine != theirs and set(mine + theirs) & set("^()/"):  # more units, which are not known
        return None
    return left.size / right.size if left.dimensions == right.dimensions else None
