"""Step-level beam search, SBS(B1, B2) (SPEC A6)."""

from __future__ import annotations

from mcts_math.requests import Generation
from mcts_math.search.expand import Expansion, Search, grow, score
from mcts_math.tree import Node, Tree

_UNSCORED = float("-inf")


def beam_search(
    tree: Tree,
    expansion: Expansion,
    *,
    beam_width: int,
    num_samples: int,
    use_value: bool,
    too_long_value: float = -1.0,
) -> Search:
    """Keeps the best partial solutions of each depth; every solution found or lost narrows the beam by one.

    Args:
        tree: holds the root only; `tree.solutions` is set, best value first.
        expansion: how nodes are expanded.
        beam_width: B1.
        num_samples: B2, samples of each beam; the first step draws B1 · B2 from the root.
        use_value: rank by the value head; else by sampling order.
        too_long_value: value of a node whose prompt does not fit the context.
    """
    beam, width = [tree.root], beam_width
    for depth in range(expansion.max_depth):
        if not beam:
            break
        count = num_samples * (beam_width if depth == 0 else 1)
        replies = yield [expansion.generate(tree, node, count) for node in beam]
        candidates: list[Node] = []
        for node, reply in zip(beam, replies, strict=True):
            assert isinstance(reply, Generation)
            if reply.too_long:
                node.terminal, node.value = True, too_long_value
                width -= 1
            else:
                candidates += yield from grow(expansion, tree, node, reply)
        if use_value:
            yield from _score_all(tree, expansion, candidates, too_long_value)
        # sorted() is stable: equal values keep their sampling order.
        kept = sorted(candidates, key=_rank, reverse=True)[:width]
        found = tree.solutions + [node.id for node in kept if node.answer is not None]
        tree.solutions = sorted(found, key=lambda i: _rank(tree.nodes[i]), reverse=True)
        beam = [node for node in kept if not node.terminal]
        width -= len(kept) - len(beam)


def _score_all(tree: Tree, expansion: Expansion, nodes: list[Node], too_long_value: float) -> Search:
    values = yield from score(expansion, tree, nodes)
    for node, value in zip(nodes, values, strict=True):
        node.value = too_long_value if value is None else value
        if value is None and node.answer is None:
            node.terminal = True


def _rank(node: Node) -> float:
    return _UNSCORED if node.value is None else node.value
