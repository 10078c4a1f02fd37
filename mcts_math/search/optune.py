"""OpTune (arXiv 2502.15771; SPEC B2): a learned optimiser changes the weights for every second attempt.

Trials 1, 3, 5, … sample the model as it was loaded; 2, 4, 6, … sample it with the weight change that a trained rule
makes of the attempt before, at the base weights: each change replaces the one before it.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from mcts_math.requests import LossTerm
from mcts_math.search.attempts import Budget, Trials, try_once
from mcts_math.search.expansion import Expansion, Search
from mcts_math.search.fttt import adapt
from mcts_math.search.revision import INCORRECT
from mcts_math.settings import Settings, UserPath
from mcts_math.step import Verdict
from mcts_math.tree import Tree


class OptuneOptions(Settings):
    """Attempts, and the rule that changes the weights between them. It can't go on after a right answer."""

    trials: Trials = 32
    optune_dir: UserPath = Field("", description="folder of the trained rule (scripts/train_optune.py)")


def optune(tree: Tree, expansion: Expansion, options: OptuneOptions) -> Search:
    """Attempts, every second one with changed weights, until one is right. One without an answer changes nothing: it is
    tried again with the same weights."""
    budget, sampler, counted = Budget(options.trials), expansion, 0
    while budget.left(tree) and (end := (yield from try_once(tree, sampler, tree.root))):
        if tree.attempts[-1].verdict is Verdict.NO_ANSWER or not budget.left(tree):
            continue
        counted += 1
        sampler = expansion
        if counted % 2:
            term = LossTerm(*expansion.format.user_turn(tree.task, tree.steps(end), INCORRECT))
            if (yield from adapt(tree, expansion, end, [term])):
                sampler = replace(expansion, adapter=tree.task.id)
