"""The interpreter that searches use: sessions, states by snapshot, rebuilding by replay."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import OrderedDict

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.cell_run import Watch
from mcts_math.interpreter.levels import Level, probe, require
from mcts_math.interpreter.losses import Crowded, NotRebuilt, Preempted, StateLost
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.parent import Parent
from mcts_math.interpreter.sandbox import RunResult, Sandbox
from mcts_math.interpreter.snapshots import Session, SnapshotStore, State, too_long
from mcts_math.interpreter.tries import Tries
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

_AUDIT_S, _AUDITED = 0.5, 512  # how often, and how many states: 30 to 60 µs each
_AUDIT_SHARE = 0.02  # of the time is spent on it at most; thousands of states must wait for their turn


class SandboxInterpreter:
    """Runs the model's Python; the protocol `requests.Interpreter`.

    Use it as `async with SandboxInterpreter() as interpreter`, or call `close`. It starts on first use, or by `start`,
    and belongs to one event loop. Without a `level`, it probes the machine at its start.
    """

    def __init__(self, limits: SandboxLimits | None = None, level: Level | None = None) -> None:
        self.limits = limits or SandboxLimits()
        self.level = level
        self._parents: list[Parent] = []
        self._turns = itertools.count()
        self._sessions: dict[str, Session] = {}
        self._with_sandbox: OrderedDict[Session, None] = OrderedDict()  # least recently used first
        self._store = SnapshotStore(self.limits)
        self._watch = Watch(self.limits, self._store.make_room)
        self._running = asyncio.Semaphore(self.limits.max_running)
        self._preempted = asyncio.Lock()  # these run one at a time
        self._ranks = itertools.count()
        self._starting = asyncio.Lock()
        self._closed = False
        self._audit_due = False

    async def __aenter__(self) -> SandboxInterpreter:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    @property
    def num_snapshots(self) -> int:
        """States that keep a process."""
        return len(self._store)

    @property
    def snapshot_bytes(self) -> int:
        """Memory of all kept states, estimated from above."""
        return self._store.num_bytes

    async def prepare(self) -> Level:
        """Finds out what may keep it from starting, which takes a tenth of the time of `start`.

        Raises InterpreterError where this machine can't lock snippets in, and `allow_unsafe_exec` is not set; and where
        a module that `limits` name is not installed.
        """
        async with self._starting:
            return await self._prepare()

    async def start(self) -> Level:
        """Prepares, and starts the clean parents; when called again, restarts those that died.

        Raises InterpreterError as `prepare` does, and where a module can't be imported.
        """
        async with self._starting:
            level = await self._prepare()
            dead = [parent for parent in self._parents if not parent.alive]
            self._parents = [parent for parent in self._parents if parent not in dead]
            await asyncio.gather(*(parent.close() for parent in dead))
            starts = (self._start_parent(level) for _ in range(self.limits.num_parents - len(self._parents)))
            ends = await asyncio.gather(*starts, return_exceptions=True)  # none goes on when this returns
            if fault := next((end for end in ends if end is not None), None):
                raise fault
        return level

    async def _start_parent(self, level: Level) -> None:
        self._parents.append(await Parent.start(self.limits, level.layers, tells=True))

    async def _prepare(self) -> Level:
        if self._closed:
            raise InterpreterError("the interpreter was closed")
        if self.level is None:
            self.limits.require_modules()
            self.limits.allow_files()
            self.level = await probe(self.limits)
        require(self.level, self.limits.allow_unsafe_exec)
        return self.level

    async def execute(self, request: Execute) -> Observation:
        """Runs one cell in the state that its history leaves.

        Raises InterpreterError where no sandbox can be had, through no fault of a snippet.
        """
        if too_long(request.cell):
            return Observation("MemoryError: the code is too long", CellStatus.ERROR)
        session = self._sessions.setdefault(request.session, Session())  # now: it may be released while this waits
        tries, rank = Tries(), next(self._ranks)
        try:
            while not session.released and tries.left:
                try:
                    async with session.gate.inside(tries):
                        result, rebuilt = await self._attempt(session, request, rank, tries)
                except Preempted:
                    if not tries.num_preemptions:
                        await self._preempted.acquire()
                    tries.num_preemptions += 1
                    await asyncio.sleep(tries.pause_s)  # those that came before it may need seconds
                except StateLost as lost:
                    if not session.released:
                        tries.note(lost)
                        await asyncio.sleep(tries.pause_s)
                else:
                    return Observation(result.text, result.status, result.seconds, rebuilt)
        finally:
            session.gate.leave(tries)
            if tries.num_preemptions:
                self._preempted.release()
        session.root.follow(request.history).child(request.cell).cut()
        return Observation(tries.last_text, CellStatus.KILLED)

    async def _attempt(self, session: Session, request: Execute, rank: int, tries: Tries) -> tuple[RunResult, bool]:
        """Runs a cell, after those that led to its state where the state has no process; and whether that was so.

        Only who can go on takes a running slot: who has something to rebuild waits for its session's lock first.
        """
        if session.sandbox is not None:
            async with self._running:
                if (found := self._find(session, request)) is not None:
                    tries.sandbox = found[0]
                    return await self._run(session, *found, request.cell, rank), False
        async with contextlib.AsyncExitStack() as slot:
            async with session.rebuilding:
                await slot.enter_async_context(self._running)
                tries.sandbox = None
                tries.sandbox = sandbox = await self._sandbox(session)
                state, rebuilt = await self._rebuild(session, sandbox, session.root.follow(request.history), rank)
            return await self._run(session, sandbox, state, request.cell, rank), rebuilt

    def _find(self, session: Session, request: Execute) -> tuple[Sandbox, State] | None:
        """The state to fork, if it has a process."""
        sandbox = session.sandbox
        if sandbox is None or not sandbox.alive:
            return None
        state = session.root.follow(request.history)
        self._store.touch(state)
        self._with_sandbox.move_to_end(session)
        return (sandbox, state) if state.process is not None else None

    async def _run(self, session: Session, sandbox: Sandbox, state: State, cell: Cell, rank: int) -> RunResult:
        """Runs a cell in a fork of a state's process, and keeps the state that it leaves."""
        process = state.process
        if process is None:
            raise StateLost("the state was put away")
        session.num_running += 1
        self._store.hold(state)
        try:
            result = await sandbox.step(process, cell, rank)
            self._keep(session, sandbox, state.child(cell), result)
        except (Crowded, Preempted):
            raise
        except StateLost:
            if state.process is process:
                self._store.drop(state)
            raise
        finally:
            self._store.leave(state)
            session.num_running -= 1
        return result

    async def release(self, session: str) -> None:
        """Ends all processes of a question; unknown ones are ignored. Its cells that still run end as killed."""
        known = self._sessions.pop(session, None)
        if known is not None:
            known.released = True
            self._put_away(known)

    async def close(self) -> None:
        """Ends all processes; no call may follow."""
        self._closed = True
        for session in list(self._sessions):
            await self.release(session)
        async with self._starting:
            parents, self._parents = self._parents, []
            await asyncio.gather(*(parent.close() for parent in parents))

    async def _sandbox(self, session: Session) -> Sandbox:
        """The session's live sandbox, a new one if need be."""
        if session.released:
            raise StateLost("the session was released")
        if session.sandbox is None or not session.sandbox.alive:
            self._put_away(session)
            session.sandbox = sandbox = await self._new_sandbox()
            if session.released:  # meanwhile
                self._put_away(session)
                raise StateLost("the session was released")
            session.root.process = sandbox.root
            self._with_sandbox[session] = None
            self._trim_sandboxes(session)
        self._with_sandbox.move_to_end(session)
        return session.sandbox

    async def _new_sandbox(self) -> Sandbox:
        await self.start()
        if not self._parents:
            raise InterpreterError("the interpreter was closed")
        parent = self._parents[next(self._turns) % len(self._parents)]
        try:
            connection = await parent.new_sandbox()
        except InterpreterError as error:
            if parent.alive:
                raise
            raise StateLost(str(error)) from error
        return Sandbox(connection, self.limits, self._watch)

    async def _rebuild(self, session: Session, sandbox: Sandbox, state: State, rank: int) -> tuple[State, bool]:
        """The state that stands for this one and has a process; and whether cells had to be run again for it."""
        lineage = list(state.lineage())
        at = next(above for above in lineage if above.process is not None)
        missing = lineage[: lineage.index(at)]
        for above in reversed(missing):
            made = at.child(above.cell)  # another one than `above`, where a cell between the two turned out to be cut
            if above.void or made.void:
                continue
            if made.process is None:
                await self._run(session, sandbox, at, above.cell, rank)
            if made.process is not None:
                at = made
            elif above.made or made.made:
                raise NotRebuilt("a cell that ran to its end was stopped when it was run again")
        return at, len(missing) > 0

    def _keep(self, session: Session, sandbox: Sandbox, state: State, result: RunResult) -> None:
        if session.sandbox is not sandbox:  # put away or released meanwhile, and its processes with it
            return
        if result.process is None:
            state.cut()
        else:
            state.made, state.void = True, False
            self._store.add(state, result.process, sandbox)
            self._plan_audit(_AUDIT_S)

    def _plan_audit(self, seconds: float) -> None:
        if not self._audit_due:
            self._audit_due = True
            asyncio.get_running_loop().call_later(seconds, self._audit)

    def _audit(self) -> None:
        self._audit_due = False
        begun = time.thread_time()
        self._store.audit(_AUDITED)
        if len(self._store):
            self._plan_audit(max(_AUDIT_S, (time.thread_time() - begun) / _AUDIT_SHARE))

    def _put_away(self, session: Session) -> None:
        sandbox, session.sandbox = session.sandbox, None
        self._with_sandbox.pop(session, None)
        if sandbox is not None:
            sandbox.close()  # first: that ends them all at once, and what is dropped then need not be killed one by one
            self._store.drop_all(session.root)
            session.root.process = None

    def _trim_sandboxes(self, newest: Session) -> None:
        for session in list(self._with_sandbox):
            if len(self._with_sandbox) <= self.limits.max_sandboxes:
                return
            if session.num_running == 0 and session is not newest:
                self._put_away(session)
