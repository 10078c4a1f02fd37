"""Cells at work, and who looks after them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.losses import Crowded, NoGreeting, Preempted, Refused, StateLost, TimeUp
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.parent import no_room, receive_with_pid, refused
from mcts_math.interpreter.processes import ProcessFacts, read_small
from mcts_math.interpreter.worker import wire

HELLO_TIMEOUT_S = 10.0
"""Seconds within which a state must fork and listen."""
MAX_STRETCH = 10
"""Times a cell's limit that pass before it is stopped though it was hardly let run."""
_CHUNK = 1 << 14
_LOOK_S = 0.04  # a core fills some 50 MB meanwhile; a look takes 50 µs for each cell
_SMALL_BYTES = 16 << 20  # what holds less is not worth stopping
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_CROWDED = "the question's other cells leave no room for temporary files"


def starved_seconds(pid: int) -> float:
    """How long a process's first thread was ready to run while every core was taken; 0 where no kernel tells."""
    try:
        return int(read_small(f"/proc/{pid}/schedstat").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


class CellRun:
    """One cell at work: reads its socket until there is a result, or somebody stops it.

    Args:
        sock: our end of the socket of the process to be.
        message: for it, see `wire.pack_cell`.
        limits: bounds.
        on_hello: called with the pid of the process that greets, before its cell counts as running; raises `StateLost`
            to refuse it.
        rank: the cells with the lowest are the last to be stopped for want of memory.

    Attributes:
        token: of its fork.
        started: when it greeted, by the monotonic clock; before, when it was ordered.
        printed: what the cell has printed so far, or the first part of it.
        num_bytes: memory that it had of its own when last looked at.
    """

    def __init__(
        self, sock: socket.socket, message: bytes, limits: SandboxLimits, on_hello: Callable[[int], None], rank: int
    ) -> None:
        self.sock, self.pid, self.started, self.rank = sock, -1, time.monotonic(), rank
        self.token = secrets.randbits(64)
        self.printed, self.num_bytes = b"", 0
        self._max_cpu_ticks = limits.cpu_seconds * _TICKS_PER_S
        self._handle = -1  # a pidfd: the process may close its socket, but not this
        self._max_payload, self._max_printed = 4 * limits.output_chars + 16, 4 * limits.truncate
        self._timeout_s, self._on_hello = limits.step_timeout_s, on_hello
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        # The payload of its DONE; None where it ended without a sound one.
        self.done: asyncio.Future[bytes | None] = self._loop.create_future()
        self._fd = sock.fileno()  # asyncio is slow with sockets: it formats them
        self._loop.add_reader(self._fd, self._read)
        self._message = message
        self._send()

    def _send(self, later: bool = False) -> None:
        try:
            sent = self.sock.send(self._message)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(self._message)  # it is gone: reading tells, too
        self._message = self._message[sent:]
        if self._message:
            self._loop.add_writer(self._fd, self._send, True)
        elif later:
            self._loop.remove_writer(self._fd)

    def look(self) -> None:
        """Counts its memory and charges its time; stops it where that is used up."""
        if self.pid < 0:
            if time.monotonic() - self.started >= HELLO_TIMEOUT_S:
                self.stop(NoGreeting("a state does not fork"))
            return
        try:
            facts = ProcessFacts.read(self.pid)
        except InterpreterError as error:
            self.stop(error)
            return
        if facts is None:
            return  # it is gone: the stream will tell
        if facts.has_ended:
            self.kill()  # threads may live on; the stream will tell
            return
        self.num_bytes = facts.num_private_bytes
        elapsed_s = time.monotonic() - self.started
        is_late = facts.cpu_ticks >= self._max_cpu_ticks or elapsed_s >= MAX_STRETCH * self._timeout_s
        if is_late or (elapsed_s >= self._timeout_s and elapsed_s - starved_seconds(self.pid) >= self._timeout_s):
            self.stop(TimeUp())

    def stop(self, reason: Exception) -> None:
        """Lets `done` raise, if there is no result yet."""
        if not self.done.done():
            self.done.set_exception(reason)

    def take_handle(self) -> int:
        """A pidfd of the process that greeted, which is the caller's now; -1 where none greeted."""
        handle, self._handle = self._handle, -1
        return handle

    def close(self) -> None:
        """Stops listening; the socket stays open."""
        self._loop.remove_reader(self._fd)
        if self._message:
            self._loop.remove_writer(self._fd)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def kill(self) -> None:
        """Kills the process that greeted, whatever it did to its socket."""
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):  # it went by itself
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def _read(self) -> None:
        try:
            if self.pid < 0:
                data, pid = receive_with_pid(self.sock, _CHUNK)
                self._greet(data, pid)
                data = data[wire.REPLY.size :]
                if not data:
                    return
            else:
                data = self.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._collect(data)

    def _greet(self, data: bytes, pid: int) -> None:
        if not data.startswith(wire.GREETING) or pid <= 0:
            if (number := refused(data)) in (errno.EAGAIN, errno.ENOMEM):
                self.stop(Refused(os.strerror(number)))
            if number == errno.ENOSPC:
                self.stop(Crowded(_CROWDED))
            self.stop(NoGreeting("a state did not fork"))
            return
        try:
            self._on_hello(pid)
            self._handle = os.pidfd_open(pid)
        except StateLost as refusal:
            self.stop(refusal)
            return
        except ProcessLookupError:
            pass  # it is gone already: the stream will end
        except OSError as error:
            self.stop(no_room(error))
            return
        self.pid = pid
        self.started = time.monotonic()

    def _collect(self, data: bytes) -> None:
        if self.done.done():
            return
        self._buffer += data
        while len(self._buffer) >= wire.REPLY.size:
            kind, size = wire.REPLY.unpack_from(self._buffer)
            if (kind, size) == (wire.REFUSED, errno.ENOSPC):
                self.stop(Crowded(_CROWDED))
                return
            most = {wire.DONE: self._max_payload, wire.PRINTED: self._max_printed - len(self.printed)}.get(kind, 0)
            if not 1 <= size <= most:  # of nothing there could be endless many
                self.done.set_result(None)
                return
            end = wire.REPLY.size + size
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[wire.REPLY.size : end])
            if kind == wire.DONE:
                self.done.set_result(payload)
                return
            self.printed += payload
            del self._buffer[:end]
        if not data:
            self.done.set_result(None)


