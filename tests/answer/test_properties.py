"""What must hold for any text and any value."""

from __future__ import annotations

from fractions import Fraction

from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from suite_pairs import suite_rows

from mcts_math.answer import Status, answer_classes, check, is_equiv

SPELLINGS = sorted({text for _, _, same, near in suite_rows() for text in same + near})
LETTERS = "0123456789xyabiCE+-*/^_()[]{}|,.:;=<>%$! \\\"'&~√π½²−∞∪"
PIECES = [
    "\\frac",
    "\\sqrt",
    "\\text{",
    "}",
    "{",
    "\\pi",
    "sin",
    "\\left(",
    "\\right)",
    "\\cup",
    "\\pm",
    "and",
    "**",
    "Matrix([",
]

garbage = st.one_of(
    st.text(max_size=60),
    st.text(LETTERS, max_size=40),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(LETTERS, max_size=4)), max_size=15).map("".join),
)
spliced = st.lists(st.sampled_from([*SPELLINGS, *PIECES, " or ", " = ", ", ", "^{", "~~", "```"]), max_size=5).map(
    "".join
)
answers = st.one_of(st.sampled_from(SPELLINGS), garbage, spliced)
numbers = st.fractions(max_denominator=999).filter(lambda value: abs(value) < 10**9)


@given(answers)
@settings(max_examples=600, deadline=None)
def test_reflexive(text: str) -> None:
    assert is_equiv(text, text) == bool(text.strip())


@given(answers, answers)
@settings(max_examples=1000, deadline=None)
def test_symmetric_and_never_raises(gold: str, pred: str) -> None:
    assert check(gold, pred).status == check(pred, gold).status


@given(st.sampled_from(HOSTILE), garbage)
@settings(max_examples=60, deadline=None)
def test_hostile_against_garbage(gold: str, pred: str) -> None:
    assert check(gold, pred).status == check(pred, gold).status


@given(numbers)
@settings(max_examples=300, deadline=None)
def test_spellings_of_a_fraction(value: Fraction) -> None:
    sign = "-" if value < 0 else ""
    above, below = abs(value.numerator), value.denominator
    spellings = [
        f"{value.numerator}/{below}",
        f"{sign}\\frac{{{above}}}{{{below}}}",
        f"\\dfrac{{{value.numerator}}}{{{below}}}",
        f"Fraction({value.numerator}, {below})",
        f"Rational({value.numerator}, {below})",
        f"[{value.numerator}/{below}]",
        f"x = {sign}\\frac{{{above}}}{{{below}}}",
        repr(value.numerator / below),
    ]
    for other in spellings[1:]:
        assert is_equiv(spellings[0], other), other


@given(numbers, numbers)
@settings(max_examples=300, deadline=None)
def test_fractions_are_equal_where_their_values_are(first: Fraction, second: Fraction) -> None:
    texts = [f"\\frac{{{value.numerator}}}{{{value.denominator}}}" for value in (first, second)]
    assert is_equiv(*texts) == (first == second)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=4), st.randoms())
@settings(max_examples=200, deadline=None)
def test_order_counts_in_tuples_only(values: list[int], rng: object) -> None:
    shuffled = sorted(values)
    text, other = ", ".join(map(str, values)), ", ".join(map(str, shuffled))
    assert is_equiv(text, other)
    assert is_equiv(f"\\{{{text}\\}}", f"\\{{{other}\\}}")
    assert is_equiv(f"({text})", f"({other})") == (values == shuffled)


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=4))
@settings(max_examples=200, deadline=None)
def test_polynomial_from_its_roots(roots: list[int]) -> None:
    coefficients = [1]
    for root in roots:
        shifted, scaled = [*coefficients, 0], [0, *(-root * c for c in coefficients)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    degree = len(roots)
    expanded = " + ".join(f"({c})*x**{degree - i}" for i, c in enumerate(coefficients))
    factored = "".join(f"(x-({root}))" for root in roots)
    assert is_equiv(factored, expanded)
    assert not is_equiv(factored, expanded + "+1")
    assert not is_equiv(factored, expanded.replace("x", "y"))


@given(st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_classes_agree_with_pairs(texts: list[str]) -> None:
    classes = answer_classes(texts)
    home = {index: number for number, group in enumerate(classes) for index in group.members}
    assert sorted(home) == list(range(len(texts)))
    for i, first in enumerate(texts):
        for j, second in enumerate(texts):
            if is_equiv(first, second):
                assert home[i] == home[j]
    for group in classes:  # a chain of equal answers joins the members
        reached = {group.members[0]}
        for _ in group.members:
            reached |= {m for m in group.members if any(is_equiv(texts[m], texts[r]) for r in reached)}
        assert reached == set(group.members)
    backwards = answer_classes(texts[::-1])
    partition = {frozenset(len(texts) - 1 - m for m in group.members) for group in backwards}
    assert partition == {frozenset(group.members) for group in classes}


def test_unreadable_is_not_different() -> None:
    assert check("5", "\\foo{").status is Status.UNPARSED
    assert check("", "5").status is Status.UNPARSED
    assert check("5", "").status is Status.UNPARSED
