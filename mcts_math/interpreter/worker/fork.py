"""How a state waits, and how it forks. On x86-64 by a little machine code, elsewhere by Python.

Each page that a new process touches costs it a copy, and its parent another. What Python does around a fork (locks,
hooks, one call after the other) touches 200 of them, half of a trivial step. So a state runs no Python while it waits.
"""

from __future__ import annotations

import _imp
import array
import ctypes
import mmap
import os
import select
import signal
import socket
import struct
from _thread import _count as num_other_threads
from collections.abc import Callable, Sequence
from fcntl import F_SETFL

from . import kernel, wire

SOCKET_FD = 63
"""A state's own socket: the highest that RLIMIT_NOFILE allows, out of the way of what snippets open."""
STATE_FLAGS = kernel.CLONE_PARENT
"""Of a state's fork: the child becomes the supervisor's, so that one process reaps all."""

_SIGCHLD = int(signal.SIGCHLD)
_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_fork_in_child = ctypes.pythonapi.PyOS_AfterFork_Child
_child_hook = ctypes.cast(_after_fork_in_child, ctypes.c_void_p)
_syscall = ctypes.PyDLL(None, use_errno=True).syscall  # keeps the GIL
_syscall.restype = ctypes.c_long
_close_range, _dup, _open = os.closerange, os.dup2, os.open  # a snippet may replace those of `os`
_close, _write, _exit, _chdir, _get_flag = os.close, os.write, os._exit, os.chdir, os.get_inheritable
_SPARE_FD = SOCKET_FD - 1  # never occupied: the harness has it where a branch has used up all others
_FILES = range(3, _SPARE_FD)
_NONE_OPEN = [(fd, select.POLLNVAL) for fd in _FILES]
_poll = select.poll()
for _fd in _FILES:
    _poll.register(_fd, 0)


def clone(flags: int, token: int = 0) -> int:
    """Forks this process as `os.fork` does, with clone flags.

    Args:
        flags: CLONE_* flags without a signal; SIGCHLD is added.
        token: 64 bits that the kernel ignores (the TLS argument, which counts with CLONE_SETTLS only, and child_tid;
            x86-64 and arm64 differ in their order). A seccomp supervisor sees them: this is how a state shows that its
            fork was ordered by the host.

    Returns:
        0 in the child, the child's pid in the parent.
    """
    numbers = [ctypes.c_ulong(n) for n in (kernel.number("clone"), flags | _SIGCHLD, 0, 0, token, token)]
    _before_fork()
    pid = int(_syscall(*numbers))
    if pid == 0:
        _after_fork_in_child()
        return 0
    _after_fork_in_parent()
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


# A page of data and machine code. The code is a function serve(page, hook). It makes the calls of `_BEFORE_AT`. Then it
# waits for an order, forks, closes the socket that came with it, and so on for ever. In the child it makes the calls of
# `_CHILD_AT`, calls the hook (`PyOS_AfterFork_Child`) if there is one, and returns. A process whose call fails ends.
# All in one call from Python, for between two calls the bytecode interpreter may hand the GIL to a waiting thread; in
# the child there is none, and it would wait for ever.
_ORDER_AT, _REPLY_AT, _HELLO_AT, _ZEROS_AT, _NULL_AT, _ROOT_AT = 96, 136, 144, 160, 192, 208
_BEFORE_AT, _CHILD_AT, _REFUSED_AT, _CODE_AT = 0xE0, 0x220, 0x2E0, 0x400
_SOCKET, _TOP = 3, SOCKET_FD  # the lowest that is free when an order comes
_ROW = struct.Struct("=4Q")  # number of a system call, three arguments


def _rows(page: int) -> dict[int, list[tuple[int, ...]]]:
    """The system calls that `serve` makes, by their place."""
    setitimer, close_range, open_, dup2, close, write = 38, 436, 2, 33, 3, 1
    prctl, dup3, chdir, fcntl = 157, 292, 80, 72
    return {
        # A state must not change while it waits. What it opened its forks don't get: siblings could talk by it.
        _BEFORE_AT: [
            *((setitimer, which, page + _ZEROS_AT, 0) for which in range(3)),
            (close_range, 0, _TOP - 1, 0),
            (open_, page + _NULL_AT, os.O_RDWR, 0),
            (dup2, 0, 1, 0),
            (dup2, 0, 2, 0),
            (fcntl, _TOP, F_SETFL, os.O_RDWR),  # it must wait for orders, whatever a cell has made of its socket
            (chdir, page + _ROOT_AT, 0, 0),  # the folder of the cell goes: it counts until nobody is in it
        ],
        _CHILD_AT: [
            (prctl, kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0),
            (dup3, _SOCKET, _TOP, os.O_CLOEXEC),
            (close, _SOCKET, 0, 0),
            (chdir, page + _ORDER_AT + 8, 0, 0),
            (write, _TOP, page + _HELLO_AT, len(wire.GREETING)),  # fails where the host does not listen any more
        ],
        _REFUSED_AT: [(write, _SOCKET, page + _REPLY_AT, wire.REPLY.size)],
    }


