"""The two published step formats: what is read from a sample, and what the next prompt shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcts_math.errors import ConfigError, TaskError
from mcts_math.formats import FormatOptions, StepFormat, make_format, recognise_format
from mcts_math.formats.react import NOTHING_RUN, FewShotFormat, choose_examples
from mcts_math.formats.react_sft import SftFormat
from mcts_math.messages import Conversation, Message, Sample
from mcts_math.step import TOOL, Action, CellStatus, Draft, Outcome, Run, Step
from mcts_math.tasks import Task

SFT = SftFormat()
SHOTS = FewShotFormat("Instructions.", ("Question: 1+1?\n\nThought: t\nFinal Answer: 2\n<Solution complete>",))
Q = Task("t", "Q?")
NO_RUN = (Run("None", "None", NOTHING_RUN),)
CODE = "<step>\n<p>\nthink\n</p>\n<code>\n```python\nprint(1)\n```"
FINAL = "<step>\n<p>\nthink\n</p>\n<p>\nFinal Answer: ANSWER\n</p>"


def read(form: StepFormat, text: str) -> Draft:
    return form.read(Sample(text, -1.0, 1))


def code_of(draft: Draft) -> str | None:
    return next((action.code for action in draft.actions if action.code is not None), None)


@pytest.mark.parametrize("end", ["", "\n", "\n</code>", "</code>", "\n</code>\n<output>\nmade up\n</output>\n</step>"])
def test_sft_code_step(end: str) -> None:
    draft = read(SFT, CODE + end)
    assert draft == Draft(CODE, (Action(TOOL, "```python\nprint(1)\n```"),))
    assert SFT.observed(draft, ["1"]) == CODE + "\n</code>\n<output>\n1\n</output>\n</step>"


@pytest.mark.parametrize("end", ["", "\n", "\n</step>"])
@pytest.mark.parametrize(
    ("written", "answer"), [("5", "5"), ("$5$", "5"), (" $x$ or $y$ ", "x$ or $y"), ("$5", "$5"), ("a\nb", "a\nb")]
)
def test_sft_final_step(end: str, written: str, answer: str) -> None:
    draft = read(SFT, FINAL.replace("ANSWER", written) + end)
    assert (code_of(draft), draft.answer) == (None, answer)
    assert SFT.finished(draft) == FINAL.replace("ANSWER", written) + "\n</step>"


def test_a_thought_may_say_that_the_final_answer_comes() -> None:
    assert read(SFT, FINAL.replace("think", "The Final Answer: it comes.").replace("ANSWER", "5")).answer == "5"
    text = "Thought: The Final Answer: it comes.\n\nFinal Answer: $5$"
    assert read(SHOTS, text).answer == "5"
    (tagged,) = SHOTS.training_texts([Step(text, Outcome.ANSWER, answer="5")])
    assert tagged == FINAL.replace("think", "The Final Answer: it comes.").replace("ANSWER", "5") + "\n</step>\n"


@pytest.mark.parametrize(
    "sample",
    [
        "",
        "only words",
        "<step>\n<p>\nno code\n</p>\n<code>\n</code>",
        FINAL.replace("ANSWER", ""),
        FINAL.replace("ANSWER", "$ $"),
        FINAL.replace("ANSWER", "5") + "\n<code>\n```python\nprint(1)\n```",
        CODE + "\n</code>\n<p>\nFinal Answer: 5\n</p>",
    ],
)
def test_sft_unparsable(sample: str) -> None:
    draft = read(SFT, sample)
    assert (code_of(draft), draft.answer) == (None, None)


def test_sft_code_may_mention_the_words() -> None:
    draft = read(SFT, CODE.replace("print(1)", "print('Final Answer: 1')"))
    assert code_of(draft) is not None
    assert draft.answer is None


def test_sft_prompt() -> None:
    steps = [Step("<step>A</step>", Outcome.CONTINUE), Step("<step>B</step>", Outcome.CONTINUE)]
    assert SFT.prompt(Q, []) == "<question> Q? </question>\n"
    assert SFT.prompt(Q, steps) == "<question> Q? </question>\n<step>A</step>\n<step>B</step>\n"


def test_few_shot_steps() -> None:
    text = "Thought: count\n\nAction: python_interpreter\n\nAction Input: ```python\nprint(1)\n```"
    draft = read(SHOTS, "\n" + text + "\n")
    assert draft == Draft(text, (Action(TOOL, "```python\nprint(1)\n```"),))
    assert SHOTS.observed(draft, ["1"]) == text + "\n\nObservation: 1"
    for none in ("", "Action: None\nAction Input: None\n"):
        last = f"Thought: so\n{none}Final Answer: $\\frac12$"
        final = read(SHOTS, last + "\n")
        assert final.answer == "\\frac12"
        assert SHOTS.finished(final) == last + "\n<Solution complete>"


@pytest.mark.parametrize(
    "written",
    [
        "Action: python_interpreter Action Input: print(1)",
        "Action:\npython_interpreter\n \nAction Input:\n\nprint(1)",
        "Action: what I need is a sum.\n\nAction: python_interpreter\r\nAction Input: print(1)",
    ],
)
def test_any_space_may_stand_around_an_action(written: str) -> None:
    assert read(SHOTS, f"Thought: hm\n{written}").actions == (Action(TOOL, "print(1)"),)


@pytest.mark.parametrize("written", ["Action: None\nAction Input: None", "Action: None\n\nAction Input:"])
def test_a_step_of_thought_alone_goes_on(written: str) -> None:
    draft = read(SHOTS, f"Thought: hm\n{written}")
    (action,) = draft.actions
    assert (action.tool, action.code, draft.answer, action.note) == ("None", None, None, NOTHING_RUN)


@pytest.mark.parametrize("tool", ["calculator", "Python", "none of them", "x" * 200])
def test_an_unknown_action_is_told_so_and_goes_on(tool: str) -> None:
    draft = read(SHOTS, f"Thought: x\nAction: {tool}\nAction Input: 1+1")
    (action,) = draft.actions
    assert (action.tool, action.input, action.code, draft.answer) == (tool, "1+1", None, None)
    assert action.note is not None
    assert action.note.startswith("Error: there is no tool")
    assert "python_interpreter or None" in action.note


@pytest.mark.parametrize(
    "sample",
    [
        "Thought: hm",
        "Thought: x\nAction: calculator\nAction Input: 1\nFinal Answer: 1",
        "Thought: x\nAction: python_interpreter\nAction Input:",
        "Thought: x\nAction: python_interpreter\nAction Input: 1\nFinal Answer: 1",
        "Final Answer: ",
        "Final Answer: $$",
    ],
)
def test_few_shot_unparsable(sample: str) -> None:
    draft = read(SHOTS, sample)
    assert (code_of(draft), draft.answer) == (None, None)


def test_few_shot_prompt_holds_instructions_examples_question_and_steps() -> None:
    prompt = SHOTS.prompt(Q, [Step("Thought: a\n\nObservation: 1", Outcome.CONTINUE)])
    assert prompt.startswith("Instructions.\n\nQuestion: 1+1?\n\nThought: t")
    assert prompt.endswith("Question: Q?\n\nThought: a\n\nObservation: 1\n\n")
    own = make_format("react", FormatOptions(step_delim="\n---\n")).prompt(Q, [Step("Thought: a", Outcome.CONTINUE)])
    assert isinstance(own, str)
    assert own.endswith("\n\nQuestion: Q?\n---\nThought: a\n---\n")


def test_bundled_examples() -> None:
    def shots(**options: int) -> FewShotFormat:
        form = make_format("react", FormatOptions(**options))  # type: ignore[arg-type]
        assert isinstance(form, FewShotFormat)
        return form

    assert len(shots(num_few_shot=2).examples) == 2
    assert shots(num_few_shot=2).examples != shots(num_few_shot=2, seed=9).examples
    every = shots(num_few_shot=20)
    for example in every.examples:  # each step of each example is one that we can read ourselves
        *steps, last = example.split("\n\nThought:")[1:]
        for step in steps:
            assert code_of(read(every, "Thought:" + step.split("\n\nObservation:")[0])), step
        assert read(every, "Thought:" + last).answer, last
    with pytest.raises(ConfigError, match="num_few_shot is 99"):
        shots(num_few_shot=99)


def test_examples_are_drawn_by_seed_without_repeats() -> None:
    examples = [str(i) for i in range(20)]
    assert choose_examples(examples, 20, 1) != choose_examples(examples, 20, 2)
    assert len(set(choose_examples(examples, 20, 1))) == 20


def test_published_prompt_files(tmp_path: Path) -> None:
    shots, prompt = tmp_path / "shots.json", tmp_path / "prompt.json"
    shots.write_text(json.dumps(["Question: {a}?\n\nThought: x\n\nFinal Answer: 1\n<Solution complete>"]))
    prompt.write_text(
        json.dumps({"react_format_instructions": "Use {tool_desc}: {tool_names}. {}", "react_suffix": "Q: {input}"})
    )
    form = make_format("react", FormatOptions(few_shot_path=str(shots), prompt_path=str(prompt), num_few_shot=1))
    text = form.prompt(Task("t", "What is {x}?"), [])
    assert isinstance(text, str)
    assert text.startswith("Use python_interpreter: runs Python")
    assert ": python_interpreter. {}\n\nQuestion: {a}?\n\nThought: x" in text  # published files name None themselves
    assert text.endswith("<Solution complete>\n\nQ: What is {x}?\n\n")
    assert form.fingerprint() != make_format("react").fingerprint()


@pytest.mark.parametrize(
    ("shots", "prompt", "said"),
    [
        ("{}", None, "expected a JSON list of examples, found dict"),
        ("[1]", None, "example 0: expected a whole example"),
        ("[", None, "is not JSON: .* Leave few_shot_path out"),
        (None, "[]", "expected a JSON object with the texts react_format_instructions and react_suffix"),
        (None, '{"react_format_instructions": "x", "react_suffix": "Question:"}', "has no {input}"),
    ],
)
def test_bad_prompt_files(tmp_path: Path, shots: str | None, prompt: str | None, said: str) -> None:
    paths: list[str | None] = []
    for name, text in (("s.json", shots), ("p.json", prompt)):
        if text is not None:
            (tmp_path / name).write_text(text)
        paths.append(None if text is None else str(tmp_path / name))
    with pytest.raises(ConfigError, match=said):
        make_format("react", FormatOptions(few_shot_path=paths[0], prompt_path=paths[1]))


def test_few_shot_steps_become_tags_for_training() -> None:
    code = Step(
        "Thought: add\n\nAction: python_interpreter\n\nAction Input: 1+1\n\nObservation: 2",
        Outcome.CONTINUE, (Run(TOOL, "1+1", "2", CellStatus.OK),),
    )  # fmt: skip
    thought = Step("Thought: hm\n\nAction: None\n\nAction Input: None", Outcome.CONTINUE, NO_RUN)
    last = Step("Thought: so\n\nFinal Answer: 2\n<Solution complete>", Outcome.ANSWER, answer="2")
    texts = SHOTS.training_texts([thought, code, last])
    assert texts[0] == ""
    assert texts[1] == (
        "<step>\n<p>\nhm\nadd\n</p>\n<code>\n```python\n1+1\n```\n</code>\n<output>\n2\n</output>\n</step>\n"
    )
    assert texts[2] == "<step>\n<p>\nso\n</p>\n<p>\nFinal Answer: 2\n</p>\n</step>\n"
    draft = read(SHOTS.for_training(), texts[1].split("\n</code>")[0])
    assert code_of(draft) == "```python\n1+1\n```"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (Step("Thought: b\n\nAction: None\n\nAction Input: None", Outcome.TOO_DEEP, NO_RUN),
         "<step>\n<p>\na\nb\n</p>\n</step>\n"),
        (Step("Thought: b\n\nAction: search\n\nAction Input: x", Outcome.TOO_DEEP, (Run("search", "x", "Error"),)),
         "<step>\n<p>\na\nb\n</p>\n</step>\n"),
        (Step("what is this", Outcome.UNPARSABLE), "a\nwhat is this\n"),
    ],
)  # fmt: skip
def test_a_solution_that_fails_keeps_its_thoughts_for_training(end: Step, text: str) -> None:
    thought = Step("Thought: a\n\nAction: None\n\nAction Input: None", Outcome.CONTINUE, NO_RUN)
    assert SHOTS.training_texts([thought, end]) == ["", text]


def test_published_formats_are_recognised_by_their_texts() -> None:
    assert recognise_format([CODE, FINAL, ""]) == "react_sft"
    assert (
        recognise_format(["Thought: x\nAction: None\nAction Input: None", "Final Answer: 1\n<Solution complete>"])
        == "react"
    )
    assert recognise_format([CODE, "Let me see."]) is None
    assert recognise_format([]) is None


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for step_format in (SFT, SHOTS):
        draft = read(step_format, text)
        assert not (code_of(draft) is not None and draft.answer is not None)


BEFORE = (Message("user", "What is 1?"), Message("assistant", "<step>\nOne.\n</step>"), Message("user", "Sure?"))


@pytest.mark.parametrize("name", ["react", "react_sft"])
def test_a_conversation_before_the_question_reads_like_one_that_the_search_made(name: str) -> None:
    form = make_format(name, FormatOptions())
    now = Task("", "And 2?", before=BEFORE[:2])
    then = [Step(BEFORE[1].content, Outcome.CONTINUE), Step("And 2?", Outcome.USER)]
    more = [Step("Two.", Outcome.CONTINUE)]
    assert form.prompt(now, more) == form.prompt(Task("", "What is 1?"), [*then, *more])
    for odd in ((Message("system", "Be brief."),), BEFORE[1:], (*BEFORE, Message("tool", "3"))):
        with pytest.raises(TaskError, match="turns of the user and the assistant"):
            form.prompt(Task("", "And 2?", before=odd), [])


def test_a_conversation_before_the_question_stands_in_a_chat() -> None:
    system = Message("system", "Be brief.")
    for name in ("chat", "chat_code"):  # without words of the system of its own, and with
        form = make_format(name, FormatOptions())
        plain = form.prompt(Task("", "And 2?"), [])
        assert isinstance(plain, Conversation)
        own = plain.messages[:-1]
        prompt = form.prompt(Task("", "And 2?", before=(system, *BEFORE)), [])
        assert isinstance(prompt, Conversation)
        first, *rest = prompt.messages
        assert first.content == "\n\n".join([*(message.content for message in own), system.content])
        assert rest == [*BEFORE, Message("user", "And 2?")]
