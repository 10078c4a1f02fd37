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
from mcts_math.interpreter.parent import Connection, receive_with_pid
from mcts_math.interpreter.steps import HELLO_TIMEOUT_S, ProcessFacts, StateLost, Step, Tampered, TimeUp, hung_up, kill
from mcts_math.interpreter.worker import wire
from mcts_math.requests import Cell, CellStatus

_SEED_MASK = (1 << 64) - 1


@dataclass(slots=True, eq=False)
class Node:
    """A live state: a process that waits on a socket.

    Attributes:
        sock: our end of its socket.
        pid: its process id, as the kernel told it.
        num_bytes: memory that it holds and no other state does, estimated from above.
        num_users: steps that are being forked from it; it must not be put away meanwhile.
    """

    sock: socket.socket
    pid: int
    num_bytes: int = 0
    num_users: int = 0


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
        self._control, self._supervisor_pid = connection.control, connection.supervisor_pid
        self._limits, self._permits = limits, permits
        self.root = Node(connection.root, -1)
        self._nodes: dict[int, Node] = {}
        self._silent: set[socket.socket] = set()
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
        busy.num_bytes = facts.num_private_bytes
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
            node.num_bytes = busy.num_bytes
        return replace(result, node=node)

    async def _step(self, parent: Node, cell: Cell) -> StepResult:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        users = _Use(parent)
        step = Step(ours, self._limits, users.end)
        result: StepResult | None = None
        try:
            with theirs:
                await self._order(parent, cell, theirs)
            result = await self._result(step)
            return result
        finally:
            users.end()
            step.close()
            if result is None or result.node is None:
                self._stop(step)

    async def _order(self, parent: Node, cell: Cell, theirs: socket.socket) -> None:
        """Tells a state to fork and run a cell."""
        code = wire.encode_code(cell.code)
        token = secrets.randbits(64)
        message = wire.COMMAND.pack(len(code), token, cell.seed & _SEED_MASK) + code
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
        except BaseException as error:  # half an order was given: nothing sensible can follow it
            self._spoil(parent)
            if isinstance(error, (OSError, asyncio.TimeoutError)):
                raise StateLost(f"the parent state does not listen: {error}") from error
            raise

    async def _result(self, step: Step) -> StepResult:
        timeout_s = self._limits.step_timeout_s
        try:
            payload = await step.done
        except TimeUp:
            return StepResult(timeout_text(timeout_s), CellStatus.TIMEOUT, timeout_s, None)
        seconds = time.monotonic() - step.started
        if step.pid in self._nodes or step.pid == self._supervisor_pid:
            self.close()  # a state that greets in its child's place has been tampered with, and may hide the child
            raise Tampered("a state greeted in its child's place")
        if payload is None:
            if not self.alive:
                raise StateLost("the sandbox died")
            if seconds >= self._limits.cpu_seconds:
                return StepResult(timeout_text(timeout_s), CellStatus.TIMEOUT, seconds, None)
            return StepResult(KILLED_TEXT, CellStatus.KILLED, seconds, None)
        status = CellStatus.ERROR if payload[:1] == wire.FAILED else CellStatus.OK
        node = self._nodes[step.pid] = Node(step.sock, step.pid)
        return StepResult(payload[1:].decode("utf-8", "replace"), status, seconds, node)

    def _stop(self, step: Step) -> None:
        """Ends a step that leaves no state, whatever it is doing."""
        if step.pid < 0:
            # It may be about to greet. From here on it can't: its hello fails, and it ends before it runs anything.
            try:
                step.sock.shutdown(socket.SHUT_RD)
                _, step.pid = receive_with_pid(step.sock, wire.REPLY.size)
            except OSError:
                pass  # there was nothing to read
        if step.pid > 0 and step.pid not in self._nodes:
            kill(step.sock, step.pid)
        elif not self._closed and not hung_up(step.sock):
            # Somebody holds the other end and never said who: most likely the order is still on its way. If it is not
            # dropped soon, the state that got it was tampered with, and nobody knows what it forked.
            self._silent.add(step.sock)
            asyncio.get_running_loop().call_later(HELLO_TIMEOUT_S, self._give_up_on, step.sock)
            return
        step.sock.close()

    def _give_up_on(self, sock: socket.socket) -> None:
        if sock in self._silent and not hung_up(sock):
            self.close()
        self._silent.discard(sock)
        sock.close()

    def _spoil(self, node: Node) -> None:
        if node is self.root:
            self.close()
        else:
            self.discard(node)

    def discard(self, node: Node) -> None:
        """Ends a state."""
        if self._nodes.pop(node.pid, None) is not None:
            kill(node.sock, node.pid)
        node.sock.close()

    def close(self) -> None:
        """Ends everything. The supervisor goes when its connection does, and takes all processes with it."""
        if self._closed:
            return
        self._closed = True
        self._control.close()
        for sock in (*self._silent, *(node.sock for node in self._nodes.values())):
            sock.close()
        self._silent.clear()
        self._nodes.clear()
        self.root.sock.close()
