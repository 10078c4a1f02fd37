"""Capitals as matrices, whose products do not commute: `P^{-1}AP` is not `PAP^{-1}`, `(AB)^{-1}` is `B^{-1}A^{-1}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from mcts_math.answer.values.evaluate import Point, UndefinedError, Value, evaluate, noise
from mcts_math.answer.values.nodes import Bound, Node, Num, Power, Sym, rename, symbols

_MARK: Final = " matrix"
# An inverse of letters that are hardly units or quantities of physics, or a transpose.
_TOLD: Final = re.compile(
    r"(?:[A-Z]|\([A-Z]{2,9}\))\^(?:\{T\}|T|\\top)(?![a-z])|[ABDEFGHPQSUXYZ]\)?\^\{-1\}"
    r"|(?<![A-Za-z])[A-Z] ?\\times ?[A-Z](?![A-Za-z])"  # of sets, or of vectors
)
_POINTS: Final = 3
_MAX_POWER: Final = 20


@dataclass(frozen=True, slots=True)
class Square:
    """Two rows of two fractions."""

    a: Fraction
    b: Fraction
    c: Fraction
    d: Fraction

    def __add__(self, other: Square) -> Square:
        return Square(self.a + other.a, self.b + other.b, self.c + other.c, self.d + other.d)

    def __mul__(self, other: Square) -> Square:
        return Square(
            self.a * other.a + self.b * other.c,
            self.a * other.b + self.b * other.d,
            self.c * other.a + self.d * other.c,
            self.c * other.b + self.d * other.d,
        )

    def transposed(self) -> Square:
        """Rows as columns."""
        return Square(self.a, self.c, self.b, self.d)

    def inverse(self) -> Square:
        """Its inverse. Raises ZeroDivisionError where there is none."""
        det = self.a * self.d - self.b * self.c
        return Square(self.d / det, -self.b / det, -self.c / det, self.a / det)


class Squares:
    """Matrices of two rows as a kind of numbers; a number is that multiple of the identity."""

    def number(self, value: Fraction) -> Value:
        """A rational number."""
        return Square(value, Fraction(0), Fraction(0), value)

    def constant(self, name: str) -> Value:
        """None is a fraction."""
        raise UndefinedError(name)

    def power(self, base: Value, node: Power, at: Point) -> Value:
        """Whole powers, and the transpose."""
        match node.exponent:
            case Sym("T") | Sym("T matrix"):
                return base.transposed()
            case Num(exponent) if exponent.denominator == 1 and abs(exponent) <= _MAX_POWER:
                value = self.number(Fraction(1))
                for _ in range(abs(int(exponent))):
                    value = value * (base if exponent > 0 else base.inverse())
                return value
        raise UndefinedError("no whole power")

    def call(self, name: str, args: list[Value], free: bool) -> Value:
        """None is known."""
        raise UndefinedError(name)

    def bound(self, node: Bound, at: Point) -> Value:
        """None is known."""
        raise UndefinedError(node.kind)

    def checked(self, value: Value) -> Value:
        """All are exact."""
        return value


def tells_of_matrices(text: str) -> bool:
    """Whether a text is a formula of capitals that must be matrices."""
    return len(text) < 100 and _TOLD.search(text) is not None


def as_matrices(node: Node) -> Node:
    """`node` with matrices for its capitals."""
    return rename(node, {name: name + _MARK for name in symbols(node) if len(name) == 1 and name.isupper()})


def matrices_equal(left: Node, right: Node) -> bool | None:
    """Whether two formulas of matrices are equal; None where there are none, or what is not known of them."""
    names = symbols(left) | symbols(right)
    if not any(name.endswith(_MARK) for name in names):
        return None
    try:
        return all(_at(left, names, index) == _at(right, names, index) for index in range(_POINTS))
    except UndefinedError:
        return None


def _at(node: Node, names: frozenset[str], index: int) -> Square:
    """The value at a test point, at which other letters are numbers."""
    using = Squares()
    entries = {name: [Fraction(noise(name, index, place) % 97 - 48) for place in range(4)] for name in names}
    at = {name: Square(*four) if name.endswith(_MARK) else using.number(four[0]) for name, four in entries.items()}
    value: Square = evaluate(node, at, using)
    return value
