"""How often a cell is tried whose state or sandbox is lost, whose fault that is, and who waits for whom meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.losses import (
    Crowded,
    MachineBusyError,
    NoGreeting,
    NotRebuilt,
    Refused,
    StateLost,
)
from mcts_math.interpreter.sandbox import KILLED_TEXT, Sandbox

MAX_LOSSES, MAX_DEATHS, MAX_FAILURES, MAX_REFUSALS = 2, 10, 10, 5
_PATIENCE = 3  # deaths of its sandbox, or refusals of room, that a cell bears beside its siblings
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
_NOT_REBUILT_TEXT = "KilledError: the cells before this one ran, and were stopped when they had to be run again."
_REFUSED_TEXT = "KilledError: the machine had no room for another process, though the cell was tried again."
_CROWDED_TEXT = (
    "KilledError: other cells left no room for temporary files of this one's branch, though it was tried again."
)


@dataclass(slots=True)
class Tries:
    """What went wrong with one cell so far.

    Attributes:
        num_losses: of its state, by the state's own doing.
        num_deaths: of its sandbox; a sibling that means harm may have to do with it.
        num_failures: to have a sandbox at all.
        num_refusals: times that a state said that the machine is busy (whether it is, the next sandbox shows), or
            had no room for the files of its branch.
        sandbox: in which it was tried last, None where none could be had. Its question may have another meanwhile.
        num_preemptions: times that it was stopped for want of memory.
        last: the last loss.
    """

    num_losses: int = 0
    num_deaths: int = 0
    num_failures: int = 0
    num_refusals: int = 0
    sandbox: Sandbox | None = None
    num_preemptions: int = 0
    last: StateLost | None = None

    @property
    def left(self) -> bool:
        """Whether it is worth another try."""
        return self.num_losses < MAX_LOSSES and self.num_deaths < MAX_DEATHS and self.num_refusals < MAX_REFUSALS

    def note(self, lost: StateLost) -> None:
        """Notes whose fault it was; raises InterpreterError where it keeps being that of the machine."""
        self.last, sandbox = lost, self.sandbox
        if sandbox is None or not sandbox.owner.alive:
            self.num_failures += 1
            if self.num_failures == MAX_FAILURES:
                raise InterpreterError(f"the interpreter keeps breaking down: {lost}") from lost
        elif isinstance(lost, (Crowded, Refused)):
            self.num_refusals += 1
            if isinstance(lost, Refused) and lost.at_root and not self.left:
                raise MachineBusyError("a cell", lost)
        elif isinstance(lost, NoGreeting) or sandbox.alive:
            self.num_losses += 1
        else:
            self.num_deaths += 1

    @property
    def wants_to_be_alone(self) -> bool:
        """Whether its siblings have cost it so much that it should run without them."""
        return self.num_deaths >= _PATIENCE or (isinstance(self.last, Crowded) and self.num_refusals >= _PATIENCE)

    @property
    def pause_s(self) -> float:
        """Seconds to wait before the next try."""
        return min(_PAUSE_S * (self.num_refusals + self.num_preemptions), _LONGEST_PAUSE_S)

    @property
    def last_text(self) -> str:
        """What a cell shows that will not be tried again. The machine is well: it is this branch that is not."""
        if isinstance(self.last, NotRebuilt):
            return _NOT_REBUILT_TEXT
        if isinstance(self.last, Crowded):
            return _CROWDED_TEXT
        return _REFUSED_TEXT if self.num_refusals >= MAX_REFUSALS else KILLED_TEXT


class Gate:
    """Lets the cells of one question in, each for one try.

    One that has suffered from others (`Tries.wants_to_be_alone`) waits until those who are in are out, and keeps the
    others out until it is done.
    """

    def __init__(self) -> None:
        self._num_inside = 0
        self._alone: Tries | None = None
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def inside(self, tries: Tries) -> AsyncIterator[None]:
        """Waits until a cell may run, and lets it."""
        # Who was preempted holds what others may wait for: it must not wait in turn.
        while self._alone is not None and self._alone is not tries and not tries.num_preemptions:
            await self._changed.wait()
        if tries.wants_to_be_alone:
            self._alone = tries
            while self._num_inside:
                await self._changed.wait()
        self._num_inside += 1
        try:
            yield
        finally:
            self._num_inside -= 1
            self._tell()

    def leave(self, tries: Tries) -> None:
        """A cell is done, or given up: the others may go on."""
        if self._alone is tries:
            self._alone = None
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed.clear()
