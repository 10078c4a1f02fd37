"""Values: fractions, residues, digits, roots, sets and flats, each by itself."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mcts_math.answer import check
from mcts_math.answer.parse.read import read
from mcts_math.answer.rules.real_sets import real_set, sets_equal
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.exact import exact, same_residue
from mcts_math.answer.values.nodes import IMAGINARY, Call, Node, Num
from mcts_math.answer.values.points import rank, same_flat
from mcts_math.answer.values.polynomials import rational_function, real_roots
from mcts_math.answer.verdict import DEFAULT_POLICY


def tree(text: str) -> Node:
    node = read(text).node
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac12+\frac13", Fraction(5, 6)),
        ("8^{2/3}", Fraction(4)),
        (r"\sum_{k=1}^{10}k^2", Fraction(385)),
        (r"\binom{10}{3}", Fraction(120)),
        (r"\sqrt2", None),
        (r"\frac10", None),
        ("10^{10^{10}}", None),
        ("x", None),
    ],
)
def test_exact(text: str, value: Fraction | None) -> None:
    assert exact(tree(text)) == value


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("(x+1)^{5000}", "(1+x)^{5000}", True),
        ("x^{5999}", "x^{59999}", False),
        ("10^{10^{10}}", "10^{10^{10}}+1", False),
        ("100000!", r"100000\cdot99999!", True),
        ("(1+i)^2", "2i", True),
        (r"\sqrt3/2", r"\frac{\sqrt3}{2}", True),
        (r"\sqrt{12}", r"2\sqrt3", None),
        (r"\frac{1}{x-x}", "1", None),
    ],
)
def test_residues(left: str, right: str, same: bool | None) -> None:
    assert same_residue(tree(left), tree(right)) is same


def test_digits() -> None:
    value = evaluate(tree(r"\sqrt2"), {}, numbers(60))
    assert str(value).startswith("1.41421356237309504880168872420969807856967187537694")
    with pytest.raises(UndefinedError):
        evaluate(tree(r"\sqrt{-1}"), {}, numbers(real=True))
    with pytest.raises(UndefinedError):
        evaluate(tree(r"\frac10"), {}, numbers())


def test_roots_are_exact_where_they_are_rational() -> None:
    function = rational_function(tree("(x-1)^2(x^3-2)"), "x")
    assert function is not None
    roots = real_roots(function[0])
    assert roots is not None
    assert [exact(root.node) for root in roots] == [1, None]
    assert evaluate(roots[1].node, {}, numbers()) ** 3 == pytest.approx(2)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("x^2-2>0", r"(-\infty,-\sqrt2)\cup(\sqrt2,\infty)", True),
        ("(x-1)^2>0", "x\\ne1", True),
        ("[1,2)\\cup[2,3]", "[1,3]", True),
        ("[1,2)\\cup(2,3]", "[1,3]", False),
        ("x^2<0", r"\{\}", True),
        ("|x-1|<2x", "(1/3,\\infty)", True),
    ],
)
def test_sets(left: str, right: str, same: bool) -> None:
    first, second = real_set(tree(left)), real_set(tree(right))
    assert first is not None
    assert second is not None
    assert sets_equal(first, second, DEFAULT_POLICY) is same


def test_flats() -> None:
    assert rank([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]]) == 1
    assert same_flat([[0, 0, 0], [1, 1, 0]], [[2, 2, 0], [5, 5, 0]], 1)
    assert not same_flat([[0, 0, 0], [1, 1, 0]], [[2, 2, 1], [5, 5, 1]], 1)


def test_a_remainder_of_complex_numbers_has_no_value() -> None:
    """mpmath knows none, and says so in an error of its own; a verdict is given all the same."""
    with pytest.raises(UndefinedError):
        evaluate(Call("mod", (IMAGINARY, Num(Fraction(3)))), {}, numbers())


def test_words_with_an_odd_power_are_no_unit() -> None:
    assert not check(r"(0,0)\text{ an\sqrt{b^{2}-4ac}}{2a}", "(0,0)").equal


@pytest.mark.parametrize("name", ["f", "et", "C", r"\sin", r"\min", r"\gcd", r"\phi"])
def test_a_function_of_nothing_is_not_read(name: str) -> None:
    assert read(f"{name}()").node is None


@pytest.mark.parametrize("power", ["100000000", "9" * 5000])
@pytest.mark.parametrize("written", [r"(5\text{ cm})^{%s}", "5*cm**%s", r"5\text{ cm}^{%s}"])
def test_units_with_huge_powers_are_bounded(written: str, power: str) -> None:
    assert not check("5 m", written % power).equal
    assert not check(written % power, r"5\text{ cm}").equal
