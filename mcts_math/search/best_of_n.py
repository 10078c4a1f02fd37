"""Best-of-n with the verifier as judge: independent attempts until one is right (SPEC B)."""

from __future__ import annotations

from mcts_math.search.attempts import TOO_LONG, Budget, judge, make_attempts, read_meter, record
from mcts_math.search.expand import Expansion, Search
from mcts_math.tree import Tree


def best_of_n(tree: Tree, expansion: Expansion, budget: Budget) -> Search:
    """Attempts from the bare question, `budget.at_once` side by side; those after a success are kept in the record."""
    spent = yield from read_meter()
    while count := min(budget.left(tree), budget.at_once):
        ends = yield from make_attempts(tree, expansion, tree.root, count)
        if not ends:
            tree.stopped = TOO_LONG
            return
        verdicts = yield from judge(tree, ends)
        spent = yield from record(tree, ends, verdicts, spent)
