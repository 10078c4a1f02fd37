"""`chat`: a conversation in the model's own chat template, where one step is the whole reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcts_math.answer import extract_answer
from mcts_math.formats.base import FormatOptions, StepFormat
from mcts_math.step import Draft, Message, Outcome, Step
from mcts_math.tasks import Task


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """See `base.StepFormat`. Prompts are conversations, which the engine renders."""

    step_delim: str = "\n"
    stops: tuple[str, ...] = ()
    name: str = "chat"

    @classmethod
    def make(cls, options: FormatOptions) -> ChatFormat:
        return cls(
            cls().step_delim if options.step_delim is None else options.step_delim,
            cls().stops if options.stops is None else options.stops,
        )

    def prompt(self, task: Task, steps: Sequence[Step]) -> tuple[Message, ...]:
        messages = [Message("user", task.chat_question)]
        for step in steps:
            if step.outcome is Outcome.USER:
                messages.append(Message("user", step.text))
            elif messages[-1].role == "assistant":
                messages[-1] = Message("assistant", messages[-1].content + self.step_delim + step.text)
            else:
                messages.append(Message("assistant", step.text))
        return tuple(messages)

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[tuple[Message, ...], str]:
        return self.prompt(task, steps), text

    def read(self, sample: str) -> Draft:
        text = sample.strip()
        return Draft(text, answer=extract_answer(text), whole=True)

    def observed(self, draft: Draft, observation: str) -> str:
        return f"{draft.text}\n{observation}"

    def finished(self, draft: Draft) -> str:
        return draft.text

    def for_training(self) -> StepFormat:
        return self

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        return [step.text for step in steps]

    def fingerprint(self) -> str:
        return ""
