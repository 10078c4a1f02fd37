"""The sandboxes of one judgement, from the host's side: made, given their orders, heard, ended."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from mcts_math.interpreter.parent import Connection, Parent
from mcts_math.interpreter.worker import wire
from mcts_math.interpreter.worker.fork import SOCKET_FD

_MAX_REPLY_BYTES = 4 << 20
_MAX_STRETCH = 5  # times the limit: code that starves itself by threads must end too
_LEAST_S = 0.01
_NONCE_BYTES = 16
_LOADER = f"""\
import marshal, socket, sys, types
sock = socket.socket(fileno={SOCKET_FD})
def receive(size):
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        rest = rest[sock.recv_into(rest) or sys.exit():]
    return data
modules = marshal.loads(receive(int.from_bytes(receive(4), "big")))
package = types.ModuleType("_judge")
package.__path__ = []
sys.modules["_judge"] = package
for name, code in modules:
    module = types.ModuleType("_judge." + name)
    module.__package__ = "_judge"
    sys.modules["_judge." + name] = module
    setattr(package, name, module)
    exec(code, vars(module))
module.main(sock)
"""
_SEEDS = (0, 1)  # of `random` in the tests and in the code: they must not draw the same numbers


def starved_seconds(supervisor: int) -> float:
    """How long the processes of a sandbox were ready to run while every core was taken; 0 where no kernel tells."""
    total = 0
    try:
        for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii").split():
            total += int(Path(f"/proc/{child}/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0  # one ended meanwhile, or the kernel keeps no such account
    return total / 1e9


class Lost(Exception):  # noqa: N818 - the judge tries again
    """A sandbox went before the code had run; nothing can be said of the completion."""


def _failed(reason: str) -> dict[str, Any]:
    return {"kind": "failed", "result": f"failed: {reason}", "code": "", "tests": [], "num_passed": 0, "num_tests": 0}


_FIELDS = {key: type(value) for key, value in (_failed("") | {"nonce": ""}).items()}


def _read(reply: bytes, nonce: bytes) -> dict[str, Any]:
    """What the examiner says; a failure where it is rubbish, as tests that found its socket may write there."""
    try:
        data = json.loads(reply)
    except (ValueError, RecursionError):
        data = None
    if (
        isinstance(data, dict)
        and {key: type(value) for key, value in data.items()} == _FIELDS
        and secrets.compare_digest(data["nonce"].encode(), nonce.hex().encode())
    ):
        return data
    return _failed("the tests wrote on the judge's own socket")


class Examined:
    """New sandboxes: of the tests, and of the code if it is not to run beside them. Call `close` in any case.

    Args:
        parents: clean parents of the sandbox that runs the tests, and of the one that runs the code.
    """

    def __init__(self, parents: list[Parent]) -> None:
        self._parents = parents
        self._connections: list[Connection] = []
        self._sockets: list[socket.socket] = []

    async def open(self) -> None:
        """Makes the sandboxes. Raises InterpreterError where the kernel refuses."""
        for parent in self._parents:
            self._connections.append(await parent.new_sandbox())

    async def run(self, programs: tuple[bytes, ...], request: bytes, timeout_s: float) -> dict[str, Any] | None:
        """Runs a program in each sandbox and returns what the first one says; None if it says nothing in time.

        Args:
            programs: of examiner and candidate, for `_LOADER`.
            request: what the examiner is sent.
            timeout_s: for all of it, not counting the time in which the machine is too busy to run it.

        Raises:
            Lost: a sandbox died under it, or could not be ordered.
        """
        ends = [self._socketpair() for _ in self._parents]
        ours = [end for end, _ in ends]
        try:
            for place, (our, end) in enumerate(ends):
                self._order(place, our, end)
                end.close()
            return await self._in_time(self._converse(ours, programs, request), timeout_s)
        except OSError as error:
            raise Lost(f"a sandbox does not listen: {error}") from error

    async def _in_time(self, talk: Coroutine[Any, Any, dict[str, Any]], timeout_s: float) -> dict[str, Any] | None:
        """What `talk` returns; None if it takes too long, by a clock that stops while the machine is too busy."""
        task = asyncio.ensure_future(talk)
        begun = time.monotonic()
        left_s = timeout_s
        try:
            while left_s > 0:
                await asyncio.wait({task}, timeout=left_s)
                if task.done():
                    return task.result()
                elapsed_s = time.monotonic() - begun
                waited_s = sum(map(starved_seconds, (c.supervisor_pid for c in self._connections)))
                left_s = min(timeout_s - (elapsed_s - waited_s), _MAX_STRETCH * timeout_s - elapsed_s)
                left_s = left_s if left_s > _LEAST_S else 0.0
            return None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _converse(self, ours: list[socket.socket], programs: tuple[bytes, ...], request: bytes) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for sock, program in zip(ours, programs, strict=True):
            sock.setblocking(False)
            await loop.sock_sendall(sock, len(program).to_bytes(4, "big") + program)
        host, *channels = ours
        nonce = secrets.token_bytes(_NONCE_BYTES)
        request = wire.REPLY.size.to_bytes(1, "big") + request  # how long the candidate's greeting is
        message = len(request).to_bytes(4, "big") + request
        for channel in channels:
            channel.setblocking(True)
            socket.send_fds(host, [message[:1]], [channel.fileno()])
            channel.close()
        await loop.sock_sendall(host, message[len(channels) :] + nonce)
        try:
            await self._receive(host, wire.REPLY.size)
        except EOFError:
            raise Lost("a sandbox does not run its orders") from None
        try:
            size = int.from_bytes(await self._receive(host, 4), "big")
            reply = _read(await self._receive(host, size) if size <= _MAX_REPLY_BYTES else b"", nonce)
        except EOFError:
            if not all(connection.alive for connection in self._connections):
                raise Lost("a sandbox died") from None
            return _failed("the tests were stopped: an exit, out of memory or a crash")
        if reply["kind"] == "no_candidate":
            raise Lost(reply["result"])
        if reply["kind"] == "failed" and not all(connection.alive for connection in self._connections):
            raise Lost("a sandbox died")  # the code's, say, before that of the tests, which then blame the code
        return reply

    def _order(self, place: int, ours: socket.socket, theirs: socket.socket) -> None:
        """Tells a sandbox's first process to fork, and the child to load a program from this socket."""
        connection = self._connections[place]
        ours.sendall(wire.pack_cell(_LOADER, _SEEDS[place]))
        connection.order(connection.root, theirs, secrets.randbits(64))

    async def _receive(self, sock: socket.socket, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < size:
            try:
                chunk = await loop.sock_recv(sock, size - len(data))
            except ConnectionResetError:  # it ended with the nonce unread
                chunk = b""
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def _socketpair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sockets += pair
        return pair

    def close(self) -> None:
        """Ends everything: a supervisor goes when its connection does, and takes all processes with it."""
        for connection in self._connections:
            connection.close()
        for sock in self._sockets:
            sock.close()
