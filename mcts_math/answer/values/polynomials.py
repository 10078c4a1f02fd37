"""Rational functions of one variable with rational coefficients, their real roots, and derivatives of any formula."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import zip_longest
from typing import Final, NamedTuple

from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import OutOfRangeError, Point, UndefinedError, evaluate
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.nodes import Bound, Call, Node, Num, Power

_MAX_DEGREE: Final = 16
_MAX_BITS: Final = 256
_MAX_ROOTS: Final = 10

Polynomial = tuple[Fraction, ...]  # coefficients, constant term first, without zeros at the end

_ONE: Final[Polynomial] = (Fraction(1),)


class Root(NamedTuple):
    """A real root: its value as an expression, and as a float."""

    node: Node
    at: float


@dataclass(frozen=True, slots=True)
class _Quotient:
    """One polynomial over another."""

    above: Polynomial
    below: Polynomial = _ONE

    def __add__(self, other: _Quotient) -> _Quotient:
        terms = zip_longest(_times(self.above, other.below), _times(other.above, self.below), fillvalue=Fraction(0))
        return _Quotient(_trimmed(tuple(a + b for a, b in terms)), _times(self.below, other.below))

    def __mul__(self, other: _Quotient) -> _Quotient:
        return _Quotient(_times(self.above, other.above), _times(self.below, other.below))


class _Quotients:
    """Rational functions as a kind of numbers."""

    def number(self, value: Fraction) -> _Quotient:
        return _Quotient(_trimmed((value,)))

    def constant(self, name: str) -> _Quotient:
        raise UndefinedError(name)

    def call(self, name: str, args: list[_Quotient], free: bool) -> _Quotient:
        raise UndefinedError(name)

    def bound(self, node: Bound, at: Point) -> _Quotient:
        raise UndefinedError(node.kind)

    def checked(self, value: _Quotient) -> _Quotient:
        coefficients = value.above + value.below
        bits = (c.numerator.bit_length() + c.denominator.bit_length() for c in coefficients)
        if max(len(value.above), len(value.below)) > _MAX_DEGREE or max(bits) > _MAX_BITS:
            raise OutOfRangeError("a large polynomial")
        return value

    def power(self, base: _Quotient, node: Power, at: Point) -> _Quotient:
        exponent = exact(node.exponent)
        if exponent is None or exponent.denominator != 1 or abs(exponent) >= _MAX_DEGREE:
            raise UndefinedError("no power of a polynomial")
        if exponent < 0 and not base.above:
            raise ZeroDivisionError
        factor = base if exponent >= 0 else _Quotient(base.below, base.above)
        result = _Quotient(_ONE)
        for _ in range(abs(exponent.numerator)):
            result = self.checked(result * factor)
        return result


def rational_function(node: Node, name: str) -> tuple[Polynomial, Polynomial] | None:
    """Numerator and denominator of `node` as polynomials in the variable `name`; None where it is none of that kind."""
    try:
        value = evaluate(node, {name: _Quotient((Fraction(0), Fraction(1)))}, _Quotients())
    except UndefinedError:
        return None
    return value.above, value.below


def linear_function(node: Node, name: str) -> tuple[Fraction, Fraction] | None:
    """Start and slope of `node` as a function of `name`; None where it is not linear."""
    function = rational_function(node, name)
    if function is None or len(function[0]) > 2 or len(function[1]) != 1:
        return None
    start, slope = (*function[0], Fraction(0), Fraction(0))[:2]
    return start / function[1][0], slope / function[1][0]


@lru_cache(maxsize=1024)
def real_roots(polynomial: Polynomial) -> tuple[Root, ...] | None:
    """The distinct real roots in ascending order, those that are rational exactly; None where they can't be found."""
    if len(polynomial) < 2:
        return ()
    if len(polynomial) > _MAX_ROOTS + 1:
        return None
    slope = tuple(power * coefficient for power, coefficient in enumerate(polynomial))[1:]
    rest = _divided(polynomial, _common(polynomial, slope))[0]
    if len(rest) == 2:
        return (Root(Num(-rest[0] / rest[1]), float(-rest[0] / rest[1])),)
    try:
        places = numbers().real_roots(rest)
    except UndefinedError:
        return None
    coefficients = tuple(map(Num, rest))
    found = []
    for index, place in enumerate(places):
        guess = Fraction(str(place)).limit_denominator(10_000)
        value = sum(coefficient * guess**power for power, coefficient in enumerate(rest))
        root = Call("rootof", (Num(Fraction(index)), *coefficients)) if value else Num(guess)
        found.append(Root(root, float(place)))
    return tuple(found)


def _trimmed(polynomial: Polynomial) -> Polynomial:
    length = len(polynomial)
    while length and not polynomial[length - 1]:
        length -= 1
    return polynomial[:length]


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    product = [Fraction(0)] * (len(left) + len(right))
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] += a * b
    return _trimmed(tuple(product))


def _divided(left: Polynomial, right: Polynomial) -> tuple[Polynomial, Polynomial]:
    rest, quotient = list(left), [Fraction(0)] * max(len(left) - len(right) + 1, 0)
    for shift in range(len(quotient) - 1, -1, -1):
        factor = rest[shift + len(right) - 1] / right[-1]
        quotient[shift] = factor
        for index, c in enumerate(right):
            rest[shift + index] -= factor * c
    return _trimmed(tuple(quotient)), _trimmed(tuple(rest[: len(right) - 1]))


def _common(left: Polynomial, right: Polynomial) -> Polynomial:
    """The greatest common divisor with leading coefficient 1."""
    while right:
        left, right = right, _divided(left, right)[1]
    return tuple(c / left[-1] for c in left)
