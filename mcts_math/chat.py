"""The step format `chat`: a conversation in the model's own chat template, where one step is the whole reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcts_math.step import Draft, Message, Outcome, Step


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """Prompts are conversations, which the engine renders; a sample is read as one whole reply.

    Attributes:
        read_answer: finds the answer in a reply; None where it marks none, as a reply that is a program.
        step_delim: joins steps of one reply, where there are several.
    """

    read_answer: Callable[[str], str | None]
    step_delim: str = "\n"

    def prompt(self, question: str, steps: Sequence[Step]) -> tuple[Message, ...]:
        messages = [Message("user", question)]
        for step in steps:
            if step.outcome is Outcome.USER:
                messages.append(Message("user", step.text))
            elif messages[-1].role == "assistant":
                messages[-1] = Message("assistant", messages[-1].content + self.step_delim + step.text)
            else:
                messages.append(Message("assistant", step.text))
        return tuple(messages)

    def user_turn(self, question: str, steps: Sequence[Step], text: str) -> tuple[tuple[Message, ...], str]:
        return self.prompt(question, steps), text

    def read(self, sample: str) -> Draft:
        text = sample.strip()
        return Draft(text, answer=self.read_answer(text), whole=True)

    def observed(self, draft: Draft, observation: str) -> str:
        return f"{draft.text}\n{observation}"

    def finished(self, draft: Draft) -> str:
        return draft.text
