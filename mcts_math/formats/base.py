"""What a step format is: everything that is particular to a way of writing steps. All of it is pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mcts_math.errors import TaskError
from mcts_math.messages import Message, Piece, Prompt, Sample, Sampling, TemplateVariables
from mcts_math.step import Draft, Outcome, Step
from mcts_math.tasks import Task


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What a config says of a format; None is the format's own default."""

    step_delim: str | None = None
    stops: tuple[str, ...] | None = None
    few_shot_path: str | None = None  # file of worked examples
    prompt_path: str | None = None  # file of instructions
    num_few_shot: int = 2  # worked examples in a prompt
    seed: int = 0  # of the run; it draws the examples
    template: TemplateVariables = ()  # further variables of the model's chat template, by name
    max_thinking_tokens: int = 0  # most tokens of a thought; 0: as many as a step may have
    search_thoughts: bool = False  # steps are parts of the thought too
    step_pattern: str | None = None  # a regular expression that must match at the end of a step, its delimiter included

    @property
    def given(self) -> dict[str, Any]:
        """Delimiter and stops where the config names them, by the names that formats of text have for them."""
        named = {"step_delim": self.step_delim, "stops": self.stops}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a sample that ended too early goes on."""

    sampling: Sampling  # of what follows
    pieces: tuple[Piece, ...] = ()  # what is put in between


class StepFormat(Protocol):
    """How a partial solution is shown to the model, and how a sample is read. A format of text derives from it."""

    @property
    def name(self) -> str:
        """Its name in the table, which stands in every record."""

    @property
    def step_delim(self) -> str:
        """Text between steps, which also ends a prompt that holds any."""

    @property
    def stops(self) -> tuple[str, ...]:
        """Strings that end a sample."""

    @property
    def runs_code(self) -> bool:
        """Whether any step may be run; else no sandbox is started, and a machine needs none."""
        return True

    def prompt(self, task: Task, steps: Sequence[Step]) -> Prompt:
        """The prompt for the step after `steps`, which ends with the delimiter where there are any; `task.before`
        stands first."""

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[Prompt, str]:
        """What the user says after `steps`, as a completion of a prompt: (prompt, completion)."""

    def read(self, sample: Sample) -> Draft:
        """Reads a sample."""

    def begin(self, sampling: Sampling) -> Sampling:
        """How the first part of a step is sampled: as the whole, but for a thought with a budget of its own."""
        return sampling

    def resume(self, sample: Sample, sampling: Sampling) -> Resumption | None:
        """How to go on where a sample ended too early: in the middle of a thought. None: it is a whole step."""
        return None

    def observed(self, draft: Draft, observations: Sequence[str]) -> str:
        """Text of a step with its observations, one for each action."""

    def finished(self, draft: Draft) -> str:
        """Text of a step that has none."""

    def for_training(self) -> StepFormat:
        """The format in which a model that was trained on these steps is searched: often this one."""
        return self

    def turns(self, step: Step) -> tuple[Message, ...]:
        """The turns that a step adds to a conversation; none in formats of text."""
        return ()

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        """Steps as `for_training` shows them, delimiters included; "" for one that is part of the next."""

    @property
    def template(self) -> TemplateVariables:
        """Further variables of the model's chat template; none in formats of text."""
        return ()

    def fingerprint(self) -> str:
        """What a prompt depends on beside name, delimiter and stops: a digest of the worked examples; else ""."""
        return ""


FormatFactory = Callable[[FormatOptions], StepFormat]

FINAL_ANSWER = "Final Answer:"


def opening(task: Task) -> tuple[str, list[Step]]:
    """How a format of text begins: the user's first question, and as steps what follows up to the task's own. Raises
    TaskError where the conversation does not begin with the user, or holds a turn of the system."""
    if not task.before:
        return task.question, []
    first, *turns = task.before
    if first.role != "user" or any(turn.role not in ("user", "assistant") for turn in turns):
        raise TaskError(
            "a format of text shows turns of the user and the assistant, from the user's first: leave out all others"
        )
    outcomes = {"user": Outcome.USER, "assistant": Outcome.CONTINUE}
    said = [Step(turn.content, outcomes[turn.role]) for turn in turns]
    return first.content, [*said, Step(task.question, Outcome.USER)]


def read_answer(written: str) -> str | None:
    """What is written after `Final Answer:` without one enclosing pair of `$`; None where nothing is left."""
    answer = written.strip()
    if len(answer) >= 2 and answer[0] == answer[-1] == "$":
        answer = answer[1:-1].strip()
    return answer or None
