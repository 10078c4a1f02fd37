"""pass@k, Maj@k and what is solved within a budget, from attempts in results files."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from eval_output_jsonl import main as evaluate
from mcts_math.errors import RecordError
from mcts_math.evaluate.budgets import MAJORITY, attempt_curves, curves_by_axis, render_curves
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.intervals import share_interval, wilson_interval
from mcts_math.evaluate.trials import (
    can_estimate,
    majority_share,
    pass_at_k,
    powers_of_two,
    read_questions,
    solved_share,
)


def line(name: str, outcomes: str, method: str = "best_of_n", answers: str = "", **more: Any) -> dict[str, Any]:
    """`outcomes`: + right, - wrong, ? no answer, . not judged; ten tokens and a second each."""
    verdicts = {"+": "correct", "-": "incorrect", "?": "no_answer", ".": None}
    attempts = [
        {
            "tag": "0",
            "verdict": verdicts[mark],
            "answer": None if mark == "?" else (answers or outcomes)[i],
            "tokens": 10,
            "prompt_tokens": 5,
            "seconds": 1.0,
        }
        for i, mark in enumerate(outcomes)
    ]
    root = {
        "text": "",
        "extra_info": "question: Q",
        "action": "",
        "action_input": "",
        "final_answer": "",
        "value": -100,
    }
    return {
        "id": name, "question": "Q", "answer": "1", "react": {"0": root}, "solutions": [], "method": method,
        "format": "chat", "step_delim": "\n", "correct": "+" in outcomes, "attempts": attempts, **more,
    }  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def to_file(*records: dict[str, Any], name: str = "r.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return to_file


def test_pass_at_k_is_the_chance_of_a_random_choice() -> None:
    generator = random.Random(0)
    for _ in range(20):
        num = generator.randint(1, 8)
        marks = [generator.random() < 0.4 for _ in range(num)]
        for k in range(1, num + 1):
            chosen = [any(some) for some in combinations(marks, k)]
            assert pass_at_k(num, sum(marks), k) == pytest.approx(sum(chosen) / len(chosen))
    with pytest.raises(ValueError, match="pass@3"):
        pass_at_k(2, 1, 3)


def test_independent_attempts_are_estimated_and_sequential_ones_counted(write: Any) -> None:
    independent = read_questions(write(line("a", "-+--"), line("b", "----")))
    assert can_estimate(independent)
    assert solved_share(independent[0], "trials", 2, unbiased=True) == pytest.approx(0.5)
    assert solved_share(independent[0], "trials", 1) == 0.0
    assert solved_share(independent[0], "trials", 2) == 1.0
    assert not can_estimate(read_questions(write(line("a", "-+"), line("b", "----"))))  # a stopped at its success
    assert not can_estimate(read_questions(write(line("a", "---+", "revision"), line("b", "----", "revision"))))
    assert not can_estimate(read_questions(write(line("a", "---+"), line("b", "----"))))  # a may have stopped there
    assert can_estimate(read_questions(write(line("a", "+"), line("b", "-"))))


@pytest.mark.parametrize(("few", "many"), [(27, 249), (3, 1000), (5, 5)])
def test_the_dearest_question_is_solved_at_the_last_budget(write: Any, few: int, many: int) -> None:
    records = [line("a", "+", cost={"tokens": few}), line("b", "+", cost={"tokens": many})]
    records[0]["attempts"][0]["tokens"], records[1]["attempts"][0]["tokens"] = few, many
    questions = read_questions(write(*records))
    with Grader() as grader:
        curves = curves_by_axis({"m": [questions]}, grader)["tokens"]
    curve = curves[0]
    assert max(curve.points) == many
    assert curve.points[many][0] == 1.0


def test_a_method_that_makes_one_answer_has_one_point_against_attempts(write: Any) -> None:
    attempts = read_questions(write(line("a", "-+--")))
    chain = read_questions(write(line("a", "", "mcts") | {"correct": True}), others=True)
    with Grader() as grader:
        curves = curves_by_axis({"many": [attempts], "one": [chain]}, grader)["trials"]
        assert {curve.method: list(curve.points) for curve in curves if curve.what != MAJORITY} == {
            "many": [1.0, 2.0, 4.0], "one": [1.0]
        }  # fmt: skip
        assert render_curves({"trials": curves}, {"many": [attempts], "one": [chain]})


def test_attempts_without_answer_cost_but_do_not_count(write: Any) -> None:
    (question,) = read_questions(write(line("a", "??-?+")))
    assert [trial.trials for trial in question.trials] == [0, 0, 1, 1, 2]
    assert solved_share(question, "trials", 2) == 1.0
    assert solved_share(question, "tokens", 49) == 0.0
    assert solved_share(question, "tokens", 50) == 1.0
    assert solved_share(question, "seconds", 4.5) == 0.0


def test_a_question_that_broke_down_counts_as_not_solved(write: Any) -> None:
    """As in the accuracy: else a method would gain by failing."""
    solved, broken = line("a", "+-"), line("b", "", error="broke down")
    del broken["attempts"], broken["correct"]
    path = write(broken, solved)
    assert [len(question.trials) for question in read_questions(path)] == [0, 2]
    with Grader(1) as grader:
        curves = attempt_curves(path, grader)
        assert curves == {"pass@k": {1: 0.25, 2: 0.5}, "maj@k": {1: 0.0, 2: 0.0}}
        del broken["method"]  # as earlier versions wrote such a line, and as other methods do
        assert [question.id for question in read_questions(write(broken, solved))] == ["a"]
        others = read_questions(write(broken, solved), others=True)
        assert [(question.id, len(question.trials)) for question in others] == [("b", 0), ("a", 2)]
        assert can_estimate(others)


def test_majorities_within_a_budget(write: Any) -> None:
    path = write(
        line("a", "....", "self_consistency", "2112"), line("b", "....", "self_consistency", "1222"),
        line("c", "????", "self_consistency"),
    )  # fmt: skip
    questions = read_questions(path)
    with Grader(1) as grader:
        assert majority_share(questions, "trials", 1, grader) == [0.0, 1.0, 0.0]
        assert majority_share(questions, "trials", 3, grader) == [1.0, 0.0, 0.0]
        assert majority_share(questions, "tokens", 0, grader) == [0.0, 0.0, 0.0]
        curves = attempt_curves(path, grader)
    assert curves == {"maj@k": {1: pytest.approx(1 / 3), 2: pytest.approx(1 / 3), 4: 0.0}}


def test_votes_that_ended_early_are_told_and_what_does_not_vote_is_not(write: Any) -> None:
    """Questions of one vote may have unequal numbers of attempts: a vote can end when nothing can change it."""
    with Grader(1) as grader:
        votes = [line("a", "..", "self_consistency", "11"), line("b", "....", "self_consistency", "1222")]
        assert attempt_curves(write(*votes), grader) == {"maj@k": {1: 1.0, 2: 1.0, 4: 0.5}}
        chosen = [line("a", "...", "ab_mcts", "121", correct=True), line("b", "..", "ab_mcts", "22", correct=False)]
        assert attempt_curves(write(*chosen), grader) == {}


def test_the_programme_prints_both(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    full = write(line("a", "-+--", answers="2122", oracle=True), line("b", "----", answers="3232", oracle=True))
    assert evaluate(["--res_file", str(full), "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert "(oracle)" in printed
    assert "accuracy % after k attempts" in printed
    assert "pass@k" in printed
    assert "maj@k" in printed
    assert "12.50" in printed  # pass@1 = mean of 1/4 and 0
    assert evaluate(["--res_file", str(full), "--workers", "1", "--json"]) == 0
    (data,) = json.loads(capsys.readouterr().out)["files"]
    assert data["oracle"] is True
    assert data["pass@k"]["2"] == pytest.approx(0.25)


def test_programs_are_judged_by_what_the_run_found(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    records = [line("a", "-+"), line("b", "--")]
    for record in records:
        del record["answer"]
    assert evaluate(["--res_file", str(write(*records)), "--workers", "1", "--json"]) == 0
    (data,) = json.loads(capsys.readouterr().out)["files"]
    assert (data["correct"], data["total"]) == (1, 2)
    assert "maj@k" not in data


def test_other_files_have_no_curves(write: Any) -> None:
    record = line("a", "-")
    del record["method"], record["attempts"]
    with Grader(1) as grader:
        assert attempt_curves(write(record), grader) == {}


@pytest.mark.parametrize("change", [{"verdict": "maybe"}, {"tokens": "many"}, {"tag": None, "verdict": []}])
def test_attempts_of_no_known_form_are_named(write: Any, change: dict[str, Any]) -> None:
    record = line("a", "-+")
    record["attempts"][1] |= change
    with pytest.raises(RecordError, match=r"r\.jsonl:1: not a list of attempts"):
        read_questions(write(record))
    record["attempts"] = "none"
    with pytest.raises(RecordError, match="not a list of attempts"):
        read_questions(write(record))


def test_steps_of_a_budget_and_intervals() -> None:
    assert powers_of_two(0) == []
    assert powers_of_two(1) == [1]
    assert powers_of_two(32) == [1, 2, 4, 8, 16, 32]
    assert powers_of_two(20) == [1, 2, 4, 8, 16, 20]
    mean, (low, high) = share_interval([1.0, 0.0, 1.0, 0.0])
    assert (mean, (low, high)) == (0.5, wilson_interval(2, 4))  # of one run
    mean, (low, high) = share_interval([1.0, 0.5, 0.0, 0.5])
    assert (mean, low < 0.5 < high) == (0.5, True)
    assert share_interval([1.0] * 3) == (1.0, wilson_interval(3, 3))  # three questions prove no 100 %
    assert share_interval([0.0] * 3) == (0.0, wilson_interval(0, 3))
