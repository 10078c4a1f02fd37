"""What the searches share that share out samples by value: the steps of a round, with their values and answers."""

from __future__ import annotations

from collections.abc import Sequence

from mcts_math.requests import Generation, Reply
from mcts_math.search.expand import CONTEXT_LENGTH, Asking, Expansion, by_value, grow, score
from mcts_math.tree import Node, Tree


def grow_all(
    expansion: Expansion, tree: Tree, nodes: Sequence[Node], replies: Sequence[Reply]
) -> Asking[list[list[Node]]]:
    """The children of each node, with values; their answers are solutions, best value first.

    A node whose prompt does not fit the context ends there. Answers are solutions from the moment they are there, so
    that a search that is cut short keeps them.
    """
    grown: list[list[Node]] = []
    for node, reply in zip(nodes, replies, strict=True):
        assert isinstance(reply, Generation)
        grown.append([])
        if reply.too_long:
            tree.stopped, node.terminal = CONTEXT_LENGTH, True
        else:
            grown[-1] += yield from grow(expansion, tree, node, reply)
        tree.solutions += [child.id for child in grown[-1] if child.answer is not None]
    new = [node for children in grown for node in children]
    for node, value in zip(new, (yield from score(expansion, tree, new)), strict=True):
        node.value = value
    tree.solutions.sort(key=lambda i: by_value(tree.nodes[i]), reverse=True)
    return grown
