"""The tree that an answer is read into: small frozen values, no behaviour but printing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import attrgetter
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Num:
    """A rational number. `digits` and `places` tell how a decimal was written; both are 0 for exact numbers."""

    value: Fraction
    digits: int = 0  # significant digits written, 0 where the number is exact (integer, fraction)
    places: int = 0  # digits after the point (negative powers of ten that the last digit stands for)


@dataclass(frozen=True, slots=True)
class Const:
    """One of pi, e, i, oo, nan, true, false."""

    name: str


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms added up."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Prod:
    """Factors multiplied."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """`base` to `exponent`; `root` marks an explicit real root (`\\sqrt[3]{x}`)."""

    base: Node
    exponent: Node
    root: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments. `free` marks a function that has no meaning of its own, such as f in f(x)."""

    name: str
    args: tuple[Node, ...]
    free: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A sum, product, integral or limit (`kind` sum, prod, int, lim) of `body` over the variable `name`.

    A limit has its point as both ends. `family`: `body` for every integer `name`; its ends mean nothing.
    """

    kind: str
    body: Node
    name: str
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class Cases:
    """A piecewise function: (value, condition) pairs; the condition is None for "otherwise"."""

    rows: tuple[tuple[Node, Node | None], ...]


@dataclass(frozen=True, slots=True)
class PlusMinus:
    """`left ± right`; `sign` is -1 for ∓."""

    left: Node
    right: Node
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a unit, `%` and degree among them."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Group:
    """Items between brackets; both brackets are empty for a list without them.

    `spaced`: printed as Python does. `array`: printed by numpy, so that its brackets are no interval's.
    """

    left: str
    right: str
    items: tuple[Node, ...]
    spaced: bool = False
    array: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain `items[0] ops[0] items[1] ops[1] …` of =, !=, <, <=, >, >=, ~ (about), in."""

    ops: tuple[str, ...]
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class SetOp:
    """`cup`, `cap`, `minus` of sets, `and`, `or` of conditions."""

    op: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """`a : b : …`; `clock` marks what may as well be a time of day."""

    items: tuple[Node, ...]
    clock: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """Minutes after midnight or noon; `half` is am, pm or empty."""

    minutes: int
    half: str


@dataclass(frozen=True, slots=True)
class Text:
    """Words; `choice` marks a letter that names one of several choices."""

    words: str
    choice: bool = False


Node: TypeAlias = (
    Num
    | Const
    | Sym
    | Sum
    | Prod
    | Power
    | Call
    | Bound
    | Cases
    | PlusMinus
    | Quantity
    | Group
    | Relation
    | SetOp
    | Matrix
    | Ratio
    | Time
    | Text
)

ZERO = Num(Fraction(0))
ONE = Num(Fraction(1))
MINUS_ONE = Num(Fraction(-1))
HALF = Num(Fraction(1, 2))
PI = Const("pi")
IMAGINARY = Const("i")
INFINITY = Const("oo")
EMPTY_SET = Group("{", "}", ())
UNDEFINED = Const("nan")
DOTS = Sym("…")


def negate(node: Node) -> Node:
    """Minus `node`; a number stays a number."""
    if isinstance(node, Num):
        return Num(-node.value, node.digits, node.places)
    if isinstance(node, Quantity):
        return Quantity(negate(node.value), node.unit)
    if isinstance(node, Prod):
        return Prod((MINUS_ONE, *node.items))
    return Prod((MINUS_ONE, node))


_CHILDREN: dict[type, Callable[[Any], tuple[Node, ...]]] = {
    **dict.fromkeys((Sum, Prod, Group, Relation, SetOp, Ratio), attrgetter("items")),
    Power: lambda node: (node.base, node.exponent),
    Call: attrgetter("args"),
    Bound: lambda node: (node.body, node.low, node.high),
    Cases: lambda node: tuple(part for row in node.rows for part in row if part is not None),
    PlusMinus: lambda node: (node.left, node.right),
    Quantity: lambda node: (node.value,),
    Matrix: lambda node: tuple(cell for row in node.rows for cell in row),
}


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below `node`."""
    getter = _CHILDREN.get(type(node))
    return () if getter is None else getter(node)


def rebuild(node: Node, change: Callable[[Node], Node]) -> Node:
    """`node` with each node right below it changed."""
    if isinstance(node, (Sum, Prod, SetOp, Relation, Ratio, Group)):
        return replace(node, items=tuple(map(change, node.items)))
    if isinstance(node, Power):
        return Power(change(node.base), change(node.exponent), node.root)
    if isinstance(node, Call):
        return Call(node.name, tuple(map(change, node.args)), node.free)
    if isinstance(node, Quantity):
        return Quantity(change(node.value), node.unit)
    if isinstance(node, Bound):
        return replace(node, body=change(node.body), low=change(node.low), high=change(node.high))
    if isinstance(node, PlusMinus):
        return PlusMinus(change(node.left), change(node.right), node.sign)
    if isinstance(node, Matrix):
        return Matrix(tuple(tuple(map(change, row)) for row in node.rows))
    if isinstance(node, Cases):
        return Cases(tuple((change(value), None if at is None else change(at)) for value, at in node.rows))
    return node
