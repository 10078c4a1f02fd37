"""Every MATH answer: equal to itself in any habit, different from another and from itself with one digit changed."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from mcts_math.answer import Status, check, is_equiv


@pytest.fixture(scope="module")
def answers(benchmark_data: Path) -> list[str]:
    records = json.loads((benchmark_data / "math" / "math_testset_annotation.json").read_text(encoding="utf-8"))
    texts = [record["answer"] for record in records]
    return list(dict.fromkeys(text for item in texts for text in ([item] if isinstance(item, str) else item)))


def test_every_answer_is_read(answers: list[str]) -> None:
    assert [answer for answer in answers if check(answer, answer + " ").status is not Status.EQUAL] == []
    assert [answer for answer in answers if check(answer, "0.123456").status is Status.UNPARSED] == []


def test_restyled(answers: list[str]) -> None:
    missed = []
    for answer in answers:
        for other in (
            f"${answer}$",
            f"\\boxed{{{answer}}}",
            f"The answer is ${answer}$.",
            answer.replace("\\frac", "\\dfrac"),
            re.sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2", answer),
            answer.replace("\\pi", "π").replace("\\infty", "∞").replace("\\cup", "∪").replace("^\\circ", "°"),
        ):
            if not is_equiv(answer, other):
                missed.append((answer, other))
    assert missed == []


def test_different_answers_differ(answers: list[str]) -> None:
    rng = random.Random(7)
    same = []
    for answer in answers:
        other = rng.choice(answers)
        if is_equiv(answer, other) and re.sub(r"\W|[dt](?=frac)|[a-z] =", "", answer) != re.sub(
            r"\W|[dt](?=frac)|[a-z] =", "", other
        ):
            same.append((answer, other))
    assert same == []


def test_one_digit_changed(answers: list[str]) -> None:
    rng = random.Random(8)
    same = []
    for answer in answers:
        places = [index for index, char in enumerate(answer) if char.isdigit()]
        if places:
            place = rng.choice(places)
            digit = rng.choice([digit for digit in "0123456789" if digit != answer[place]])
            other = answer[:place] + digit + answer[place + 1 :]
            if is_equiv(answer, other):
                same.append((answer, other))
    assert same == []
