"""Which states keep a process: a tree of cells per question, and one bounded store for all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.processes import StateProcess
from mcts_math.interpreter.sandbox import Sandbox
from mcts_math.interpreter.tries import Gate
from mcts_math.requests import Cell

_MAX_CODE_CHARS = 2 << 20


def too_long(cell: Cell) -> bool:
    """Whether a cell's code is so long that it is never run."""
    return len(cell.code) > _MAX_CODE_CHARS


@dataclass(slots=True, eq=False)
class State:
    """A place in a question's tree of cells. It outlives its process, and knows how to get it back.

    Attributes:
        parent: the state before, None at the root.
        cell: what led here.
        process: its process (at the root, its sandbox's own), None where it was evicted or never made.
        made: it has had a process: its cell can be run to its end.
        void: the cell was cut by a limit, or did not run; the state is the parent's.
        children: the states after one more cell.
        num_bytes: what its process holds, or held when it went and still has forks.
        num_live: processes of this state and of all below it, running cells included.
    """

    parent: State | None
    cell: Cell
    process: StateProcess | None = None
    made: bool = False
    void: bool = False
    children: dict[Cell, State] = field(default_factory=dict)
    num_bytes: int = 0
    num_live: int = 0

    def cut(self) -> None:
        """A cell was stopped, or is told so: what follows it starts from its parent's state."""
        self.void = not self.made

    def child(self, cell: Cell) -> State:
        """The state after one more cell, made if unknown."""
        state = self.children.get(cell)
        if state is None:
            state = self.children[cell] = State(self, cell, void=too_long(cell))
        return state

    def follow(self, history: Iterable[Cell]) -> State:
        """The state after some more cells; those that were cut left nothing."""
        state = self
        for cell in history:
            following = state.child(cell)
            state = state if following.void else following
        return state

    def lineage(self) -> Iterable[State]:
        """This state, its parent, and so on to the root."""
        state: State | None = self
        while state is not None:
            yield state
            state = state.parent


@dataclass(slots=True, eq=False)
class Session:
    """One question."""

    root: State = field(default_factory=lambda: State(None, Cell("")))
    sandbox: Sandbox | None = None
    num_running: int = 0
    released: bool = False
    rebuilding: asyncio.Lock = field(default_factory=asyncio.Lock)
    gate: Gate = field(default_factory=Gate)


class SnapshotStore:
    """The states that keep a process, least recently used first, bounded by `SandboxLimits`.

    What a process holds is shared with its forks and stays in memory as long as one of them lives. So a state's bytes
    count until the last process below it is gone, and where there are too many bytes, states without such are evicted.
    Where there are too many processes, those that have been forked go first: a search expands a node once, so that
    they have done their part, while the others wait for it.
    """

    def __init__(self, limits: SandboxLimits) -> None:
        self._limits = limits
        self._kept: OrderedDict[State, Sandbox] = OrderedDict()
        self._forked: OrderedDict[State, None] = OrderedDict()  # those of them that have been forked, in the same order
        self._unaudited: list[State] = []
        self.num_bytes = 0

    def __len__(self) -> int:
        """The number of states that keep a process."""
        return len(self._kept)

    def touch(self, state: State) -> None:
        """Marks a state as used, if it is kept."""
        if state in self._kept:
            self._kept.move_to_end(state)
        if state in self._forked:
            self._forked.move_to_end(state)

    def hold(self, state: State) -> None:
        """A state has a process, or a cell runs in a fork of it, which shares its memory whatever becomes of it."""
        for above in state.lineage():
            above.num_live += 1

    def leave(self, state: State) -> None:
        """A process of a state, or a fork of it, has ended."""
        for above in state.lineage():
            above.num_live -= 1
            if above.num_live == 0:
                self.num_bytes -= above.num_bytes
                above.num_bytes = 0

    def add(self, state: State, process: StateProcess, sandbox: Sandbox) -> None:
        """Keeps a process for a state, and makes room for it."""
        if state.process is not None:  # the same cell ran twice at a time: the states are equal
            sandbox.discard(process)
            return
        state.process = process
        self._kept[state] = sandbox
        parent = state.parent
        if parent is not None and parent in self._kept:
            self._forked[parent] = None
            self._forked.move_to_end(parent)
        self.num_bytes += process.num_bytes - state.num_bytes
        state.num_bytes = process.num_bytes
        self.hold(state)
        self.make_room(newest=state)

    def drop(self, state: State) -> None:
        """Ends a state's process; does nothing where none is kept."""
        if state.process is None or state not in self._kept:
            return
        self._kept.pop(state).discard(state.process)
        self._forked.pop(state, None)
        state.process = None
        self.leave(state)

    def drop_all(self, root: State) -> None:
        """Ends the processes of all states below a root."""
        below = list(root.children.values())
        while below:
            state = below.pop()
            below += state.children.values()
            self.drop(state)

    def audit(self, most: int) -> None:
        """Ends the processes that do more than wait, whose memory would be counted nowhere; at most so many a call."""
        if not self._unaudited:
            self._unaudited = list(self._kept)
        now, self._unaudited = self._unaudited[:most], self._unaudited[most:]
        for state in now:
            if state.process is not None and not state.process.stands_still():
                self.drop(state)

    def make_room(self, num_running: int = 0, newest: State | None = None) -> int:
        """Ends processes of states, not that of the newest, until the bounds hold; returns the bytes of what is kept.

        Args:
            num_running: bytes that running cells use.
        """
        while self.num_bytes + num_running > self._limits.snapshot_bytes:
            alone = (state for state in self._kept if state.num_live == 1)
            if (victim := _idle(alone, newest)) is None:
                break  # only the newest, its ancestors and what is in use are left
            self.drop(victim)
        while len(self._kept) > self._limits.max_snapshots:
            if (victim := _idle(self._forked, newest) or _idle(self._kept, newest)) is None:
                break
            self.drop(victim)
        return self.num_bytes


def _idle(states: Iterable[State], newest: State | None) -> State | None:
    """The first state that may be put away: not the newest one, and not one from which a step starts."""
    free = (state for state in states if state is not newest and state.process and state.process.num_users == 0)
    return next(free, None)
