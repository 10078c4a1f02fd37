"""Self-consistency: the majority among independent attempts; the ground truth is never looked at (SPEC B)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from mcts_math.requests import Check
from mcts_math.search.attempts import AtOnce, Budget, Trials, judge, make_attempts, read_meter, record
from mcts_math.search.expand import CONTEXT_LENGTH, Asking, Expansion, Search
from mcts_math.settings import Settings
from mcts_math.tree import Attempt, Tree

_INTEGER: Final = re.compile(r"-?(0|[1-9]\d*)")  # two of these are equal only where their texts are


class SelfConsistencyOptions(Settings):
    """How many attempts."""

    trials: Trials = 32
    n_generate_sample: AtOnce = 1


def self_consistency(tree: Tree, expansion: Expansion, options: SelfConsistencyOptions) -> Search:
    """Makes attempts over the whole budget and takes the answer that most of them give.

    A search that is cut short leaves the answer whose text most attempts gave.
    """
    budget = Budget(options.trials, stop_at_success=False, at_once=options.n_generate_sample)
    spent = yield from read_meter()
    try:
        while count := min(budget.left(tree), budget.at_once):
            ends = yield from make_attempts(tree, expansion, tree.root, count)
            if not ends:
                tree.stopped = CONTEXT_LENGTH
                return
            verdicts = yield from judge(tree, ends, ask=False)
            spent = yield from record(tree, ends, verdicts, spent, judged=False)
        first_equal = yield from _group(list(dict.fromkeys(_answer(attempt) for attempt in _voters(tree))))
        _elect(tree, first_equal.__getitem__)
    finally:
        if not tree.solutions:
            _elect(tree, str)


def _voters(tree: Tree) -> list[Attempt]:
    return [attempt for attempt in tree.attempts if attempt.answer is not None]


def _answer(attempt: Attempt) -> str:
    return str(attempt.answer)


def _group(texts: Sequence[str]) -> Asking[dict[str, str]]:
    """For each text the first one that is an equal answer.

    The first text without a group is compared with all others of these at once, and so on: n texts in k groups take
    at most k · n checks, and integers among each other none.
    """
    first_equal: dict[str, str] = {}
    while left := [text for text in texts if text not in first_equal]:
        pivot, others = left[0], [text for text in left[1:] if not _are_integers(left[0], text)]
        first_equal[pivot] = pivot
        replies = (yield [Check(text, (pivot,)) for text in others]) if others else ()
        first_equal |= {text: pivot for text, equal in zip(others, replies, strict=True) if equal is True}
    return first_equal


def _are_integers(first: str, second: str) -> bool:
    return bool(_INTEGER.fullmatch(first) and _INTEGER.fullmatch(second))


def _elect(tree: Tree, key: Callable[[str], str]) -> None:
    """Solutions: the attempts of the largest group, the first to appear among equally large ones; then the others."""
    groups: dict[str, list[int]] = {}
    for attempt in _voters(tree):
        groups.setdefault(key(_answer(attempt)), []).append(attempt.node)
    chosen = max(groups.values(), key=len, default=[])
    tree.solutions = chosen + [attempt.node for attempt in _voters(tree) if attempt.node not in chosen]
