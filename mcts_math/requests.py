"""What a search may ask for, what it is sent back, and who answers.

A search strategy is a generator: it yields lists of requests and is sent the list of replies, in the same order.
It never calls a model, runs code or reads a clock. Whoever drives it (`scheduler`) passes each request to the one
service that answers its kind. Requests are plain frozen values: a reply depends on its request alone, never on what
else is in flight, so a tree is the same however many trees grow beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from mcts_math.messages import Prompt, Sample, Sampling
from mcts_math.step import CellStatus, Verdict
from mcts_math.tasks import Task

SEED_MASK: Final = (1 << 62) - 1
"""Of a longer seed these bits count, with services that take no longer ones."""


@dataclass(frozen=True, slots=True)
class PartialSolution:
    """What a reward model reads: the question, and the texts of the steps so far, () at the root of a tree."""

    question: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask the policy for samples that continue a prompt."""

    prompt: Prompt
    num_samples: int  # how many, >= 1
    sampling: Sampling
    seed: int  # seed of the first sample; sample i uses `seed + i` where the engine takes one seed a sample
    want_value: bool = False  # the value of the prompt is wanted too, if the engine has a value head
    task_id: str = ""  # the question the request belongs to (for logs and for cancelling); it must not change the reply
    adapter: str = ""  # the session of `Adapt` whose weights sample; "" is the model as it was loaded
    partial: PartialSolution | None = None  # what the prompt shows, for a reward model; where a search wants a value
    more: bool = False  # it goes on with a sample that was cut, and is none of its own where samples are counted


@dataclass(frozen=True, slots=True)
class Generation:
    samples: tuple[Sample, ...]  # as many as asked for, in order; empty where the prompt was too long
    value: float | None = None  # v of the prompt in [-1, 1]; None where there is no head, or nobody asked
    too_long: bool = False  # the prompt does not fit the model's context; nothing was generated
    num_prompt_tokens: int = 0
    num_cached_tokens: int = 0  # how many of them came from a prefix cache
    num_value_tokens: int = 0  # tokens that another model than the policy has read for the value


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Ask for the value of a prompt alone. `task_id` and `partial` as in `Generate`."""

    prompt: Prompt
    task_id: str = ""
    partial: PartialSolution | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Reply to `Evaluate`: v in [-1, 1]; None with `too_long` where the prompt does not fit the context. Numbers as in
    `Generation`."""

    value: float | None
    too_long: bool = False
    num_prompt_tokens: int = 0
    num_cached_tokens: int = 0
    num_value_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """One snippet of Python as the model wrote it (code fence and all), and the seed of its random generators."""

    code: str
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Execute:
    """Ask for one cell to be run in the state that `history` leaves."""

    session: str  # the question the cell belongs to; nothing is shared between sessions
    # the cells that ran before, root first. The interpreter's state *is* this sequence: siblings have equal histories
    # and never see each other; an implementation may snapshot, cache or replay.
    history: tuple[Cell, ...]
    cell: Cell


@dataclass(frozen=True, slots=True)
class Observation:
    """Reply to `Execute`."""

    text: str  # what the model is shown, at most a few hundred characters per print
    status: CellStatus = CellStatus.OK
    seconds: float = 0.0  # wall-clock time of this cell alone
    rebuilt: bool = False  # the state had been evicted and its history was run again first


@dataclass(frozen=True, slots=True)
class Check:
    answer: str
    golds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask whether a whole attempt solves its task: the answer is compared, or the task's tests are run."""

    task: Task  # the question, with what its verifier needs in `task.record`
    attempt: str  # everything that the model wrote, observations included
    answer: str | None = None  # what the step format has read; None where there is none


@dataclass(frozen=True, slots=True)
class Verification:
    verdict: Verdict
    answer: str | None = None  # the answer, or the code, that was judged; None where there was none
    detail: str = ""  # why, in a line ("" where there is nothing to say)


@dataclass(frozen=True, slots=True)
class LossTerm:
    """`weight` times the mean cross-entropy, in nats a token, of `completion` given `prompt`. After a conversation that
    is the whole next message: the user's after one of the assistant, with both turns' ends as the template has them;
    else the assistant's, whose text alone counts."""

    prompt: Prompt
    completion: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Adapt:
    """Ask for one optimiser step of a session's own adapter; the session's first request makes it, fresh."""

    session: str  # the question the adapter belongs to; nothing is shared between sessions
    # what the loss sums over, >= 1; a learned rule takes the first, and all of its tokens count
    terms: tuple[LossTerm, ...]
    seed: int = 0  # of the adapter's initial weights and of its dropout
    # what all terms begin with and sampling has run through the model: question and attempt. An adapter may take its
    # keys and values as constants; what counts begins after the first token behind it. None: nothing.
    sampled: Prompt | None = None


@dataclass(frozen=True, slots=True)
class Adaptation:
    loss: float  # before the step, nats
    num_tokens: int = 0  # tokens that were run through the model for it
    reset: bool = False  # loss, gradient or stepped weights were not finite; the adapter was made afresh instead
    too_long: bool = False  # a term does not fit the context; nothing was changed


@dataclass(frozen=True, slots=True)
class Meter:
    """Ask what the tree has cost since it asked last. The scheduler answers by itself; no search reads a clock."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Reply to `Meter`: sums since the last one, or since the tree began."""

    seconds: float = 0.0  # machine time (see `scheduler`)
    tokens: int = 0  # generated
    prompt_tokens: int = 0  # of all prompts, found in a cache or not
    adapted_tokens: int = 0  # run through the model for optimiser steps


Request: TypeAlias = Generate | Evaluate | Execute | Check | Verify | Adapt | Meter
Reply: TypeAlias = Generation | Evaluation | Observation | bool | Verification | Adaptation | Spent


@runtime_checkable
class Policy(Protocol):
    async def generate(self, request: Generate) -> Generation: ...

    async def close(self) -> None: ...


@runtime_checkable
class ValueModel(Protocol):
    """Tells what a partial solution is worth. One object may be policy and value model."""

    async def evaluate(self, request: Evaluate) -> Evaluation: ...

    async def close(self) -> None: ...


@runtime_checkable
class Interpreter(Protocol):
    async def execute(self, request: Execute) -> Observation: ...

    async def release(self, session: str) -> None:
        """The question is done: give back everything that was kept for it. Unknown sessions are ignored."""

    async def close(self) -> None: ...


@runtime_checkable
class Checker(Protocol):
    """Tells whether two answers are equal. An answer that can't be read, or not in time, is not equal."""

    async def check(self, request: Check) -> bool: ...

    async def close(self) -> None: ...


@runtime_checkable
class Verifier(Protocol):
    async def verify(self, request: Verify) -> Verification: ...

    async def close(self) -> None: ...


@runtime_checkable
class Adapter(Protocol):
    """Learns at test time: keeps one small adapter a session. The policy that samples with them is the same object."""

    async def adapt(self, request: Adapt) -> Adaptation: ...

    async def release(self, session: str) -> None:
        """The question is done: drop its adapter. Unknown sessions are ignored."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    policy: Policy
    value_model: ValueModel | None
    interpreter: Interpreter
    checker: Checker
    verifier: Verifier | None = None
    adapter: Adapter | None = None
