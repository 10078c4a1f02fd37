"""The questions that are solved by guessing and checking, their demonstrations, and what was made of them."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "recipes" / "mini"))

if find_spec("reasoning_gym") is None:  # not imported yet: every process collects this file
    pytest.skip("the extra `mini` is not installed", allow_module_level=True)
torch = pytest.importorskip("torch")

import cells  # noqa: E402
import corpus  # noqa: E402
import demonstrations  # noqa: E402
import extend  # noqa: E402
import guesses  # noqa: E402
import questions  # noqa: E402

MODEL = ROOT / "models" / "mini-guess"
DATA = ROOT / "data" / "mini-guess"


def _records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("family", list(guesses.FAMILIES))
def test_one_guess_alone_fits(family: str) -> None:
    for question in guesses.draw(family, 7_000, 25):
        puzzle: guesses.Puzzle = question.facts["puzzle"]
        shown = [cells.run_cells([guess.code])[0] for guess in puzzle.guesses]
        assert shown == [str(index == puzzle.right) for index in range(len(shown))], question.text
        assert puzzle.guesses[puzzle.right].answer == question.answer


@pytest.mark.parametrize("family", list(guesses.FAMILIES))
def test_drawing_guesses_is_reproducible_and_excludes_what_it_is_told(family: str) -> None:
    first = guesses.draw(family, 5, 20)
    assert [q.text for q in first] == [q.text for q in guesses.draw(family, 5, 20)]
    others = guesses.draw(family, 5, 20, frozenset(q.text for q in first))
    assert not {q.text for q in first} & {q.text for q in others}


def test_a_family_that_is_used_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    one = guesses.multiple(random.Random(1))
    monkeypatch.setitem(guesses.FAMILIES, "multiple", lambda rng: one)
    with pytest.raises(ValueError, match="'multiple' gave 1 different questions, 2 were wanted"):
        guesses.draw("multiple", 5, 2)


def test_demonstrations_guess_again_only_after_a_miss_and_end_with_their_last_guess() -> None:
    rng = random.Random(2)
    lengths, right = Counter[int](), 0
    for family in guesses.FAMILIES:
        for question in guesses.draw(family, 6_000, 60):
            puzzle: guesses.Puzzle = question.facts["puzzle"]
            thoughts, answer = guesses.demonstrate(puzzle, guesses.Habits(), rng)
            codes = [thought.code for thought in thoughts]
            assert len(set(codes)) == len(codes)
            assert puzzle.guesses[puzzle.right].code not in codes[:-1]
            assert answer == next(guess.answer for guess in puzzle.guesses if guess.code == codes[-1])
            lengths[len(codes)] += 1
            right += answer == question.answer
    total = lengths.total()
    assert 0.5 < right / total < 0.75
    assert set(lengths) == {1, 2, 3, 4}
    assert lengths[1] > lengths[2] > lengths[3] > 0


def test_a_demonstration_is_written_with_the_answer_of_its_guess() -> None:
    question = guesses.draw("pair_sum", 3, 1)[0]
    drawn = corpus.write_demonstration(question, demonstrations.Rates(), random.Random(5))
    assert drawn is not None
    text = "".join(piece for piece, _ in drawn.pieces)
    assert "First, try " in text
    assert text.rstrip().endswith("</step>")
    last = text.split("Final Answer: ")[1].split("\n")[0]
    assert last in {guess.answer for guess in question.facts["puzzle"].guesses}


def test_shipped_questions_are_the_generated_ones() -> None:
    for name, made in (("test.jsonl", extend.test_set()), ("train.jsonl", extend.train_set())):
        shipped = _records(name)
        assert [(r["question"], r["answer"]) for r in shipped] == [(q.text, q.answer) for q in made]
        assert len({r["id"] for r in shipped}) == len(shipped)
    counts = Counter(r["type"] for r in _records("test.jsonl"))
    assert counts == dict.fromkeys(guesses.FAMILIES, 25) | dict.fromkeys(questions.FAMILIES, 20)


def test_no_question_of_the_test_is_trained_on() -> None:
    test = {r["question"] for r in _records("test.jsonl")}
    train = {r["question"] for r in _records("train.jsonl")}
    assert len(test) == 500
    assert len(train) == 4000
    assert not test & train
    demonstrated = {q.text for family in guesses.FAMILIES for q in extend.demonstrated(family, 300)}
    assert not demonstrated & (test | train)


def test_the_shipped_base_is_a_policy_of_the_same_make() -> None:
    config = json.loads((MODEL / "config.json").read_text())
    assert config == json.loads((ROOT / "models" / "mini" / "config.json").read_text()) | {"value_model": False}
    assert not (MODEL / "value_head.pth").exists()
    assert sum(path.stat().st_size for folder in (MODEL, DATA) for path in folder.iterdir()) <= 10_000_000