class Watch:
    """Looks at all cells of an interpreter that run for some time: charges their time, keeps their memory in bounds.

    What runs and what is kept share one bound. Where memory runs short, kept states are ended first. If that is not
    enough, the cells that came last are stopped, and run again later: a cell's result depends on its state and its seed
    alone. The cell that came first always goes on, so that all of them end.

    Args:
        limits: of these, `snapshot_bytes` is heeded, but one cell may always use its `memory_bytes`.
        make_room: told how many bytes are in use by running cells, it ends kept states if need be and returns what the
            others hold.
    """

    def __init__(self, limits: SandboxLimits, make_room: Callable[[int], int]) -> None:
        self._max_bytes, self._make_room = max(limits.snapshot_bytes, limits.memory_bytes), make_room
        self._runs: set[CellRun] = set()
        self._due = False

    def add(self, run: CellRun) -> None:
        """Looks after a cell, until `remove`."""
        self._runs.add(run)
        self._plan()

    def remove(self, run: CellRun) -> None:
        """Forgets a cell."""
        self._runs.discard(run)

    def _plan(self) -> None:
        if self._runs and not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._due = False
        self._plan()
        for run in self._runs:
            run.look()
        num_running = sum(run.num_bytes for run in self._runs)
        too_many = num_running + self._make_room(num_running) - self._max_bytes
        for run in sorted(self._runs, key=lambda run: run.rank)[:0:-1]:
            if too_many > 0 and run.num_bytes > _SMALL_BYTES:
                run.stop(Preempted("memory ran short"))
                too_many -= run.num_bytes
