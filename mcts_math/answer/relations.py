"""Equations and conditions: the value that a label carries, and when two equations say the same."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from mcts_math.answer.arithmetic import FloatArithmetic, UndefinedError, evaluate
from mcts_math.answer.nodes import (
    MINUS_ONE,
    Call,
    Const,
    Group,
    Node,
    Num,
    Power,
    Prod,
    Relation,
    Sum,
    Sym,
    Text,
    negate,
)
from mcts_math.answer.scalars import point, rename, scalars_equal, symbols
from mcts_math.answer.verdict import Policy

_COORDINATES = frozenset({"x", "y", "z", "t", "r", "theta"})


class _Decision(Protocol):
    @property
    def equal(self) -> bool: ...


Compare = Callable[[Node, Node, Policy], _Decision]


def label_value(relation: Relation) -> Node | None:
    """What the relation says its left side is: 5 in `x = 5`, S in `x in S`; None where it is a true equation.

    A chain `A = B ≈ C` is its exact part. Two equal numbers (`2 + 2 = 4`) are that number.
    """
    relation = _label_first(relation)
    first, op = relation.items[0], relation.ops[0]
    if op == "in":
        return relation.items[1]
    if op == "~":
        return first if not _is_label(first, relation.items[1]) else relation.items[1]
    if op != "=" or any(other not in ("=", "~") for other in relation.ops):
        return None
    if _is_label(first, relation.items[1]):
        return relation.items[1] if "~" in relation.ops[1:] else relation.items[-1]
    numbers = not symbols(first) and not symbols(relation.items[1]) and not isinstance(first, (Group, Text))
    return first if numbers and scalars_equal(first, relation.items[1], Policy(rounding=False)) else None


def _label_first(relation: Relation) -> Relation:
    """`5 = x` as `x = 5`."""
    if relation.ops != ("=",):
        return relation
    left, right = relation.items
    named = isinstance(right, Sym) or (isinstance(right, Call) and right.free)
    if named and _is_label(right, left) and not _is_label(left, right):
        return Relation(relation.ops, (right, left))
    return relation


def _is_label(left: Node, right: Node) -> bool:
    """Whether `left` only names what is on the right."""
    if isinstance(left, (Sym, Text)) or (isinstance(left, Call) and left.free):
        return not (isinstance(left, Sym) and left.name in symbols(right))
    if isinstance(left, Group):
        return all(isinstance(item, (Sym, Const)) for item in left.items)
    names = symbols(left)
    if not names or symbols(right):
        return False
    if isinstance(left, Call):
        return True
    return not names & _COORDINATES and (isinstance(left, Sum) or all(name[0].isupper() for name in names))


def assignments(node: Node) -> dict[str, Node] | None:
    """The values by name in `x = 1, y = 2`, `{x: 1, y: 2}`, `(x, y) = (1, 2)`; None for anything else."""
    items = node.items if isinstance(node, Group) else (node,)
    values: dict[str, Node] = {}
    for item in items:
        if not isinstance(item, Relation) or item.ops != ("=",) or not items:
            return None
        left, right = item.items
        if isinstance(left, Sym) and left.name not in values:
            values[left.name] = right
        elif isinstance(left, Group) and isinstance(right, Group) and len(left.items) == len(right.items):
            for name, value in zip(left.items, right.items, strict=True):
                if not isinstance(name, Sym) or name.name in values:
                    return None
                values[name.name] = value
        else:
            return None
    return values or None


def relations_equal(left: Relation, right: Relation, policy: Policy, compare: Compare) -> bool:
    """Whether two equations (or inequalities in several variables) say the same."""
    left, right = _label_first(left), _label_first(right)
    values = label_value(left), label_value(right)
    if values[0] is not None and values[1] is not None:
        names = left.items[0], right.items[0]
        if names[0] == names[1] or isinstance(names[0], Text) or isinstance(names[1], Text):
            return compare(values[0], values[1], policy).equal
        if all(isinstance(name, Group) for name in names):
            return compare(values[0], values[1], policy).equal
        if all(_is_function_name(name) for name in names):
            return compare(values[0], _renamed(values[1], names[1], names[0]), policy).equal
    if len(left.items) == len(right.items) == 2 and not any(
        isinstance(i, (Group, Text)) for i in left.items + right.items
    ):
        return _same_equation(left, right)
    return _same_chain(left, right, policy, compare)


def _is_function_name(name: Node) -> bool:
    """f(x), or y: what a function may be called. f(2) is a number."""
    if isinstance(name, Call):
        return name.free and all(isinstance(arg, Sym) and arg.name.islower() for arg in name.args)
    return name == Sym("y")


def _renamed(value: Node, name: Node, other: Node) -> Node:
    """g(t) = t + 1 is f(x) = x + 1."""
    if isinstance(name, Call) and isinstance(other, Call) and len(name.args) == len(other.args) == 1:
        mine, theirs = name.args[0], other.args[0]
        if isinstance(mine, Sym) and isinstance(theirs, Sym) and mine != theirs:
            return rename(value, {mine.name: theirs.name})
    return value


_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def _same_chain(left: Relation, right: Relation, policy: Policy, compare: Compare) -> bool:
    if left.ops[0] in (">", ">=") and right.ops[0] in ("<", "<="):
        right = Relation(tuple(_FLIPPED.get(op, op) for op in right.ops[::-1]), right.items[::-1])
    elif right.ops[0] in (">", ">=") and left.ops[0] in ("<", "<="):
        left = Relation(tuple(_FLIPPED.get(op, op) for op in left.ops[::-1]), left.items[::-1])
    return left.ops == right.ops and all(
        compare(a, b, policy).equal for a, b in zip(left.items, right.items, strict=True)
    )


def _same_equation(left: Relation, right: Relation) -> bool:
    """Whether the differences of both sides are proportional, by a constant that is positive for an inequality."""
    op = right.ops[0]
    first, second = _difference(left), _difference(right)
    if _FLIPPED.get(left.ops[0]) == op != left.ops[0]:
        second, op = negate(second), left.ops[0]
    if left.ops[0] != op or op not in _FLIPPED:
        return False
    names = symbols(first) | symbols(second)
    if not names or symbols(first) != symbols(second):
        return False
    ratio = _ratio(first, second, names)
    if ratio is None or (op in ("<", "<=", ">", ">=") and ratio < 0):
        return False
    return scalars_equal(first, Prod((Num(ratio), second)), Policy(rounding=False)) or _ratios_constant(
        first, second, names
    )


def _difference(relation: Relation) -> Node:
    return Sum((relation.items[0], negate(relation.items[1])))


def _ratio(first: Node, second: Node, names: frozenset[str]) -> Fraction | None:
    """The ratio of two expressions at a point where both have a value, near a simple fraction where it is one."""
    for index in range(6):
        values = {name: float(value) for name, value in point(names, index).items()}
        try:
            a, b = (evaluate(node, values, FloatArithmetic(real=True)) for node in (first, second))
        except UndefinedError:
            continue
        if a and b:
            ratio = Fraction(a / b)
            simple = ratio.limit_denominator(10_000)
            return simple if abs(simple - ratio) <= abs(ratio) / 10**9 else ratio
    return None


def _ratios_constant(first: Node, second: Node, names: frozenset[str]) -> bool:
    """Whether first/second is one irrational constant."""
    values = {name: Num(value) for name, value in point(names, 1).items()}

    def at(node: Node) -> Node:
        return substitute(node, values)

    constant = Prod((at(first), Power(at(second), MINUS_ONE)))
    return scalars_equal(first, Prod((constant, second)), Policy(rounding=False))


def substitute(node: Node, values: dict[str, Num]) -> Node:
    """`node` with numbers for its variables (expressions only)."""
    if isinstance(node, Sym):
        return values.get(node.name, node)
    if isinstance(node, (Sum, Prod)):
        return type(node)(tuple(substitute(item, values) for item in node.items))
    if isinstance(node, Power):
        return Power(substitute(node.base, values), substitute(node.exponent, values), node.root)
    if isinstance(node, Call):
        return Call(node.name, tuple(substitute(arg, values) for arg in node.args), node.free)
    return node
