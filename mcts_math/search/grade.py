"""What ends every search: what was found where it was cut short, and is the first solution right?"""

from __future__ import annotations

from mcts_math.requests import Check, Verify
from mcts_math.search.expand import is_right
from mcts_math.search.expansion import Search, rank_solutions
from mcts_math.tree import Tree


def grade(tree: Tree) -> Search:
    """Sets `tree.correct` where that is open: the answer is compared, or the program tested. Nothing to judge: None.
    Where a search was cut short before it chose anything, what it had found stands, best value first."""
    task = tree.task
    if tree.stopped and not tree.solutions:
        judged = {attempt.node for attempt in tree.attempts}  # and found to hold nothing
        ends = [node for node in tree.nodes if not node.children and node.id not in judged]  # what goes on is no end
        tree.solutions = tree.solutions_in(ends)
        rank_solutions(tree)
        tree.correct = None if tree.solutions else tree.correct  # what was found was not judged yet
    if tree.correct is not None or not task.can_be_judged:
        return
    if not tree.solutions:
        tree.correct = False
        return
    node = tree.nodes[tree.solutions[0]]
    asked = Verify(task, tree.attempt_text(node)) if task.is_code else Check(node.answer or "", task.answers)
    (reply,) = yield [asked]
    tree.correct = is_right(reply)
