"""Diverse verifier tree search: step-level beam search in subtrees that never compete (Beeching et al., 2024, "Scaling
test-time compute with open models").

`step_beam_width` subtrees each keep one partial solution: of its `n_generate_sample` next steps the one of best value.
A beam search with one beam of that width would soon hold only children of one good step.

Departure: every answer that a kept step's siblings give is a solution too, as in the published code, ranked by value.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from mcts_math.search.expansion import Expansion, Search, by_value
from mcts_math.search.guided import Lookahead, grow_all
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Tree


class DvtsOptions(Settings):
    step_beam_width: Integer = Field(4, description="subtrees, each of which keeps one partial solution", ge=1)
    n_generate_sample: Integer = Field(4, description="samples of each partial solution", ge=1)
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")
    lookahead: Lookahead = 0


def dvts(tree: Tree, expansion: Expansion, options: DvtsOptions) -> Search:
    """Grows all subtrees at once, a step a round, until each has ended. `tree.solutions` is set, best value first."""
    expansion = replace(expansion, remove_duplicate=options.remove_duplicate)
    first = options.step_beam_width * options.n_generate_sample
    (children,) = yield from grow_all(expansion, tree, [(tree.root, first)], options.lookahead)
    groups = [children[i :: options.step_beam_width] for i in range(options.step_beam_width)]
    for _ in range(expansion.most_steps - 1):
        best = [max(group, key=by_value) for group in groups if group]
        kept = [node for node in best if not node.terminal]
        if not kept:
            return
        shares = [(node, options.n_generate_sample) for node in kept]
        groups = yield from grow_all(expansion, tree, shares, options.lookahead)
