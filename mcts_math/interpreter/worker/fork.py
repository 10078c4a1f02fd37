"""Forks as this package needs them: with clone flags, with a token for the supervisor, and in as few page faults as
possible. On x86-64 by a little machine code, elsewhere by ctypes.

Each page that a new process touches costs it a copy: measured, 3 µs. What Python does around a fork (locks, hooks, one
system call after the other through ctypes) touches 120 of them, a third of a trivial step. A process with one thread
needs none of it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
from _thread import _count as _num_other_threads
from collections.abc import Callable
from typing import TypeAlias

from . import kernel, wire

SOCKET_FD = 63
"""A state's own socket: the highest that RLIMIT_NOFILE allows, out of the way of what snippets open."""

_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_fork_in_child = ctypes.pythonapi.PyOS_AfterFork_Child
_SIGCHLD = int(signal.SIGCHLD)
_NO_SOCKET = -1

# int fork(flags, token, hook, socket): clone(2), and in the child first what a state does, if there is a socket, and
# then the hook (`PyOS_AfterFork_Child`), if there is one. All in one call from Python: between two calls the bytecode
# interpreter may hand the GIL to a waiting thread; in the child there is none, and it would wait for ever.
_FORK_X86_64 = bytes.fromhex(
    "53"  # push rbx
    "4154"  # push r12
    "4155"  # push r13
    "4889d3"  # mov rbx, rdx
    "4189cc"  # mov r12d, ecx
    "4989f0"  # mov r8, rsi     the TLS argument
    "4989f2"  # mov r10, rsi    the child_tid argument
    "31f6"  # xor esi, esi
    "31d2"  # xor edx, edx
    "b838000000"  # mov eax, 56       clone
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "0f85b4000000"  # jne end
    "4585e4"  # test r12d, r12d
    "0f88a2000000"  # js hook
    "bf01000000"  # mov edi, 1        PR_SET_PDEATHSIG
    "be09000000"  # mov esi, 9        SIGKILL
    "b89d000000"  # mov eax, 157      prctl
    "0f05"  # syscall
    "4489e7"  # mov edi, r12d
    "be3f000000"  # mov esi, 63       SOCKET_FD
    "ba00000800"  # mov edx, 0x80000  O_CLOEXEC
    "b824010000"  # mov eax, 292      dup3
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "0f8884000000"  # js die
    "bf03000000"  # mov edi, 3
    "be3e000000"  # mov esi, 62
    "31d2"  # xor edx, edx
    "b8b4010000"  # mov eax, 436      close_range
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "786d"  # js die
    "488d3d6f000000"  # lea rdi, [rip+path]
    "be02000000"  # mov esi, 2        O_RDWR
    "b802000000"  # mov eax, 2        open
    "0f05"  # syscall
    "4189c5"  # mov r13d, eax
    "85c0"  # test eax, eax
    "7853"  # js die
    "4531e4"  # xor r12d, r12d
    "4489ef"  # next: mov edi, r13d
    "4489e6"  # mov esi, r12d
    "b821000000"  # mov eax, 33       dup2
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "783f"  # js die
    "41ffc4"  # inc r12d
    "4183fc03"  # cmp r12d, 3
    "75e6"  # jne next
    "4489ef"  # mov edi, r13d
    "b803000000"  # mov eax, 3        close
    "0f05"  # syscall
    "bf3f000000"  # mov edi, 63
    "488d3533000000"  # lea rsi, [rip+hello]
    "ba05000000"  # mov edx, 5
    "b801000000"  # mov eax, 1        write
    "0f05"  # syscall
    "83f805"  # cmp eax, 5
    "750f"  # jne die                 the host has given this step up
    "4885db"  # hook: test rbx, rbx
    "7402"  # je zero
    "ffd3"  # call rbx
    "31c0"  # zero: xor eax, eax
    "415d"  # end: pop r13
    "415c"  # pop r12
    "5b"  # pop rbx
    "c3"  # ret
    "31ff"  # die: xor edi, edi
    "b8e7000000"  # mov eax, 231      exit_group
    "0f05"  # syscall
)
_DATA = b"/dev/null\0" + wire.REPLY.pack(wire.HELLO, 0)  # path, hello
_Forker: TypeAlias = Callable[[int, int, "ctypes.c_void_p | None", int], int]


def _machine_forker() -> _Forker:
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page.write(_FORK_X86_64 + _DATA)
    kernel.protect(address := ctypes.addressof(ctypes.c_char.from_buffer(page)), mmap.PROT_READ | mmap.PROT_EXEC)
    arguments = (ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_int)
    call = ctypes.PYFUNCTYPE(ctypes.c_int, *arguments)(address)
    return lambda *args, _page=page: int(call(*args))


def _ctypes_forker() -> _Forker:
    """The same without machine code: safe unless a snippet left a busy thread behind, whose step is then lost."""
    # PyDLL keeps the GIL.
    nr, zero = ctypes.c_long(kernel.number("clone")), ctypes.c_ulong(0)
    call = ctypes.PyDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long

    def fork(flags: int, token: int, hook: ctypes.c_void_p | None, _: int) -> int:
        pid = int(call(nr, ctypes.c_ulong(flags), zero, zero, ctypes.c_ulong(token), ctypes.c_ulong(token)))
        if pid == 0 and hook is not None:
            _after_fork_in_child()
        return pid if pid >= 0 else -ctypes.get_errno()

    return fork


_forker = _machine_forker() if kernel.X86_64 else _ctypes_forker()
_child_hook = ctypes.cast(_after_fork_in_child, ctypes.c_void_p)
_close_range, _dup, _open = os.closerange, os.dup2, os.open  # a snippet may replace those of `os`
_close, _write, _exit = os.close, os.write, os._exit
_at_once = kernel.X86_64 and kernel.has_close_range()


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
    _before_fork()
    pid = _forker(flags | _SIGCHLD, token, _child_hook, _NO_SOCKET)
    if pid == 0:
        return 0
    _after_fork_in_parent()
    return _checked(pid)


def clone_state(flags: int, token: int, socket_fd: int) -> int:
    """Forks the process of a state.

    The child has `socket_fd` as its `SOCKET_FD` and no other file but /dev/null, dies with its parent, and has said
    hello; it ends where the host does not listen any more.

    Args:
        flags, token: as for `clone`.
        socket_fd: the child's socket; stays open here.

    Returns:
        As `clone`.
    """
    if _at_once and not _num_other_threads():
        return _checked(_forker(flags | _SIGCHLD, token, None, socket_fd))
    pid = clone(flags, token)
    if pid == 0:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        take_socket(socket_fd)
        if _write(SOCKET_FD, _DATA[-wire.REPLY.size :]) != wire.REPLY.size:
            _exit(0)
    return pid


def _checked(pid: int) -> int:
    if pid < 0:
        raise OSError(-pid, f"clone: {os.strerror(-pid)}")
    return pid


def take_socket(socket_fd: int) -> None:
    """Keeps this one descriptor. Files and pipes are shared by all forks of a process: siblings could talk by them."""
    _dup(socket_fd, SOCKET_FD, inheritable=False)
    _close_range(3, SOCKET_FD)
    null = _open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        _dup(null, fd)
    _close(null)
