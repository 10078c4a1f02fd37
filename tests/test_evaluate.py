"""Evaluation: accuracy, votes, intervals, costs, of one file and of several."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from eval_output_jsonl import main as evaluate
from mcts_math.errors import RecordError
from mcts_math.evaluate.accuracy import (
    evaluate_file,
    mean_over_files,
    paired_difference,
    scores_by_id,
    votes_by_id,
)
from mcts_math.evaluate.budgets import attempt_curves
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.intervals import wilson_interval
from mcts_math.evaluate.report import Summary
from mcts_math.evaluate.table import render_table
from mcts_math.evaluate.trials import read_questions
from mcts_math.files import read_records
from offline_inference import main as rescore


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(1) as grader:
        yield grader


def line(number: int, gold: Any, *answers: str, **more: Any) -> dict[str, Any]:
    solutions = [{"final_answer": a, "value": -0.1 * i, "tag": "0.0.0"} for i, a in enumerate(answers)]
    record = {"id": str(number), "question": f"q{number}", "answer": gold, "react": {"0": {"final_answer": ""}}}
    return record | {"solutions": solutions} | more


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in lines))
    return path


def test_top_1(tmp_path: Path, grader: Grader) -> None:
    path = write(
        tmp_path / "a.jsonl",
        line(1, "1/2", "0.5", "7", level=1, cost={"seconds": 2.0, "tokens": 10}),
        line(2, ["3", "three"], "four", level=2, cost={"seconds": 4.0, "tokens": 30}),
        line(3, "x", level=2),
        line(4, "9", error="bad luck", stopped="max_total_time"),
        line(5, None, "8"),
    )
    report = evaluate_file(path, grader)
    assert (report.top1.correct, report.top1.total, report.questions, report.answered) == (1, 4, 5, 3)
    assert (report.errors, report.stopped, report.solutions) == (1, 1, 4)
    assert report.mean_steps == 2
    assert report.mean_cost("seconds") == 3.0
    assert {k: (t.correct, t.total) for k, t in report.groups["level"].items()} == {"1": (1, 1), "2": (0, 2)}
    data = json.loads(json.dumps(report.to_json()))
    assert data["accuracy"] == 0.25
    assert data["mean_tokens"] == 20


def test_react_takes_the_deepest_node_not_the_longest_tag(tmp_path: Path, grader: Grader) -> None:
    react = {"0": {"final_answer": ""}, "0.1000000": {"final_answer": "1"}, "0.1.1": {"final_answer": "2"}}
    failed = {"0": {"final_answer": ""}, "0.1": {"final_answer": "Fail to sove the problem within limited steps."}}
    path = write(
        tmp_path / "a.jsonl",
        {"question": "a", "answer": "2", "react": react},
        {"question": "b", "answer": "2", "react": failed},
    )
    report = evaluate_file(path, grader, react=True)
    assert (report.top1.correct, report.top1.total, report.answered) == (1, 2, 1)


@pytest.mark.parametrize("react", [False, True])
def test_programs_are_solutions_too(tmp_path: Path, grader: Grader, react: bool) -> None:
    problem = {"task": "mbpp", "entry_point": "f", "test": "assert f(1) == 2", "format": "chat", "step_delim": "\n"}
    root, program = {"final_answer": ""}, {"final_answer": "", "outcome": "reply"}
    failed = {"final_answer": "Fail to generate parsable text for next step."}
    chosen = {"react": {"0": root, "0.0": program}, "solutions": [{"final_answer": None, "value": 0.5, "tag": "0.0"}]}
    found = (
        chosen | {"correct": True},
        {"react": {"0": root, "0.0": failed}, "solutions": [], "correct": False},
        chosen | {"correct": False},
        {"react": {"0": root}, "error": "the engine died"},
    )
    path = write(
        tmp_path / "a.jsonl", *({"id": str(i), "question": f"q{i}", **problem, **one} for i, one in enumerate(found))
    )
    report = evaluate_file(path, grader, react=react)
    assert (report.top1.correct, report.top1.total, report.answered, report.solutions) == (1, 4, 2, 2)
    assert "without a known answer" not in Summary([report]).render()
    assert report.mean_steps == 1


PLACES = ("published", "beside", "inside")


def shaped(place: str, number: int, gold: str, *answers: str, **more: Any) -> dict[str, Any]:
    """A line as the published system, earlier versions of ours and ours write it."""
    record = line(number, gold, *answers, **more)
    record["react"] |= {f"0.{i}": {"final_answer": answer} for i, answer in enumerate(answers)}
    if place == "beside":
        return record | {"cost": {"tokens": 1}}
    record["react"]["solutions"] = record.pop("solutions")
    if place == "inside":
        return record | {"format": "react_sft", "step_delim": "\n"}
    del record["id"]
    return record


@pytest.mark.parametrize("place", PLACES)
def test_solutions_are_found_wherever_they_stand(tmp_path: Path, grader: Grader, place: str) -> None:
    """Equal questions without an id count each; `--react` looks at nodes only."""
    lines = [shaped(place, n, "1/2", answer, "7") for n, answer in ((1, "0.5"), (2, "7"), (3, "0.5"))]
    lines[2]["question"] = lines[0]["question"]
    report = evaluate_file(write(tmp_path / "a.jsonl", *lines), grader, top_k=2)
    assert (report.top1.correct, report.top1.total, report.majority.correct) == (2, 3, 2)
    assert len(report.correct_by_id) == 3
    assert evaluate_file(tmp_path / "a.jsonl", grader, react=True).top1.total == 3
    assert [trial.answer for q in read_questions(tmp_path / "a.jsonl", others=True) for trial in q.trials] == [
        "0.5", "7", "0.5",
    ]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "column",
    [
        {"correct": True}, {"correct": "yes"}, {"error": "an old note"}, {"error": None}, {"attempts": 3},
        {"attempts": [1]}, {"method": "sbs"}, {"method": ["x"]}, {"oracle": 1}, {"stopped": 0}, {"cost": "much"},
        {"cost": {"tokens": "many"}},
    ],
)  # fmt: skip
def test_columns_of_the_user_change_nothing(tmp_path: Path, grader: Grader, place: str, column: dict[str, Any]) -> None:
    """In a line of ours they stand under `input`; in others they stand where ours would."""
    lines = [shaped(place, 1, "5", "5"), shaped(place, 2, "5", "6"), shaped(place, 3, None, "7")]
    if place == "beside" and "correct" in column:  # there it can't be told from ours, where no answer is known
        del lines[2]
    plain = write(tmp_path / "plain.jsonl", *lines)
    for record in lines:
        record.update({"input": column} if place == "inside" else record | column)
    told = write(tmp_path / "told.jsonl", *lines)
    ignored = {"path", "costs", "with_cost"}
    one, two = (evaluate_file(path, grader, top_k=2) for path in (plain, told))
    assert {k: v for k, v in asdict(one).items() if k not in ignored} == {
        k: v for k, v in asdict(two).items() if k not in ignored
    }
    assert attempt_curves(told, grader) == {}
    assert all(q.method is None for q in read_questions(told, others=True))


def test_a_cut_tree_counts_as_wrong(tmp_path: Path, grader: Grader) -> None:
    cut = shaped("inside", 1, "5", stopped="max_total_time", correct=False)
    unknown = shaped("inside", 2, None, stopped="max_total_time", correct=False)
    report = evaluate_file(write(tmp_path / "a.jsonl", cut, unknown), grader)
    assert (report.top1.correct, report.top1.total, report.stopped) == (0, 2, 2)


def test_rescoring_says_which_strategy_chose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = {"text": "t", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": 0.1}
    tree = {"0": node, "0.0": node | {"final_answer": "5", "value": 0.2}, "0.1": node | {"final_answer": "6"}}
    trees = write(tmp_path / "trees.jsonl", {"question": "Q", "answer": "5", "react": tree})
    words = ["--custom_cfg", "configs/offline_inference.yaml", "--tree_jsonl", str(trees), "--workers", "1", "--json"]
    assert rescore(words) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["strategy"] == "value"
    assert "without Q, chosen by value, not by q_value: 1 of 1 tree\n" in told.err


def test_rescoring_writes_published_lines_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an id, with solutions among the nodes; what is overwritten is kept beside."""
    node = {"text": "t", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": 0.1}
    scores = {"q_value": 0.5, "prior": 0.5, "visit_count": 1}
    mcts = {
        "0": node | scores,
        "0.0": node | scores | {"final_answer": "5"},
        "0.1": node | {"final_answer": "6"} | scores,
    }
    sbs = {"0": node, "0.0": node | {"final_answer": "6"}, "solutions": [{"final_answer": "6", "tag": "0.0"}]}
    trees = write(
        tmp_path / "trees.jsonl",
        {"question": "Q", "answer": "5", "react": mcts},
        {"question": "Q", "answer": "5", "react": sbs},
    )
    words = ["--custom_cfg", "configs/offline_inference.yaml", "--tree_jsonl", str(trees), "--workers", "1", "--json"]
    output = str(tmp_path / "out.jsonl")
    assert rescore([*words, "--output", output]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["total"], first["correct"], first["kept"]) == (2, 1, 1)
    assert (tmp_path / "out.meta.json").exists()
    assert evaluate(["--res_file", output, "--json", "--workers", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["correct"] == 1
    with pytest.raises(RecordError, match="exists"):
        rescore([*words, "--output", output])
    assert rescore([*words, "--output", output, "--overwrite"]) == 0
    assert (tmp_path / "out.jsonl.bak").read_bytes() == Path(output).read_bytes()
    with pytest.raises(RecordError, match="is a file that this run reads"):
        rescore([*words, "--output", str(trees), "--overwrite"])
    with pytest.raises(SystemExit):
        rescore([*words, "--workers", "-1"])
    assert "--workers: must be a whole number, at least 0, not '-1'" in capsys.readouterr().err


def test_a_new_choice_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    node = {"text": "t", "extra_info": "", "action": "", "action_input": "", "final_answer": ""}
    react = {
        "0": node | {"value": 0.1, "q_value": 0.5, "prior": 0.5, "visit_count": 3},
        "0.1": node | {"value": 0.9, "q_value": 0.1, "prior": 0.5, "visit_count": 1, "final_answer": "1"},
        "0.2": node | {"value": 0.1, "q_value": 0.9, "prior": 0.5, "visit_count": 2, "final_answer": "2"},
    }
    ours = {"id": "a", "question": "Q", "answer": "1", "method": "mcts", "format": "react_sft", "cost": {"tokens": 1}}
    solutions = [{"final_answer": "2", "tag": "0.2"}]
    trees = write(tmp_path / "t.jsonl", ours | {"react": react | {"solutions": solutions}, "correct": False})
    words = ["--custom_cfg", "configs/offline_inference.yaml", "--tree_jsonl", str(trees), "--workers", "1"]
    assert rescore([*words, "mcts_infer_strategy=value", "--output", str(tmp_path / "o.jsonl")]) == 0
    (record,) = (record for _, record in read_records(tmp_path / "o.jsonl"))
    assert record["react"]["solutions"][0]["final_answer"] == "1"
    assert record["correct"] is True


def test_majority_within_a_file_counts_equal_answers_as_one(tmp_path: Path, grader: Grader) -> None:
    path = write(
        tmp_path / "a.jsonl",
        line(1, "1/2", "3", r"\frac12", "0.5", "3", "4"),  # 1/2 and 3 have two votes each: the first to appear wins
        line(2, "1/2", "3", r"\frac12", "0.5", "4", "5"),
        line(3, "1"),
    )
    report = evaluate_file(path, grader, top_k=5)
    assert (report.majority.correct, report.majority.total) == (1, 3)
    assert evaluate_file(path, grader, top_k=2).majority.correct == 0


def test_verdicts_do_not_decide_a_vote(tmp_path: Path, grader: Grader) -> None:
    """Best-of-n puts attempts that passed first among its solutions: a tie falls to the first that was made."""
    answers = ("2", "7", "2", "3", "3")  # passed ones, then others, made in the order 4, 0, 3, 1, 2
    tags = [f"0.{i}" for i in (4, 0, 3, 1, 2)]
    solutions = [{"final_answer": answer, "tag": tag} for answer, tag in zip(answers, tags, strict=True)]
    attempts = [{"tag": f"0.{i}", "verdict": None} for i in range(5)]
    react = {"0": {"final_answer": ""}, **{f"0.{i}": {} for i in range(5)}, "solutions": solutions}
    record = {"id": "1", "question": "q", "answer": "2", "react": react, "cost": {"tokens": 5}, "method": "best_of_n"}
    ours = write(tmp_path / "a.jsonl", record | {"oracle": True, "attempts": attempts})
    assert evaluate_file(ours, grader, top_k=5).majority.correct == 0
    assert evaluate_file(ours, grader).top1.correct == 1
    no_oracle = write(tmp_path / "b.jsonl", record | {"oracle": False, "attempts": attempts})
    assert evaluate_file(no_oracle, grader, top_k=5).majority.correct == 1


def test_several_files_are_matched_by_id(tmp_path: Path, grader: Grader) -> None:
    a = write(tmp_path / "a.jsonl", line(1, "5", "5"), line(2, "1/2", "0.5"), line(3, "x"))
    b = write(tmp_path / "b.jsonl", line(3, "x", "x"), line(2, "1/2", "3"), line(1, "5", "6"))
    c = write(tmp_path / "c.jsonl", line(2, "1/2", r"\frac{1}{2}"), line(1, "5", "6"), line(3, "x"))
    reports = [evaluate_file(path, grader) for path in (a, b, c)]
    votes = list(votes_by_id(reports, grader).values())
    assert votes == [False, True, True]  # 6 beats 5; 1/2 beats 3; x alone
    mean, (low, high) = mean_over_files(reports)
    assert mean == pytest.approx(4 / 9)
    assert low < mean < high
    with pytest.raises(RecordError, match="'1' stands twice in this file"):
        evaluate_file(write(tmp_path / "e.jsonl", line(1, "5", "5"), line(1, "5", "5")), grader)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"question": "a"}\n', r"bad\.jsonl:1: no search tree"),
        ('{"question": "a", "react": {"0": {}}}\n', r"no `solutions`. Choose them with offline_inference.py"),
        ("{}{}\n", r"bad\.jsonl:1: not a JSON object"),
        ('{"question": "a", "react": {"0": {}}, "solutions": null}\n', r"no `solutions`. Choose them with"),
        (
            '{"question": "a", "react": {"0": {}}, "cost": {"tokens": 1}, "solutions": ["1"]}\n',
            "`solutions` is not a list of objects",
        ),
        ('{"question": "a", "rea', r"bad\.jsonl:1: the last line is torn. Resume"),
    ],
)
def test_bad_files(tmp_path: Path, grader: Grader, text: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        evaluate_file(path, grader)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"react": {"0": None}}, ""), ({"react": {"0.0": {}}}, ""), ({"solutions": [{"final_answer": 10**400}]}, ""),
        ({"solutions": [{"tag": {}}]}, "tag must be text"), ({"attempts": -1}, "not a list of attempts"),
        ({"attempts": [{"tag": {}, "verdict": None}]}, "not a list of attempts"),
    ],
)  # fmt: skip
def test_any_shape_of_a_line_is_read_or_named(tmp_path: Path, grader: Grader, wrong: Any, said: str) -> None:
    given = line(1, "1", "1", format="chat", step_delim="\n", oracle=True) | wrong
    with nullcontext() if not said else pytest.raises(RecordError, match=rf"a\.jsonl:1: .*{said}"):
        assert evaluate_file(write(tmp_path / "a.jsonl", given), grader).questions == 1


