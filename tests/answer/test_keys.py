"""Keys by which equal answers are found, and the second reader in the worker."""

from __future__ import annotations

import pytest
from suite_pairs import suite_pairs

from mcts_math.answer import CheckerPool, Policy, canonical_key, is_equiv, majority

STRICT = Policy(percent="number", rounding=False, letter_case=True, equation_value=False, list_order=True, units=False)


def test_equal_keys_are_equal_answers_under_every_policy() -> None:
    texts = list(dict.fromkeys(text for pair in suite_pairs() for text in (pair.gold, pair.pred)))
    known: dict[object, str] = {}
    for text in texts:
        key = canonical_key(text)
        if key is not None and (other := known.setdefault(key, text)) != text:
            assert is_equiv(other, text)
            assert is_equiv(other, text, STRICT)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("0.5", r"\frac12", True), ("2^{10}", "1024", True), ("50%", "0.5", False), ("0.333", "1/3", False)],
)
def test_keys(first: str, second: str, same: bool) -> None:
    assert (canonical_key(first) == canonical_key(second)) is same


def test_what_has_no_text_has_no_key() -> None:
    assert canonical_key("") is None
    assert canonical_key("$ $") is None


def test_a_vote_compares_one_answer_of_each_key() -> None:
    asked: list[tuple[str, str]] = []

    def same(first: str, second: str) -> bool:
        asked.append((first, second))
        return is_equiv(first, second)

    winner = majority(["3", "3.0", "x+1", r"\frac{6}{2}", "1+x", "7"] * 20, same=same)
    assert winner is not None
    assert winner.answer == "3"
    assert winner.weight == 60
    assert len(asked) <= 6


def test_the_second_reader_works_out_derivatives_and_drops_nothing() -> None:
    with CheckerPool(num_workers=1, limit_s=30) as pool:
        assert pool.check(r"\frac{d}{dx}\sum_{k=1}^{3}x^k", "1+2x+3x^2").equal
        assert pool.check(r"\frac{d}{dx}\sin(x^2)", r"2x\cos(x^2)").equal
        for gold, pred in (
            (r"\frac{d}{dx}\sum_{k=1}^{3}x^k", "2x+3x^2"),
            (r"\frac{d^2}{dx^2}x^3", "3x^2"),
            (r"\frac{d}{dx}y^2", "0"),  # y may be a function of x
            (r"\int x^2 dx", r"\frac{x^3}{3}"),  # without its constant
            (r"\frac{d}{dx}\sum_{k=1}^{3}x^k \text{ apples}", "1+2x+3x^2"),
            (r"3 \quad 4", "7"),
            (r"\foo{3}", "3"),
        ):
            assert not pool.check(gold, pred).equal, (gold, pred)