_CODE = bytes.fromhex(
    "53 4154 4155 4889fb 4989f4"  # save rbx, r12, r13; rbx = page, r12 = hook
    "4c8dabe0000000 e87d000000"  # r13 = page + _BEFORE_AT; call rows
    "48c7432818000000"  # wait: msg_controllen = 24, room for one descriptor
    "bf3f000000 4889de 31d2 b82f000000 0f05"  # recvmsg(63, page, 0)
    "83f8fc 74e2"  # interrupted by a signal: wait
    "83f828 7551"  # not a whole order: die
    "48837b2818 754a"  # no descriptor: die
    "bf11800000 31f6 31d2 4c8b5360 4d89d0 b838000000 0f05"  # clone(CLONE_PARENT | SIGCHLD, 0, 0, token, token)
    "898389000000 4c8dab20020000"  # the number in the reply = what clone says; r13 = page + _CHILD_AT
    "85c0 744c 780e"  # 0: child; an error: refused
    "bf03000000 b803000000 0f05 eb9e"  # close(3); wait
    "f79b89000000 4981c5c0000000 e809000000"  # refused: negate the number; r13 = page + _REFUSED_AT; call rows
    "31ff b8e7000000 0f05"  # die: exit_group(0)
    "498b4500 4885c0 742a"  # rows: no number at r13: return
    "498b7d08 498b7510 498b5518 0f05"  # the system call with its three arguments
    "4983c520 85c0 79e1 ebd6"  # r13 = the next row; rows, or where the call failed: die
    "e8daffffff 4d85e4 7403 41ffd4"  # child: call rows; call the hook
    "415d 415c 5b c3"  # restore the registers; return
)


def _machine_serve() -> tuple[Callable[[ctypes.c_void_p | None], None], mmap.mmap]:
    """The function with its page, and the page."""
    page, address = kernel.code_page()
    message = struct.pack("=QQQQQQQ", 0, 0, address + 56, 1, address + 72, 0, 0)  # struct msghdr, ...
    page[:72] = message + struct.pack("=QQ", address + _ORDER_AT, wire.ORDER.size)  # ... and the iovec that it names
    page[_REPLY_AT : _HELLO_AT + len(wire.GREETING)] = wire.REPLY.pack(wire.REFUSED, 0).ljust(8) + wire.GREETING
    page[_NULL_AT : _ROOT_AT + 2] = b"/dev/null".ljust(_ROOT_AT - _NULL_AT, b"\0") + b"/\0"
    for place, rows in _rows(address).items():
        page[place : place + _ROW.size * len(rows)] = b"".join(_ROW.pack(*row) for row in rows)
    page[_CODE_AT : _CODE_AT + len(_CODE)] = _CODE
    call = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address + _CODE_AT)
    return lambda hook: call(address, hook), page


_serve, _page = _machine_serve() if kernel.X86_64 else (None, None)


def await_order() -> str:
    """Waits for the host's orders and forks a child for each; returns in the children alone, with the cell's folder.

    A child has its own socket as `SOCKET_FD` and no other file but /dev/null, dies with its parent, and has said hello.
    """
    if _serve is None or _page is None:
        return _await_by_python()
    hook = None
    if num_other_threads():  # which wait for ever: none is in the child
        # What `PyOS_BeforeFork` does, but for waiting: a thread that has the lock might keep it, and the child resets
        # it. So it is with the locks for which the hooks wait that programs register for the time before a fork.
        if not _imp.lock_held():
            _imp.acquire_lock()
        hook = _child_hook
    _serve(hook)
    while hook is not None and _imp.lock_held():
        _imp.release_lock()
    return _page[_ORDER_AT + 8 : _ORDER_AT + wire.ORDER.size].rstrip(b"\0").decode()


def _await_by_python() -> str:
    """The same: safe unless a snippet left a busy thread behind, whose step is then lost."""
    for which in range(3):
        signal.setitimer(which, 0)
    _chdir("/")
    while True:
        token, folder, sock = receive_order()
        try:
            pid = clone(STATE_FLAGS, token)
        except OSError as error:
            _write(sock, wire.REPLY.pack(wire.REFUSED, error.errno or 0))
            _exit(0)
        if pid == 0:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
            take_socket(sock)
            _chdir(folder)
            if _write(SOCKET_FD, wire.GREETING) != len(wire.GREETING):
                _exit(0)
            return folder
        _close(sock)


def receive_order() -> tuple[int, str, int]:
    """The token, folder and socket of the next order; ends this process where there is none."""
    with socket.socket(fileno=_dup(SOCKET_FD, _SPARE_FD)) as sock:
        data, ancillary, _, _ = sock.recvmsg(wire.ORDER.size, socket.CMSG_SPACE(4))
    if len(data) != wire.ORDER.size or not ancillary:  # the host is gone, or a cell left no room for the socket
        _exit(0)
    token, folder = wire.ORDER.unpack(data)
    return token, folder.rstrip(b"\0").decode(), array.array("i", ancillary[0][2])[0]


def take_socket(socket_fd: int) -> None:
    """Keeps this one descriptor. Files and pipes are shared by all forks of a process: siblings could talk by them."""
    _dup(socket_fd, SOCKET_FD, inheritable=False)
    _close_range(0, SOCKET_FD)
    _open("/dev/null", os.O_RDWR)  # as 0: the lowest that is free
    _dup(0, 1)
    _dup(0, 2)


def open_files(held: Sequence[int]) -> list[int]:
    """The descriptors that a cell has left open, and those of `held` that it has not closed; see `occupy`."""
    found = _poll.poll(0)
    if found == _NONE_OPEN and not held:
        return []
    closed = [fd for fd, event in found if event == select.POLLNVAL]
    return [fd for fd in _FILES if fd not in closed or (fd in held and _is_open(fd))]


def free_one() -> None:
    """Closes the last descriptor, which a cell has taken that has taken all: the harness needs one after it."""
    _close_range(_SPARE_FD, SOCKET_FD)


def _is_open(fd: int) -> bool:
    try:
        _get_flag(fd)
    except OSError:
        return False
    return True


def occupy(numbers: Sequence[int]) -> None:
    """Puts dead ends, which can't be read or written, in the place of files that do not survive a fork.

    Python's objects for them do: were a number given out again, they would read and write another file.
    """
    dead = _open("/dev/null", os.O_PATH)
    for number in numbers:
        if number != dead:
            _dup(dead, number)
    if dead not in numbers:
        _close(dead)