@pytest.mark.parametrize("cost", [{"tokens": 7, "seconds": "2.0"}, {"tokens": 7, "cells": True}, "7 tokens"])
def test_a_cost_that_is_no_number_does_not_count_as_nothing(tmp_path: Path, grader: Grader, cost: Any) -> None:
    path = write(tmp_path / "a.jsonl", line(1, "1", "1", cost=cost, format="chat", step_delim="\n"))
    with pytest.raises(
        RecordError, match=r"a\.jsonl:1: cost.* must be an? (number|whole number, at least 0|object), not "
    ):
        evaluate_file(path, grader)


def test_a_file_that_can_be_read_once_only_is_refused(tmp_path: Path, grader: Grader) -> None:
    """As of `--res_file <(zcat FILE)`: it is read for accuracy, then for attempts."""
    reader, writer = os.pipe()
    os.write(writer, write(tmp_path / "a.jsonl", line(1, "5", "5")).read_bytes())
    os.close(writer)
    assert evaluate_file(f"/dev/fd/{reader}", grader).top1.correct == 1
    with pytest.raises(RecordError, match=f"/dev/fd/{reader} is no ordinary file"):
        read_questions(f"/dev/fd/{reader}")
    os.close(reader)


def test_a_key_with_many_values_is_no_kind(tmp_path: Path, grader: Grader) -> None:
    path = write(tmp_path / "a.jsonl", *[line(i, "1", "1", type=i, level="one") for i in range(100)])
    report = evaluate_file(path, grader)
    assert list(report.breakdowns()) == []
    assert len(report.groups["type"]) < 70


