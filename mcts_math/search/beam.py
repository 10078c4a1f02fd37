"""Step-level beam search, SBS(B1, B2) (SPEC A6)."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from mcts_math.requests import Generation
from mcts_math.search.expand import grow
from mcts_math.search.expansion import CONTEXT_LENGTH, Expansion, Search, by_value, rank_solutions
from mcts_math.search.guided import Lookahead, foresee
from mcts_math.settings import Integer, Real, Settings
from mcts_math.tree import Node, Tree


class BeamOptions(Settings):
    """Numbers of the search."""

    step_beam_width: Integer = Field(1, description="B1: beams that are kept", ge=1)
    n_generate_sample: Integer = Field(
        1, description="B2: samples of each beam; the first step draws B1 · B2 from the root", ge=1
    )
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")
    negative_reward: Real = Field(-1.0, description="value of a step whose prompt exceeds the context", ge=-1, le=1)
    lookahead: Lookahead = 0


def beam_search(tree: Tree, expansion: Expansion, options: BeamOptions) -> Search:
    """Keeps the best partial solutions of each depth; every solution found or lost narrows the beam by one.

    Without values the sampling order decides. `tree.solutions` is set, best value first.
    """
    expansion = replace(expansion, remove_duplicate=options.remove_duplicate)
    beam, width = [tree.root], options.step_beam_width
    for depth in range(expansion.max_depth):
        if not beam:
            break
        count = options.n_generate_sample * (options.step_beam_width if depth == 0 else 1)
        replies = yield [expansion.generate(tree, node, count) for node in beam]
        candidates, chosen = list[Node](), list(tree.solutions)
        for node, reply in zip(beam, replies, strict=True):
            assert isinstance(reply, Generation)
            if reply.too_long:
                tree.stopped = CONTEXT_LENGTH
                node.terminal, node.value = True, options.negative_reward
                width -= 1
            else:
                grown = yield from grow(expansion, tree, node, reply)
                candidates += grown
                tree.solutions += tree.solutions_in(grown)  # until they have values
        if expansion.use_values:
            yield from _score_all(tree, expansion, candidates, options)
        # sorted() is stable: equal values keep their sampling order.
        kept = sorted(candidates, key=by_value, reverse=True)[:width]
        tree.solutions = chosen + tree.solutions_in(kept)
        rank_solutions(tree)
        beam = [node for node in kept if not node.terminal]
        width -= len(kept) - len(beam)


def _score_all(tree: Tree, expansion: Expansion, nodes: list[Node], options: BeamOptions) -> Search:
    values = yield from foresee(expansion, tree, nodes, options.lookahead)
    for node, value in zip(nodes, values, strict=True):
        node.value = options.negative_reward if value is None else value
        if value is None and not tree.is_solution(node):
            node.terminal = True
