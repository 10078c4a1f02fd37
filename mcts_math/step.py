"""Steps of a solution, and what a sample is read as. What a step looks like is the format's business (`formats`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mcts_math.messages import Message

TOOL: Final = "python_interpreter"


class Outcome(str, Enum):
    CONTINUE = "continue"  # code was run, or the step was thought alone; the solution goes on
    ANSWER = "answer"  # a final answer
    UNPARSABLE = "unparsable"  # neither action nor answer, or both
    TOO_MANY_ERRORS = "too_many_errors"  # more than errors_threshold code steps in a row failed
    TOO_DEEP = "too_deep"  # deeper than max_depth, or out of tokens, without an answer
    REPLY = "reply"  # a whole reply without an answer to read off, such as a program or a critique
    USER = "user"  # not the model's: what the user says next, which opens another attempt

    @property
    def is_failure(self) -> bool:
        """Whether it ends a solution without anything to judge."""
        return self in (Outcome.UNPARSABLE, Outcome.TOO_MANY_ERRORS, Outcome.TOO_DEEP)


class Verdict(str, Enum):
    """What a verifier says of an attempt (SPEC B)."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # the attempt holds no answer, or no code, to judge


class CellStatus(str, Enum):
    OK = "ok"
    ERROR = "error"  # the code raised, or is not Python
    TIMEOUT = "timeout"  # cut by the wall-clock or CPU limit; the state before it stands
    KILLED = "killed"  # died by memory limit, signal or a call that is not allowed; the state before it stands


@dataclass(frozen=True, slots=True)
class Action:
    tool: str
    input: str  # what it is given, as written, code fence and all; "" where that can't be read
    note: str | None = None  # the observation of an action that runs nothing; None where code is to be run
    call_id: str = ""  # of the tool call that asks for it

    @property
    def code(self) -> str | None:
        """What to run; None where nothing is to be run."""
        return self.input if self.tool == TOOL and self.note is None else None


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample as read, before its code is run. Actions and an answer are never both there; neither: unparsable."""

    text: str  # the sample, trimmed
    actions: tuple[Action, ...] = ()  # what it asks for, one after another
    answer: str | None = None  # the final answer, with one enclosing pair of `$` removed; None where there is none
    whole: bool = False  # a whole reply, which needs neither action nor answer
    goes_on: bool = False  # a step of thought alone: the solution goes on after it
    message: Message | None = None  # the turn as a conversation shows it; None in formats of text


@dataclass(frozen=True, slots=True)
class Run:
    """An action that was done."""

    tool: str  # see `Action`
    input: str  # the code, or the text of the action
    observation: str | None = None  # what the interpreter, or the format in its place, showed
    status: CellStatus | None = None  # how the cell ended; None where no code was run
    seed: int = 0  # of the cell's random numbers
    call_id: str = ""  # of the tool call that asked for it

    @property
    def code(self) -> str | None:
        return self.input if self.tool == TOOL and self.input else None


@dataclass(frozen=True, slots=True)
class Step:
    text: str  # as the next prompt shows it, observations included
    outcome: Outcome
    runs: tuple[Run, ...] = ()  # what was done, in order
    answer: str | None = None  # the final answer of an ANSWER step, else None
    logprob: float = 0.0  # sum over the tokens, nats
    num_tokens: int = 0  # length of the sample
    correct: bool | None = None  # whether the answer equals an accepted one; None where that was not asked
    message: Message | None = None  # the turn, or the part of one, that was written; None in formats of text
    certainty: float | None = None  # sum over the tokens, see `Sample.certainty`; None where not asked

    @property
    def code(self) -> str | None:
        """The code that was run, all cells one after another; None where none was."""
        cells = [run.code for run in self.runs if run.code is not None]
        return "\n".join(cells) if cells else None

    @property
    def failed(self) -> bool:
        return any(run.status not in (None, CellStatus.OK) for run in self.runs)

    @property
    def is_final(self) -> bool:
        return self.outcome not in (Outcome.CONTINUE, Outcome.USER)
