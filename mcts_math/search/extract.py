"""Offline inference: choosing solutions from a complete tree, without a model (SPEC A8).

Departure: `puct` uses the config's c_puct; the published script always used its default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from mcts_math.search.expansion import by_value
from mcts_math.tree import Node, Tree, puct

Strategy: TypeAlias = Literal["value", "puct", "q_value", "visit_count"]


def prune(tree: Tree) -> set[int]:
    """Ids of the nodes that lead to a valid answer; the root always counts."""
    alive = {0}
    for node in reversed(tree.nodes):
        if tree.is_solution(node) or node.id in alive:
            alive.add(node.id)
            alive.add(max(node.parent, 0))
    return alive


def extract(
    tree: Tree, *, strategy: Strategy, beam_width: int = 1, c_puct: float = 1.25, pruned: bool = False
) -> list[int]:
    """Walks down a complete tree, keeping the `beam_width` (B1) best children of each depth, one fewer for every
    solution found or dead end; ids of the answers found, best first. `pruned` leaves out subtrees without a valid
    answer."""
    alive = prune(tree) if pruned else None
    rankings: dict[Strategy, Callable[[Node], float]] = {
        "value": by_value,
        "q_value": lambda node: node.q_value,
        "visit_count": lambda node: node.visit_count,
        "puct": lambda node: puct(node, tree.nodes[node.parent].visit_count, c_puct),
    }
    rank = rankings[strategy]
    beam, width = [tree.root], beam_width
    solutions: list[Node] = []
    while beam:
        candidates = [c for node in beam for c in tree.children(node) if alive is None or c.id in alive]
        kept = sorted(candidates, key=rank, reverse=True)[:width]
        solutions += [node for node in kept if tree.is_solution(node)]
        beam = [node for node in kept if node.children]
        width -= len(kept) - len(beam)
    return [node.id for node in sorted(solutions, key=rank, reverse=True)]
