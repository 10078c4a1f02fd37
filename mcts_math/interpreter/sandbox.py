"""The host's end of one question's sandbox: its nodes, and the steps that make new ones.

Nothing that a node sends is believed but the text of its own observation. Who sent it, how much memory it holds and
how many threads it has, the kernel tells.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from dataclasses import dataclass, replace

from mcts_math.interpreter.options import Limits
from mcts_math.interpreter.parent import Connection
from mcts_math.interpreter.steps import (
    HELLO_TIMEOUT_S,
    NoGreeting,
    ProcessFacts,
    StateLost,
    Step,
    Tampered,
    TimeUp,
    kill,
)
from mcts_math.interpreter.worker import wire
from mcts_math.requests import Cell, CellStatus

_FORK_FAULTS, _FORK_CPU_TICKS = 256, 20  # many times what a fork takes: 1 MiB, 0.2 s
_SEED_MASK = (1 << 64) - 1


@dataclass(slots=True, eq=False)
class Node:
    """A live state: a process that waits on a socket.

    Attributes:
        sock: our end of its socket.
        pid: its process id, as the kernel told it.
        start_ticks: when the process started; -1 where it was gone before that could be asked.
        num_bytes: memory that it holds and no other state does, estimated from above.
        num_users: steps that are being forked from it; it must not be put away meanwhile.
        max_faults, max_cpu_ticks: what a process that only waits and forks will not exceed; see `stands_still`.
    """

    sock: socket.socket
    pid: int
    start_ticks: int = -1
    num_bytes: int = 0
    num_users: int = 0
    max_faults: int = 0
    max_cpu_ticks: int = 0

    def note(self, facts: ProcessFacts) -> None:
        """Takes what the kernel says when its cell is done."""
        self.num_bytes, self.start_ticks = facts.num_private_bytes, facts.start_ticks
        self.max_faults, self.max_cpu_ticks = facts.num_faults, facts.cpu_ticks
        self.allow(0)

    def allow(self, num_bytes: int) -> None:
        """Allows it the work of reading an order of so many bytes and forking."""
        self.max_faults += _FORK_FAULTS + num_bytes // 512
        self.max_cpu_ticks += _FORK_CPU_TICKS

    def stands_still(self) -> bool:
        """Whether it has done no more than its orders need. One that says its cell is done, and goes on, has not."""
        facts = ProcessFacts.read(self.pid)
        if facts is None or facts.start_ticks != self.start_ticks:
            return True  # it is gone: that costs nothing, and who needs it will notice
        within = facts.num_faults <= self.max_faults and facts.cpu_ticks <= self.max_cpu_ticks
        return within and facts.num_threads == 1


class _Use:
    """Keeps a node from being put away, until `end`."""

    def __init__(self, node: Node) -> None:
        self._node: Node | None = node
        node.num_users += 1

    def end(self) -> None:
        """May be called more than once."""
        if self._node is not None:
            self._node.num_users -= 1
            self._node = None


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended; `node` is its state, None where the parent's state stands."""

    text: str
    status: CellStatus
    seconds: float
    node: Node | None


def timeout_text(seconds: float) -> str:
    """The published wording for a cell that ran out of time."""
    return f"TimeoutError: 'Execution of the code snippet has timed out for exceeding {seconds:g} seconds.'"


KILLED_TEXT = "KilledError: the code was stopped: out of memory, a crash, or an exit that no program may make here."


