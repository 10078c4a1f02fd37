"""Best-of-n with the verifier as judge: independent attempts until one is right (SPEC B)."""

from __future__ import annotations

from mcts_math.search.attempts import AtOnce, Budget, StopAtSuccess, Trials, next_attempts, record
from mcts_math.search.expansion import Expansion, Search
from mcts_math.settings import Settings
from mcts_math.tree import Tree


class BestOfNOptions(Settings):
    trials: Trials = 32
    stop_at_success: StopAtSuccess = True
    n_generate_sample: AtOnce = 1


def best_of_n(tree: Tree, expansion: Expansion, options: BestOfNOptions) -> Search:
    """Attempts from the bare question, some side by side; those after a success are kept in the record."""
    budget = Budget(options.trials, options.stop_at_success, options.n_generate_sample)
    while ends := (yield from next_attempts(tree, expansion, budget)):
        yield from record(tree, ends)
