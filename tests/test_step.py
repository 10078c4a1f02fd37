"""The two published step formats: what is read from a sample, and what the next prompt shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcts_math.config import load_config
from mcts_math.step import Draft, Example, FewShotFormat, Outcome, SftFormat, Step, choose_examples
from mcts_math.strategy import make_format

SFT = SftFormat()
SHOTS = FewShotFormat("Instructions.", (Example("1+1?", "Thought: t\nFinal Answer: 2\n<Solution complete>"),))
CODE = "<step>\n<p>\nthink\n</p>\n<code>\n```python\nprint(1)\n```"
FINAL = "<step>\n<p>\nthink\n</p>\n<p>\nFinal Answer: ANSWER\n</p>"


@pytest.mark.parametrize("end", ["", "\n", "\n</code>", "</code>", "\n</code>\n<output>\nmade up\n</output>\n</step>"])
def test_sft_code_step(end: str) -> None:
    draft = SFT.read(CODE + end)
    assert draft == Draft(CODE, code="```python\nprint(1)\n```")
    assert SFT.observed(draft, "1") == CODE + "\n</code>\n<output>\n1\n</output>\n</step>"


@pytest.mark.parametrize("end", ["", "\n", "\n</step>"])
@pytest.mark.parametrize(
    ("written", "answer"), [("5", "5"), ("$5$", "5"), (" $x$ or $y$ ", "x$ or $y"), ("$5", "$5"), ("a\nb", "a\nb")]
)
def test_sft_final_step(end: str, written: str, answer: str) -> None:
    draft = SFT.read(FINAL.replace("ANSWER", written) + end)
    assert (draft.code, draft.answer) == (None, answer)
    assert SFT.finished(draft) == FINAL.replace("ANSWER", written) + "\n</step>"


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
    draft = SFT.read(sample)
    assert (draft.code, draft.answer) == (None, None)


def test_sft_code_may_mention_the_words() -> None:
    draft = SFT.read(CODE.replace("print(1)", "print('Final Answer: 1')"))
    assert draft.code is not None
    assert draft.answer is None


def test_sft_prompt() -> None:
    steps = [Step("<step>A</step>", Outcome.CONTINUE), Step("<step>B</step>", Outcome.CONTINUE)]
    assert SFT.prompt("Q", []) == "<question> Q </question>\n"
    assert SFT.prompt("Q", steps) == "<question> Q </question>\n<step>A</step>\n<step>B</step>\n"


def test_few_shot_steps() -> None:
    text = "Thought: count\nAction: python_interpreter\nAction Input: ```python\nprint(1)\n```"
    draft = SHOTS.read("\n" + text + "\n")
    assert draft == Draft(text, code="```python\nprint(1)\n```")
    assert SHOTS.observed(draft, "1") == text + "\nObservation: 1"
    last = "Thought: so\nAction: None\nAction Input: None\nFinal Answer: $\\frac12$"
    final = SHOTS.read(last + "\n")
    assert final.answer == "\\frac12"
    assert SHOTS.finished(final) == last + "\n<Solution complete>"


@pytest.mark.parametrize(
    "sample",
    [
        "Thought: hm",
        "Thought: x\nAction: None\nAction Input: None",
        "Thought: x\nAction: calculator\nAction Input: 1+1",
        "Thought: x\nAction: python_interpreter\nAction Input:",
        "Thought: x\nAction: python_interpreter\nAction Input: 1\nFinal Answer: 1",
        "Final Answer: ",
        "Final Answer: $$",
    ],
)
def test_few_shot_unparsable(sample: str) -> None:
    draft = SHOTS.read(sample)
    assert (draft.code, draft.answer) == (None, None)


def test_few_shot_prompt_holds_instructions_examples_question_and_steps() -> None:
    prompt = SHOTS.prompt("Q?", [Step("Thought: a\nObservation: 1", Outcome.CONTINUE)])
    assert prompt.startswith("Instructions.\n\nQuestion: 1+1?\n\nThought: t")
    assert prompt.endswith("Question: Q?\n\nThought: a\nObservation: 1\n\n")


def test_bundled_examples() -> None:
    two = make_format(load_config(None, ["num_few_shot=2"]))
    other = make_format(load_config(None, ["num_few_shot=2", "seed=9"]))
    every = make_format(load_config(None, ["num_few_shot=20"]))
    assert isinstance(two, FewShotFormat)
    assert isinstance(other, FewShotFormat)
    assert isinstance(every, FewShotFormat)
    assert len(two.examples) == 2
    assert two.examples != other.examples
    for example in every.examples:  # each step of each example is one that we can read ourselves
        *steps, last = example.solution.split("\n\nThought:")
        for step in steps:
            assert every.read(step.split("\nObservation:")[0]).code, step
        assert every.read("Thought:" + last).answer, last


def test_examples_are_drawn_by_seed_without_repeats() -> None:
    examples = [Example(str(i), "") for i in range(20)]
    assert choose_examples(examples, 20, 1) != choose_examples(examples, 20, 2)
    assert len(set(choose_examples(examples, 20, 1))) == 20


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for step_format in (SFT, SHOTS):
        draft = step_format.read(text)
        assert not (draft.code is not None and draft.answer is not None)
