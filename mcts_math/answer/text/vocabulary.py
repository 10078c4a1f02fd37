"""The names that the reader knows (functions, constants, Python constructors, number words, fixed phrases), and what
a letter stands for where nothing is said of it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final


def names(text: str) -> tuple[str, ...]:
    """The words of `text`: a table that people can read."""
    return tuple(text.split())


def meanings(text: str) -> dict[str, str]:
    """The table that `text` writes as `meaning: name name …; meaning: …`, by name."""
    rows = (row.rpartition(": ") for row in text.split("; "))
    return {name: meaning.strip() for meaning, _, row in rows for name in row.split()}


GREEK: Final = frozenset(names(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell hbar"
))  # fmt: skip
CIRCULAR: Final = names("sin cos tan cot sec csc sinh cosh tanh coth sech csch")
FUNCTIONS: Final = {
    **{name: name for name in CIRCULAR},
    **{
        name: name
        for name in names("exp cis arg log sqrt cbrt root floor factorial gamma zeta gcd lcm det atan2 conjugate")
    },
    **{prefix + name: "a" + name for name in CIRCULAR for prefix in ("a", "arc", "ar")},
    **meanings(
        "log: ln; log10: lg log10; log2: log2; abs: abs Abs fabs; ceil: ceil ceiling; binom: binomial binom comb nCr; "
        "min: min Min; max: max Max; sign: sgn sign; re: re Re; im: im Im; rad: deg2rad; mod: Mod; pow: pow"
    ),
}
CONSTANTS: Final = meanings(
    "pi: pi Pi PI; oo: oo inf infty infinity Infinity; -oo: NegativeInfinity; nan: zoo nan NaN; e: E e Exp1; "
    "i: I i imath ImaginaryUnit; true: True BooleanTrue; false: False BooleanFalse; "
    "empty: EmptySet emptyset varnothing None; reals: Reals UniversalSet"
)
NAMES: Final = {
    **{name: ("sym", name.removeprefix("var")) for name in GREEK},
    **{name: ("func", function) for name, function in FUNCTIONS.items()},
    **{name: ("const", constant) for name, constant in CONSTANTS.items()},
    "gamma": ("sym", "gamma"),
    "zeta": ("sym", "zeta"),
}
"""Kind and text of the token that a name is read as."""

MARKS: Final = ("a b c d e f g h", "i ii iii iv v vi", "1 2 3 4 5 6 7 8 9")  # of parts
CURRENCIES: Final = "USD|EUR|GBP|JPY|INR|CNY|CAD|AUD"
CONSTRUCTORS: Final = meanings(
    "first: Integer Float Decimal mpf float float64 float32 float16 complex128 Symbol; "
    "whole: int int64 int32 int16 int8 uint8; first: str_ bool_ Poly PurePoly; "
    "quotient: Rational Fraction mpq; complex: complex mpc; "
    "Add: Add; Mul: Mul; Pow: Pow; poly1d: poly1d; "
    "=: Eq Equality; !=: Ne Unequality; <: Lt StrictLessThan; <=: Le LessThan; >: Gt StrictGreaterThan; "
    ">=: Ge GreaterThan; cup: Union; cap: Intersection; minus: Complement; and: And; or: Or; Interval: Interval; "
    "(): Point Point2D Point3D Tuple; {}: FiniteSet EmptySet; "
    "of []: list List; of (): tuple; of {}: set frozenset Set dict OrderedDict; "
    "matrix: Matrix ImmutableDenseMatrix ImmutableMatrix MutableDenseMatrix SparseMatrix matrix; array: array tensor; "
    "range: Range range; diag: diag; "
    "sum: Sum; prod: Product; int: Integral; lim: Limit; Piecewise: Piecewise; ImageSet: ImageSet; Lambda: Lambda; "
    "diff: Derivative diff"
)
"""What Python, sympy and numpy print before a bracket, with the kind of value that it makes."""
SHORT_WORDS: Final = frozenset(names(
    "the per for are all any not has men one two six ten day box way cat dog boy red sum yes odd low "
    "top no mon tue wed thu fri sat sun jan feb mar apr may jun jul aug sep oct nov dec tie win left "
    "off out of if maximum minimum maximal minimal cost costs since using tank "
    "large much must child stand mine minor mind pink chip pipe pile spin metal argue"
))  # fmt: skip

_ONES: Final = names(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = names("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBER_WORDS: Final = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_PLACES: Final = names("thousandths hundredths tenths ones tens hundreds thousands")
PLACE_WORDS: Final = {word: Fraction(10) ** power for power, word in enumerate(_PLACES, -3)}
_SCALES: Final = {
    12: "dozen dozens",
    20: "score",
    144: "gross",
    10**2: "hundred 百",
    10**3: "thousand 千 тыс тысяч тысячи tausend",
    10**4: "万 萬 만",
    10**5: "lakh lakhs",
    10**6: "million millions 百万 млн миллион миллиона миллионов millionen millones",
    10**7: "crore crores 千万",
    10**8: "亿 億 억",
    10**9: "billion billions млрд миллиард миллиарда миллиардов milliarde milliarden milliards",
    10**12: "trillion trillions",
}
SCALE_WORDS: Final = {word: size for size, row in _SCALES.items() for word in names(row)}
_PARTS: Final = {2: "half", 3: "third", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 10: "tenth"} | {
    100: "hundredth",
    1000: "thousandth",
}
PART_WORDS: Final = {
    **{word: n for n, part in _PARTS.items() for word in (part, part + "s")},
    **dict.fromkeys(names("fourth fourths quarter quarters"), 4),
    "halves": 2,
}
ORDINALS: Final = {
    word: n
    for n, word in enumerate(
        names("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"), start=1
    )
}

# Phrases that mean the same; the first of each row is the name.
_PHRASES: Final = """
no solution, no solutions, none, no real solution, no real solutions, empty set, the empty set, no real roots,
 there is no solution, there are no solutions, no solution exists, no solutions exist, no such number, no real root,
 无解, 無解, 无实数解, 无实根, 空集,
 해 없음, 해가 없다, 解なし, нет решений, нет корней, keine lösung, pas de solution, aucune solution, sin solución,
 no hay solución, sem solução, nessuna soluzione
