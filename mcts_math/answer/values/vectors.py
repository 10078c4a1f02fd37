"""Vectors written with the unit vectors i, j, k."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcts_math.answer.values.nodes import IMAGINARY, ONE, ZERO, Group, Node, Relation, Sym, substitute, symbols

MARK: Final = "^"  # ends the name of a unit vector
_UNITS: Final = ("i" + MARK, "j" + MARK, "k" + MARK)


def components(node: Node) -> Node:
    """`node` with sums of unit vectors as tuples of their coefficients; a lone bold letter is that letter."""
    names = symbols(node)
    used = [name for name in _UNITS if name in names]
    if not used:
        return node
    if isinstance(node, (Group, Relation)):
        return replace(node, items=tuple(map(components, node.items)))
    if len(used) == 1:
        letter = used[0][0]
        return substitute(node, {used[0]: IMAGINARY if letter == "i" else Sym(letter)})
    size = 3 if _UNITS[2] in used else 2
    zeros: dict[str, Node] = dict.fromkeys(_UNITS, ZERO)
    return Group("(", ")", tuple(substitute(node, {**zeros, name: ONE}) for name in _UNITS[:size]))
