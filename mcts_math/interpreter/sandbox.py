"""The host's end of one question's sandbox: its states, and the steps that make new ones.

Nothing that a state sends is believed but the text of its own observation. Who sent it, how much memory it holds and
how many threads it has, the kernel tells.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from dataclasses import dataclass, replace

from mcts_math.interpreter.cell_run import CellRun, Watch
from mcts_math.interpreter.losses import (
    Crowded,
    NoGreeting,
    Preempted,
    Refused,
    StateLost,
    TimeUp,
)
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.parent import Connection, no_room, socket_pair
from mcts_math.interpreter.processes import ProcessFacts, StateProcess, kill
from mcts_math.interpreter.worker import wire
from mcts_math.interpreter.worker.cell import truncate
from mcts_math.requests import Cell
from mcts_math.step import CellStatus


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a step ended; `process` is its state, None where the parent's state stands."""

    text: str
    status: CellStatus
    seconds: float
    process: StateProcess | None


_LATE_TEXT = "TimeoutError: 'Execution of the code snippet has timed out for exceeding {:g} seconds.'"  # as published
KILLED_TEXT = "KilledError: the code was stopped: out of memory, a crash, or an exit that no program may make here."
_UNKEPT_TEXT = (
    "KilledError: the code left threads at work, and what it made can't be kept without them (one has a lock that is "
    "needed, or ended the program). Wait for threads to end."
)
_DEATH_S = 2.0  # for a process that was killed to be gone
_KEEP_TRIES, _KEEP_S = 3, 2.0  # to have a state without its threads; where in their work it is forked is chance


