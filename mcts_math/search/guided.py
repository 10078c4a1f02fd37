"""What the searches share that share out samples by value: the steps of a round, with their values and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from mcts_math.requests import Generation
from mcts_math.search.attempts import deal, side_by_side
from mcts_math.search.expand import grow
from mcts_math.search.expansion import CONTEXT_LENGTH, Asking, Expansion, ask_samples, rank_solutions, score
from mcts_math.settings import Integer
from mcts_math.tree import Node, Tree

Lookahead = Annotated[
    Integer,
    Field(
        description="likeliest further steps that are written to rank a step by the value at their end; 0: by its own",
        ge=0,
    ),
]


def grow_all(
    expansion: Expansion, tree: Tree, shares: Sequence[tuple[Node, int]], lookahead: int = 0
) -> Asking[list[list[Node]]]:
    """Samples so many steps of each node, and returns them, with values where there are any.

    A node whose prompt does not fit the context ends there. Answers are solutions as soon as they are there, so that a
    search that is cut short keeps them, best value first. `lookahead` as in `foresee`.
    """
    replies = yield [expansion.generate(tree, node, count) for node, count in shares]
    grown: list[list[Node]] = []
    for (node, _), reply in zip(shares, replies, strict=True):
        assert isinstance(reply, Generation)
        grown.append([])
        if reply.too_long:
            tree.stopped, node.terminal = CONTEXT_LENGTH, True
        else:
            grown[-1] += yield from grow(expansion, tree, node, reply)
        tree.solutions += tree.solutions_in(grown[-1])
    new = [node for children in grown for node in children]
    if expansion.use_values:
        for node, value in zip(new, (yield from foresee(expansion, tree, new, lookahead)), strict=True):
            node.value = value
    rank_solutions(tree)
    return grown


def grow_each(expansion: Expansion, tree: Tree, nodes: Sequence[Node]) -> Asking[list[Node | None]]:
    """`grow_all` for a child of each node, in their order: one that stands there k times gets k children at once. None
    stands for the child of a node whose prompt does not fit the context."""
    counts = Counter(node.id for node in nodes)
    groups = yield from grow_all(expansion, tree, [(tree.nodes[i], count) for i, count in counts.items()])
    return deal([node.id for node in nodes], dict(zip(counts, groups, strict=True)))


def foresee(expansion: Expansion, tree: Tree, nodes: Sequence[Node], lookahead: int) -> Asking[list[float | None]]:
    """The value of each node; with lookahead of what it most likely leads to (Snell et al., arXiv 2408.03314).

    Its further steps, written at temperature 0, stay in the tree; their answers are no solutions, but where a search
    that is cut short has no other: they only tell what the node is worth.
    """
    greedy = replace(expansion, sampling=replace(expansion.sampling, temperature=0.0))
    ends = yield from side_by_side([_roll_out(greedy, tree, node, lookahead) for node in nodes])
    return (yield from score(expansion, tree, ends))


def _roll_out(expansion: Expansion, tree: Tree, node: Node, steps: int) -> Asking[Node]:
    """Where some more steps lead; a solution that ends, or outgrows the context, stays there."""
    for _ in range(steps):
        if node.terminal:
            break
        generation = yield from ask_samples(expansion.generate(tree, node, 1))
        if generation.too_long:
            break
        (node,) = yield from grow(expansion, tree, node, generation, [f"ahead of {node.id}"])
    return node
