"""Lines in the published tag form, and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import RandomPolicy, ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, code, final, grow_tree, line_of, outline

from mcts_math.config import make_config
from mcts_math.errors import RecordError
from mcts_math.evaluate.lines import read_lines
from mcts_math.evaluate.trials import read_questions
from mcts_math.files import dump_line, parse_line
from mcts_math.messages import Sample
from mcts_math.requests import Generation
from mcts_math.run.nodes import answer_in
from mcts_math.run.offline import rescore_file
from mcts_math.run.record import error_of, has_solutions, nodes_of, read_solutions, record_to_tree, with_solutions
from mcts_math.solver import solve
from mcts_math.tasks import Task, make_tasks
from mcts_math.tree import Attempt, Tree

ROOT = "<question> Q </question>\n"


def line(tree: Tree, mode: str = "mcts") -> dict[str, Any]:
    return line_of(tree, mode)


def test_a_line_in_full() -> None:
    a = f"{ROOT}{code('A')}\n</code>\n<output>\nok after 0\n</output>\n</step>\n"
    script = {ROOT: scripted(code("A"), "?", value=0.1), a: scripted(final("$1$"), final("2"), value=0.5)}
    config = {"mode": "mcts", "n_generate_sample": 2, "iterations": 2, "max_depth": 4, "is_sampling": True}
    record = line(grow_tree(config, ScriptedPolicy(script)))
    react = record["react"]
    assert list(react) == ["0", "0.0", "0.1", "0.0.0", "0.0.1", "solutions"]
    assert "solutions" not in record
    published = "text extra_info action action_input final_answer value q_value prior visit_count"
    assert all(set(published.split()) <= node.keys() for node in nodes_of(record).values())
    assert react["0"]["extra_info"] == "question: Q"
    assert react["0"]["text"] == ""
    assert react["0.0"]["action"] == "python_interpreter"
    assert react["0.0"]["action_input"] == "```python\nA\n```"
    assert react["0.0"]["text"].endswith("<output>\nok after 0\n</output>\n</step>")
    assert react["0.1"]["final_answer"] == "Fail to generate parsable text for next step."
    assert react["0.0.0"]["final_answer"] == "1"
    assert react["0.0.0"]["value"] == 1.0
    assert (react["0.0"]["status"], react["0.0"]["observation"]) == ("ok", "ok after 0")
    assert (record["format"], record["step_delim"]) == ("react_sft", "\n")
    assert (record["question"], record["answer"], record["id"]) == ("Q", "1", "t")


def test_failure_sentences() -> None:
    deep = grow_tree(
        {"mode": "mcts", "n_generate_sample": 1, "iterations": 9, "max_depth": 1},
        ScriptedPolicy(lambda r: scripted(code("x"), value=0.0)),
    )
    assert line(deep)["react"]["0.0.0"]["final_answer"] == "Fail to sove the problem within limited steps."
    failing = grow_tree(
        {"mode": "mcts", "n_generate_sample": 1, "iterations": 9, "max_depth": 9},
        ScriptedPolicy(lambda r: scripted(code("1 / 0"), value=0.0)),
    )
    assert line(failing)["react"]["0.0"]["final_answer"] == "Too many consecutive steps have code errors."
    for sentence in ("", None, "Fail to sove the problem within limited steps.", True, math.nan, ["1"]):
        assert answer_in({"final_answer": sentence}) is None


def test_sbs_solutions_are_sorted_and_complete() -> None:
    policy = RandomPolicy(4)
    tree = grow_tree(
        {"mode": "sbs", "step_beam_width": 3, "n_generate_sample": 3, "max_depth": 9, "need_value_func": True}, policy
    )
    record = line(tree, "sbs")
    assert len(read_solutions(record)) > 1
    for solution in record["react"]["solutions"]:
        assert set(solution) == {"question", "ground_truth", "value", "final_answer", "solution", "tag"}
        assert record["react"][solution["tag"]]["final_answer"] == solution["final_answer"]
        assert solution["solution"].endswith(record["react"][solution["tag"]]["text"])
    values = [solution["value"] for solution in record["react"]["solutions"]]
    assert values == sorted(values, reverse=True)
    assert "visit_count" not in record["react"]["0"]


def test_unscored_nodes_have_the_published_value() -> None:
    tree = grow_tree({"mode": "react", "temperature": 0.0, "max_depth": 9}, RandomPolicy(1))
    assert {node["value"] for node in nodes_of(line(tree, "react")).values()} == {-100.0}


@pytest.mark.parametrize("mode", ["react", "sbs", "mcts"])
def test_round_trip(mode: str) -> None:
    wide = {"n_generate_sample": 12, "step_beam_width": 2, "need_value_func": True}
    own = {"react": {}, "sbs": wide, "mcts": wide | {"iterations": 12, "errors_threshold": 3}}
    config = {"mode": mode, "max_depth": 6} | own[mode]
    for seed in range(10):
        tree = grow_tree(config, RandomPolicy(seed))
        data = dump_line(line(tree, mode))
        record = parse_line(data)
        assert record is not None
        back = record_to_tree(record)
        if mode != "react":
            # node order may differ (here: by depth), tags and all numbers do not
            assert outline(back) == outline(tree)
        again = json.loads(dump_line(line(back, mode)))
        assert nodes_of(again) == nodes_of(record)  # every field of every node
        assert [s["tag"] for s in read_solutions(again)] == [s["tag"] for s in read_solutions(record)]


def test_solutions_are_read_where_published_and_earlier_files_have_them() -> None:
    tree = grow_tree(
        {"mode": "sbs", "n_generate_sample": 2}, ScriptedPolicy(lambda r: scripted(final("1"), final("2")))
    )
    record = line(tree, "sbs")
    earlier = record | {"react": nodes_of(record), "solutions": record["react"]["solutions"]}
    assert read_solutions(record) == read_solutions(earlier) != []
    chain = line(grow_tree({"mode": "react"}, ScriptedPolicy(lambda r: scripted(final("1")))), "react")
    assert max(chain["react"], key=len) == "0.0"  # how published readers find the last node of a chain
    assert chain["solutions"][0]["final_answer"] == "1"


COLUMNS = {
    "error": "old note", "correct": True, "attempts": 3, "solutions": ["x"], "stopped": "x", "oracle": 1,
    "cost": "cheap", "method": "by hand", "react": "a library", "format": "pdf", "input": {"a": 1},
    "entry_point": None, "test": None,
    "value_source": [1], "step_delim": 0,
}  # fmt: skip


def test_columns_of_the_users_are_never_taken_for_ours() -> None:
    given = {"id": "t", "question": "Q", "answer": "1", "level": 3} | COLUMNS
    (solved,) = solve(
        {"mode": "sbs", "prompt_wrap": "react_sft"}, [given], policy=ScriptedPolicy(lambda r: scripted(final("1"))),
        interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    assert (solved.error, solved.tree.correct) == ("", True)
    record = json.loads(dump_line(line(solved.tree, "sbs")))
    assert record["correct"] is True
    assert error_of(record) == ""
    assert record["level"] == 3
    back = record_to_tree(record)
    assert dict(back.task.record) == given  # and they come back whole
    assert (back.attempts, back.stopped, back.task.answers) == ([], "", ("1",))
    (again,) = make_tasks([record])
    assert dict(again.record) == given


@pytest.mark.parametrize("record", [{}, {"level": 3}, {"question": "Q", "answer": "#### 1"}])
def test_a_task_made_by_hand_keeps_question_and_answers(record: dict[str, Any]) -> None:
    (solved,) = solve(
        {"mode": "sbs", "prompt_wrap": "react_sft"}, [Task("t", "Q", ("1",), record)],
        policy=ScriptedPolicy(lambda r: scripted(final("1"))), interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    task = record_to_tree(json.loads(dump_line(line(solved.tree, "sbs")))).task
    assert (task.id, task.question, task.answers) == ("t", "Q", ("1",))


@pytest.mark.parametrize("said", ["old note", 3, True, ["x"], [{"x": 1}], {"x": 1}])
@pytest.mark.parametrize("column", sorted(COLUMNS.keys() - {"react", "entry_point", "test"}))
def test_a_published_line_with_a_column_of_the_users(column: str, said: Any) -> None:
    """Published lines carry columns as they are, at the top."""
    node = {"text": "", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": -100}
    react = {"0": node, "0.0": node | {"final_answer": "1"}, "solutions": [{"final_answer": "1", "tag": "0.0"}]}
    record = {"question": "Q", "answer": "1", "react": react, column: said}
    assert error_of(record) == ""
    tree = record_to_tree(record)
    assert (tree.correct, tree.attempts, tree.stopped) == (None, [], "")
    assert [tree.nodes[i].answer for i in tree.solutions] == ["1"]
    (task,) = make_tasks([record])
    assert dict(task.record) == {"question": "Q", "answer": "1", column: said}  # and is not lost
    bare = record | {"react": nodes_of(record)}  # as a published chain, or tree of MCTS
    assert has_solutions(bare) is False
    rescored = with_solutions(bare, [{"final_answer": "2"}])
    assert (rescored[column], rescored["react"]["solutions"]) == (said, [{"final_answer": "2"}])


def test_a_published_line_without_our_keys_is_read() -> None:
    node = {"text": "s", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": -100}
    react = {
        "0": node | {"extra_info": "question: Q"},
        "0.10": node | {"final_answer": "10"},
        "0.9": node | {"final_answer": "Fail to generate parsable text for next step.", "value": 0.5},
    }
    tree = record_to_tree({"question": "Q", "answer": ["1"], "react": react})
    assert [n.answer for n in tree.nodes] == [None, None, "10"]  # 9 before 10
    assert tree.nodes[1].value == 0.5
    assert tree.nodes[1].terminal
    assert tree.task.answers == ("1",)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"react": {"0": {}, "solutions": ["0.0"]}}, "`solutions` is not a list of objects"),
        ({"react": {"0": {}, "solutions": [{"tag": ["0"]}]}}, "`solutions` is not .*: tag must be text, not "),
        ({}, "no search tree"),
        ({"react": {"0.1": {}}}, "no search tree"),
        ({"react": {"0": {}, "0.1.1": {"text": "", "final_answer": ""}}}, r"node '0\.1\.1' has no parent"),
        ({"react": {"0": {}, "0.1": {}}}, "not a search tree of a known form"),
        ({"react": {"0": {}, "0.x": {"text": "", "final_answer": ""}}}, "not a search tree of a known form"),
        ({"react": {"0": []}}, "not a search tree of a known form"),
        (
            {"react": {"0": {}, "0.0": {"text": ["a"], "final_answer": ""}}},
            "not a search tree of a known form: node '0.0': text must be text, not .*a",
        ),
        *(
            ({"react": {"0": {key: wrong}}}, f"not a search tree of a known form: node '0': {key} must be .*, not ")
            for key, wrong in (
                ("visit_count", math.inf),
                ("visit_count", 1.5),
                ("visit_count", -1),
                ("visit_count", True),
                ("q_value", "0.5"),
                ("q_value", None),
                ("value", "x"),
                ("prior", False),
                ("terminal", "no"),
            )
        ),
        (
            {
                "react": {"0": {}},
                "format": "",
                "step_delim": "",
                "attempts": [{"tag": "0", "verdict": None, "tokens": "7"}],
            },
            "not a list of attempts of a known form: tokens must be a whole number, at least 0, not .7",
        ),
    ],
)
def test_broken_trees_are_named(record: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=f"file:3: {message}"):
        record_to_tree(record, "file:3")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=50), st.text(max_size=50))
def test_any_text_survives_a_line(question: str, written: str) -> None:
    policy = ScriptedPolicy(lambda r: scripted(final(written)))
    tasks = [{"question": question or "q", "answer": written}] if (question or "q").strip() else [{"question": "q"}]
    (solved,) = solve(
        {"mode": "react", "prompt_wrap": "react_sft"}, tasks, policy=policy,
        interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    record = line(solved.tree, "react")
    data = dump_line(record)
    assert data.count(b"\n") == 1
    assert parse_line(data) == json.loads(json.dumps(record))


def test_a_line_is_json_whatever_its_numbers_are() -> None:
    """A sample that could not have been drawn has a log-probability of minus infinity, for which JSON has no word."""
    script = {ROOT: Generation((Sample(final("1"), -math.inf, 3), Sample(final("2"), -1.0, 3)), 0.5)}
    tree = grow_tree({"mode": "mcts", "n_generate_sample": 2, "is_sampling": True}, ScriptedPolicy(script))
    tree.attempts = [Attempt(1, loss=math.nan)]
    tree.task = replace(tree.task, record=dict(tree.task.record) | {"score": [math.inf, 2.5]})
    data = dump_line(line(tree))
    record = json.loads(data, parse_constant=pytest.fail)
    assert (record["react"]["0.0"]["logprob"], record["attempts"][0]["loss"]) == (None, None)
    assert (record["score"], record["react"]["0.1"]["logprob"]) == ([None, 2.5], -1.0)
    back = record_to_tree(record)
    assert [node.step.logprob for node in back.nodes if node.step is not None] == [-math.inf, -1.0]
    assert dump_line(line(back)) == data


def test_an_answer_that_is_a_number_is_an_answer(tmp_path: Path) -> None:
    node = {"text": "", "extra_info": "", "action": "", "action_input": "", "value": -100}
    nodes = {"0": node | {"final_answer": ""}, "0.0": node | {"final_answer": 12}, "0.1": node | {"final_answer": 2.5}}
    record = {"question": "Q", "answer": "12", "react": nodes | {"solutions": [{"final_answer": 12, "tag": "0.0"}]}}
    tree = record_to_tree(record)
    assert [n.answer for n in tree.nodes] == [None, "12", "2.5"]
    assert [n.terminal for n in tree.nodes] == [False, True, True]
    (tmp_path / "out.jsonl").write_text(json.dumps(record) + "\n")
    (found,) = read_lines(tmp_path / "out.jsonl")
    assert (found.answers, found.steps) == (("12",), 1)
    (found,) = read_lines(tmp_path / "out.jsonl", react=True)
    assert found.answers == ("12",)
    (question,) = read_questions(tmp_path / "out.jsonl", others=True)
    assert question.trials[0].answer == "12"
    (rescored,) = rescore_file(tmp_path / "out.jsonl", make_config({}))
    assert rescored.answer == "12"


def test_lone_surrogates_survive() -> None:
    assert parse_line(dump_line({"question": "\ud800"})) == {"question": "\ud800"}
