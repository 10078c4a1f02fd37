"""Final answers in model outputs, and classes of answers."""

from __future__ import annotations

import pytest

from mcts_math.answer import answer_classes, extract_answer, majority


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So the result is $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"First \boxed{1}, no: \boxed{2}.", "2"),
        (r"\boxed{\text{(A)} \{1, 2\}}", r"\text{(A)} \{1, 2\}"),
        (r"\boxed 5", "5"),
        (r"\fbox{7}", "7"),
        (r"thus \boxed{x = \boxed{3}}", "3"),
        ("<p>\nFinal Answer: $\\frac{3}{4}$\n</p>\n</step>", r"\frac{3}{4}"),
        ("Final Answer: 42", "42"),
        ("Final Answer: 42 <Solution complete>", "42"),
        ("**Final Answer:** 42", "42"),
        ("Final Answer: The final answer is $8$. I hope it is correct.", "8"),
        ("The final answer is 3.5.", "3.5"),
        ("Therefore the answer is $x=3$ because it is.", "$x=3$ because it is"),
        (r"The answer is $5$.", "5"),
        ("The answer is \\boxed{9}", "9"),
        ("He pays 3 dollars.\n#### 1,200", "1,200"),
        ("The answer is (B) 12.", "B"),
        ("The answer is (C).", "C"),
        ("Answer: D", "D"),
        ("The correct option is (E)", "E"),
        ("So we have **17**", "17"),
        ("So it is **17**.", "17"),
        ("\\boxed{3} ... wait. Final Answer: 4", "4"),
        ("The answer is 9 a.m.", "9 a.m."),
        (r"Final Answer: $\begin{pmatrix}1\\2\end{pmatrix}$", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        ("It is 5, or 6, or 7.", None),
        ("", None),
        (r"\boxed{", None),
        (r"\boxed{}", None),
        ("The numbers 3 and 4 are in bold: **3** and 4 here.", None),
    ],
)
def test_extract(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_majority_counts_equal_answers_as_one() -> None:
    winner = majority(["3", r"\frac12", "0.5", "3", "1/2"])
    assert winner is not None
    assert winner.answer == r"\frac12"
    assert winner.members == (1, 2, 4)
    assert winner.weight == 3


def test_ties_go_to_the_first_to_appear() -> None:
    winner = majority(["4", "5", "5.0", "4.0"])
    assert winner is not None
    assert winner.answer == "4"


def test_weights_decide() -> None:
    winner = majority(["4", "5", "4"], weights=[0.1, 0.9, 0.2])
    assert winner is not None
    assert winner.answer == "5"
    with pytest.raises(ValueError, match="weights"):
        majority(["4"], weights=[])


def test_no_answers() -> None:
    assert majority([]) is None
    assert answer_classes([]) == []


def test_classes_are_transitive() -> None:
    classes = answer_classes(["10", "0.1", r"10\%"])  # 10 % is both, so all three are one class
    assert [group.members for group in classes] == [(0, 1, 2)]


def test_another_judge_may_be_used() -> None:
    classes = answer_classes(["a", "A", "b"], same=lambda first, second: first.lower() == second.lower())
    assert [group.members for group in classes] == [(0, 1), (2,)]
