"""REBASE, reward-balanced search (Wu et al., arXiv 2408.00724): a node gets samples in proportion to the softmax of its
value.

Of each depth all nodes are scored, and the samples that are left are shared among those that go on, in proportion to
softmax(value / temperature). A solution that has ended takes one sample from the budget for good.

Departure: parts of a sample are rounded by largest remainder, so that all samples are given out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from mcts_math.search.expansion import Expansion, Search
from mcts_math.search.guided import grow_all
from mcts_math.settings import Integer, Real, Settings
from mcts_math.tree import Tree


class RebaseOptions(Settings):
    n_generate_sample: Integer = Field(8, description="samples of a depth: solutions at the end, about", ge=1)
    balance_temperature: Real = Field(0.2, description="of the softmax over values in [-1, 1]", gt=0)
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")


def rebase(tree: Tree, expansion: Expansion, options: RebaseOptions) -> Search:
    """Grows the tree depth by depth until the samples are used up. `tree.solutions` is set, best value first."""
    expansion = replace(expansion, remove_duplicate=options.remove_duplicate)
    shares, left = [(tree.root, options.n_generate_sample)], options.n_generate_sample
    for _ in range(expansion.most_steps):
        groups = yield from grow_all(expansion, tree, shares)
        grown = [node for group in groups for node in group]
        left -= sum(node.terminal for node in grown)
        open_nodes = [node for node in grown if not node.terminal]
        values = [-1.0 if node.value is None else node.value for node in open_nodes]
        counts = share(left, values, options.balance_temperature)
        shares = [(node, count) for node, count in zip(open_nodes, counts, strict=True) if count]
        if not shares:
            return


def share(samples: int, values: Sequence[float], temperature: float) -> list[int]:
    """How many of the samples each node gets; of equal claims to the last ones the first node's comes first."""
    if samples <= 0 or not values:
        return [0] * len(values)
    best = max(values)
    parts = [math.exp((value - best) / temperature) for value in values]
    due = [samples * part / math.fsum(parts) for part in parts]
    counts = [math.floor(each) for each in due]
    by_rest = sorted(range(len(due)), key=lambda i: counts[i] - due[i])
    for i in by_rest[: samples - sum(counts)]:
        counts[i] += 1
    return counts
