"""The names that the reader knows: functions, constants, Python constructors, units, number words."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final


def names(text: str) -> tuple[str, ...]:
    """The words of `text`: a table that people can read."""
    return tuple(text.split())


GREEK: Final = frozenset(
    names(
        "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
        "rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi "
        "Psi Omega ell hbar"
    )
)

FUNCTIONS: Final = {
    **{name: name for name in names("sin cos tan cot sec csc sinh cosh tanh coth sech csch exp arg")},
    **{name: "a" + name[3:] for name in ["arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc"]},
    **{name: name for name in names("asin acos atan acot asec acsc asinh acosh atanh atan2")},
    **{name: "a" + name[3:] for name in ["arcsinh", "arccosh", "arctanh"]},
    **{name: "a" + name[2:] for name in ["arsinh", "arcosh", "artanh"]},
    "ln": "log",
    "log": "log",
    "lg": "log10",
    "log2": "log2",
    "log10": "log10",
    "sqrt": "sqrt",
    "cbrt": "cbrt",
    "root": "root",
    "abs": "abs",
    "Abs": "abs",
    "fabs": "abs",
    "floor": "floor",
    "ceil": "ceil",
    "ceiling": "ceil",
    "factorial": "factorial",
    "gamma": "gamma",
    "binomial": "binom",
    "binom": "binom",
    "comb": "binom",
    "nCr": "binom",
    "gcd": "gcd",
    "lcm": "lcm",
    "min": "min",
    "Min": "min",
    "max": "max",
    "Max": "max",
    "sgn": "sign",
    "sign": "sign",
    "re": "re",
    "Re": "re",
    "im": "im",
    "Im": "im",
    "conjugate": "conjugate",
    "det": "det",
    "deg2rad": "rad",
    "Mod": "mod",
}

CONSTANTS: Final = {
    "pi": "pi",
    "Pi": "pi",
    "PI": "pi",
    "oo": "oo",
    "inf": "oo",
    "infty": "oo",
    "infinity": "oo",
    "Infinity": "oo",
    "NegativeInfinity": "-oo",
    "zoo": "nan",
    "nan": "nan",
    "NaN": "nan",
    "E": "e",
    "e": "e",
    "I": "i",
    "i": "i",
    "ImaginaryUnit": "i",
    "Exp1": "e",
    "True": "true",
    "False": "false",
}

CONSTRUCTORS: Final = frozenset(
    names(
        "Rational Fraction Integer Float Decimal mpf mpc complex float int Matrix ImmutableDenseMatrix "
        "ImmutableMatrix MutableDenseMatrix SparseMatrix array matrix FiniteSet Set set frozenset list "
        "tuple List Tuple Interval Union Intersection Complement Eq Equality Ne Unequality Lt Le Gt Ge "
        "StrictLessThan LessThan StrictGreaterThan GreaterThan And Or Symbol Poly PurePoly Point Point2D "
        "Point3D Add Mul Pow float64 float32 float16 int64 int32 int16 int8 uint8 complex128 dict "
        "OrderedDict str_ bool_ mpq "
        "Range range EmptySet poly1d Piecewise ImageSet Lambda diag eye zeros ones Sum Product Integral Limit"
    )
)

EMPTY_NAMES: Final = frozenset({"EmptySet", "emptyset", "varnothing", "None"})
REAL_NAMES: Final = frozenset({"Reals", "UniversalSet"})

# Dimension, short name and size: other names. A dimension may be a product, with powers (`length2`).
_UNITS: Final = {
    "length m": "m meter meters metre metres",
    "length cm 1/100": "cm centimeter centimeters centimetre centimetres",
    "length mm 1/1000": "mm millimeter millimeters millimetre millimetres",
    "length km 1000": "km kilometer kilometers kilometre kilometres kms",
    "length in 127/5000": "in inch inches",
    "length ft 381/1250": "ft foot feet",
    "length yd 1143/1250": "yd yard yards",
    "length mi 201168/125": "mi mile miles",
    "time s": "s sec secs second seconds",
    "time min 60": "min mins minute minutes",
    "time h 3600": "h hr hrs hour hours",
    "time day 86400": "day days",
    "time week 604800": "wk week weeks",
    "time year 31557600": "yr yrs year years",
    "time month 2629800": "month months",
    "mass g": "g gm gram grams gms",
    "mass kg 1000": "kg kilogram kilograms kilo kilos",
    "mass mg 1/1000": "mg milligram milligrams",
    "mass lb 45359237/100000": "lb lbs pound pounds",
    "mass oz 45359237/1600000": "oz ounce ounces",
    "length3 L 1/1000": "l L liter liters litre litres",
    "length3 mL 1/1000000": "ml mL milliliter milliliters millilitre millilitres",
    "money dollar": "dollar dollars usd USD bucks",
    "money cent 1/100": "cent cents",
    "euro euro": "euro euros EUR",
    "sterling gbp": "gbp GBP",
    "yen yen": "yen JPY",
    "rupee rupee": "rupee rupees INR",
    "angle degree": "degree degrees deg",
    "angle radian": "rad rads radian radians",
    "length,time-1 mph 1397/3125": "mph",
    "length,time-1 kmh 5/18": "kmh kph",
    "temperature celsius": "celsius Celsius",
    "fahrenheit fahrenheit": "fahrenheit Fahrenheit",
    "temperature2 kelvin": "kelvin kelvins Kelvin",
    "mass,length2,time-2 J 1000": "J joule joules Joule Joules",
    "mass,length2,time-2 kJ 1000000": "kJ kilojoule kilojoules",
    "mass,length,time-2 N 1000": "N newton newtons Newton Newtons",
    "mass,length2,time-3 W 1000": "W watt watts Watt Watts",
    "mass,length2,time-3 kW 1000000": "kW kilowatt kilowatts",
    "volt V": "V volt volts Volts",
    "ampere A": "amp amps ampere amperes",
    "ohm ohm": "ohm ohms",
    "pressure Pa": "Pa pascal pascals",
    "pressure kPa 1000": "kPa",
    "frequency Hz": "Hz hertz Hertz",
    "amount mol": "mol mole moles",
}
_DIMENSION: Final = re.compile(r"(?:^|,)([a-z]+)(-?\d)?(?=,|$)")
Unit = tuple[str, str, Fraction, tuple[tuple[str, int], ...]]  # dimension, short name, size, powers


def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for key, aliases in _UNITS.items():
        dimension, name, *factor = key.split()
        powers = tuple((base, int(power or 1)) for base, power in _DIMENSION.findall(dimension))
        for alias in (name, *aliases.split()):
            table[alias] = (dimension, name, Fraction(factor[0]) if factor else Fraction(1), powers)
    return table


UNITS: Final = _units()

SHORT_WORDS: Final = frozenset(
    names(
        "the per for are all any not has men one two six ten day box way cat dog boy red sum yes odd low "
        "top mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep oct nov dec tie win left"
    )
)

NUMBER_WORDS: Final = {
    word: value
    for value, word in enumerate(
        names(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
            "sixteen seventeen eighteen nineteen"
        )
    )
} | {
    word: 10 * value
    for value, word in enumerate(names("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
SCALE_WORDS: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PART_WORDS: Final = {
    word: value
    for value, words in enumerate(
        ("half halves", "third thirds", "fourth fourths quarter quarters", "fifth fifths", "sixth sixths"), start=2
    )
    for word in words.split()
} | {"seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10}

# Phrases that mean the same; the first of each row is the name.
_PHRASES: Final = (
    (
        "no solution",
        "no solutions",
        "none",
        "no real solution",
        "no real solutions",
        "empty set",
        "the empty set",
        "there is no solution",
        "there are no solutions",
        "no real roots",
        "no such number",
        "no real root",
    ),
    ("undefined", "does not exist", "dne", "not defined", "doesn't exist", "limit does not exist", "indeterminate"),
    ("all real numbers", "all reals", "the real numbers", "real numbers", "any real number", "all real number"),
    ("yes", "true"),
    ("no", "false"),
    ("infinity", "infinite", "positive infinity"),
    ("negative infinity", "minus infinity"),
    ("infinitely many", "infinitely many solutions", "infinite solutions", "infinite number of solutions"),
)
PHRASES: Final = {phrase: row[0] for row in _PHRASES for phrase in row}