def test_wilson_interval() -> None:
    low, high = wilson_interval(8, 10)  # Wilson's score interval for 8 of 10, as textbooks give it
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
    assert wilson_interval(0, 10)[0] == 0.0
    for total in range(1, 200):
        for correct in range(total + 1):
            low, high = wilson_interval(correct, total)
            assert 0 <= low <= correct / total <= high <= 1  # to the last bit: pictures refuse bars of negative length
    assert wilson_interval(0, 0) == (0.0, 1.0)


NAMES = ("first", "second")


def test_differences_are_paired_by_question() -> None:
    first, second = {"a": 1.0, "b": 0.5, "c": 0.0, "d": 1.0}, {"d": 0.0, "a": 1.0, "b": 0.5, "c": 0.0}
    mean, (low, high) = paired_difference(first, second, NAMES)
    assert mean == 0.25  # of 0, 0, 0, 1: variance 1/4, standard error 1/4
    assert (low, high) == pytest.approx((0.25 - 0.49, 0.25 + 0.49), abs=1e-3)
    assert paired_difference(second, first, NAMES)[0] == -0.25
    mean, (low, high) = paired_difference(
        first, first, NAMES
    )  # four pairs and no difference are no proof that there is none
    assert mean == 0.0
    assert -low == high == pytest.approx(1.96 * 6**-1, abs=1e-3)  # half of 1 and of -1 added: variance 1/6, six pairs
    assert paired_difference({"a": 1.0}, {"a": 0.0}, NAMES) == (1.0, (pytest.approx(-0.51, abs=0.01), 1.0))
    with pytest.raises(
        RecordError, match="second and first hold different questions \\(in one of them only: 1, such as 'd'"
    ):
        paired_difference(first, {k: first[k] for k in "abc"}, NAMES)