impossible, not possible, it is impossible, it is not possible
cannot be determined, can't be determined, can not be determined, it cannot be determined, it can't be determined,
 cannot be determined from the information given, cannot be determined from the given information,
 not enough information, insufficient information, not enough information given, impossible to determine
充分不必要条件, 充分不必要, 充分而不必要条件, 充分非必要条件, sufficient but not necessary,
 sufficient but not necessary condition, sufficient condition but not necessary
必要不充分条件, 必要不充分, 必要而不充分条件, 必要非充分条件, necessary but not sufficient,
 necessary but not sufficient condition, necessary condition but not sufficient
充要条件, 充要, 充分必要条件, 充分必要, 充分且必要条件, necessary and sufficient, necessary and sufficient condition
既不充分也不必要条件, 既不充分也不必要, 既不充分又不必要条件, 既非充分也非必要条件, neither sufficient nor necessary
counterclockwise, anticlockwise, counter clockwise, anti clockwise
undefined, does not exist, dne, d.n.e, limit dne, not defined, doesn't exist, limit does not exist,
 indeterminate, 不存在, 无定义,
 존재하지 않는다, 存在しない, не существует, existiert nicht, n'existe pas, no existe, não existe
all real numbers, all reals, the real numbers, real numbers, any real number, every real number, all real number
integers, all integers, the integers, the set of integers, set of integers, set of all integers
natural numbers, naturals, all natural numbers, positive integers, all positive integers, every positive integer,
 all positive integers n, every positive integer n
rational numbers, rationals, all rational numbers
complex numbers, all complex numbers
yes, true, 真, 真命题, 是, 是的, 对, 正确, да, oui, ja, sí, sim, はい, 예
no, false, 假, 假命题, 否, 不是, 不对, 错误, нет, non, nein, não, いいえ, 아니오, 아니요
infinity, infinite, positive infinity, infinitely many, infinitely many solutions, infinite solutions,
 infinite number of solutions, an infinite number, infinite number
negative infinity, minus infinity
diverges, divergent, does not converge
converges, convergent, does not diverge
"""
PHRASES: Final = {
    phrase: row.split(", ")[0] for row in _PHRASES.replace(",\n", ",").strip().split("\n") for phrase in row.split(", ")
}


INTEGERS: Final = frozenset(names("n m k i j l N M K"))
"""Variables of a function of integers, which shows where a floor, a factorial or a parity holds one."""
COUNTERS: Final = names("n N m k")
"""Indices of a series and of a family of solutions, the likeliest first."""
UNKNOWNS: Final = frozenset(names("c C x y"))
"""Letters that are hardly integers."""
PARAMETERS: Final = frozenset(names("s t u r a k n m lambda mu theta phi"))
"""What moves along a line."""
ALONG: Final = frozenset(names("s t u r lambda mu"))
"""Those of them that move even where nothing is said."""
VARIABLES: Final = frozenset(names("x y z s t u theta"))
"""What a function with constants of integration depends on."""
ANGLES: Final = frozenset(names("x t z theta alpha phi"))
COORDINATES: Final = frozenset(names("x y z t r theta"))
COMPLEX: Final = frozenset(names("z w"))
"""Variables that may be complex, which shows where a modulus or a conjugate is taken of one."""
ADDED: Final = frozenset(names("C K c C_0 C_1 c_0 c_1"))
"""Constants of integration that may stand alone, and be added."""
NUMBERED: Final = frozenset(f"{letter}_{index}" for letter in "CcKk" for index in range(5))
OF_INTEGRATION: Final = ADDED | NUMBERED | {"A", "B", "D"}
"""All that are constants of integration by themselves."""
FREE: Final = OF_INTEGRATION | frozenset(names("a b d k m p q P Q alpha beta lambda mu phi delta R"))
"""What may be one beside such a constant."""
