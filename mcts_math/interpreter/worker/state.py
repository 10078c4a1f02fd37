"""One state of one question's interpreter: a process that waits, and forks itself for each child step.

The same loop runs in all: told to make a step, a process forks; the child takes the socket that came with the order,
says hello, runs the cell, reports, and then waits as the new state. So a state is never run twice, and siblings are
different processes. Snippets ran in this process: whatever this module does may have been spoiled by them. That hurts
their own branch alone, because nothing outside believes a state.
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

from . import cell, confine, files, fork, seccomp, wire

_FD_SPACE = socket.CMSG_SPACE(4)
_the_random, _c_seed = random._inst, _random.Random.seed
_SEED_MASK = (1 << 32) - 1
_close_range, _close, _write = os.closerange, os.close, os.write  # a snippet may replace those of `os`
_set_timer = signal.setitimer
_FORK_FLAGS = seccomp.HARNESS_FORK_FLAGS & ~int(signal.SIGCHLD)


class Order:
    """One order of the host."""

    __slots__ = ("code", "seed", "socket_fd", "token")

    def __init__(self, code: str, token: int, seed: int, socket_fd: int) -> None:
        self.code, self.token, self.seed, self.socket_fd = code, token, seed, socket_fd


def serve(socket_fd: int, rules: confine.Rules) -> None:
    """Waits for orders until the host closes the socket; never returns.

    Args:
        socket_fd: this process's socket.
        rules: the host's orders; how observations look, and whether there are folders for temporary files.
    """
    fork.take_socket(socket_fd)
    # The signals of the clean parent are not those of a program.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    module = ModuleType("__cell__")  # not __main__, as in the published tool
    sys.modules["__cell__"] = module
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    variables = vars(module)
    sock = socket.socket(fileno=fork.SOCKET_FD)
    seeds: list[Callable[[int], object]] = [_seed_random]
    if "numpy" in sys.modules:
        seeds.append(_short_seeds(sys.modules["numpy"].random.seed))
    style = cell.Style(rules.show_chars, rules.output_chars, rules.exact, _tell if rules.tells else None)
    folder = files.Folder() if rules.temp_bytes else None
    leave = os._exit
    while True:
        order = _receive(sock)
        if order is None:
            leave(0)
            return
        try:
            if fork.clone_state(_FORK_FLAGS, order.token, order.socket_fd):
                _close(order.socket_fd)
                continue
        except OSError as error:  # the parent's; the host will end this sandbox
            _write(order.socket_fd, wire.REPLY.pack(wire.REFUSED, error.errno or 0))
            leave(0)
        _prepare(order.seed, seeds)
        if folder is not None:
            folder.open(order.token)
        shown = cell.run(order.code, variables, style)
        _disarm()
        if folder is not None:
            folder.close()
        payload = (wire.FAILED if shown.failed else wire.OK) + shown.text.encode("utf-8", "replace")
        sock.sendall(wire.REPLY.pack(wire.DONE, len(payload)) + payload)


def _tell(text: str) -> None:
    data = text.encode("utf-8", "replace")
    _write(fork.SOCKET_FD, wire.REPLY.pack(wire.PRINTED, len(data)) + data)


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
        # The hook that the zygote left out (`worker/__main__.py`): threads do not survive a fork.
        threading._after_fork()  # type: ignore[attr-defined]
    for set_seed in seeds:
        set_seed(seed)


def _disarm() -> None:
    """A state must not change while it waits; and what it opened, its forks will not have."""
    _close_range(3, fork.SOCKET_FD)
    # A timer that went off before it was stopped has its handler called now, which may start it anew: twice.
    while _stop_timers() or _stop_timers():
        pass
    sys.settrace(None)
    sys.setprofile(None)


def _stop_timers() -> bool:
    """Stops the three timers of a process; whether one was running."""
    return _set_timer(0, 0)[0] + _set_timer(1, 0)[0] + _set_timer(2, 0)[0] > 0
