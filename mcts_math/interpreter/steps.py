"""One step in the air, and what the kernel tells about the process that makes it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from mcts_math.interpreter.options import Limits
from mcts_math.interpreter.parent import receive_with_pid
from mcts_math.interpreter.worker import wire

HELLO_TIMEOUT_S = 10.0
"""Seconds within which a state must fork and listen."""
_CHUNK = 1 << 16
_HELLO = wire.REPLY.pack(wire.HELLO, 0)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class StateLost(Exception):  # noqa: N818 - an event, not an error
    """The state that a step should start from is gone; nothing was run, or its sandbox died under it."""


class Tampered(StateLost):
    """A state pretended to be its own child: only code that means harm does that. Its sandbox has been closed."""


class NoGreeting(StateLost):
    """A state took an order and no child said hello. What it forked nobody knows, so its sandbox has been closed."""


class TimeUp(Exception):  # noqa: N818
    """A cell's wall-clock limit has passed."""


@dataclass(slots=True)
class ProcessFacts:
    """What the kernel tells about a process."""

    num_faults: int
    num_threads: int
    num_pages: int
    start_ticks: int
    cpu_ticks: int

    @classmethod
    def read(cls, pid: int) -> ProcessFacts | None:
        """Reads /proc; None if there is no such process, or it is hidden."""
        try:
            stat = _read(f"/proc/{pid}/stat")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()
        return cls(
            num_faults=int(fields[7]),
            num_threads=int(fields[17]),
            num_pages=int(fields[21]),
            start_ticks=int(fields[19]),
            cpu_ticks=int(fields[11]) + int(fields[12]),
        )

    @property
    def num_private_bytes(self) -> int:
        """An upper bound of the memory that the process shares with no other.

        Each page that a fork makes its own costs it a fault (pages that come and go count each time), and it can't
        hold more than all of its pages.
        """
        return min(self.num_faults, self.num_pages) * _PAGE_BYTES


class Step:
    """One step in the air: reads its socket until there is a result, or time is up.

    Args:
        sock: our end of the socket of the node to be.
        limits: bounds.
        on_hello: called with the pid of the process that greets, before its cell runs; raises `StateLost` to refuse it.
    """

    def __init__(self, sock: socket.socket, limits: Limits, on_hello: Callable[[int], None]) -> None:
        self.sock, self.pid, self.started = sock, -1, time.monotonic()
        self._unwanted = False
        self._handle = -1  # a pidfd: the process may close its socket, but not this
        self._max_payload, self._timeout_s, self._on_hello = limits.output_bytes + 1, limits.step_timeout_s, on_hello
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        # The payload of its DONE; None where it ended without a sound one.
        self.done: asyncio.Future[bytes | None] = self._loop.create_future()
        self._timer = self._loop.call_later(HELLO_TIMEOUT_S, self._fail, NoGreeting("a state does not fork"))
        self._loop.add_reader(sock, self._read)

    def give_up(self, then: Callable[[BaseException | None], None]) -> None:
        """Nobody waits for it any more, but a child is to be expected: listens for its greeting alone.

        Args:
            then: called when that came (with `TimeUp`) or will not come (with another error).
        """
        self._unwanted = True
        self.done = self._loop.create_future()  # the old one was cancelled with whoever waited
        self.done.add_done_callback(lambda done: then(done.exception()))

    def close(self) -> None:
        """Stops listening; the socket stays open."""
        self._timer.cancel()
        self._loop.remove_reader(self.sock)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def kill(self) -> None:
        """Kills the process that greeted, whatever it did to its socket."""
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):  # it went by itself
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def _read(self) -> None:
        try:
            if self.pid < 0:
                self._greet(*receive_with_pid(self.sock, wire.REPLY.size))
            else:
                self._collect(self.sock.recv(_CHUNK))
        except BlockingIOError:
            return
        except OSError:
            self._collect(b"")

    def _greet(self, data: bytes, pid: int) -> None:
        if data != _HELLO or pid <= 0:
            self._fail(NoGreeting("a state did not fork"))
            return
        try:
            self._on_hello(pid)
        except StateLost as refusal:
            self._fail(refusal)
            return
        self.pid = pid
        with contextlib.suppress(ProcessLookupError):  # it is gone already: the stream will end
            self._handle = os.pidfd_open(pid)
        if self._unwanted:
            self._fail(TimeUp())
            return
        self.started = time.monotonic()
        self._timer.cancel()
        self._timer = self._loop.call_later(self._timeout_s, self._fail, TimeUp())

    def _collect(self, data: bytes) -> None:
        if self.done.done():
            return
        self._buffer += data
        if len(self._buffer) < wire.REPLY.size:
            payload = None
        else:
            kind, size = wire.REPLY.unpack_from(self._buffer)
            payload = bytes(self._buffer[wire.REPLY.size : wire.REPLY.size + size])
            if kind != wire.DONE or not 1 <= size <= self._max_payload:
                self.done.set_result(None)
                return
            payload = payload if len(payload) == size else None
        if payload is not None or not data:
            self.done.set_result(payload)


def _read(path: str) -> bytes:
    """A small file. Thousands are read a second: a file object would take as long again."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


def kill(pid: int, start_ticks: int) -> None:
    """Kills a process, known by when it started; not another one that got its number meanwhile."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        facts = ProcessFacts.read(pid)
        if facts is not None and facts.start_ticks == start_ticks:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it went by itself
    finally:
        os.close(handle)
