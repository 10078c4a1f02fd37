"""One step in the air, and what the kernel tells about the process that makes it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcts_math.interpreter.options import Limits
from mcts_math.interpreter.parent import receive_with_pid
from mcts_math.interpreter.worker import wire

HELLO_TIMEOUT_S = 10.0
"""Seconds within which a state must fork and listen."""
_CHUNK = 1 << 16
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class StateLost(Exception):  # noqa: N818 - an event, not an error
    """The state that a step should start from is gone; nothing was run, or its sandbox died under it."""


class Tampered(StateLost):
    """A state pretended to be its own child: only code that means harm does that. Its sandbox has been closed."""


class TimeUp(Exception):  # noqa: N818
    """A cell's wall-clock limit has passed."""


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
        on_hello: called when the node exists, before its cell runs.
    """

    def __init__(self, sock: socket.socket, limits: Limits, on_hello: Callable[[], None]) -> None:
        self.sock, self.pid, self.started = sock, -1, time.monotonic()
        self._max_payload, self._timeout_s, self._on_hello = limits.output_bytes + 1, limits.step_timeout_s, on_hello
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        # The payload of its DONE; None where it ended without a sound one.
        self.done: asyncio.Future[bytes | None] = self._loop.create_future()
        self._timer = self._loop.call_later(HELLO_TIMEOUT_S, self._fail, StateLost("the parent state does not fork"))
        self._loop.add_reader(sock, self._read)

    def close(self) -> None:
        """Stops listening; the socket stays open."""
        self._timer.cancel()
        self._loop.remove_reader(self.sock)

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
        if data != wire.REPLY.pack(wire.HELLO, 0) or pid <= 0:
            self._fail(StateLost("the parent state did not fork"))
            return
        self.pid = pid
        self.started = time.monotonic()
        self._timer.cancel()
        self._timer = self._loop.call_later(self._timeout_s, self._fail, TimeUp())
        self._on_hello()

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


def hung_up(sock: socket.socket) -> bool:
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
        if not hung_up(sock):  # it lives, so the number is still its own
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it went by itself
    finally:
        os.close(handle)
