"""Vectors written as sums: unit vectors i, j, k, and points of a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcts_math.answer.values.nodes import IMAGINARY, ONE, ZERO, Group, Node, Num, Prod, Relation, Sum, Sym
from mcts_math.answer.values.points import symbols
from mcts_math.answer.values.substitution import substitute

MARK: Final = "^"  # ends the name of a unit vector
_UNITS: Final = ("i" + MARK, "j" + MARK, "k" + MARK)


def components(node: Node) -> Node:
    """`node` with sums of unit vectors as tuples of their coefficients; a lone bold letter is that letter."""
    if isinstance(node, Relation):
        return Relation(node.ops, tuple(map(components, node.items)))
    if isinstance(node, Group):
        return replace(node, items=tuple(map(components, node.items)))
    used = [name for name in _UNITS if name in symbols(node)]
    if not used:
        return node
    if len(used) == 1:
        letter = used[0][0]
        return substitute(node, {used[0]: IMAGINARY if letter == "i" else Sym(letter)})
    size = 3 if _UNITS[2] in used else 2
    zeros: dict[str, Node] = dict.fromkeys(_UNITS, ZERO)
    return Group("(", ")", tuple(substitute(node, {**zeros, name: ONE}) for name in _UNITS[:size]))


def vector_sum(node: Sum) -> Group | None:
    """`(1, 0, 2) + t (3, 1, -1)` as one tuple; None where the terms are no vectors of one length."""
    terms = [_multiple(item) for item in node.items]
    known = [term for term in terms if term is not None]
    if len(known) != len(terms) or len({len(vector.items) for _, vector in known}) != 1:
        return None
    size = len(known[0][1].items)
    return Group(
        "(", ")", tuple(Sum(tuple(_scaled(factors, vector.items[i]) for factors, vector in known)) for i in range(size))
    )


def _multiple(node: Node) -> tuple[tuple[Node, ...], Group] | None:
    """A tuple of two or more, with what it is multiplied by."""
    factors = node.items if isinstance(node, Prod) else (node,)
    vectors = [item for item in factors if isinstance(item, Group)]
    if len(vectors) != 1 or vectors[0].left != "(" or vectors[0].right != ")" or len(vectors[0].items) < 2:
        return None
    return tuple(item for item in factors if item is not vectors[0]), vectors[0]


def _scaled(factors: tuple[Node, ...], item: Node) -> Node:
    if all(isinstance(factor, Num) and factor == ONE for factor in factors):
        return item
    return Prod((*factors, item))