class Sandbox:
    """One question's processes.

    Args:
        connection: from `Parent.new_sandbox`.
        limits: bounds.
        permits: the nodes' forks are judged by a supervisor (seccomp), which wants a permit for each.
    """

    def __init__(self, connection: Connection, limits: Limits, permits: bool) -> None:
        self._control = connection.control
        self._limits, self._permits = limits, permits
        self.root = Node(connection.root, -1)
        self._owner = connection.owner
        self._pids = {connection.supervisor_pid}  # of all that are known: nodes, and steps that greeted
        self._nodes: dict[int, Node] = {}
        self._unwanted: set[Step] = set()  # ordered, given up, and yet to greet
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether its first process runs."""
        if self._closed:
            return False
        try:
            return bool(self._control.recv(64))
        except BlockingIOError:
            return True
        except OSError:
            return False

    @property
    def owner_alive(self) -> bool:
        """Whether the clean parent that made it runs."""
        return self._owner.alive

    async def step(self, parent: Node, cell: Cell) -> StepResult:
        """Runs a cell in a fork of a state.

        Raises:
            StateLost: `parent` is gone or can't fork.
        """
        result = await self._step(parent, cell)
        busy = result.node
        facts = ProcessFacts.read(busy.pid) if busy else None
        if busy is None or facts is None:
            return result
        busy.note(facts)
        if facts.num_threads == 1:
            return result
        # Threads would go on in a state that should stand still; a fork takes none along.
        try:
            node = (await self._step(busy, Cell(""))).node
        except StateLost:
            if not self.alive:
                raise
            node = None
        finally:
            self.discard(busy)
        if node is not None:
            node_facts = ProcessFacts.read(node.pid)
            if node_facts is not None:
                node.note(node_facts)
            node.num_bytes = busy.num_bytes
        return replace(result, node=node)

    async def _step(self, parent: Node, cell: Cell) -> StepResult:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        users = _Use(parent)
        step = Step(ours, self._limits, lambda pid: self._admit(pid, users))
        ordered = False
        result: StepResult | None = None
        try:
            with theirs:
                await self._order(parent, cell, theirs)
            ordered = True
            result = await self._result(step)
            return result
        finally:
            if ordered and step.pid < 0 and step.done.cancelled() and not self._closed:
                self._unwanted.add(step)
                step.give_up(lambda how: self._end_unwanted(step, users, how))
            else:
                if ordered and step.pid < 0:
                    self.close()  # no greeting will come: there may be a child that hides
                users.end()
                self._end(step, result is not None and result.node is not None)

    def _admit(self, pid: int, users: _Use) -> None:
        """Judges who greets: nobody may do so twice."""
        users.end()
        if pid in self._pids:
            self.close()  # a state that greets in its child's place has been tampered with, and may hide the child
            raise Tampered("a state greeted in its child's place")
        self._pids.add(pid)

    async def _order(self, parent: Node, cell: Cell, theirs: socket.socket) -> None:
        """Tells a state to fork and run a cell."""
        code = wire.encode_code(cell.code)
        token = secrets.randbits(64)
        message = wire.COMMAND.pack(len(code), token, cell.seed & _SEED_MASK) + code
        parent.allow(len(message))
        try:
            if self._permits:
                self._control.send(wire.PERMIT + token.to_bytes(8, "little"))
            sent = socket.send_fds(parent.sock, [message], [theirs.fileno()])
        except OSError as error:
            raise StateLost(f"the parent state does not listen: {error}") from error
        if sent == len(message):
            return
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(loop.sock_sendall(parent.sock, message[sent:]), HELLO_TIMEOUT_S)
        except BaseException as error:
            self.close()  # half an order was given: nothing sensible can follow it, and its token is known
            if isinstance(error, (OSError, asyncio.TimeoutError)):
                raise NoGreeting(f"a state does not listen: {error}") from error
            raise

    async def _result(self, step: Step) -> StepResult:
        timeout_s = self._limits.step_timeout_s
        try:
            payload = await step.done
        except TimeUp:
            return StepResult(timeout_text(timeout_s), CellStatus.TIMEOUT, timeout_s, None)
        except NoGreeting:
            if not self.alive:
                raise StateLost("the sandbox died") from None
            raise
        seconds = time.monotonic() - step.started
        if payload is None:
            if not self.alive:
                raise StateLost("the sandbox died")
            if seconds >= self._limits.cpu_seconds:
                return StepResult(timeout_text(timeout_s), CellStatus.TIMEOUT, seconds, None)
            return StepResult(KILLED_TEXT, CellStatus.KILLED, seconds, None)
        status = CellStatus.ERROR if payload[:1] == wire.FAILED else CellStatus.OK
        node = self._nodes[step.pid] = Node(step.sock, step.pid)
        return StepResult(payload[1:].decode("utf-8", "replace"), status, seconds, node)

    def _end(self, step: Step, stays: bool) -> None:
        """Ends a step; where it leaves no state, whatever it is doing."""
        if not stays:
            step.kill()
            self._pids.discard(step.pid)
        step.close()
        if not stays:
            step.sock.close()

    def _end_unwanted(self, step: Step, users: _Use, how: BaseException | None) -> None:
        """Ends a step that nobody waits for, once its child greeted. One that does not greet may hide."""
        users.end()
        self._unwanted.discard(step)
        self._end(step, stays=False)
        if not isinstance(how, TimeUp):
            self.close()

    def discard(self, node: Node) -> None:
        """Ends a state."""
        if self._nodes.pop(node.pid, None) is not None:
            kill(node.pid, node.start_ticks)
            self._pids.discard(node.pid)
        node.sock.close()

    def close(self) -> None:
        """Ends everything. The supervisor goes when its connection does, and takes all processes with it."""
        if self._closed:
            return
        self._closed = True
        self._control.close()
        for step in self._unwanted:
            step.close()
            step.sock.close()
        for node in self._nodes.values():
            node.sock.close()
        self._unwanted.clear()
        self._nodes.clear()
        self.root.sock.close()
