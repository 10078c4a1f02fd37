"""The labelled suite: at least 99 % right, no false positive, the same both ways."""

from __future__ import annotations

import functools
import itertools

import pytest
from suite_pairs import SuitePair, suite_pairs, suite_rows

from mcts_math.answer import Verdict, check, is_equiv
from mcts_math.answer.text.alphabet import closing_braces

PAIRS = list(suite_pairs())
TABLES = sorted({pair.table for pair in PAIRS})
EVERY = [5, pytest.param(1, marks=pytest.mark.slow)]


@functools.cache
def verdict_of(pair: SuitePair) -> Verdict:
    return check(pair.gold, pair.pred)


def is_wrong(pair: SuitePair) -> bool:
    return verdict_of(pair).equal != pair.equal


def test_the_suite_is_large_and_has_near_misses() -> None:
    assert len(PAIRS) >= 1500
    assert sum(not pair.equal for pair in PAIRS) >= 500


def test_no_pair_is_labelled_twice() -> None:
    labels: dict[frozenset[str], bool] = {}
    for pair in PAIRS:
        key = frozenset((pair.gold, pair.pred))
        assert labels.setdefault(key, pair.equal) == pair.equal, key


@pytest.mark.parametrize("table", TABLES)
def test_table(table: str) -> None:
    pairs = [pair for pair in PAIRS if pair.table == table]
    wrong = [pair for pair in pairs if is_wrong(pair)]
    assert not [pair for pair in wrong if not pair.equal]  # false positives
    assert len(wrong) <= 0.02 * len(pairs), wrong


def test_at_least_99_percent() -> None:
    wrong = [pair for pair in PAIRS if is_wrong(pair)]
    assert len(wrong) <= 0.01 * len(PAIRS), wrong


@pytest.mark.parametrize("every", EVERY)
def test_equality_is_symmetric(every: int) -> None:
    def twisted(pair: SuitePair) -> bool:
        return (is_wrong(pair) != pair.equal) != is_equiv(pair.pred, pair.gold)

    assert not [pair for pair in PAIRS[::every] if twisted(pair)]


@pytest.mark.parametrize("every", EVERY)
def test_every_spelling_equals_itself_and_its_decorated_self(every: int) -> None:
    texts = list(itertools.chain.from_iterable(same + near for _, _, same, near in suite_rows()))
    for text in texts[::every]:
        said = check(text, text)
        assert said
        if said.gold == "''":  # struck out
            continue
        bare = text.replace("\\{", "").replace("\\}", "")
        if len(closing_braces(bare)) == bare.count("{") == bare.count("}"):  # a box can't hold a truncated text
            assert is_equiv(text, f"\\boxed{{{text}}}"), text
        if "$" not in text:
            assert is_equiv(text, f"  ${text}$ "), text


def test_a_verdict_explains_itself() -> None:
    for pair in PAIRS[::7]:
        verdict = verdict_of(pair)
        assert verdict.reason
        assert verdict.gold
        assert verdict.pred
