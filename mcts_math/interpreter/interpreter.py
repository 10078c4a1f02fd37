"""The interpreter that searches use: states by snapshot, sessions, eviction, rebuilding."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.levels import Level, probe, require
from mcts_math.interpreter.options import Limits
from mcts_math.interpreter.parent import Parent
from mcts_math.interpreter.sandbox import KILLED_TEXT, Node, Sandbox, StateLost, StepResult
from mcts_math.requests import Cell, CellStatus, Execute, Observation

_MAX_TRIES = 3


@dataclass(slots=True, eq=False)
class _State:
    """A place in a question's tree of cells. It outlives its process, and remembers how to get it back.

    Attributes:
        parent: the state before, None at the root.
        cell: what led here.
        node: its process; None at the root (see `_Session.sandbox`) and where it was evicted or never made.
        void: the cell was cut; the state is the parent's.
    """

    parent: _State | None
    cell: Cell
    node: Node | None = None
    void: bool = False
    children: dict[Cell, _State] = field(default_factory=dict)

    def child(self, cell: Cell) -> _State:
        """The state after one more cell, made if unknown."""
        state = self.children.get(cell)
        if state is None:
            state = self.children[cell] = _State(self, cell)
        return state


@dataclass(slots=True, eq=False)
class _Session:
    """One question."""

    root: _State = field(default_factory=lambda: _State(None, Cell("")))
    sandbox: Sandbox | None = None
    num_running: int = 0
    rebuilding: asyncio.Lock = field(default_factory=asyncio.Lock)


class SandboxInterpreter:
    """Runs the model's Python; the protocol `requests.Interpreter`.

    Use it as `async with SandboxInterpreter() as interpreter`, or call `close`. It starts on first use, or by `start`,
    and belongs to one event loop.

    Args:
        limits: what snippets may use.
        level: isolation to use, from `probe`; probed at the start when None.
    """

    def __init__(self, limits: Limits | None = None, level: Level | None = None) -> None:
        self.limits = limits or Limits()
        self.level = level
        self._parents: list[Parent | None] = [None] * self.limits.num_parents
        self._next_parent = 0
        self._sessions: dict[str, _Session] = {}
        self._idle: OrderedDict[Sandbox, _Session] = OrderedDict()
        self._kept: OrderedDict[Node, tuple[_State, Sandbox]] = OrderedDict()
        self._kept_bytes = 0
        self._running = asyncio.Semaphore(self.limits.max_running)
        self._starting = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> SandboxInterpreter:
        """Starts."""
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes."""
        await self.close()

    async def start(self) -> Level:
        """Probes the machine and starts the clean parents; does nothing when called again.

        Raises:
            InterpreterError: this machine can't lock snippets in, and `allow_unsafe_exec` is not set.
        """
        async with self._starting:
            if self._closed:
                raise InterpreterError("the interpreter was closed")
            if self.level is None:
                self.level = await probe(self.limits)
            require(self.level, self.limits.allow_unsafe_exec)
            for i, parent in enumerate(self._parents):
                if parent is None or not parent.alive:
                    if parent is not None:
                        await parent.close()
                    self._parents[i] = None
                    self._parents[i] = await Parent.start(self.limits, self.level.layers)
        return self.level

    async def execute(self, request: Execute) -> Observation:
        """Runs one cell in the state that its history leaves.

        Raises:
            InterpreterError: the sandbox keeps breaking down, through no fault of the snippet.
        """
        session = self._sessions.setdefault(request.session, _Session())
        async with self._running:
            session.num_running += 1
            try:
                return await self._execute(session, request)
            finally:
                session.num_running -= 1

    async def _execute(self, session: _Session, request: Execute) -> Observation:
        rebuilt = False
        error: Exception | None = None
        for _ in range(_MAX_TRIES):
            state: _State | None = None
            try:
                sandbox = await self._sandbox(session)
                state = session.root
                for cell in request.history:
                    following = state.child(cell)
                    state = state if following.void else following
                node, replayed = await self._node(session, sandbox, state)
                rebuilt |= replayed
                result = await sandbox.step(node, request.cell)
            except StateLost as lost:
                error = lost
                self._forget(session, state)
                continue
            self._keep(sandbox, state.child(request.cell), result)
            return Observation(result.text, result.status, result.seconds, rebuilt)
        if session.sandbox is None or not session.sandbox.alive:
            raise InterpreterError(f"the sandbox of a question keeps breaking down: {error}") from error
        return Observation(KILLED_TEXT, CellStatus.KILLED, rebuilt=rebuilt)

    async def release(self, session: str) -> None:
        """Ends all processes of a question; unknown ones are ignored."""
        known = self._sessions.pop(session, None)
        if known is not None:
            self._put_away(known)

    async def close(self) -> None:
        """Ends all processes; no call may follow."""
        self._closed = True
        for session in list(self._sessions):
            await self.release(session)
        async with self._starting:
            parents = [p for p in self._parents if p is not None]
            self._parents = [None] * len(self._parents)
            await asyncio.gather(*(p.close() for p in parents))

    async def _sandbox(self, session: _Session) -> Sandbox:
        """The session's live sandbox, a new one if need be."""
        async with session.rebuilding:
            if session.sandbox is not None and session.sandbox.alive:
                self._idle.move_to_end(session.sandbox)
                return session.sandbox
            self._put_away(session)
            level = await self.start()
            parent = self._parents[self._next_parent % len(self._parents)]
            self._next_parent += 1
            if parent is None:
                raise StateLost("the interpreter was closed")
            try:
                connection = await parent.new_sandbox()
            except InterpreterError as error:
                if parent.alive:
                    raise
                raise StateLost(str(error)) from error
            session.sandbox = Sandbox(connection, self.limits, permits=level.layers.seccomp)
            self._idle[session.sandbox] = session
            self._trim_sandboxes()
            return session.sandbox

    async def _node(self, session: _Session, sandbox: Sandbox, state: _State) -> tuple[Node, bool]:
        """The process of a state, and whether cells had to be run again for it."""
        if state.parent is None:
            return sandbox.root, False
        if state.node is not None:
            self._kept.move_to_end(state.node)
            return state.node, False
        async with session.rebuilding:
            missing: list[_State] = []
            at: _State = state
            while at.parent is not None and at.node is None:
                missing.append(at)
                at = at.parent
            node = at.node or sandbox.root
            for at in reversed(missing):
                if at.void:
                    continue
                result = await sandbox.step(node, at.cell)
                self._keep(sandbox, at, result)
                node = result.node or node
            return node, bool(missing)

    def _keep(self, sandbox: Sandbox, state: _State, result: StepResult) -> None:
        if result.node is None:
            if state.node is None:
                state.void = True
            return
        state.void = False
        if state.node is not None:  # the same cell ran twice at a time: the states are equal
            self._drop(state.node)
        if sandbox not in self._idle:  # released meanwhile
            sandbox.discard(result.node)
            return
        state.node = result.node
        self._kept[result.node] = (state, sandbox)
        self._kept_bytes += result.node.num_bytes
        for node in list(self._kept):
            if len(self._kept) <= self.limits.max_snapshots and self._kept_bytes <= self.limits.snapshot_bytes:
                break
            if node.num_users == 0:
                self._drop(node)

    def _drop(self, node: Node) -> None:
        state, sandbox = self._kept.pop(node)
        self._kept_bytes -= node.num_bytes
        if state.node is node:
            state.node = None
        sandbox.discard(node)

    def _forget(self, session: _Session, state: _State | None) -> None:
        """After a loss: drops what can't be used any more."""
        if session.sandbox is not None and not session.sandbox.alive:
            self._put_away(session)
        elif state is not None and state.node is not None:
            self._drop(state.node)

    def _put_away(self, session: _Session) -> None:
        sandbox, session.sandbox = session.sandbox, None
        if sandbox is None:
            return
        self._idle.pop(sandbox, None)
        for node in [n for n, (_, owner) in self._kept.items() if owner is sandbox]:
            self._drop(node)
        sandbox.close()

    def _trim_sandboxes(self) -> None:
        for session in list(self._idle.values()):
            if len(self._idle) <= self.limits.max_sandboxes:
                return
            if session.num_running == 0:
                self._put_away(session)
