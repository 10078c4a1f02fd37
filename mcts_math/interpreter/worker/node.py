"""One state of one question's interpreter: a process that waits, and forks itself for each child step.

The same loop runs in all: told to make a step, a node forks; the child takes the socket that came with the order,
says hello, runs the cell, reports, and then waits as the node of the new state. So a state is never run twice, and
siblings are different processes. Snippets ran in this process: whatever this module does may have been spoiled by
them. That hurts their own branch alone, because nothing outside believes a node.
"""

from __future__ import annotations

import _random
import builtins
import os
import random
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from types import ModuleType

from . import cell, fork, seccomp, wire

_FD_SPACE = socket.CMSG_SPACE(4)
_the_random, _c_seed = random._inst, _random.Random.seed
_SEED_MASK = (1 << 32) - 1
_close_range, _close = os.closerange, os.close  # a snippet may replace those of `os`
_FORK_FLAGS = seccomp.HARNESS_FORK_FLAGS & ~int(signal.SIGCHLD)


class Order:
    """One order of the host."""

    __slots__ = ("code", "seed", "socket_fd", "token")

    def __init__(self, code: str, token: int, seed: int, socket_fd: int) -> None:
        self.code, self.token, self.seed, self.socket_fd = code, token, seed, socket_fd


def serve(socket_fd: int, show_chars: int, output_bytes: int) -> None:
    """Waits for orders until the host closes the socket; never returns.

    Args:
        socket_fd: this node's socket.
        show_chars: characters of one print that are shown.
        output_bytes: bytes of one observation.
    """
    fork.take_socket(socket_fd)
    # The signals of the clean parent are not those of a program.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    module = ModuleType("__cell__")  # not __main__, as in the published tool
    sys.modules["__cell__"] = module
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    state = vars(module)
    sock = socket.socket(fileno=fork.SOCKET_FD)
    seeds: list[Callable[[int], object]] = [_seed_random]
    if "numpy" in sys.modules:
        seeds.append(_short_seeds(sys.modules["numpy"].random.seed))
    leave = os._exit
    while True:
        order = _receive(sock)
        if order is None:
            leave(0)
            return
        try:
            if fork.node(_FORK_FLAGS, order.token, order.socket_fd):
                _close(order.socket_fd)
                continue
        except OSError:  # refused; or, in the child, the host has given this step up
            leave(0)
        _prepare(order.seed, seeds)
        shown = cell.run(order.code, state, show_chars)
        _disarm()
        text = shown.text.encode("utf-8", "replace")[:output_bytes]
        payload = (wire.FAILED if shown.failed else wire.OK) + text
        sock.sendall(wire.REPLY.pack(wire.DONE, len(payload)) + payload)


def _seed_random(seed: int) -> None:
    """`random.seed`, in fewer steps."""
    _c_seed(_the_random, seed)
    _the_random.gauss_next = None  # type: ignore[attr-defined]


def _short_seeds(set_seed: Callable[[int], object]) -> Callable[[int], object]:
    return lambda seed: set_seed(seed & _SEED_MASK)


def _receive(sock: socket.socket) -> Order | None:
    data, socket_fd = b"", -1
    need = wire.COMMAND.size
    while len(data) < need:
        chunk, ancillary, _, _ = sock.recvmsg(65536, _FD_SPACE)
        if not chunk:
            return None
        data += chunk
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                (socket_fd,) = struct.unpack("i", content)
        if need == wire.COMMAND.size and len(data) >= need:
            need += wire.COMMAND.unpack_from(data)[0]
    if socket_fd < 0:  # a cell left no room for it, by a limit of its own
        return None
    _, token, seed = wire.COMMAND.unpack_from(data)
    return Order(wire.decode_code(data[wire.COMMAND.size :]), token, seed, socket_fd)


def _prepare(seed: int, seeds: list[Callable[[int], object]]) -> None:
    """Makes the process ready for a cell: what is random starts from the seed, what a cell before left is undone."""
    sys.settrace(None)
    sys.setprofile(None)
    if len(threading._active) > 1:  # type: ignore[attr-defined]
        # The hook that the zygote left out (`zygote.import_quietly`): threads do not survive a fork.
        threading._after_fork()  # type: ignore[attr-defined]
    for set_seed in seeds:
        set_seed(seed)


def _disarm() -> None:
    """A state must not change while it waits; and what it opened, its forks will not have."""
    _close_range(3, fork.SOCKET_FD)
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    sys.settrace(None)
    sys.setprofile(None)
