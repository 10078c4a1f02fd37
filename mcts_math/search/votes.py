"""Votes among attempts: which answers are equal, which wins, and whether more attempts could change that."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from pydantic import Field

from mcts_math.requests import Check
from mcts_math.search.expansion import Asking

_INTEGER: Final = re.compile(r"-?(0|[1-9]\d*)")  # two of these are equal only where their texts are

K = TypeVar("K", bound=Hashable)

Total: TypeAlias = Literal["sum", "max"]
VoteTotal = Annotated[
    Total, Field(description="how the weights of equal answers count together: sum (a majority), or max (their best)")
]


def group(equal: dict[str, str], texts: Sequence[str]) -> Asking[None]:
    """Adds texts to the groups of equal answers. A text is compared with the first of each group, and of the texts
    without a group the first opens one: n texts in k groups take at most k · n checks, integers among each other none.
    """
    pivots = list(dict.fromkeys(equal.values()))
    left = [text for text in dict.fromkeys(texts) if text not in equal]
    while left:
        if not pivots:
            pivots.append(left.pop(0))
            equal[pivots[0]] = pivots[0]
        pivot = pivots.pop(0)
        asked = [text for text in left if not (_INTEGER.fullmatch(pivot) and _INTEGER.fullmatch(text))]
        replies = (yield [Check(text, (pivot,)) for text in asked]) if asked else ()
        equal |= {text: pivot for text, same in zip(asked, replies, strict=True) if same is True}
        left = [text for text in left if text not in equal]


def totals(votes: Sequence[tuple[K, float]], how: Total) -> dict[K, float]:
    """What each answer has of the votes (answer, weight in [0, 1]), in the order in which they first appeared."""
    groups: dict[K, list[float]] = {}
    for answer, weight in votes:
        groups.setdefault(answer, []).append(weight)
    count = math.fsum if how == "sum" else max
    return {answer: count(weights) for answer, weights in groups.items()}


def winner(standing: Mapping[K, float]) -> K | None:
    """The answer that has most; of equal ones the first. None where there is none."""
    return max(standing, key=standing.__getitem__, default=None)


def is_certain(standing: Mapping[K, float], left: int, how: Total) -> bool:
    """Whether no outcome of `left` further votes, each of weight 1 at most, can change the winner."""
    leader = winner(standing)
    if leader is None:
        return left == 0
    answers = list(standing)
    for answer in answers:
        if answer != leader:
            most = standing[answer] + left if how == "sum" else max(standing[answer], min(left, 1))
            is_first = answers.index(answer) < answers.index(leader)
            if most > standing[leader] or (most == standing[leader] and is_first):
                return False
    return (left if how == "sum" else min(left, 1)) <= standing[leader]  # an answer that nobody gave yet


def lead_is_lasting(standing: Mapping[K, float]) -> float:
    """The chance, in [0.5, 1], that the leader's share among the first two exceeds one half, under a uniform prior.

    The stopping rule of Adaptive-Consistency (Aggarwal et al., arXiv 2305.11860): with v1 and v2 (whole) votes the
    share has the posterior Beta(v1 + 1, v2 + 1), whose distribution function at one half is a tail of the binomial.
    """
    first, second = sorted((int(count) for count in standing.values()), reverse=True)[:2] + [0] * (2 - len(standing))
    trials = first + second + 1
    return 1 - sum(math.comb(trials, k) for k in range(second + 1)) / (1 << trials)
