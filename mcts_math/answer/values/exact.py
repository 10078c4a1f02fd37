"""Exact rational values of expressions, within a bound on their size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from mcts_math.answer.values.nodes import Bound, Call, Node, Num, Power, Prod, Quantity, Sum, Sym, children

MAX_BITS: Final = 200_000
MAX_TERMS: Final = 10_000
_MAX_WORK: Final = 5_000_000  # bits of all terms of a series
_NOTHING: Final[Mapping[str, Fraction]] = {}


class TooLargeError(Exception):
    """A value has more digits than are worth computing."""


def exact(node: Node, values: Mapping[str, Fraction] = _NOTHING) -> Fraction | None:
    """The rational value of `node` where its variables have `values`; None where it is not known to be rational.

    Raises:
        TooLargeError: a number on the way has more than `MAX_BITS` bits.
        ZeroDivisionError: a denominator is zero there.
    """
    if isinstance(node, Num):
        return node.value
    if isinstance(node, Sym):
        return values.get(node.name)
    if isinstance(node, Sum):
        total = Fraction(0)
        for item in node.items:
            value = exact(item, values)
            if value is None:
                return None
            total = _bounded(total + value)
        return total
    if isinstance(node, Prod):
        product = Fraction(1)
        for item in node.items:
            value = exact(item, values)
            if value is None:
                return None
            product = _bounded(product * value)
        return product
    if isinstance(node, Power):
        return _power(node, values)
    if isinstance(node, Quantity) and node.unit != "degree":
        value = exact(node.value, values)
        return value / 100 if value is not None and node.unit == "%" else value
    if isinstance(node, Bound):
        return _series(node, values)
    if isinstance(node, Call) and not node.free:
        return _call(node, values)
    return None


def _series(node: Bound, values: Mapping[str, Fraction]) -> Fraction | None:
    """A finite sum or product, term by term."""
    if node.kind not in ("sum", "prod"):
        return None
    low, high = exact(node.low, values), exact(node.high, values)
    if low is None or high is None or low.denominator != 1 or high.denominator != 1:
        return None
    if high - low > max_terms(node):
        raise TooLargeError
    total, work = Fraction(node.kind == "prod"), 0
    for index in range(low.numerator, high.numerator + 1):
        term = exact(node.body, {**values, node.name: Fraction(index)})
        if term is None:
            return None
        work += term.numerator.bit_length() + term.denominator.bit_length() + total.numerator.bit_length()
        if work > _MAX_WORK:
            raise TooLargeError
        total = _bounded(total + term if node.kind == "sum" else total * term)
    return total


def max_terms(node: Bound) -> int:
    """How many terms a finite sum or product may have: fewer where its terms are sums themselves."""
    return int(float(MAX_TERMS) ** (1 / _levels(node)) + 0.5)


def _levels(node: Node) -> int:
    return isinstance(node, Bound) + max(map(_levels, children(node)), default=0)


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise TooLargeError
    return value


def _power(node: Power, values: Mapping[str, Fraction]) -> Fraction | None:
    base, exponent = exact(node.base, values), exact(node.exponent, values)
    if base is None or exponent is None:
        return None
    if exponent.denominator != 1:
        return _rational_root(base, exponent)
    size = base.numerator.bit_length() + base.denominator.bit_length()
    if abs(exponent.numerator) * size > MAX_BITS and base not in (0, 1, -1):
        raise TooLargeError
    return base**exponent.numerator


def _rational_root(base: Fraction, exponent: Fraction) -> Fraction | None:
    """`base` to a fraction where that is rational (4 to the 3/2, -8 to the 1/3), else None."""
    index = exponent.denominator
    if (
        (base < 0 and index % 2 == 0)
        or index > 64
        or base.numerator.bit_length() + base.denominator.bit_length() > 4096
    ):
        return None
    above, below = _integer_root(abs(base.numerator), index), _integer_root(base.denominator, index)
    if above is None or below is None:
        return None
    root = Fraction(above if base >= 0 else -above, below)
    if abs(exponent.numerator) * (root.numerator.bit_length() + root.denominator.bit_length()) > MAX_BITS:
        raise TooLargeError
    return root**exponent.numerator


def _integer_root(value: int, index: int) -> int | None:
    if index == 2:
        root = math.isqrt(value)
    else:
        low, high = 0, 1 << (value.bit_length() // index + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**index <= value else (low, middle - 1)
        root = low
    return root if root**index == value else None


def _call(node: Call, values: Mapping[str, Fraction]) -> Fraction | None:
    args = [exact(arg, values) for arg in node.args]
    known = [arg for arg in args if arg is not None]
    if len(known) != len(args):
        return None
    first = known[0]
    if len(known) == 1:
        if node.name == "abs":
            return abs(first)
        if node.name in ("floor", "ceil"):
            return Fraction(math.floor(first) if node.name == "floor" else math.ceil(first))
        if node.name == "sign":
            return Fraction((first > 0) - (first < 0))
        if node.name == "factorial" and first.denominator == 1 and first >= 0:
            if first > 10_000:
                raise TooLargeError
            return Fraction(math.factorial(first.numerator))
    if node.name in ("min", "max"):
        return min(known) if node.name == "min" else max(known)
    integers = [arg.numerator for arg in known if arg.denominator == 1]
    if len(integers) == len(known) == 2:
        return _integer_call(node.name, integers[0], integers[1])
    return None


def _integer_call(name: str, left: int, right: int) -> Fraction | None:
    if name == "binom" and right >= 0 and left >= 0:
        if min(right, left - right) * left.bit_length() > MAX_BITS:
            raise TooLargeError
        return Fraction(math.comb(left, right))
    if name == "mod" and right:
        return Fraction(left % right)
    if name in ("gcd", "lcm"):
        return Fraction(math.gcd(left, right) if name == "gcd" else math.lcm(left, right))
    if name == "log" and left > 0 and right > 1:
        power = round(math.log(left, right)) if left.bit_length() < 1000 else 0
        return Fraction(power) if power < 10_000 and right**power == left else None
    return None
