"""The tree that an answer is read into: small frozen values, no behaviour but printing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TypeAlias

from mcts_math.answer.text.units import Unit


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
    """A function of arguments. `free` marks a function that has no meaning of its own, such as f in f(x).

    `a ± b` is the function ± of a and b until `tidy` has made values of it, and ∓ the other.
    """

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
class Quantity:
    """A value with a unit, `%` and degree among them."""

    value: Node
    unit: Unit


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
PARTIAL = Sym("∂")  # the sign of a derivative by one of several variables


def joined(kind: type[Sum] | type[Prod], items: Sequence[Node]) -> Node:
    """The sum or product of `items`; a single one is that one."""
    return items[0] if len(items) == 1 else kind(tuple(items))


def listing(items: Sequence[Node]) -> Node:
    """A list without brackets; a single item is that one."""
    return items[0] if len(items) == 1 else Group("", "", tuple(items))


def negate(node: Node) -> Node:
    """Minus `node`; a number stays a number, and a tuple one."""
    if isinstance(node, Num):
        return Num(-node.value, node.digits, node.places)
    if isinstance(node, Quantity):
        return Quantity(negate(node.value), node.unit)
    if isinstance(node, Group) and node.left + node.right == "()":
        return replace(node, items=tuple(map(negate, node.items)))
    return Prod((MINUS_ONE, *(node.items if isinstance(node, Prod) else (node,))))


_PARTS: Final[dict[type, tuple[str, ...]]] = {
    **dict.fromkeys((Sum, Prod, Group, Relation, SetOp, Ratio), ("items",)),
    Power: ("base", "exponent"),
    Call: ("args",),
    Bound: ("body", "low", "high"),
    Quantity: ("value",),
    **dict.fromkeys((Cases, Matrix), ("rows",)),
}


_CHILDREN: Final[dict[type, Callable[[Any], tuple[Node, ...]]]] = {
    **{kind: attrgetter(*names) for kind, names in _PARTS.items()},
    Quantity: lambda node: (node.value,),
    **dict.fromkeys((Cases, Matrix), lambda node: tuple(part for row in node.rows for part in row if part is not None)),
}


def children(node: Node) -> tuple[Node, ...]:
    getter = _CHILDREN.get(type(node))
    return () if getter is None else getter(node)


def rebuild(node: Node, change: Callable[[Node], Node]) -> Node:
    """`node` with each node right below it changed."""

    def changed(part: Any) -> Any:
        return tuple(map(changed, part)) if isinstance(part, tuple) else None if part is None else change(part)

    names = _PARTS.get(type(node), ())
    return replace(node, **{name: changed(getattr(node, name)) for name in names}) if names else node


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it."""
    yield node
    for child in children(node):
        yield from walk(child)


@lru_cache(maxsize=4096)
def symbols(node: Node) -> frozenset[str]:
    """Names of the variables in `node`."""
    if isinstance(node, Sym):
        return frozenset({node.name})
    names: frozenset[str] = frozenset()
    for child in children(node):
        names |= symbols(child)
    return names - {node.name} if isinstance(node, Bound) else names


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """`node` with other values for its variables."""
    if isinstance(node, Sym):
        return values.get(node.name, node)
    return rebuild(node, lambda child: substitute(child, values))


def rename(node: Node, names: Mapping[str, str]) -> Node:
    return substitute(node, {name: Sym(other) for name, other in names.items()})
