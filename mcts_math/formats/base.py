"""What a step format is: everything that is particular to a way of writing steps.

A format renders a question and the steps so far as the next prompt, reads a sample into a `Draft`, shows observations,
and renders steps as training text. All of it is pure: text in, text out. A new format is one new file and a line in the
table of `formats`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcts_math.step import Draft, Prompt, Step
from mcts_math.tasks import Task


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What a config says of a format; None is the format's own default.

    Attributes:
        step_delim: text between steps.
        stops: strings that end a sample.
        few_shot_path: file of worked examples.
        prompt_path: file of instructions.
        num_few_shot: worked examples in a prompt.
        seed: of the run; it draws the examples.
    """

    step_delim: str | None = None
    stops: tuple[str, ...] | None = None
    few_shot_path: str | None = None
    prompt_path: str | None = None
    num_few_shot: int = 2
    seed: int = 0


class StepFormat(Protocol):
    """How a partial solution is shown to the model, and how a sample is read."""

    @property
    def name(self) -> str:
        """Its name in the table, which stands in every record."""
        ...

    @property
    def step_delim(self) -> str:
        """Text between steps, which also ends a prompt that holds any."""
        ...

    @property
    def stops(self) -> tuple[str, ...]:
        """Strings that end a sample."""
        ...

    def prompt(self, task: Task, steps: Sequence[Step]) -> Prompt:
        """The prompt that asks for the step after `steps`; ends with the step delimiter where there are steps."""
        ...

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[Prompt, str]:
        """What the user says after `steps`, as a completion of a prompt: (prompt, completion)."""
        ...

    def read(self, sample: str) -> Draft:
        """Reads a sample (without its stop string)."""
        ...

    def observed(self, draft: Draft, observation: str) -> str:
        """Text of a step with its observation."""
        ...

    def finished(self, draft: Draft) -> str:
        """Text of a step that ends the solution."""
        ...

    def for_training(self) -> StepFormat:
        """The format in which a model that was trained on these steps is searched: often this one."""
        ...

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        """Steps as `for_training` shows them, delimiters included; "" for one that is part of the next."""
        ...

    def fingerprint(self) -> str:
        """What a prompt depends on beside name, delimiter and stops: a digest of the worked examples; else ""."""
        ...


FormatFactory = Callable[[FormatOptions], StepFormat]

FINAL_ANSWER = "Final Answer:"


def read_answer(written: str) -> str | None:
    """What is written after `Final Answer:` without one enclosing pair of `$`; None where nothing is left."""
    answer = written.strip()
    if len(answer) >= 2 and answer[0] == answer[-1] == "$":
        answer = answer[1:-1].strip()
    return answer or None
