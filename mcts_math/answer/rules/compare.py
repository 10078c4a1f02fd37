"""Whether two values are equal: by the rule for their kinds."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import Final, NamedTuple

from mcts_math.answer.text.vocabulary import PARAMETERS
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.matrices import as_tuple, coefficients
from mcts_math.answer.values.nodes import Call, Group, Node, Num, Power, Prod, rename, symbols
from mcts_math.answer.values.shapes import (
    as_rows,
    assignments,
    definite_set,
    is_compound,
    is_congruence,
    is_family,
    named_point,
    over_integers,
    unwrap,
)
from mcts_math.answer.verdict import Policy

_KIND_OF: Final[dict[type, str]] = {
    tree.Text: "text",
    tree.Relation: "relation",
    tree.Cases: "cases",
    Group: "collection",
    tree.Matrix: "collection",
    tree.Time: "time",
    tree.Ratio: "ratio",
    tree.Quantity: "quantity",
}


_AXES: Final = tuple(f"e_{index}" for index in range(1, 10))  # unit vectors
_BASIS: Final = {tree.IMAGINARY: _AXES[0], tree.Sym("j"): _AXES[1], tree.Sym("k"): _AXES[2]}
_TRUTH: Final = {"T": "true", "F": "false"}


class Decision(NamedTuple):
    """Whether two values are equal, and the rule that says so."""

    equal: bool
    reason: str


def compare(left: Node, right: Node, policy: Policy) -> Decision:
    """Compares two values, by the rule of the kind that comes first in the table. Symmetric in them."""
    from mcts_math.answer.rules.check import KINDS, RULES  # here: the rules of wholes compare their parts

    left, right = _as_meant(left, right), _as_meant(right, left)
    names = {named[0] for node in (left, right) if (named := named_point(node)) is not None}
    if len(names) > 1:
        return Decision(False, "different points or distributions")
    left, right = over_integers(unwrap(left), "k"), over_integers(unwrap(right), "k")
    right = _of_same_parameter(left, right)
    if left == right:
        return Decision(True, "read as the same value")
    own, other = sorted((left, right), key=lambda node: KINDS.index(kind(node)))
    return RULES[kind(own)](own, other, policy)


def _of_same_parameter(left: Node, right: Node) -> Node:
    """The point `right` with the parameter of `left`: `(1+t, 2t)` and `(1+s, 2s)` are one line."""
    if not isinstance(left, Group) or not isinstance(right, Group) or len(left.items) != len(right.items):
        return right
    named = assignments(left), assignments(right)
    if named[0] is not None and named[1] is not None and named[0].keys() == named[1].keys():
        items = [*named[0].values(), *named[1].values()]
    elif left.left + left.right == right.left + right.right == "()":
        items = [*left.items, *right.items]
    else:
        return right
    halves = items[: len(items) // 2], items[len(items) // 2 :]
    mine, theirs = (frozenset[str]().union(*map(symbols, half)) for half in halves)
    if len(mine) != 1 or len(theirs) != 1 or mine == theirs or not mine | theirs <= PARAMETERS:
        return right
    moving = sum(bool(symbols(item)) for item in items)
    return rename(right, {next(iter(theirs)): next(iter(mine))}) if moving > 3 else right


def _as_meant(node: Node, other: Node) -> Node:
    """`P(5, 2)` and `φ(10)`, against a number, as the count of choices and of coprimes; T, against true, as true.

    `B(2, 1)`, against a distribution of that name, as one: `\\text{B}(2, 1)`.
    """
    match node:
        case tree.Sym(name) if name.startswith("I_") and (rows := as_rows(other)) and name == f"I_{len(rows)}":
            return tree.Matrix(
                tuple(coefficients(tree.Sym(axis), _AXES[: len(rows)]).items for axis in _AXES[: len(rows)])
            )
        case tree.Sum() | Prod() | tree.Sym() if symbols(node) & {*_AXES} and (vector := as_tuple(other)) is not None:
            return coefficients(node, _AXES[: len(vector.items)])
        case tree.Sum() if len({*_BASIS} & {*tree.walk(node)}) > 1 and (vector := as_tuple(other)) is not None:
            return coefficients(_with_axes(node), _AXES[: len(vector.items)])  # 3i + 4j
        case Prod((tree.Sym(name), Group(_, _, items))) if isinstance(other, Call) and other.name == name.lower():
            return Call(other.name, items, free=True)
        case tree.Sym("T" | "F" as letter) if isinstance(other, tree.Const) and other.name in _TRUTH.values():
            return tree.Const(_TRUTH[letter])
        case Call("phi", (Num(n),), True) | Prod((tree.Sym("phi"), Num(n))) if isinstance(other, Num) and n < 10**4:
            return Num(Fraction(sum(gcd(k, int(n)) == 1 for k in range(1, int(n) + 1)))) if n.denominator == 1 else node
        case Call("P", (Num(all_of), Num(chosen)), True) if kind(other) == "scalar" and not symbols(other):
            if all_of.denominator == chosen.denominator == 1 and 0 < chosen <= all_of and other != node:
                below = Call("factorial", (Num(all_of - chosen),))
                return Prod((Call("factorial", (Num(all_of),)), Power(below, tree.MINUS_ONE)))
    return node


def _with_axes(node: Node) -> Node:
    return tree.Sym(_BASIS[node]) if node in _BASIS else tree.rebuild(node, _with_axes)


def kind(node: Node) -> str:
    """Which rules may apply to a value: a key of the table."""
    if is_congruence(node):
        return "congruence"
    if isinstance(node, Call) and node.name == "span":
        return "span"
    if is_family(node):
        return "family"
    if is_compound(node):
        return "proposition"
    return "set" if definite_set(node) else _KIND_OF.get(type(node), "scalar")
