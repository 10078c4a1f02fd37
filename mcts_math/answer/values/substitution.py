"""Other values or names for the variables of a tree."""

from __future__ import annotations

from collections.abc import Mapping

from mcts_math.answer.values.nodes import Node, Sym, rebuild


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """`node` with other values for its variables."""
    if isinstance(node, Sym):
        return values.get(node.name, node)
    return rebuild(node, lambda child: substitute(child, values))


def rename(node: Node, names: Mapping[str, str]) -> Node:
    """`node` with its variables renamed."""
    return substitute(node, {name: Sym(other) for name, other in names.items()})
