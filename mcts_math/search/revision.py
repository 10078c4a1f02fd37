"""Sequential revision: a conversation of attempts, each answered with what the verifier found (SPEC B)."""

from __future__ import annotations

from mcts_math.search.attempts import Budget, Trials, try_once
from mcts_math.search.expansion import Expansion, Search
from mcts_math.settings import Settings
from mcts_math.step import Verdict
from mcts_math.tree import Tree

INCORRECT = "Your answer is incorrect."
TRY_AGAIN = f"{INCORRECT} Find out what went wrong, and solve the question again."
NO_ANSWER = "No final answer was found in what you wrote. Solve the question again, and end with the final answer."


class RevisionOptions(Settings):
    """How many attempts. A conversation can't go on after a right answer, so it always ends there."""

    trials: Trials = 32


def revision(tree: Tree, expansion: Expansion, options: RevisionOptions) -> Search:
    """Attempts, one after another in one conversation, until one is right or the conversation outgrows the context. One
    without an answer does not count; it is told so: at temperature 0, asking again changes nothing."""
    budget, node = Budget(options.trials), tree.root
    while budget.left(tree) and (end := (yield from try_once(tree, expansion, node))):
        if budget.left(tree):
            verdict = tree.attempts[-1].verdict
            node = tree.say(end, NO_ANSWER if verdict is Verdict.NO_ANSWER else TRY_AGAIN)
