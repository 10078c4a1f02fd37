"""The sandbox of one judgement, from the host's side: made, given its orders, heard, ended."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import secrets
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from mcts_math.interpreter.cell_run import HELLO_TIMEOUT_S, MAX_STRETCH, starved_seconds
from mcts_math.interpreter.losses import MachineBusyError
from mcts_math.interpreter.parent import Connection, Parent, no_room, receive, refused, socket_pair
from mcts_math.interpreter.worker import wire
from mcts_math.interpreter.worker.fork import SOCKET_FD
from mcts_math.judge.problem import Judgement

_MAX_REPLY_BYTES = 16 << 20  # more than all code and 1,000 tests, each character in twelve bytes
_LEAST_S = 0.01
_LAST_WORDS_S = 1.0
_NONCE_BYTES = 16
_FOLDER = Path(__file__).parent / "worker"
WARM_UP = f"""
import importlib, sys, types
package = sys.modules["_judge"] = types.ModuleType("_judge")
package.__path__ = [{str(_FOLDER)!r}]
importlib.import_module("_judge.examiner")
package.__path__.clear()
"""
"""What a clean parent runs, so that its sandboxes have loaded what they run."""
_CELL = "import _judge.{0}, socket\n_judge.{0}.main(socket.socket(fileno={1}))"
CELLS = tuple(
    wire.pack_cell(_CELL.format(name, SOCKET_FD), seed) for seed, name in enumerate(("examiner", "candidate"))
)
"""What runs the tests, and what the code; they draw other random numbers, and share no room for temporary files."""


class Lost(Exception):  # noqa: N818 - the judge tries again
    """A sandbox went before the code had run; nothing can be said of the completion."""


def _starved(supervisor: int) -> float:
    """How long the processes of a sandbox were ready to run while every core was taken; 0 where no kernel tells."""
    try:
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return sum(starved_seconds(int(child)) for child in children)


Said: TypeAlias = tuple[str, Judgement]
"""What came of it: a kind of `worker.source.Verdict`, and the judgement."""


def _failed(reason: str) -> Said:
    return "failed", Judgement(False, f"failed: {reason}")


def _read(reply: bytes, nonce: bytes) -> Said:
    """What the examiner says; a failure where it is rubbish, as tests that found its socket may write there."""
    if secrets.compare_digest(reply[:_NONCE_BYTES], nonce):
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            data = json.loads(reply[_NONCE_BYTES:])
            return str(data["kind"]), Judgement.from_record(data)
    return _failed("the tests wrote on the judge's own socket")


class Examined:
    """A new sandbox, with a cell for the tests, and one for the code if it is not to run beside them. Call `close` in
    any case.

    Args:
        parent: clean parent of the sandbox.
        num_cells: 1 or 2.
    """

    def __init__(self, parent: Parent, num_cells: int) -> None:
        self._parent, self._num_cells = parent, num_cells
        self._connection: Connection | None = None
        self._sockets: list[socket.socket] = []
        self._code = -1  # pidfd of the process that runs the code
        self._is_over = False  # the time is up

    async def run(self, request: bytes, timeout_s: float) -> Said | None:
        """Judges, and returns what the examiner says; None if it says nothing in time.

        Where the time is up, the code's process is ended, and the examiner says how far it came.

        Args:
            request: JSON that the examiner is sent.
            timeout_s: for all of it, not counting the time in which the machine is too busy to run it.

        Raises:
            Lost: the sandbox died under it, or could not be ordered.
            InterpreterError: the kernel refuses a sandbox; MachineBusyError, a process.
        """
        connection = self._connection = await self._parent.new_sandbox()
        try:
            host, *channels = [self._order(connection, place) for place in range(self._num_cells)]
            await self._greeted(host)
            for channel in channels:
                self._code = os.pidfd_open(await self._greeted(channel))
                channel.setblocking(True)  # it goes to the examiner, who waits
            talk = asyncio.ensure_future(self._converse(connection, host, channels, request))
            try:
                return await self._in_time(talk, connection, timeout_s) or await self._last_words(talk)
            finally:
                talk.cancel()
                await asyncio.gather(talk, return_exceptions=True)
        except OSError as error:
            raise Lost(str(no_room(error, "a sandbox does not listen"))) from error

    def _order(self, connection: Connection, place: int) -> socket.socket:
        """Has the sandbox run the cell that has this place in `CELLS`; the connection to it."""
        ours, theirs = socket_pair(socket.SOCK_STREAM)
        self._sockets.append(ours)
        with theirs:
            ours.send(CELLS[place])
            connection.order(connection.root, theirs, secrets.randbits(63) * len(CELLS) + place)
        return ours

    @staticmethod
    async def _greeted(sock: socket.socket) -> int:
        """The pid of the process that an order has made. Raises Lost, or MachineBusyError."""
        message, pid = await receive(sock, HELLO_TIMEOUT_S)
        if message == wire.GREETING:
            return pid
        if (number := refused(message)) in (errno.EAGAIN, errno.ENOMEM):
            raise MachineBusyError("a cell", os.strerror(number))
        raise Lost("a sandbox does not run its orders")

    async def _last_words(self, talk: asyncio.Task[Said]) -> Said | None:
        """What the examiner says when the code's process goes: the tests so far, whatever the verdict."""
        self._is_over = True
        if self._code >= 0:
            with contextlib.suppress(ProcessLookupError):  # it went by itself
                signal.pidfd_send_signal(self._code, signal.SIGKILL)
            for channel in self._sockets[1:]:  # what it has forked, where nothing forbids that, may hold its end
                channel.shutdown(socket.SHUT_RDWR)
            await asyncio.wait({talk}, timeout=_LAST_WORDS_S)
        if not talk.done() or talk.exception() is not None:
            return None
        return "failed", replace(talk.result()[1], passed=False, result="timed out")

    async def _in_time(self, talk: asyncio.Task[Said], connection: Connection, timeout_s: float) -> Said | None:
        """What `talk` returns; None if it takes too long, by a clock that stops while the machine is too busy."""
        begun = time.monotonic()
        left_s = timeout_s
        while left_s > 0:
            await asyncio.wait({talk}, timeout=left_s)
            if talk.done():
                return talk.result()
            elapsed_s = time.monotonic() - begun
            left_s = min(
                timeout_s - elapsed_s + _starved(connection.supervisor_pid), MAX_STRETCH * timeout_s - elapsed_s
            )
            left_s = left_s if left_s > _LEAST_S else 0.0
        return None

    async def _converse(
        self, connection: Connection, host: socket.socket, channels: list[socket.socket], request: bytes
    ) -> Said:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        socket.send_fds(host, [len(request).to_bytes(4, "big")], [channel.fileno() for channel in channels])
        await asyncio.get_running_loop().sock_sendall(host, request + nonce)
        try:
            size = int.from_bytes(await self._receive(host, 4), "big")
            kind, judgement = _read(await self._receive(host, size) if size <= _MAX_REPLY_BYTES else b"", nonce)
        except EOFError:
            if not connection.alive:
                raise Lost("a sandbox died") from None
            return _failed("the tests were stopped: an exit, out of memory or a crash")
        if kind == "failed" and not self._is_over and not connection.alive:
            raise Lost("a sandbox died")  # the code's process, say, before that of the tests, which then blame the code
        return kind, judgement

    @staticmethod
    async def _receive(sock: socket.socket, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                chunk = await asyncio.get_running_loop().sock_recv(sock, size - len(data))
            except ConnectionResetError:  # it ended with the nonce unread
                chunk = b""
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def close(self) -> None:
        """Ends everything: a supervisor goes when its connection does, and takes all processes with it."""
        if self._connection is not None:
            self._connection.close()
        for sock in self._sockets:
            sock.close()
        if self._code >= 0:
            os.close(self._code)
            self._code = -1