def test_methods_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(
        tmp_path / "a.jsonl",
        line(1, "5", "5"),
        line(2, "7", "7"),
        line(3, None, "1"),
        line(4, None, correct=True, format="chat", step_delim="\n"),
    )
    b = write(
        tmp_path / "b.jsonl",
        line(4, None, correct=False, format="chat", step_delim="\n"),
        line(1, "5", "5"),
        line(2, "7", "6"),
        line(3, None),
    )
    again = write(tmp_path / "again.jsonl", *map(json.loads, a.read_text().splitlines()))
    assert evaluate(["--res_file", str(a), str(again), "--than", str(b), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["better"]["difference"] == pytest.approx(2 / 3)  # the question without an answer doesn't count
    assert [file["accuracy"] for file in found["files"] + found["than"]] == [1.0, 1.0, pytest.approx(1 / 3)]
    a = write(tmp_path / "a.jsonl", line(1, "5", "5"), line(2, "7", "7"))
    b = write(tmp_path / "b.jsonl", line(2, "7", "6"), line(1, "5", "5"))
    again = write(tmp_path / "again.jsonl", *map(json.loads, b.read_text().splitlines()))
    assert evaluate(["--res_file", str(b), str(again), str(a), "--vote", "--than", str(a)]) == 0
    shown = capsys.readouterr().out
    assert "mean of 3" in shown
    assert "-50.00" in next(row for row in shown.splitlines() if row.startswith("difference, by question"))


def test_only_different_runs_over_the_same_questions_are_put_together(tmp_path: Path, grader: Grader) -> None:
    a = write(tmp_path / "a.jsonl", line(1, "5", "5"), line(2, "7", "7"))
    b = write(tmp_path / "b.jsonl", line(1, "5", "5"))
    c = write(tmp_path / "c.jsonl", line(1, None, "5"))
    d = write(tmp_path / "d.jsonl", line(1, "5", "5"), line(2, ["8", "9"], "7"))
    (tmp_path / "link.jsonl").symlink_to(a)
    for paths, said in (
        ([a, tmp_path / "link.jsonl"], r"link\.jsonl is given twice"),
        ([a, b], r"b\.jsonl and .*a\.jsonl hold different questions"),
        ([a, d], r"d\.jsonl and .*a\.jsonl accept different answers to questions of one id \(1, such as '2': "),
        ([c], r"c\.jsonl: no question with a known answer, so there is nothing to compare"),
        ([c, c], r"c\.jsonl: no question with a known answer"),
    ):
        reports = [evaluate_file(path, grader) for path in paths]
        for mean in (scores_by_id, mean_over_files, lambda reports: votes_by_id(reports, grader)):
            with pytest.raises(RecordError, match=said):
                mean(reports)
    with pytest.raises(RecordError, match="accept different answers"):
        evaluate([str(a), "--than", str(d)])


def test_a_run_that_is_not_finished_is_told(tmp_path: Path, grader: Grader) -> None:
    path = write(tmp_path / "a.jsonl", line(1, "5", "5"))
    for asked, told in (({"to_solve": 1}, False), ({"to_solve": 3}, True), ({"questions": {"number": 3}}, True)):
        (tmp_path / "a.meta.json").write_text(json.dumps({"questions": {"number": 9}} | asked))
        shown = Summary([evaluate_file(path, grader)]).render()
        assert ("questions that have no line yet (was the run stopped, or does it go on?): 2" in shown) is told


def test_nothing_to_judge_is_not_zero_percent(tmp_path: Path, grader: Grader) -> None:
    report = evaluate_file(write(tmp_path / "a.jsonl", line(1, None, "5")), grader)
    assert math.isnan(report.top1.accuracy)
    assert report.to_json()["accuracy"] is None


def test_a_table_is_no_wider_than_the_screen() -> None:
    header, rows = ["name", *(f"column {i}" for i in range(6))], [["first", *"123456"], ["second", *"abc"]]
    whole = render_table(header, rows)
    assert render_table(header, rows, 200) == whole
    narrow = render_table(header, rows, 30)
    assert max(map(len, narrow.splitlines())) <= 30
    assert [block.split()[0] for block in narrow.split("\n\n")] == ["name"] * 3
    assert sorted(set(narrow.split())) == sorted(set(whole.split()))
    assert len(render_table(header, rows, 3).split("\n\n")) == 6


def test_columns_that_hold_nothing_are_left_out() -> None:
    text = render_table(["name", "a", "b", "c"], [["first", "1", "-", ""], ["second", "-", "-"]])
    assert [row.split() for row in text.splitlines()] == [
        ["name", "a"], ["------", "-"], ["first", "1"], ["second", "-"],
    ]  # fmt: skip
    assert render_table(["name", "a"], []).split()[:2] == ["name", "a"]


def test_columns_are_explained_by_help_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = {"seconds": 2.0, "tokens": 10, "prompt_tokens": 5, "cached_tokens": 1, "cells": 3, "value_tokens": 7}
    for cost, unspent in (({}, set(costs)), (costs, set()), (costs | {"cells": 0}, {"cells"})):
        path = write(tmp_path / "a.jsonl", line(1, "5", "5", cost=cost))
        assert evaluate([str(path), "--workers", "1"]) == 0
        header, _, _ = capsys.readouterr().out.splitlines()
        columns = re.split(r"  +", header.strip())
        names = {key.removesuffix("_tokens") for key in costs}
        assert names - set(columns) == {key.removesuffix("_tokens") for key in unspent}
        with pytest.raises(SystemExit):
            evaluate(["--help"])
        told = capsys.readouterr().out
        assert all(re.search(rf"^  {column}  +\w", told, re.MULTILINE) for column in columns)


def test_files_over_other_questions_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = str(write(tmp_path / "a.jsonl", line(1, "5", "5"), line(2, "7", "7"), line(3, None, "7")))
    b = str(write(tmp_path / "b.jsonl", line(1, "5", "5")))
    same = str(write(tmp_path / "same.jsonl", line(2, "7", "6"), line(1, "5", "5")))
    told = f"{b} and {a} hold different questions (in one of them only: 1, such as '2')"
    assert evaluate([a, same, "--workers", "1"]) == 0
    assert "different questions" not in capsys.readouterr().out
    assert evaluate([a, "--res_file", b, "--workers", "1"]) == 0
    assert f"{told}: their figures can't be compared" in capsys.readouterr().out
    for config, path in (("sbs", a), ("dvts", b), ("mcts", same)):
        Path(path).with_suffix(".meta.json").write_text(json.dumps({"config": {"mode": config}}))
    with pytest.raises(RecordError, match=re.escape(told)):
        evaluate([a, same, "--than", b, "--workers", "1"])
    assert capsys.readouterr().err == ""  # an error is told alone


def test_a_results_file_needs_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The published names stay beside."""
    node = {"text": "t", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": 0.1}
    react = {"0": node, "0.0": node | {"final_answer": "5"}, "solutions": [{"final_answer": "5", "tag": "0.0"}]}
    trees = str(write(tmp_path / "a=b.jsonl", {"question": "Q", "answer": "5", "react": react}))
    for words in ([trees, "--json"], ["--json", trees], ["--res_file", trees, "--json"]):
        assert evaluate([*words, "--workers", "1"]) == 0
        assert json.loads(capsys.readouterr().out)["files"][0]["correct"] == 1
    key, config = "mcts_infer_strategy=value", ["--cfg", "configs/offline_inference.yaml", "--json", "--workers", "1"]
    for words in ([trees, *config, key], [key, *config, trees], [*config, "--tree_jsonl", trees, key]):
        assert rescore(words) == 0
        assert json.loads(capsys.readouterr().out)["total"] == 1
    for words in (config, [*config, trees, trees]):
        with pytest.raises(SystemExit):
            rescore(words)
        assert f"give one results file, not {words.count(trees)}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate(["--json"])


@pytest.mark.parametrize(
    "other",
    [
        {"format": "chat"}, {"value_source": "head"}, {"method": "revision"}, {"oracle": True}, {"step_delim": "+"},
        {"react": {"0": {"visit_count": 1}}}, {"chat_template_kwargs": {"enable_thinking": False}},
    ],
)  # fmt: skip
def test_lines_of_two_methods_in_one_file_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, Any]
) -> None:
    first = line(1, "5", "5", format="react", step_delim="")
    for lines, ways in (
        ([first, line(2, "7", "7") | first | {"id": "2"}, line(4, "5", error="bad luck")], 1),
        ([first, first | other | {"id": "2"}], 2),
    ):
        path = str(write(tmp_path / "a.jsonl", *lines))
        assert evaluate([path, "--workers", "1"]) == 0
        assert (f"{path}: lines of more than one method or config" in capsys.readouterr().out) == (ways > 1)
        assert evaluate([path, "--workers", "1", "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["files"][0]["ways"]) == ways


def test_a_vote_over_two_methods_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write(tmp_path / f"{name}.jsonl", line(1, "5", "5")) for name in "abc"]
    for path, config in zip(
        paths, ({"mode": "sbs", "seed": 1}, {"mode": "sbs", "seed": 2}, {"mode": "dvts"}), strict=True
    ):
        path.with_name(f"{path.stem}.meta.json").write_text(json.dumps({"config": config}))
    assert evaluate(["--res_file", *map(str, paths[:2]), "--vote"]) == 0
    assert capsys.readouterr().err == ""
    assert evaluate(["--res_file", *map(str, paths), "--vote"]) == 0
    assert f"{paths[0]} and {paths[2]} are not runs of one method (mode: 'sbs' -> 'dvts')" in capsys.readouterr().err
