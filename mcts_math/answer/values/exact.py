"""Exact numbers: fractions within a bound on their size, and residues, which stand for numbers of any size.

A residue is the value of an expression modulo a large prime, its variables being random numbers. Two rational
functions are equal where their residues are. What is not rational (a root, a sine) gets a random residue of its own,
the same for the same arguments: equal residues still mean equal expressions, but different ones mean nothing then.
Decimals are compared by how they were written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from operator import mod
from typing import Final

from mcts_math.answer.values.evaluate import (
    OutOfRangeError,
    Point,
    UndefinedError,
    Value,
    evaluate,
    noise,
    series,
    value_of,
)
from mcts_math.answer.values.nodes import INFINITY, Bound, Node, Num, Power, children, negate
from mcts_math.answer.verdict import Policy

MAX_BITS: Final = 200_000
_MAX_WORK: Final = 5_000_000  # bits of all values on the way
_MAX_FACTORIAL: Final = 100_000
_PRIME: Final = 2**255 - 19
_SYMMETRIC: Final = frozenset({"gcd", "lcm", "min", "max"})
ENDLESS: Final = (INFINITY, negate(INFINITY))
_ROOT_OF_MINUS_ONE: Final = pow(2, (_PRIME - 1) // 4, _PRIME)


def exact(node: Node, at: Point | None = None) -> Fraction | None:
    """The rational value of `node` where its variables have the values `at`; None where none is known within bounds."""
    if isinstance(node, Num):
        return node.value
    try:
        value: Fraction = evaluate(node, at or {}, _Fractions())
    except UndefinedError:
        return None
    return value


def same_residue(left: Node, right: Node) -> bool | None:
    """Whether two expressions are equal as rational functions of what is in them; None where that is not decided."""
    using = _Residues()
    try:
        first, second = evaluate(left, _Residues.Names(), using), evaluate(right, _Residues.Names(), using)
    except UndefinedError:
        return None
    return True if first == second else None if using.opaque else False


class _Fractions:
    """Rational numbers. Nothing else has a value."""

    def __init__(self) -> None:
        self._work = 0

    def number(self, value: Fraction) -> Fraction:
        return value

    def constant(self, name: str) -> Value:
        raise UndefinedError(name)

    def checked(self, value: Fraction) -> Fraction:
        bits = value.numerator.bit_length() + value.denominator.bit_length()
        self._work += bits
        if bits > MAX_BITS or self._work > _MAX_WORK:
            raise OutOfRangeError("too many digits")
        return value

    def power(self, base: Fraction, node: Power, at: Point) -> Fraction:
        exponent: Fraction = value_of(node.exponent, at, self)
        if exponent.denominator != 1:
            base = _root(base, exponent.denominator)
        bits = base.numerator.bit_length() + base.denominator.bit_length()
        if abs(exponent.numerator) * bits > MAX_BITS and base not in (0, 1, -1):
            raise OutOfRangeError("too many digits")
        return base**exponent.numerator

    def call(self, name: str, args: list[Fraction], free: bool) -> Fraction:
        if not free and name in _OF_FRACTIONS:
            return Fraction(_OF_FRACTIONS[name](*args))
        if free or name not in _OF_INTEGERS or any(arg.denominator != 1 for arg in args):
            raise UndefinedError(name)
        return Fraction(_OF_INTEGERS[name](*(arg.numerator for arg in args)))

    def bound(self, node: Bound, at: Point) -> Value:
        if node.kind not in ("sum", "prod"):
            raise UndefinedError(node.kind)
        return series(node, at, self, value_of(node.low, at, self), value_of(node.high, at, self))


def _factorial(number: int) -> int:
    if number > 10_000:
        raise OutOfRangeError("too many digits")
    return math.factorial(number)


def _binomial(number: int, chosen: int) -> int:
    if min(chosen, number - chosen) * number.bit_length() > MAX_BITS:
        raise OutOfRangeError("too many digits")
    return math.comb(number, chosen)


_OF_FRACTIONS: Final[dict[str, Callable[..., Fraction | int]]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "mod": mod,
    "floor": math.floor,
    "ceil": math.ceil,
    "sign": lambda value: (value > 0) - (value < 0),
}
_OF_INTEGERS: Final[dict[str, Callable[..., int]]] = {
    "factorial": _factorial,
    "binom": _binomial,
    "gcd": math.gcd,
    "lcm": math.lcm,
}


def _root(base: Fraction, index: int) -> Fraction:
    """The `index`-th root where it is rational; one of a large number is found for square roots only."""
    above, below = (
        math.isqrt(part) if index == 2 else round(part ** (1 / index))
        for part in (abs(base.numerator), base.denominator)
    )
    root = Fraction(above if base >= 0 else -above, below)
    if index > 64 or root**index != base:
        raise UndefinedError("no root that is rational")
    return root


class _Residues:
    """Integers modulo a prime."""

    class Names(dict[str, int]):
        def __missing__(self, name: str) -> int:
            return _random(name)

    def __init__(self) -> None:
        self.opaque = False  # whether something that is not rational was met
        self._bound = 0  # how many variables are bound here

    def number(self, value: Fraction) -> int:
        return value.numerator * pow(value.denominator, -1, _PRIME)

    def constant(self, name: str) -> int:
        if name in ("oo", "nan"):
            raise UndefinedError(name)
        return _ROOT_OF_MINUS_ONE if name == "i" else self._unknown(name)

    def checked(self, value: int) -> int:
        return value % _PRIME

    def power(self, base: int, node: Power, at: Point) -> int:
        exponent = exact(node.exponent)
        if exponent is not None and exponent.denominator == 1:
            return pow(base, exponent.numerator, _PRIME)
        return self._unknown("^", base % _PRIME, value_of(node.exponent, at, self) % _PRIME)

    def call(self, name: str, args: list[int], free: bool) -> int:
        if name == "log" and args[0] % _PRIME == 0:
            raise UndefinedError("the logarithm of 0")
        if name == "factorial" and args[0] <= _MAX_FACTORIAL:
            product = 1
            for factor in range(2, args[0] + 1):
                product = product * factor % _PRIME
            return product
        values = [arg % _PRIME for arg in args]
        return self._unknown(name, *(sorted(values) if name in _SYMMETRIC else values))

    def bound(self, node: Bound, at: Point) -> int:
        ends = [
            _random(repr(end)) if end in ENDLESS else value_of(end, at, self) % _PRIME for end in (node.low, node.high)
        ]
        self._bound += 1  # a variable's name says nothing, its place does
        within = _Residues.Names({**at, node.name: _random("bound", self._bound)})
        value = value_of(node.body, within, self) % _PRIME
        self._bound -= 1
        return self._unknown(node.kind, value, *ends)

    def _unknown(self, name: str, *parts: int) -> int:
        self.opaque = True
        return _random(name, *parts)


def _random(name: str, *parts: int) -> int:
    return noise(name, *parts) % _PRIME


FLOAT_DIGITS: Final = 14
_CLOSE: Final = Fraction(1, 10**9)
_TINY: Final = Fraction(1, 10**12)  # what a float that should be zero may be


@dataclass(frozen=True, slots=True)
class Written:
    """A decimal as it was written: value, significant digits, and what one unit of the last digit is worth."""

    value: Fraction
    digits: int
    unit: Fraction

    @property
    def is_float(self) -> bool:
        """Whether it has as many digits as a printed float, whose last ones are noise."""
        return FLOAT_DIGITS <= self.digits <= 18


def written(node: Node) -> Written | None:
    if not isinstance(node, Num) or not node.digits:
        return None
    return Written(node.value, node.digits, Fraction(10) ** -node.places)


def rationals_equal(left: Node, right: Node, first: Fraction, second: Fraction, policy: Policy) -> bool:
    """Whether two expressions with the rational values `first` and `second` are equal, roundings considered."""
    if first == second:
        return True
    a, b = written(left), written(right)
    gap, size = abs(first - second), max(abs(first), abs(second))
    close = gap <= size * _CLOSE
    if a is None and b is None:
        return noisy(left, right) and close
    if any(decimal is not None and decimal.is_float for decimal in (a, b)) and (close or gap == size < _TINY):
        return True
    if a is not None and b is not None:
        short, long = (a, b) if a.digits <= b.digits else (b, a)
        return long.digits >= 8 and rounds_to(short, long.value, policy)
    decimal, other = (a, second) if a is not None else (b, first)
    return decimal is not None and not terminates(other) and rounds_to(decimal, other, policy)


def terminates(value: Fraction) -> bool:
    """Whether the decimal expansion ends (within ten places)."""
    return 10**10 % value.denominator == 0


def rounds_to(decimal: Written, value: Fraction, policy: Policy) -> bool:
    """Whether `decimal` is `value` rounded, or cut where it has four digits or more. 1.000 says one."""
    if not policy.rounding or decimal.digits < policy.min_digits or decimal.value.denominator == 1:
        return False
    error = abs(decimal.value - value)
    if decimal.digits < 4 and error * 1000 > abs(value) * Fraction(1001, 1000):
        return False
    if error <= decimal.unit / 2:
        return True
    cut = 0 <= abs(value) - abs(decimal.value) < decimal.unit and (value > 0) == (decimal.value > 0)
    return decimal.digits >= 4 and cut


def noisy(*nodes: Node) -> bool:
    """Whether a printed float is in one of the expressions."""
    return any(
        (isinstance(node, Num) and node.digits >= FLOAT_DIGITS) or any(noisy(child) for child in children(node))
        for node in nodes
    )


def slack(node: Node) -> float:
    """The largest relative rounding error of the decimals in `node`; 0 where there are none."""
    own = 0.0
    if isinstance(node, Num) and node.digits >= 4 and node.value and node.places > 0:
        own = 0.5 * 10.0 ** (1 - node.digits)
    return max([own, *(slack(child) for child in children(node))])
