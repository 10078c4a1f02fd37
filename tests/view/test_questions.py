"""What the page is told of a line: parts, states, chosen solutions, the conversation to the letter."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import MODES, answer_line, mcts_line, published_line, solved_line
from scripted import ScriptedPolicy, scripted
from stand_ins import final

from mcts_math.errors import RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.messages import Message, Piece
from mcts_math.run.record import id_of, nodes_of, record_to_tree
from mcts_math.step import CellStatus, Outcome, Run, Step
from mcts_math.view.parts import split_step
from mcts_math.view.questions import grade_questions, read_question

QUESTION = {"id": "t", "question": "Q", "answer": "3"}


def read(record: dict[str, Any]) -> Any:
    return read_question(record, "file:1", id_of(record, Counter()))


def text_of(node: dict[str, Any]) -> str:
    return "".join(text for _, text in node.get("parts", []))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_keeps_its_texts_to_the_letter(mode: str) -> None:
    record = solved_line(MODES[mode], QUESTION)
    question = read(record)
    assert {node["tag"] for node in question.tree["nodes"]} == set(nodes_of(record))
    for node in question.tree["nodes"]:
        assert text_of(node) == record["react"][node["tag"]]["text"]
    assert question.entry["nodes"] == len(nodes_of(record)) > 1
    assert question.entry["state"] in ("right", "wrong")
    assert len(question.tree.get("attempts", [])) == len(record.get("attempts", []))


CALL = '{"name": "python_interpreter", "arguments": {"code": "print(1)"}}'
SAID = {
    "react_sft": ["<step>\n<p>\nx\n</p>\n<code>\n```python\nprint(1)\n```", final("7")],
    "chat": ["<think>\nLet me see.\n</think>\n\nIt is \\boxed{7}."],
    "chat_tools": [f"First.\n<tool_call>\n{CALL}\n</tool_call>", "It is \\boxed{7}."],
    "chat_code": ["First.\n```python\nprint(1)\n```\n", "It is \\boxed{7}."],
    "chat_steps": ["First.", "It is \\boxed{7}."],
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("mode", ["react", "revision"])
def test_the_conversation_is_what_the_model_was_asked(name: str, mode: str) -> None:
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append(request.prompt)
        return scripted(SAID[name][(len(asked) - 1) % len(SAID[name])])

    config = {"mode": mode, "prompt_wrap": name} | ({"max_depth": 5} if mode == "react" else {"trials": 3})
    tree = read(solved_line(config, QUESTION, ScriptedPolicy(answer))).tree
    assert len(tree["nodes"]) > 1
    turns = [turn for turn in tree["opening"] if turn[0] != "tools"]
    for node in tree["nodes"][1:-1]:
        turns += node.get("turns", [("assistant", text_of(node) + tree["delimiter"])])
    prompt = asked[-1]
    if isinstance(prompt, str):
        assert "".join(text for _, text in turns) == prompt
        return
    assert _joined(turns) == [(message.role, _shown(message)) for message in prompt.messages]


def _shown(message: Message) -> str:
    """A turn as it was written, or as a server has told it, which reads the calls itself."""
    if message.written:
        return "".join(piece.text for piece in message.written)
    calls = "".join(f"\n{call.name}({call.arguments})" for call in message.calls)
    return message.content + calls


def _joined(turns: list[Any]) -> list[tuple[str, str]]:
    """Turns of the assistant that follow each other are one."""
    joined: list[tuple[str, str]] = []
    for role, text in turns:
        if joined and joined[-1][0] == role == "assistant":
            joined[-1] = role, joined[-1][1] + text
        else:
            joined.append((role, text))
    return joined


def test_thoughts_of_a_chat_have_a_part_of_their_own() -> None:
    line = solved_line(
        {"mode": "react", "prompt_wrap": "chat"}, QUESTION, ScriptedPolicy(lambda r: scripted(SAID["chat"][0]))
    )
    (_, node) = read(line).tree["nodes"]
    assert node["thinking"].strip() == "Let me see."
    assert text_of(node).strip() == "It is \\boxed{7}."


def test_a_turn_is_shown_as_it_was_written() -> None:
    line = solved_line(
        {"mode": "react", "prompt_wrap": "chat"}, QUESTION, ScriptedPolicy(lambda r: scripted("It is 3."))
    )
    written = Message(
        "assistant", "It is 3.", "Hm.", written=(Piece("<think>Hm.</think>It is "), Piece("3.<|end|>", (7, 9)))
    )
    line["react"]["0.0"]["message"] = written.to_json()
    assert read(line).tree["nodes"][1]["turns"] == [("assistant", "<think>Hm.</think>It is 3.<|end|>")]


def test_several_cells_of_a_step() -> None:
    runs = (
        Run("python_interpreter", "a = 1", "", CellStatus.OK),
        Run("python_interpreter", "b", "NameError", CellStatus.ERROR),
    )
    step = Step("Both.\na = 1\nb\n\nNameError", Outcome.CONTINUE, runs)
    parts = split_step(step, "chat_tools")
    assert "".join(text for _, text in parts) == step.text
    assert [part for part in parts if part[0] != "mark"] == [
        ("thought", "Both.\n"), ("code", "a = 1"), ("code", "b"), ("observation", "NameError")
    ]  # fmt: skip


def test_worked_examples_are_said_to_be_missing() -> None:
    thought = "Thought: t\nAction: None\nAction Input: None\n\nFinal Answer: 3"
    record = solved_line(
        {"mode": "react", "prompt_wrap": "react"}, QUESTION, ScriptedPolicy(lambda r: scripted(thought))
    )
    tree = read(record).tree
    assert tree["has_examples"] is True
    assert tree["opening"] == [("user", "Question: Q\n\n")]


SFT = Step(
    "<step>\n<p>\nSay <p> or print(1).\n</p>\n<code>\n```python\nprint(1)  # </code>\n```\n</code>\n"
    "<output>\n1\n</output>\n</step>",
    Outcome.CONTINUE,
    (Run("python_interpreter", "```python\nprint(1)  # </code>\n```", "1"),),
)
REACT = Step(
    "Thought: add\nAction: python_interpreter\nAction Input: ```py\n1+1\n```\n\nObservation: 2",
    Outcome.CONTINUE,
    (Run("python_interpreter", "```py\n1+1\n```", "2"),),
)


@pytest.mark.parametrize(
    ("step", "form", "kinds"),
    [
        (SFT, "react_sft", {"code": SFT.runs[0].input, "observation": "1"}),
        (REACT, "react", {"thought": " add\n", "code": REACT.runs[0].input, "observation": "2"}),
        (REACT, "one of mine", {"code": REACT.runs[0].input, "observation": "2"}),
        (Step("Just words.", Outcome.REPLY), "chat", {"thought": "Just words."}),
        (Step("So:\n```python\nprint(1)\n```\n1", Outcome.CONTINUE, (Run("python_interpreter", "print(1)", "1"),)),
         "chat_code", {"thought": "So:\n", "code": "print(1)", "observation": "1"}),
        (Step("So:\n```\nx\n```", Outcome.REPLY), "chat_code", {"thought": "So:\n```\nx\n```"}),
        (Step("<step>\n<p>\nx\n</p>\n<p>\nFinal Answer: $2$\n</p>\n</step>", Outcome.ANSWER), "react_sft",
         {"thought": "\nx\n", "answer": " $2$\n"}),
    ],
)  # fmt: skip
def test_the_parts_of_a_step(step: Step, form: str, kinds: dict[str, str]) -> None:
    parts = split_step(step, form)
    assert "".join(text for _, text in parts) == step.text
    assert {kind: "".join(text for other, text in parts if other == kind) for kind in kinds} == kinds


def test_observations_of_published_lines_are_found_by_their_marks() -> None:
    tree = read(published_line(1)).tree
    parts = dict(tree["nodes"][1]["parts"])
    assert parts["observation"].strip() == "1"
    assert parts["code"] == "```python\nprint(1)\n```"


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="<p>/code\n:Final Answer", max_size=80),
    st.text(alphabet="<p>co1", max_size=6),
    st.sampled_from(["react_sft", "react", ""]),
)
def test_parts_are_the_text_whatever_was_written(text: str, part: str, form: str) -> None:
    parts = split_step(Step(text, Outcome.CONTINUE, (Run("python_interpreter", part, part),)), form)
    assert "".join(piece for _, piece in parts) == text


def test_states() -> None:
    assert read(answer_line(1, "1")).entry["state"] == "right"
    assert read(answer_line(1, "2")).entry["state"] == "wrong"
    assert read(answer_line(1, "2") | {"stopped": "max_total_time"}).entry["stopped"] == "max_total_time"
    broken = {
        "id": "t",
        "question": "Q",
        "answer": "1",
        "react": {"0": published_line(1)["react"]["0"], "solutions": []},
    }
    assert read(broken | {"error": "it died"}).entry["state"] == "error"
    assert read(published_line(1, answer=None)).entry["state"] == "unjudged"


def test_lines_without_a_verdict_are_judged() -> None:
    questions = [
        read(published_line(1)),
        read(published_line(2, answer=["2"])),
        read(published_line(3, answer=["1.0"])),
    ]
    assert {question.entry["state"] for question in questions} == {"unjudged"}
    with Grader(1) as grader:
        grade_questions(questions, grader)
    assert [question.entry["state"] for question in questions] == ["right", "wrong", "right"]


def test_a_published_file_names_no_solution_so_one_is_chosen() -> None:
    question = read(published_line(1))
    assert question.tree["chosen_here"] is True
    assert question.tree["solutions"] == [2]
    searched = mcts_line(1)
    chosen = read(searched).tree["solutions"]
    bare = searched | {"react": nodes_of(searched)}
    assert read(bare).tree["solutions"] == chosen != []


def test_numbers_of_a_node() -> None:
    record = mcts_line(2)
    tree = record_to_tree(record)
    for node, shown in zip(tree.nodes, read(record).tree["nodes"], strict=True):
        assert shown["n"] == node.visit_count
        assert math.isclose(shown["q"], node.q_value, rel_tol=1e-5, abs_tol=1e-9)
        assert math.isclose(shown["prior"], node.prior, rel_tol=1e-5)


def test_what_is_no_number_is_left_out() -> None:
    record = published_line(1)
    record["react"]["0.0"]["value"] = math.nan
    assert "value" not in read(record).tree["nodes"][1]


def test_a_line_without_a_tree_is_named() -> None:
    with pytest.raises(RecordError, match="file:1: no search tree"):
        read({"question": "Q"})


def test_attempts_have_verdicts() -> None:
    record = solved_line(MODES["best_of_n"], QUESTION)
    attempts = read(record).tree["attempts"]
    assert [attempt["verdict"] for attempt in attempts] == [attempt["verdict"] for attempt in record["attempts"]]
    assert read(record).entry["oracle"] is True


def test_formats_that_are_not_known_are_shown_as_they_are() -> None:
    record = answer_line(1, "1") | {"format": "one of mine"}
    tree = read(record).tree
    assert tree["format"] == "one of mine"
    assert text_of(tree["nodes"][1]) == record["react"]["0.0"]["text"]
