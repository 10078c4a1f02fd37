"""Greedy ReAct: one chain, one sample a step."""

from __future__ import annotations

from mcts_math.requests import Generation
from mcts_math.search.expand import Expansion, Search, grow
from mcts_math.step import Outcome
from mcts_math.tree import Tree


def react(tree: Tree, expansion: Expansion, *, too_long_value: float = -1.0) -> Search:
    """Grows one chain until a step ends it, at the latest by a step deeper than `max_depth`.

    Args:
        tree: holds the root only.
        expansion: how nodes are expanded.
        too_long_value: value of a node whose prompt does not fit the context.
    """
    node = tree.root
    while not node.terminal:
        (generation,) = yield [expansion.generate(tree, node, 1)]
        assert isinstance(generation, Generation)
        if generation.too_long:
            node.value = too_long_value
            tree.close(node)
            return
        (node,) = yield from grow(expansion, tree, node, generation)
    if node.answer is not None or (node.step is not None and node.step.outcome is Outcome.REPLY):
        tree.solutions = [node.id]
