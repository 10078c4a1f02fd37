"""The value of a tree in any kind of numbers: exact, residues, floats, fifty digits. One walk for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from operator import add, mul
from typing import Any, Final, Protocol

from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import Bound, Call, Const, Matrix, Node, Num, Power, Prod, Quantity, Sum, Sym

Value = Any  # whatever a kind of numbers computes with: fractions, integers, floats, mpmath's numbers (without types)
Point = Mapping[str, Value]
MAX_TERMS: Final = 10_000


class UndefinedError(Exception):
    """The expression has no value there, or none in this kind of numbers."""


class OutOfRangeError(UndefinedError):
    """There may be a value, but these numbers can't hold it."""


class Numbers(Protocol):
    """A kind of numbers: what the operators + and * of its values do not tell."""

    def number(self, value: Fraction) -> Value:
        """A rational number."""

    def constant(self, name: str) -> Value:
        """pi, e or i."""

    def power(self, base: Value, node: Power, at: Point) -> Value:
        """`node`, the base of which has the value `base`."""

    def call(self, name: str, args: list[Value], free: bool) -> Value:
        """A function of arguments; `free`: one without a meaning of its own."""

    def bound(self, node: Bound, at: Point) -> Value:
        """A sum, product, integral or limit."""

    def checked(self, value: Value) -> Value:
        """`value`, if these numbers can hold it."""


def evaluate(node: Node, at: Point, using: Numbers) -> Value:
    """The value of `node` where its variables have the values `at`.

    Raises:
        OutOfRangeError: no value that these numbers can hold.
        UndefinedError: no value there.
    """
    try:
        return using.checked(value_of(node, at, using))
    except OverflowError as error:
        raise OutOfRangeError(str(error)) from error
    except (ArithmeticError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UndefinedError(str(error)) from error


def value_of(node: Node, at: Point, using: Numbers) -> Value:
    """As `evaluate`, for a part of a tree; errors are those of the numbers."""
    rule = _RULES.get(type(node))
    if rule is None:
        raise UndefinedError("no number")
    return rule(node, at, using)


def noise(*parts: object) -> int:
    """32 bytes that look random, the same for the same parts. No checksum: those of similar parts are alike."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=32).digest(), "big")


def _joined(node: Sum | Prod, at: Point, using: Numbers) -> Value:
    join = add if isinstance(node, Sum) else mul
    total = value_of(node.items[0], at, using)
    for item in node.items[1:]:
        total = using.checked(join(total, value_of(item, at, using)))
    return total


def _quantity(node: Quantity, at: Point, using: Numbers) -> Value:
    value = value_of(node.value, at, using)
    if node.unit == "degree":
        return value * using.constant("pi") * using.number(Fraction(1, 180))
    return value * using.number(Fraction(1, 100)) if node.unit == "%" else value


def _call(node: Call, at: Point, using: Numbers) -> Value:
    if node.name == "det":
        return _determinant(node.args[0], at, using)
    return using.call(node.name, [value_of(arg, at, using) for arg in node.args], node.free)


def _determinant(node: Node, at: Point, using: Numbers) -> Value:
    if not isinstance(node, Matrix) or len(node.rows) != len(node.rows[0]) or len(node.rows) > 4:
        raise UndefinedError("no square matrix of at most four rows")

    def expand(rows: list[list[Value]]) -> Value:
        if len(rows) == 1:
            return rows[0][0]
        return sum(
            (-1) ** i * cell * expand([row[:i] + row[i + 1 :] for row in rows[1:]]) for i, cell in enumerate(rows[0])
        )

    return expand([[value_of(cell, at, using) for cell in row] for row in node.rows])


def series(node: Bound, at: Point, using: Numbers, low: Value, high: Value) -> Value:
    """A finite sum or product, term by term."""
    first, last = int(low), int(high)
    if (first, last) != (low, high):
        raise UndefinedError("a series with ends that are no integers")
    if last - first > int(MAX_TERMS ** (1 / _levels(node)) + 0.5):  # fewer where its terms are sums themselves
        raise OutOfRangeError("a series with too many terms")
    total = using.number(Fraction(node.kind == "prod"))
    for index in range(first, last + 1):
        term = value_of(node.body, {**at, node.name: using.number(Fraction(index))}, using)
        total = using.checked(total + term if node.kind == "sum" else total * term)
    return total


def _levels(node: Node) -> int:
    return isinstance(node, Bound) + max(map(_levels, tree.children(node)), default=0)


_RULES: Final[dict[type, Callable[[Any, Point, Numbers], Value]]] = {
    Num: lambda node, at, using: using.number(node.value),
    Sym: lambda node, at, using: at[node.name],
    Const: lambda node, at, using: using.constant(node.name),
    Sum: _joined,
    Prod: _joined,
    Power: lambda node, at, using: using.power(value_of(node.base, at, using), node, at),
    Quantity: _quantity,
    Call: _call,
    Bound: lambda node, at, using: using.bound(node, at),
}
