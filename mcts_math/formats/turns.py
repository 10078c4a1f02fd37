"""What the chat formats share: from steps to a conversation, and what to do about thoughts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mcts_math.errors import RefusedError
from mcts_math.files import short_digest
from mcts_math.formats.base import FormatOptions, Resumption, StepFormat
from mcts_math.formats.replies import THOUGHTS, ThoughtMarks, open_thought, read_reply
from mcts_math.messages import Conversation, Message, Piece, Sample, Sampling, TemplateVariables, Tool, text_of
from mcts_math.step import Draft, Outcome, Step
from mcts_math.tasks import Task

ShowStep: TypeAlias = Callable[[Step], tuple[Message, ...]]
"""The turns that a step adds; a first one of the assistant that follows another of its own continues that."""

ReadSample: TypeAlias = Callable[[Sample], Draft]

Resume: TypeAlias = Callable[[int, Sample, Sampling], Resumption | None]
"""How a sample that ended before its step goes on, with the most tokens of a thought (0: as many as a step has)."""


def resume_thought(budget: int, sample: Sample, sampling: Sampling) -> Resumption | None:
    """How to go on after a part: a stop string within a thought ends nothing, and the budget ends a thought."""
    left = sampling.max_tokens - sample.num_tokens
    if left <= 0:
        return None
    if not sample.written:
        if budget and sample.finish == "length":
            raise RefusedError(
                "max_thinking_tokens has cut a reply that this server can't go on with. Give the model's folder as "
                "model_dir, or leave max_thinking_tokens out"
            )
        return None
    text = text_of(sample.written)
    thought = open_thought(text, sample.opening)
    if sample.finish == "length":
        if not budget or sample.num_tokens != budget:
            return None
        closing = () if thought is None else _closing(thought)
        return Resumption(replace(sampling, max_tokens=left), closing)
    if not was_stopped(sample):
        return None
    if thought is not None:
        if budget and sample.num_tokens >= budget:
            return Resumption(replace(sampling, max_tokens=left), _closing(thought))
        allowed = budget - sample.num_tokens if budget else left
        return Resumption(replace(sampling, max_tokens=min(left, allowed), stop=(thought.end,)))
    if text.endswith(tuple(marks.end for marks in THOUGHTS)) and not text.endswith(sampling.stop):
        return Resumption(replace(sampling, max_tokens=left))
    return None


def _closing(thought: ThoughtMarks) -> tuple[Piece, ...]:
    """What is put behind a thought whose budget is used up."""
    return (Piece(f"\n{thought.end}\n\n", given=True),)


def message_of(step: Step) -> Message:
    """A step as a turn; of a step that was read from a foreign file, its text."""
    return step.message or Message("assistant", step.text)


def _show(step: Step) -> tuple[Message, ...]:
    return (message_of(step),)


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """See `base.StepFormat`. Prompts are conversations, which the engine renders."""

    name: str  # in the table of formats
    options: FormatOptions
    read: ReadSample
    show: ShowStep = _show
    resumer: Resume = resume_thought  # goes on with samples; by default with thoughts alone
    own_stops: tuple[str, ...] = ()  # where the options name none, as also the delimiter
    own_delim: str = "\n"
    system: str = ""  # what the system message says; "" leaves it out
    tools: tuple[Tool, ...] = ()
    runs_code: bool = True

    @property
    def stops(self) -> tuple[str, ...]:
        return self.own_stops if self.options.stops is None else self.options.stops

    @property
    def step_delim(self) -> str:
        return self.options.step_delim or self.own_delim

    @property
    def template(self) -> TemplateVariables:
        return self.options.template

    def prompt(self, task: Task, steps: Sequence[Step]) -> Conversation:
        before = _with_system(self.system, task.before)
        talk = Conversation((*before, Message("user", task.chat_question)), self.tools, self.template)
        return talk.followed_by(*(message for step in steps for message in self.turns(step)))

    def turns(self, step: Step) -> tuple[Message, ...]:
        return (Message("user", step.text),) if step.outcome is Outcome.USER else self.show(step)

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[Conversation, str]:
        return self.prompt(task, steps), text

    def begin(self, sampling: Sampling) -> Sampling:
        budget = self.options.max_thinking_tokens or sampling.max_tokens
        return replace(sampling, max_tokens=min(budget, sampling.max_tokens))

    def resume(self, sample: Sample, sampling: Sampling) -> Resumption | None:
        return self.resumer(self.options.max_thinking_tokens, sample, sampling)

    def observed(self, draft: Draft, observations: Sequence[str]) -> str:
        return "\n".join([draft.text, *observations])

    def finished(self, draft: Draft) -> str:
        return draft.text

    def for_training(self) -> StepFormat:
        return self

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        """See `base.StepFormat`. A turn that a server has read has no calls in its content."""
        return [text_of(self.turns(step)[0].written) or step.text for step in steps]

    def fingerprint(self) -> str:
        return short_digest(self.system) if self.system else ""


def _with_system(system: str, before: tuple[Message, ...]) -> tuple[Message, ...]:
    """The turns before the question. Templates know one message of the system: the format's own words begin it."""
    if not system:
        return before
    if before and before[0].role == "system":
        return (Message("system", f"{system}\n\n{before[0].content}"), *before[1:])
    return (Message("system", system), *before)


def was_stopped(sample: Sample) -> bool:
    """Whether a stop string ended the sample, rather than the model its turn."""
    return sample.finish == "stop" and len(text_of(sample.written)) > len(sample.text)


def read_turn(sample: Sample) -> Message:
    """What the model wrote as a turn: as the server has read it, else by its own marks."""
    message = sample.message or read_reply(sample.text, sample.opening)
    return replace(message, written=sample.written)
