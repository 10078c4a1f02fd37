"""Steps: what a sample becomes, and the two published text formats of SPEC A3 (`chat` holds a third one).

A `StepFormat` renders a question and the steps so far as the next prompt, and reads a sample into a `Draft`: prose with
code to run, a final answer, or something unparsable. Both are pure functions of text.

Departure from the published system: whether code failed is told by the interpreter, not by the letters "Error" in the
observation, so a program that prints "Standard Error: 3" has not failed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, TypeAlias

TOOL = "python_interpreter"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt: TypeAlias = str | tuple[Message, ...]
"""A text to continue, or a conversation, which the engine renders with the model's own chat template. Where the last
message is the assistant's, the sample continues it; else it is a new message of the assistant."""


class Outcome(str, Enum):
    """What a step led to."""

    CONTINUE = "continue"  # code was run; the solution goes on
    ANSWER = "answer"  # a final answer
    UNPARSABLE = "unparsable"  # neither code nor answer, or both
    TOO_MANY_ERRORS = "too_many_errors"  # more than errors_threshold code steps in a row failed
    TOO_DEEP = "too_deep"  # deeper than max_depth without an answer
    PROMPT_TOO_LONG = "prompt_too_long"  # the prompt that would follow does not fit the context
    REPLY = "reply"  # a whole reply without an answer to read off, such as a program or a critique
    USER = "user"  # not the model's: what the user says next, which opens another attempt


class Verdict(str, Enum):
    """What a verifier says of an attempt (SPEC B)."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # the attempt holds no answer, or no code, to judge


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample as read, before its code is run. `code` and `answer` are never both set; neither means unparsable.

    Attributes:
        text: the sample, trimmed.
        code: what to run, with its code fence; None where there is none.
        answer: the final answer, with one enclosing pair of `$` removed; None where there is none.
        whole: a whole reply, which needs neither code nor answer.
    """

    text: str
    code: str | None = None
    answer: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solution.

    Attributes:
        text: as the next prompt shows it, observation included.
        outcome: what it led to.
        code: the code that was run, with its fence; None where none was.
        observation: what the interpreter showed; None where no code was run.
        answer: the final answer of an ANSWER step, else None.
        failed: the code raised, was cut or was killed.
        seed: seed of the interpreter's random generators for `code`.
        logprob: sum over the tokens, nats.
        num_tokens: length of the sample.
        correct: whether the answer equals an accepted one; None where that was not asked.
    """

    text: str
    outcome: Outcome
    code: str | None = None
    observation: str | None = None
    answer: str | None = None
    failed: bool = False
    seed: int = 0
    logprob: float = 0.0
    num_tokens: int = 0
    correct: bool | None = None

    @property
    def is_final(self) -> bool:
        return self.outcome not in (Outcome.CONTINUE, Outcome.USER)


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example of the few-shot prompt: question and solution text."""

    question: str
    solution: str


class StepFormat(Protocol):
    """How a partial solution is shown to the model, and how a sample is read."""

    def prompt(self, question: str, steps: Sequence[Step]) -> Prompt:
        """The prompt that asks for the step after `steps`; ends with the step delimiter where there are steps."""
        ...

    def user_turn(self, question: str, steps: Sequence[Step], text: str) -> tuple[Prompt, str]:
        """What the user says after `steps`, as a completion of a prompt: (prompt, completion)."""
        ...

    def read(self, sample: str) -> Draft:
        """Reads a sample (without its stop string)."""
        ...

    def observed(self, draft: Draft, observation: str) -> str:
        """Text of a code step with its observation."""
        ...

    def finished(self, draft: Draft) -> str:
        """Text of a step that ends the solution."""
        ...


_FINAL = "Final Answer:"


def _read_answer(written: str) -> str | None:
    """What is written after `Final Answer:` without one enclosing pair of `$`; None where nothing is left."""
    answer = written.strip()
    if len(answer) >= 2 and answer[0] == answer[-1] == "$":
        answer = answer[1:-1].strip()
    return answer or None


