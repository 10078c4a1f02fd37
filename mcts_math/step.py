"""Steps of a solution, and what a sample is read as. What a step looks like is the format's business (`formats`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mcts_math.messages import Message

TOOL: Final = "python_interpreter"


class Outcome(str, Enum):
    """What a step led to."""

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
    """How a cell ended."""

    OK = "ok"
    ERROR = "error"  # the code raised, or is not Python
    TIMEOUT = "timeout"  # cut by the wall-clock or CPU limit; the state before it stands
    KILLED = "killed"  # died by memory limit, signal or a call that is not allowed; the state before it stands


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do before the solution goes on.

    Attributes:
        tool: its name, as written.
        input: what it is given, as written, code fence and all; "" where that can't be read.
        note: the observation of an action that runs nothing; None where code is to be run.
        call_id: of the tool call that asks for it.
    """

    tool: str
    input: str
    note: str | None = None
    call_id: str = ""

    @property
    def code(self) -> str | None:
        """What to run; None where nothing is to be run."""
        return self.input if self.tool == TOOL and self.note is None else None


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample as read, before its code is run. Actions and an answer are never both there; neither: unparsable.

    Attributes:
        text: the sample, trimmed.
        actions: what it asks for, one after another.
        answer: the final answer, with one enclosing pair of `$` removed; None where there is none.
        whole: a whole reply, which needs neither action nor answer.
        goes_on: a step of thought alone: the solution goes on after it.
        message: the turn as a conversation shows it; None in formats of text.
    """

    text: str
    actions: tuple[Action, ...] = ()
    answer: str | None = None
    whole: bool = False
    goes_on: bool = False
    message: Message | None = None

    @property
    def code(self) -> str | None:
        """The first cell to run; None where nothing is to be run."""
        return next((action.code for action in self.actions if action.code is not None), None)


@dataclass(frozen=True, slots=True)
class Run:
    """An action that was done.

    Attributes:
        tool, input: see `Action`.
        observation: what the interpreter, or the format in its place, showed.
        status: how the cell ended; None where no code was run.
        seed: of the interpreter's random generators.
        call_id: of the tool call that asked for it.
    """

    tool: str
    input: str
    observation: str | None = None
    status: CellStatus | None = None
    seed: int = 0
    call_id: str = ""

    @property
    def code(self) -> str | None:
        """The code that was run; None where none was."""
        return self.input if self.tool == TOOL and self.input else None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solution.

    Attributes:
        text: as the next prompt shows it, observations included.
        outcome: what it led to.
        runs: what was done, in order.
        answer: the final answer of an ANSWER step, else None.
        logprob: sum over the tokens, nats.
        num_tokens: length of the sample.
        correct: whether the answer equals an accepted one; None where that was not asked.
        message: the turn, or the part of one, that was written; None in formats of text.
        certainty: sum over the tokens, see `Sample.certainty`; None where that was not asked.
    """

    text: str
    outcome: Outcome
    runs: tuple[Run, ...] = ()
    answer: str | None = None
    logprob: float = 0.0
    num_tokens: int = 0
    correct: bool | None = None
    message: Message | None = None
    certainty: float | None = None

    @property
    def code(self) -> str | None:
        """The code that was run, all cells one after another; None where none was."""
        cells = [run.code for run in self.runs if run.code is not None]
        return "\n".join(cells) if cells else None

    @property
    def failed(self) -> bool:
        """Code raised, was cut or was killed."""
        return any(run.status not in (None, CellStatus.OK) for run in self.runs)

    @property
    def is_final(self) -> bool:
        return self.outcome not in (Outcome.CONTINUE, Outcome.USER)
