"""One state of one question's interpreter: a process that waits, and forks itself for each child step.

The same loop runs in all: told to make a step, a process forks; the child says hello, runs the cell, reports, and then
waits as the new state. Whatever this module does may have been spoiled by the snippets that ran in its process. That
hurts their own branch alone, because nothing outside believes a state.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib import _bootstrap
from types import ModuleType
from typing import NoReturn

from . import cell, chance, confine, files, fork, wire

_write = os.write  # a snippet may replace that of `os`
_set_timer = signal.setitimer
child_hooks: list[Callable[[], object]] = []  # see `__main__`


def serve(socket_fd: int, rules: confine.Rules) -> None:
    """Waits for orders until the host closes the socket, which becomes `fork.SOCKET_FD`; never returns."""
    fork.take_socket(socket_fd)
    # The signals of the clean parent are not those of a program.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    module = ModuleType("__cell__")  # not __main__, as in the published tool; but `from __main__ import f` finds f
    sys.modules["__cell__"] = sys.modules["__main__"] = module
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    variables = vars(module)
    sock = socket.socket(fileno=fork.SOCKET_FD)
    seeds = chance.seeds()
    style = cell.Style(rules.truncate, rules.output_chars, rules.exact, _tell if rules.tells else None)
    kept = files.Kept(rules.temp_bytes)
    held: list[int] = []
    while True:
        held = fork.open_files(held)
        folder = fork.await_order()
        if held:
            fork.occupy(held)
        code, seed = _read_cell(sock)
        if len(threading._active) > 1 or fork.num_other_threads():  # type: ignore[attr-defined]
            _forget_threads()
        elif child_hooks:
            _call_hooks()
        for set_seed in seeds:
            set_seed(seed)
        if rules.temp_bytes:
            try:
                kept.put()
            except OSError as error:
                _refuse(error)
        shown = cell.run(code, variables, style)
        _stop()
        if rules.temp_bytes:
            fork.free_one()
            try:
                kept.take(folder)
            except (OSError, MemoryError, RecursionError) as error:  # a file that its owner may not read, say
                reason = cell.truncate(f"{type(error).__name__}: {error}", style.chars)
                shown = cell.Shown(f"{reason}\nThe files of this cell are not kept.", failed=True)
        payload = (wire.FAILED if shown.failed else wire.OK) + shown.text.encode("utf-8", "replace")
        sock.sendall(wire.REPLY.pack(wire.DONE, len(payload)) + payload)


def _call_hooks() -> None:
    """Calls the hooks for a child: some forget open files. One that fails ends nothing, as in a fork of Python's."""
    for hook in child_hooks:
        with contextlib.suppress(BaseException):
            hook()


def _forget_threads() -> None:
    """Frees what threads held that did not survive the fork, of what every cell needs. Ends their imports."""
    threading._after_fork()  # type: ignore[attr-defined]  # the hook that `worker/__main__.py` left out
    for name in list(_bootstrap._module_locks):  # type: ignore[attr-defined]
        if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
            del sys.modules[name]
    _bootstrap._module_locks.clear()  # type: ignore[attr-defined]
    numpy_random = sys.modules.get("numpy.random.mtrand")
    if numpy_random is not None:
        numpy_random._rand._bit_generator.lock._at_fork_reinit()


def _read_cell(sock: socket.socket) -> tuple[str, int]:
    size, seed = wire.CELL.unpack(_receive(sock, wire.CELL.size))
    return _receive(sock, size).decode("utf-8", "surrogatepass"), seed


def _receive(sock: socket.socket, size: int) -> bytes:
    """So many bytes, and not one more: a cell may find more there, as the judge's does."""
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data


def _tell(text: str) -> None:
    data = text.encode("utf-8", "replace")
    _write(fork.SOCKET_FD, wire.REPLY.pack(wire.PRINTED, len(data)) + data)


def _refuse(error: OSError) -> NoReturn:
    """Ends this process before its cell has begun."""
    _write(fork.SOCKET_FD, wire.REPLY.pack(wire.REFUSED, error.errno or 0))
    os._exit(0)


def _stop() -> None:
    """Undoes what would go on after the cell. What a timer does that goes off meanwhile, `fork.await_order` undoes."""
    for which in range(3):
        _set_timer(which, 0)
    sys.settrace(None)
    sys.setprofile(None)
