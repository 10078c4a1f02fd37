"""AB-MCTS, adaptive branching (variant A; arXiv 2503.04412), over whole attempts: try anew, or refine an attempt?

Each attempt is scored by its value, mapped from [-1, 1] to [0, 1]; one without an answer scores 0. Thompson sampling
(`thompson`) decides from all scores so far where the next attempt is made: from the bare question, or in a conversation
that asks to improve an earlier one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from mcts_math.search.attempts import AtOnce, appraise, deal, make_attempts, record, side_by_side
from mcts_math.search.expansion import CONTEXT_LENGTH, Asking, Expansion, Search, chance
from mcts_math.search.thompson import BELIEFS, Chooser
from mcts_math.settings import Integer, Settings
from mcts_math.tree import ROOT, Node, Tree

IMPROVE = (
    "Check your solution above step by step. Mend what is wrong, or find a better way, and solve the question again. "
    "End with the final answer."
)

BeliefName = Annotated[
    Literal["gaussian", "beta"],
    Field(
        description="what is believed of scores: gaussian (mean and variance unknown), or beta (a share of successes)"
    ),
]


class AbMctsOptions(Settings):
    trials: Integer = Field(32, description="attempts at a question, refinements among them", ge=1)
    n_generate_sample: AtOnce = 1
    belief: BeliefName = "gaussian"


def ab_mcts(tree: Tree, expansion: Expansion, options: AbMctsOptions) -> Search:
    """Makes attempts and refinements until all trials are done. `tree.solutions` is set, best value first."""
    chooser = make_chooser(tree, expansion, options.belief)
    invitations: dict[int, Node] = {ROOT: tree.root}  # what an attempt that refines another goes on from
    skipped = 0
    while not tree.root.terminal and (batch := min(options.n_generate_sample, options.trials - len(tree.attempts))):
        parents = [chooser.choose() for _ in range(batch)]
        for parent in parents:
            if parent not in invitations:
                invitations[parent] = tree.say(tree.nodes[parent], IMPROVE)
        made = yield from _attempt_all(tree, expansion, invitations, parents, skipped)
        skipped += batch - len(made)
        close_full(tree, chooser, set(parents) - {parent for parent, _ in made})
        if made:
            ends = [end for _, end in made]
            yield from appraise(tree, expansion, ends)
            yield from record(tree, ends, judged=False)
        for parent, end in made:
            chooser.tell(parent, end.id, chance(end))


def make_chooser(tree: Tree, expansion: Expansion, belief: str) -> Chooser:
    """A chooser for a tree, whose draws depend on run seed and question alone."""
    return Chooser(ROOT, BELIEFS[belief], random.Random(expansion.seed(tree, "thompson")))


def close_full(tree: Tree, chooser: Chooser, ids: Iterable[int]) -> None:
    """Nothing grows any more where prompts do not fit the context; at the root that ends the search."""
    for i in ids:
        tree.stopped = CONTEXT_LENGTH
        if i == ROOT:
            tree.root.terminal = True
        else:
            chooser.close(i)


def _attempt_all(
    tree: Tree, expansion: Expansion, invitations: dict[int, Node], parents: list[int], skipped: int
) -> Asking[list[tuple[int, Node]]]:
    """One attempt for each parent: (parent, end), in their order; those of a parent that is too long are left out.

    `skipped`: such ones of earlier batches. Their numbers are not given again: the same attempt would be made twice.
    """
    counts = Counter(parents)
    parts, beside = [], skipped
    for parent, count in counts.items():
        parts.append(make_attempts(tree, expansion, invitations[parent], count, beside=beside))
        beside += count
    groups = yield from side_by_side(parts)
    ends = deal(parents, dict(zip(counts, groups, strict=True)))
    return [(parent, end) for parent, end in zip(parents, ends, strict=True) if end is not None]
