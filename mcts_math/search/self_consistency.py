"""Self-consistency: the majority among independent attempts; the ground truth is never looked at (SPEC B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from mcts_math.requests import Check
from mcts_math.search.attempts import TOO_LONG, Budget, judge, make_attempts, read_meter, record
from mcts_math.search.expand import Asking, Expansion, Search
from mcts_math.tree import Attempt, Tree


class Votes(Protocol):
    """Equal answers."""

    @property
    def members(self) -> tuple[int, ...]: ...


Vote: TypeAlias = Callable[[Sequence[str], Callable[[str, str], bool]], Votes | None]
"""The largest class of equal answers, given the answers and whether two of them are equal."""


def self_consistency(tree: Tree, expansion: Expansion, budget: Budget, vote: Vote) -> Search:
    """Makes attempts over the whole budget and takes the answer that most of them give.

    A search that is cut short leaves the answer whose text most attempts gave.
    """
    budget = replace(budget, stop_at_success=False)
    spent = yield from read_meter()
    try:
        while count := min(budget.left(tree), budget.at_once):
            ends = yield from make_attempts(tree, expansion, tree.root, count)
            if not ends:
                tree.stopped = TOO_LONG
                return
            verdicts = yield from judge(tree, ends, ask=False)
            spent = yield from record(tree, ends, verdicts, spent, judged=False)
        equal = yield from _compare(_voters(tree))
        _elect(tree, vote, lambda first, second: (first, second) in equal)  # `majority` asks for the earlier one first
    finally:
        if not tree.solutions:
            _elect(tree, vote, str.__eq__)


def _voters(tree: Tree) -> list[Attempt]:
    return [attempt for attempt in tree.attempts if attempt.answer is not None]


def _compare(voters: Sequence[Attempt]) -> Asking[set[tuple[str, str]]]:
    """The pairs of different texts that are equal answers."""
    texts = list(dict.fromkeys(str(attempt.answer) for attempt in voters))
    pairs = [(first, second) for i, second in enumerate(texts) for first in texts[:i]]
    if not pairs:
        return set()
    replies = yield [Check(second, (first,)) for first, second in pairs]
    return {pair for pair, equal in zip(pairs, replies, strict=True) if equal is True}


def _elect(tree: Tree, vote: Vote, same: Callable[[str, str], bool]) -> None:
    """Solutions: the winner's attempts, then the others."""
    voters = _voters(tree)
    winner = vote([str(attempt.answer) for attempt in voters], same)
    if winner is not None:
        first = [voters[i].node for i in winner.members]
        tree.solutions = first + [attempt.node for attempt in voters if attempt.node not in first]
