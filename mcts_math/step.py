"""Steps of a solution, and what a sample is read as. What a step looks like is the format's business (`formats`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

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

    CONTINUE = "continue"  # code was run, or the step was thought alone; the solution goes on
    ANSWER = "answer"  # a final answer
    UNPARSABLE = "unparsable"  # neither action nor answer, or both
    TOO_MANY_ERRORS = "too_many_errors"  # more than errors_threshold code steps in a row failed
    TOO_DEEP = "too_deep"  # deeper than max_depth without an answer
    REPLY = "reply"  # a whole reply without an answer to read off, such as a program or a critique
    USER = "user"  # not the model's: what the user says next, which opens another attempt


class Verdict(str, Enum):
    """What a verifier says of an attempt (SPEC B)."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # the attempt holds no answer, or no code, to judge


class CellStatus(str, Enum):
    """How a cell ended."""

    OK = "ok"
    ERROR = "error"  # the code raised, or is not Python
    TIMEOUT = "timeout"  # cut by the wall-clock or CPU limit; the state before it stands
    KILLED = "killed"  # died by memory limit, signal or a call that is not allowed; the state before it stands


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample as read, before its code is run. An action and an answer are never both there; neither: unparsable.

    Attributes:
        text: the sample, trimmed.
        action: name of the tool that the sample calls, as written; "" where it calls none.
        action_input: what the tool is given, as written, code fence and all.
        note: the observation of an action that runs nothing; None where there is none. The solution goes on.
        answer: the final answer, with one enclosing pair of `$` removed; None where there is none.
        whole: a whole reply, which needs neither action nor answer.
    """

    text: str
    action: str = ""
    action_input: str = ""
    note: str | None = None
    answer: str | None = None
    whole: bool = False

    @property
    def code(self) -> str | None:
        """What to run; None where nothing is to be run."""
        return self.action_input if self.action == TOOL else None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solution.

    Attributes:
        text: as the next prompt shows it, observation included.
        outcome: what it led to.
        action: name of the tool that was called; "" where none was.
        action_input: what it was given, code fence and all.
        observation: what the interpreter, or the format in its place, showed; None where nothing was shown.
        answer: the final answer of an ANSWER step, else None.
        status: how the cell ended; None where no code was run.
        seed: seed of the interpreter's random generators for `code`.
        logprob: sum over the tokens, nats.
        num_tokens: length of the sample.
        correct: whether the answer equals an accepted one; None where that was not asked.
    """

    text: str
    outcome: Outcome
    action: str = ""
    action_input: str = ""
    observation: str | None = None
    answer: str | None = None
    status: CellStatus | None = None
    seed: int = 0
    logprob: float = 0.0
    num_tokens: int = 0
    correct: bool | None = None

    @property
    def code(self) -> str | None:
        """The code that was run; None where none was."""
        return self.action_input if self.action == TOOL else None

    @property
    def failed(self) -> bool:
        """The code raised, was cut or was killed."""
        return self.status not in (None, CellStatus.OK)

    @property
    def is_final(self) -> bool:
        return self.outcome not in (Outcome.CONTINUE, Outcome.USER)
