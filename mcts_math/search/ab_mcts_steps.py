"""AB-MCTS, adaptive branching (variant A; arXiv 2503.04412), over steps: a new step here, or on from an old one?

As `ab_mcts`, but a node is a partial solution and its score is the value that a model of values gives it. A step that
ends a solution can't be gone on from; one that ends it without an answer scores 0.

The belief is `beta` where nothing else is said: the Gaussian prior expects nothing of going on, and as first steps are
much alike, the search would make the same one over and over (docs/results.md, "At equal tokens").
"""

from __future__ import annotations

from pydantic import Field

from mcts_math.search.ab_mcts import BeliefName, close_full, make_chooser
from mcts_math.search.expansion import Expansion, Search, chance
from mcts_math.search.guided import grow_each
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Tree


class AbMctsStepsOptions(Settings):
    iterations: Integer = Field(64, description="steps that are sampled", ge=1)
    n_generate_sample: Integer = Field(1, description="steps that are chosen and sampled side by side", ge=1)
    belief: BeliefName = "beta"


def ab_mcts_steps(tree: Tree, expansion: Expansion, options: AbMctsStepsOptions) -> Search:
    """Samples steps one batch after another. `tree.solutions` is set, best value first."""
    chooser = make_chooser(tree, expansion, options.belief)
    left = options.iterations
    while not tree.root.terminal and (batch := min(options.n_generate_sample, left)):
        left -= batch
        parents = [tree.nodes[chooser.choose()] for _ in range(batch)]
        children = yield from grow_each(expansion, tree, parents)
        close_full(tree, chooser, {parent.id for parent in parents if parent.terminal})
        for parent, child in zip(parents, children, strict=True):
            if child is not None:
                worth = 0.0 if child.terminal and not tree.is_solution(child) else chance(child)
                chooser.tell(parent.id, child.id, worth, is_open=not child.terminal)
