"""The names that the reader knows: functions, constants, Python constructors, units, number words."""

from __future__ import annotations

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
    **{name: name for name in names("asin acos atan acot asec acsc asinh acosh atanh acoth asech acsch atan2")},
    **{name: "a" + name[3:] for name in names("arcsinh arccosh arctanh arccoth arcsech arccsch")},
    **{name: "a" + name[2:] for name in names("arsinh arcosh artanh arcoth")},
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

SHORT_WORDS: Final = frozenset(
    names(
        "the per for are all any not has men one two six ten day box way cat dog boy red sum yes odd low "
        "top mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep oct nov dec tie win left "
        "off out of if maximum minimum maximal minimal cost costs since using tank"
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
PLACE_WORDS: Final = {
    "ones": Fraction(1),
    "tens": Fraction(10),
    "hundreds": Fraction(100),
    "thousands": Fraction(1000),
    "tenths": Fraction(1, 10),
    "hundredths": Fraction(1, 100),
    "thousandths": Fraction(1, 1000),
}
SCALE_WORDS: Final = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
PART_WORDS: dict[str, int] = {
    word: value
    for value, words in enumerate(
        ("half halves", "third thirds", "fourth fourths quarter quarters", "fifth fifths", "sixth sixths"), start=2
    )
    for word in words.split()
} | {"seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9, "tenth": 10, "tenths": 10}
PART_WORDS |= {"hundredth": 100, "hundredths": 100, "thousandth": 1000, "thousandths": 1000}
ORDINALS: Final = {
    word: value
    for value, word in enumerate(
        names("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"), start=1
    )
}

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
    ("impossible", "not possible", "it is impossible", "it is not possible"),
    ("counterclockwise", "anticlockwise", "counter clockwise", "anti clockwise"),
    ("undefined", "does not exist", "dne", "not defined", "doesn't exist", "limit does not exist", "indeterminate"),
    ("all real numbers", "all reals", "the real numbers", "real numbers", "any real number", "all real number"),
    ("integers", "all integers", "the integers", "the set of integers", "set of integers", "set of all integers"),
    ("natural numbers", "naturals", "all natural numbers", "positive integers", "all positive integers"),
    ("rational numbers", "rationals", "all rational numbers"),
    ("complex numbers", "all complex numbers"),
    ("yes", "true"),
    ("no", "false"),
    ("infinity", "infinite", "positive infinity"),
    ("negative infinity", "minus infinity"),
    ("infinitely many", "infinitely many solutions", "infinite solutions", "infinite number of solutions"),
)
PHRASES: Final = {phrase: row[0] for row in _PHRASES for phrase in row}
