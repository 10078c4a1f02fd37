"""One cell at work, and what the kernel tells about the process that runs it."""

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
from dataclasses import dataclass

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.losses import Crowded, NoGreeting, Refused, StateLost, TimeUp
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.parent import no_room
from mcts_math.interpreter.sockets import receive_with_pid
from mcts_math.interpreter.worker import wire

HELLO_TIMEOUT_S = 10.0
"""Seconds within which a state must fork and listen."""
MAX_STRETCH = 10
"""Times a cell's limit that pass before it is stopped though it was hardly let run."""
_CHUNK = 1 << 14
_MANY_PAGES, _MANY_TICKS = 4096, 2
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_HELLO = wire.REPLY.pack(wire.HELLO, 0)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CROWDED = "the question's other cells leave no room for temporary files"


@dataclass(slots=True)
class ProcessFacts:
    """What the kernel tells about a process.

    Attributes:
        has_ended: its first thread has, and of what others hold the kernel tells nothing.
    """

    has_ended: bool
    num_faults: int
    num_threads: int
    num_pages: int
    start_ticks: int
    cpu_ticks: int

    @classmethod
    def read(cls, pid: int) -> ProcessFacts | None:
        """Reads /proc; None if there is no such process, or it is hidden.

        Raises:
            InterpreterError: this process may open no more files.
        """
        try:
            stat = read_small(f"/proc/{pid}/stat")
            fields = stat[stat.rindex(b")") + 2 :].split()
            num_faults, num_pages = int(fields[7]), int(fields[21])
            if num_faults > _MANY_PAGES:  # else it is not worth a second file
                _, resident, shared = read_small(f"/proc/{pid}/statm").split()[:3]
                num_pages = int(resident) - int(shared)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        except OSError as error:
            raise no_room(error) from error
        return cls(
            has_ended=fields[0] in (b"Z", b"X"),
            num_faults=num_faults,
            num_threads=int(fields[17]),
            num_pages=num_pages,
            start_ticks=int(fields[19]),
            cpu_ticks=int(fields[11]) + int(fields[12]),
        )

    @property
    def is_light(self) -> bool:
        """Whether the process made few pages its own, and had no time for many mappings."""
        return self.num_faults <= _MANY_PAGES and self.cpu_ticks < _MANY_TICKS

    @property
    def num_private_bytes(self) -> int:
        """An upper bound of the memory that the process shares with no other.

        Each page that a fork makes its own costs it a fault (pages that come and go count each time), as huge pages are
        forbidden in a sandbox; and it can't hold more than all of its pages that are no file's.
        """
        return min(self.num_faults, self.num_pages) * _PAGE_BYTES


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
        self._cpu_s, self._looked, self._max_cpu_s = 0.0, self.started, 0.8 * limits.cpu_seconds
        self._unwanted = False
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
        self.num_bytes, self._cpu_s = facts.num_private_bytes, facts.cpu_ticks / _TICKS_PER_S
        self._looked = time.monotonic()
        elapsed_s = self._looked - self.started
        if elapsed_s < self._timeout_s:
            return
        if elapsed_s - starved_seconds(self.pid) >= self._timeout_s or elapsed_s >= MAX_STRETCH * self._timeout_s:
            self.stop(TimeUp())

    @property
    def has_used_its_cpu(self) -> bool:
        """Whether it may have ended by the limit of CPU seconds, for all that is known since the last look."""
        return self._cpu_s + time.monotonic() - self._looked >= self._max_cpu_s

    def stop(self, reason: Exception) -> None:
        """Lets `done` raise, if there is no result yet."""
        if not self.done.done():
            self.done.set_exception(reason)

    def give_up(self, then: Callable[[BaseException | None], None]) -> None:
        """Nobody waits for it any more, but a child is to be expected: listens for its greeting alone.

        Args:
            then: called when that came (with `TimeUp`) or will not come (with another error).
        """
        self._unwanted = True
        self.done = self._loop.create_future()  # the old one was cancelled with whoever waited
        self.done.add_done_callback(lambda done: then(done.exception()))

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
        if not data.startswith(_HELLO) or pid <= 0:
            kind, number = wire.REPLY.unpack(data) if len(data) == wire.REPLY.size else (0, 0)
            if kind == wire.REFUSED and number in (errno.EAGAIN, errno.ENOMEM):
                self.stop(Refused(os.strerror(number)))
            if kind == wire.REFUSED and number == errno.ENOSPC:
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
        if self._unwanted:
            self.stop(TimeUp())
            return
        self.started = self._looked = time.monotonic()

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


def read_small(path: str) -> bytes:
    """The first 4 KiB of a file. Thousands are read a second: a file object would take as long again."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)
