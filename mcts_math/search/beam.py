"""Step-level beam search, SBS(B1, B2) (SPEC A6)."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from mcts_math.search.expansion import Expansion, Search, by_value, rank_solutions
from mcts_math.search.guided import Lookahead, grow_all
from mcts_math.settings import Integer, Real, Settings
from mcts_math.tree import Tree


class BeamOptions(Settings):
    step_beam_width: Integer = Field(1, description="B1: beams that are kept", ge=1)
    n_generate_sample: Integer = Field(
        1, description="B2: samples of each beam; the first step draws B1 · B2 from the root", ge=1
    )
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")
    negative_reward: Real = Field(-1.0, description="value of a step whose prompt exceeds the context", ge=-1, le=1)
    lookahead: Lookahead = 0


def beam_search(tree: Tree, expansion: Expansion, options: BeamOptions) -> Search:
    """Keeps the best partial solutions of each depth; every solution found or lost narrows the beam by one. Without
    values the sampling order decides. `tree.solutions` is set, best value first."""
    expansion = replace(expansion, remove_duplicate=options.remove_duplicate)
    beam, width = [tree.root], options.step_beam_width
    for depth in range(expansion.max_depth):
        if not beam:
            break
        count = options.n_generate_sample * (options.step_beam_width if depth == 0 else 1)
        chosen = list(tree.solutions)
        groups = yield from grow_all(expansion, tree, [(node, count) for node in beam], options.lookahead)
        candidates = [node for group in groups for node in group]
        for node in beam:
            if node.terminal:  # its prompt was too long
                node.value = options.negative_reward
                width -= 1
        for node in candidates:
            if expansion.use_values and node.value is None:
                node.value = options.negative_reward
                node.terminal = node.terminal or not tree.is_solution(node)
        # sorted() is stable: equal values keep their sampling order.
        kept = sorted(candidates, key=by_value, reverse=True)[:width]
        tree.solutions = chosen + tree.solutions_in(kept)
        rank_solutions(tree)
        beam = [node for node in kept if not node.terminal]
        width -= len(kept) - len(beam)
