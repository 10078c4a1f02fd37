"""Best-of-n without the ground truth: of independent attempts, a value, the model's certainty or the model chooses one.

The model chooses by comparing (generative selection): it is shown some solutions at a time and names the best of them;
the winners are compared again until one is left. A reply that names none leaves the first one standing, and solutions
with the same answer are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field

from mcts_math.search.attempts import AtOnce, Budget, Trials, appraise, certainty, next_attempts, record, side_by_side
from mcts_math.search.expansion import CONTEXT_LENGTH, Asking, Expansion, Search
from mcts_math.search.self_refine import write
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Node, Tree

COMPARE: Final = (
    "Here are {count} solutions of the question. Compare them, find the mistakes, and say which one is the best. "
    "Don't solve the question again. End with the number of the best solution."
)
_NUMBER: Final = re.compile(r"\d+")


class SelectionOptions(Settings):
    trials: Trials = 32
    n_generate_sample: AtOnce = 1
    choose: Literal["value", "certainty", "model"] = Field(
        "value",
        description="what chooses: the attempts' values, how far the model was from guessing (self-certainty; "
        "engine: hf), or the model by comparing",
    )
    compare: Integer = Field(2, description="choose: model: solutions that it is shown at a time", ge=2)


def selection(tree: Tree, expansion: Expansion, options: SelectionOptions) -> Search:
    """Makes attempts over the whole budget. `tree.solutions` is set, the chosen one first."""
    budget = Budget(options.trials, stop_at_success=False, at_once=options.n_generate_sample)
    while ends := (yield from next_attempts(tree, expansion, budget)):
        if options.choose == "value":
            yield from appraise(tree, expansion, ends)
        else:
            tree.solutions += tree.solutions_in(ends)
            if options.choose == "certainty":
                tree.solutions.sort(key=lambda i: -certainty(tree, tree.nodes[i]))
        yield from record(tree, ends, judged=False)
    if options.choose == "model":
        yield from _knock_out(tree, expansion, options.compare)


def _knock_out(tree: Tree, expansion: Expansion, size: int) -> Search:
    """Rounds of comparisons until one solution is left; who leaves later stands before who left earlier."""
    standing, number = [tree.nodes[i] for i in tree.solutions], 0
    while len(standing) > 1:
        groups = [standing[i : i + size] for i in range(0, len(standing), size)]
        places = [f"round {number} comparison {i}" for i in range(len(groups))]
        parts = [_best(tree, expansion, group, place) for group, place in zip(groups, places, strict=True)]
        standing = yield from side_by_side(parts)
        winners = [node.id for node in standing]
        tree.solutions = winners + [i for i in tree.solutions if i not in winners]
        number += 1


def _best(tree: Tree, expansion: Expansion, group: Sequence[Node], place: str) -> Asking[Node]:
    """The one that the model names; the first where there is nothing to choose, or it can't be asked."""
    first = group[0]
    if len(group) == 1 or (first.answer is not None and all(node.answer == first.answer for node in group)):
        return first
    shown = [f"Solution {i}:\n{tree.attempt_text(node)}" for i, node in enumerate(group, 1)]
    asked = tree.say(first, "\n\n".join([COMPARE.format(count=len(group)), *shown]))
    reply = yield from write(tree, expansion, asked, place)
    if reply is None or reply.step is None:
        tree.stopped = CONTEXT_LENGTH
        return first
    named = [int(number) for number in _NUMBER.findall(reply.step.text) if len(number) < 9]
    return next((group[i - 1] for i in reversed(named) if 1 <= i <= len(group)), first)
