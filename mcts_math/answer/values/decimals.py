"""Decimals as they were written, and when one of them is a rounding of a value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mcts_math.answer.values.nodes import Node, Num, children
from mcts_math.answer.verdict import Policy

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
