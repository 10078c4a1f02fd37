"""The host's end of one question's sandbox: its nodes, and the steps that make new ones.

Nothing that a node sends is believed but the text of its own observation. Who sent it, how much memory it holds and
how many threads it has, the kernel tells.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from mcts_math.interpreter.options import Limits
from mcts_math.interpreter.parent import Connection, receive_with_pid
from mcts_math.interpreter.worker import wire
from mcts_math.requests import Cell, CellStatus

_HELLO_TIMEOUT_S = 20.0
_CHUNK = 1 << 16
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SEED_MASK = (1 << 64) - 1


class StateLost(Exception):
    """The state that a step should start from is gone; nothing was run, or its sandbox died under it."""


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


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended; `node` is its state, None where the parent's state stands."""

    text: str
    status: CellStatus
    seconds: float
    node: Node | None


@dataclass(slots=True)
class ProcessFacts:
    """What the kernel tells about a process."""

    num_faults: int
    num_threads: int
    num_pages: int

    @classmethod
    def read(cls, pid: int) -> ProcessFacts | None:
        """Reads /proc; None if there is no such process."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()
        return cls(num_faults=int(fields[7]), num_threads=int(fields[17]), num_pages=int(fields[21]))


def timeout_text(seconds: float) -> str:
    """The published wording for a cell that ran out of time."""
    return f"TimeoutError: 'Execution of the code snippet has timed out for exceeding {seconds:g} seconds.'"


KILLED_TEXT = "KilledError: the code was stopped: out of memory, a crash, or an exit that no program may make here."


@dataclass(slots=True, eq=False)
class _Step:
    """One step in the air: reads its socket until there is a result."""

    sock: socket.socket
    max_payload: int
    done: asyncio.Future[bytes | None]
    hello: asyncio.Future[None]
    pid: int = -1
    started: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)

    def read(self) -> None:
        """Called when the socket is readable."""
        try:
            if self.pid < 0:
                data, pid = receive_with_pid(self.sock, wire.REPLY.size)
            else:
                data, pid = self.sock.recv(_CHUNK), self.pid
        except BlockingIOError:
            return
        except OSError:
            data, pid = b"", self.pid
        if self.pid < 0:
            self._greet(data, pid)
            return
        self.buffer += data
        if not data or len(self.buffer) >= wire.REPLY.size:
            self._judge(ended=not data)

    def _greet(self, data: bytes, pid: int) -> None:
        self.pid = pid
        self.started = time.monotonic()
        if data == wire.REPLY.pack(wire.HELLO, 0) and pid > 0:
            self.hello.set_result(None)
        else:
            self.hello.set_exception(StateLost("the parent state did not fork"))

    def _judge(self, ended: bool) -> None:
        if self.done.done():
            return
        if len(self.buffer) >= wire.REPLY.size:
            kind, size = wire.REPLY.unpack_from(self.buffer)
            if kind != wire.DONE or not 1 <= size <= self.max_payload:
                self.done.set_result(None)
                return
            if len(self.buffer) >= wire.REPLY.size + size:
                self.done.set_result(bytes(self.buffer[wire.REPLY.size : wire.REPLY.size + size]))
                return
        if ended:
            self.done.set_result(None)


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
        if result.node is None:
            return result
        facts = ProcessFacts.read(result.node.pid)
        if facts is not None and facts.num_threads > 1:
            # Threads would go on in a state that should stand still; a fork takes none along.
            busy, result_node = result.node, (await self._step(result.node, Cell(""))).node
            self.discard(busy)
            result = StepResult(result.text, result.status, result.seconds, result_node)
            facts = ProcessFacts.read(result_node.pid) if result_node else None
        if result.node is not None and facts is not None:
            # Each page that a fork makes its own costs it a fault, so this is an upper bound, unless pages come and
            # go; and it can't hold more than all of its pages.
            result.node.num_bytes = min(facts.num_faults, facts.num_pages) * _PAGE_BYTES
        return result

    async def _step(self, parent: Node, cell: Cell) -> StepResult:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        loop = asyncio.get_running_loop()
        step = _Step(ours, self._limits.output_bytes + 1, loop.create_future(), loop.create_future())
        loop.add_reader(ours, step.read)
        kept = False
        try:
            parent.num_users += 1
            try:
                await self._order(parent, cell, theirs)
                await asyncio.wait_for(step.hello, _HELLO_TIMEOUT_S)
            except (OSError, asyncio.TimeoutError) as error:
                raise StateLost(f"the parent state does not answer: {error!r}") from error
            finally:
                parent.num_users -= 1
                theirs.close()
            if step.pid in self._nodes:  # a state that speaks for its child has been tampered with
                raise StateLost("forged greeting")
            result = await self._result(step)
            kept = result.node is not None
            return result
        finally:
            loop.remove_reader(ours)
            if not kept:
                self._stop(step)

    async def _order(self, parent: Node, cell: Cell, theirs: socket.socket) -> None:
        code = wire.encode_code(cell.code)
        token = secrets.randbits(64)
        if self._permits:
            self._control.send(wire.PERMIT + token.to_bytes(8, "little"))
        message = wire.COMMAND.pack(len(code), token, cell.seed & _SEED_MASK) + code
        try:
            sent = socket.send_fds(parent.sock, [message], [theirs.fileno()])
        except BlockingIOError as error:
            raise StateLost("the parent state does not listen") from error
        if sent < len(message):
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_sendall(parent.sock, message[sent:]), _HELLO_TIMEOUT_S)

    async def _result(self, step: _Step) -> StepResult:
        timeout_s = self._limits.step_timeout_s
        try:
            payload = await asyncio.wait_for(step.done, timeout_s)
        except asyncio.TimeoutError:
            return StepResult(timeout_text(timeout_s), CellStatus.TIMEOUT, timeout_s, None)
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

    def _stop(self, step: _Step) -> None:
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
        elif not _hung_up(step.sock):
            # Somebody holds the other end and never said who. The node that was asked to fork will drop it, unless it
            # was tampered with.
            asyncio.get_running_loop().call_later(_HELLO_TIMEOUT_S, self._give_up_on, step.sock)
            return
        step.sock.close()

    def _give_up_on(self, sock: socket.socket) -> None:
        if not _hung_up(sock):
            self.close()
        sock.close()

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
        for node in self._nodes.values():
            node.sock.close()
        self._nodes.clear()
        self.root.sock.close()


def _hung_up(sock: socket.socket) -> bool:
    """Whether nobody holds the other end."""
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))


def kill(sock: socket.socket, pid: int) -> None:
    """Kills the process at the other end of a socket; not another one that got its number meanwhile."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not _hung_up(sock):  # it lives, so the number is still its own
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it went by itself
    finally:
        os.close(handle)