@dataclass(frozen=True, slots=True)
class SftFormat:
    """`react_sft`: tagged steps, for models that were tuned on them.

    Attributes:
        step_delim: joins steps, and ends a prompt that holds any.
    """

    step_delim: str = "\n"

    def prompt(self, question: str, steps: Sequence[Step]) -> str:
        return f"<question> {question} </question>\n" + "".join(map(self._show, steps))

    def user_turn(self, question: str, steps: Sequence[Step], text: str) -> tuple[str, str]:
        return f"{self.prompt(question, steps)}<question>", f" {text}"

    def _show(self, step: Step) -> str:
        if step.outcome is Outcome.USER:
            return f"<question> {step.text} </question>\n"
        return step.text + self.step_delim

    def read(self, sample: str) -> Draft:
        text = sample.strip()
        for end in ("</code>", "</step>"):
            text = text.removesuffix(end).rstrip()
        before, code_tag, code = text.partition("<code>")
        if _FINAL in before:
            if code_tag:
                return Draft(text)
            return Draft(text, answer=_read_answer(before.split(_FINAL, 1)[1].split("</p>", 1)[0]))
        code, closed, rest = code.partition("</code>")
        if not code.strip() or _FINAL in rest:
            return Draft(text)
        # A policy that ignores stop strings writes on after </code>: what it makes up there is not kept.
        return Draft(f"{before}<code>{code}".rstrip() if closed else text, code=code.strip())

    def observed(self, draft: Draft, observation: str) -> str:
        return f"{draft.text}\n</code>\n<output>\n{observation}\n</output>\n</step>"

    def finished(self, draft: Draft) -> str:
        return f"{draft.text}\n</step>" if draft.answer is not None else draft.text


@dataclass(frozen=True, slots=True)
class FewShotFormat:
    """`react`: Thought / Action / Action Input / Observation, for base models with worked examples in the prompt.

    Attributes:
        instructions: text before the examples.
        examples: the worked examples of this run's prompt.
        step_delim: joins steps, and ends a prompt that holds any.
    """

    instructions: str
    examples: tuple[Example, ...]
    step_delim: str = "\n\n"

    def prompt(self, question: str, steps: Sequence[Step]) -> str:
        shots = "".join(f"Question: {shot.question}\n\n{shot.solution.strip()}\n\n" for shot in self.examples)
        partial = "".join(map(self._show, steps))
        return f"{self.instructions.strip()}\n\n{shots}Question: {question}\n\n{partial}"

    def user_turn(self, question: str, steps: Sequence[Step], text: str) -> tuple[str, str]:
        return f"{self.prompt(question, steps)}Question:", f" {text}"

    def _show(self, step: Step) -> str:
        if step.outcome is Outcome.USER:
            return f"Question: {step.text}\n\n"
        return step.text + self.step_delim

    def read(self, sample: str) -> Draft:
        text = sample.strip().removesuffix("<Solution complete>").rstrip().removesuffix("Observation:").rstrip()
        if _FINAL in text:
            before, answer = text.split(_FINAL, 1)
            if self._code(before) is not None or "Action Input:" in answer:
                return Draft(text)
            return Draft(text, answer=_read_answer(answer))
        return Draft(text, code=self._code(text))

    def observed(self, draft: Draft, observation: str) -> str:
        return f"{draft.text}\nObservation: {observation}"

    def finished(self, draft: Draft) -> str:
        return f"{draft.text}\n<Solution complete>" if draft.answer is not None else draft.text

    @staticmethod
    def _code(text: str) -> str | None:
        match = re.search(r"Action:[ \t]*([^\n]*)\n+Action Input:(.*)", text, re.DOTALL)
        if match is None or match[1].strip() != TOOL:
            return None
        return match[2].strip() or None


def choose_examples(examples: Sequence[Example], num: int, seed: int) -> tuple[Example, ...]:
    """`num` examples drawn at random without repeats; the same for every question of a run with this seed."""
    return tuple(random.Random(seed).sample(list(examples), num))