class Sandbox:
    """One question's processes."""

    def __init__(self, connection: Connection, limits: SandboxLimits, watch: Watch) -> None:
        self._connection, self._limits, self._watch = connection, limits, watch
        self.root = StateProcess(connection.root, -1)
        self.owner = connection.owner
        self._pids = {connection.supervisor_pid}  # of all that are known: states, and cells that greeted
        self._processes: dict[int, StateProcess] = {}
        self._dying: dict[int, asyncio.Future[None]] = {}  # cells that were killed, by pidfd, until they are gone
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether its first process runs."""
        return not self._closed and self._connection.alive

    async def step(self, parent: StateProcess, cell: Cell, rank: int = 0) -> RunResult:
        """Runs a cell in a fork of a state; those with a low rank are the last to be stopped for want of memory.

        Raises StateLost where `parent` is gone or can't fork, or the cell was stopped for want of memory (`Preempted`);
        InterpreterError where this process may open no more files.
        """
        result = await self._step(parent, cell, rank)
        busy = result.process
        facts = ProcessFacts.read(busy.pid) if busy else None
        if busy is None and self._dying:  # who runs next shall not find its files in the way
            await asyncio.wait(self._dying.values(), timeout=_DEATH_S)
        if busy is None or facts is None:
            return result
        if facts.has_ended:  # a thread of it has answered, and would be kept, and charged for nothing
            self.discard(busy)
            return replace(result, text=KILLED_TEXT, status=CellStatus.KILLED, process=None)
        busy.note(facts, parent)
        if facts.num_threads == 1:
            return result
        return await self._without_threads(result, busy, rank)

    async def _without_threads(self, result: RunResult, busy: StateProcess, rank: int) -> RunResult:
        """A step whose state is a fork of the one that it left, for threads would go on in that; a fork has none."""
        limits = replace(self._limits, step_timeout_s=min(self._limits.step_timeout_s, _KEEP_S))
        process = None
        try:
            for _ in range(_KEEP_TRIES):
                process = process or (await self._step(busy, Cell(""), rank, limits)).process
        except (Crowded, Preempted):
            raise  # as the cell itself might have been: it runs again
        except StateLost:
            if not self.alive:
                raise
        finally:
            self.discard(busy)
        if process is None:
            text = truncate(f"{result.text}\n{_UNKEPT_TEXT}".lstrip(), self._limits.output_chars)
            return replace(result, text=text, status=CellStatus.KILLED, process=None)
        new_facts = ProcessFacts.read(process.pid)
        if new_facts is not None:
            process.note(new_facts, busy)
        process.num_bytes = max(process.num_bytes, busy.num_bytes)
        return replace(result, process=process)

    async def _step(
        self, parent: StateProcess, cell: Cell, rank: int, limits: SandboxLimits | None = None
    ) -> RunResult:
        try:
            ours, theirs = socket_pair(socket.SOCK_STREAM)
        except OSError as error:
            raise no_room(error) from error
        message = wire.pack_cell(cell.code, cell.seed)
        run = CellRun(ours, message, limits or self._limits, self._admit, rank)
        parent.num_users += 1
        ordered = False
        result: RunResult | None = None
        self._watch.add(run)
        try:
            with theirs:
                self._order(parent, run.token, theirs)
            ordered = True
            result = await self._result(run, parent is self.root)
            return result
        finally:
            if ordered and run.pid < 0:
                self.close()  # who has not greeted hides, or will come when nobody listens any more
            parent.num_users -= 1
            self._end(run, result is not None and result.process is not None)

    def _admit(self, pid: int) -> None:
        """Judges who greets: nobody may do so twice. A state that greets in its child's place may hide the child."""
        if pid in self._pids:
            raise NoGreeting("a state greeted in its child's place")
        self._pids.add(pid)

    def _order(self, parent: StateProcess, token: int, theirs: socket.socket) -> None:
        """Tells a state to fork."""
        parent.allow_fork()
        try:
            self._connection.order(parent.sock, theirs, token)
        except OSError as error:
            if parent is self.root and isinstance(error, (BrokenPipeError, ConnectionResetError)):
                self.close()  # the machine has killed it: no state can be made here any more
            raise StateLost(f"the parent state does not listen: {error}") from error

    async def _result(self, run: CellRun, at_root: bool) -> RunResult:
        limits = self._limits
        try:
            payload = await run.done
        except TimeUp:
            return self._cut(run, CellStatus.TIMEOUT)
        except Refused as refusal:
            refusal.at_root = at_root
            raise
        except NoGreeting:
            if not self.alive:
                raise StateLost("the sandbox died") from None
            raise
        if payload is None:
            if not self.alive:
                raise StateLost("the sandbox died")
            if run.pid < 0:
                raise NoGreeting("a state took an order as it ended")
            return self._cut(run, CellStatus.KILLED)
        status = CellStatus.ERROR if payload[:1] == wire.FAILED else CellStatus.OK
        process = self._processes[run.pid] = StateProcess(run.sock, run.pid)
        text = truncate(payload[1:].decode("utf-8", "replace"), limits.output_chars)
        return RunResult(text, status, time.monotonic() - run.started, process)

    def _cut(self, run: CellRun, status: CellStatus) -> RunResult:
        """How a cell ends that was stopped: with what it printed before, and why."""
        reason = _LATE_TEXT.format(self._limits.step_timeout_s) if status is CellStatus.TIMEOUT else KILLED_TEXT
        printed = truncate(run.printed.decode("utf-8", "replace").strip(), self._limits.truncate)
        text = f"{printed}\n{reason}" if printed else reason
        return RunResult(text, status, time.monotonic() - run.started, None)

    def _end(self, run: CellRun, stays: bool) -> None:
        """Ends a step; where it leaves no state, whatever it is doing."""
        stays = stays and not self._closed  # what a sandbox made that was closed meanwhile is nobody's
        self._watch.remove(run)
        if not stays:
            run.kill()
            self._pids.discard(run.pid)
        handle = -1 if stays or self._closed else run.take_handle()
        if handle < 0:
            self._connection.ended.append(run.token)
        else:  # its folder goes when it has let go of its files: till then they take room, and it may make others
            self._dying[handle] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().add_reader(handle, self._bury, handle, run.token)
        run.close()
        if not stays:
            run.sock.close()

    def _bury(self, handle: int, token: int) -> None:
        self._forget(handle)
        self._connection.ended.append(token)

    def _forget(self, handle: int) -> None:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
        self._dying.pop(handle).set_result(None)

    def discard(self, process: StateProcess) -> None:
        """Ends a state."""
        if self._processes.pop(process.pid, None) is not None:
            kill(process.pid, process.start_ticks)
            self._pids.discard(process.pid)
        process.sock.close()

    def close(self) -> None:
        """Ends everything. The supervisor goes when its connection does, and takes all processes with it."""
        if self._closed:
            return
        self._closed = True
        self._connection.close()
        for handle in list(self._dying):
            self._forget(handle)
        for process in self._processes.values():
            process.sock.close()
        self._processes.clear()
