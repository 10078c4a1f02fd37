"""System calls that the standard library lacks, by ctypes; Linux on x86-64 and arm64.

Functions raise OSError with the kernel's errno. Names and numbers are those of the kernel's headers.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import mmap
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

X86_64 = platform.machine() == "x86_64"
ARM64 = platform.machine() == "aarch64"

CLONE_PARENT = 0x00008000
CLONE_THREAD = 0x00010000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
MADV_COLLAPSE = 25
HUGE_PAGE_BYTES = 2 << 20

# (x86-64, arm64)
NR = {
    "clone": (56, 220),
    "capset": (126, 91),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    "pivot_root": (155, 41),
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
_after_fork_in_child = ctypes.pythonapi.PyOS_AfterFork_Child
_SIGCHLD = int(signal.SIGCHLD)


def supported() -> bool:
    """Whether this machine is one whose system call numbers are known here."""
    return sys.platform == "linux" and (X86_64 or ARM64) and sys.maxsize > 2**32


def number(name: str) -> int:
    """The number of a system call on this machine."""
    return NR[name][0 if X86_64 else 1]


def _check(result: int, what: str) -> int:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")
    return result


def syscall(name: str, *args: object) -> int:
    """Makes a system call; integers are passed as longs, anything else as ctypes passes it."""
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return _check(int(_libc.syscall(ctypes.c_long(number(name)), *longs)), name)


# clone(2) and, in the child, `PyOS_AfterFork_Child` (third argument) within one call from Python. Between two calls the
# bytecode interpreter may hand the GIL to a waiting thread; in the child there is none, and it would wait for ever.
_CLONE_X86_64 = bytes.fromhex(
    "53"  # push rbx
    "4889d3"  # mov rbx, rdx
    "4989f0"  # mov r8, rsi     the TLS argument
    "4989f2"  # mov r10, rsi    the child_tid argument
    "31f6"  # xor esi, esi
    "31d2"  # xor edx, edx
    "b838000000"  # mov eax, 56
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7504"  # jne end
    "ffd3"  # call rbx
    "31c0"  # xor eax, eax
    "5b"  # end: pop rbx
    "c3"  # ret
)
_Forker: TypeAlias = Callable[[int, int], int]


def _machine_forker() -> _Forker:
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    page.write(_CLONE_X86_64)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    _check(int(_libc.mprotect(address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)), "mprotect")
    call = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p)(address)
    child_hook = ctypes.cast(_after_fork_in_child, ctypes.c_void_p)
    return lambda flags, token, _page=page: call(flags, token, child_hook)  # type: ignore[misc]


def _ctypes_forker() -> _Forker:
    """The same without machine code: safe unless a snippet left a busy thread behind, whose step is then lost."""
    # PyDLL keeps the GIL.
    call, nr, zero = ctypes.PyDLL(None, use_errno=True).syscall, ctypes.c_long(number("clone")), ctypes.c_ulong(0)
    call.restype = ctypes.c_long

    def fork(flags: int, token: int) -> int:
        pid = int(call(nr, ctypes.c_ulong(flags), zero, zero, ctypes.c_ulong(token), ctypes.c_ulong(token)))
        if pid == 0:
            _after_fork_in_child()
        return pid if pid >= 0 else -ctypes.get_errno()

    return fork


_forker = _machine_forker() if X86_64 else _ctypes_forker()


def clone(flags: int, token: int = 0) -> int:
    """Forks this process as `os.fork` does, with clone flags.

    Args:
        flags: CLONE_* flags without a signal; SIGCHLD is added.
        token: 64 bits that the kernel ignores (the TLS argument, which counts with CLONE_SETTLS only, and child_tid;
            x86-64 and arm64 differ in their order). A seccomp supervisor sees them: this is how a node shows that its
            fork was ordered by the host.

    Returns:
        0 in the child, the child's pid in the parent.
    """
    _before_fork()
    pid = _forker(flags | _SIGCHLD, token)
    if pid == 0:
        return 0
    _after_fork_in_parent()
    if pid < 0:
        raise OSError(-pid, f"clone: {os.strerror(-pid)}")
    return pid


def prctl(option: int, arg2: int = 0, arg3: int = 0) -> int:
    """prctl(2) with up to three arguments."""
    args = (ctypes.c_ulong(a) for a in (arg2, arg3, 0, 0))
    return _check(int(_libc.prctl(ctypes.c_int(option), *args)), f"prctl({option})")


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(int(_libc.unshare(ctypes.c_int(flags))), "unshare")


def mount(source: str, target: str, fs_type: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    args = (source.encode(), target.encode(), fs_type.encode() or None, flags, data.encode() or None)
    _check(int(_libc.mount(*args)), f"mount {target}")


def umount_detached(target: str) -> None:
    """umount2(2) with MNT_DETACH."""
    _check(int(_libc.umount2(target.encode(), ctypes.c_int(2))), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2)."""
    syscall("pivot_root", ctypes.c_char_p(new.encode()), ctypes.c_char_p(old.encode()))


def drop_capabilities() -> None:
    """Gives up every capability, for this process and all it may become."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # past the last capability (EINVAL), or not entitled to shrink the set (EPERM)
            break
    with contextlib.suppress(OSError):  # kernels without ambient capabilities have none to clear
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    syscall("capset", header, ctypes.create_string_buffer(24))


def _private_ranges() -> Iterator[tuple[int, int, str, str]]:
    """This process's mappings: start, end, permissions, file ("" for none)."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        lines = [line.split(maxsplit=5) for line in maps]
    for fields in lines:
        start, end = (int(x, 16) for x in fields[0].split("-"))
        yield start, end, fields[1], fields[5].strip() if len(fields) > 5 else ""


def merge_library_data() -> int:
    """Makes the data that the loader write-protected (RELRO) writable again, so that it merges with what follows it.

    A fork copies, for each mapping with private pages, a chain as long as the process's line of ancestors: measured,
    a quarter of its time. Every library has two such mappings that differ in this permission alone. It protects
    nothing from snippets, which may call mprotect(2).

    Returns:
        The number of mappings merged.
    """
    count = 0
    ranges = list(_private_ranges())
    for (start, end, permissions, file), (next_start, _, next_permissions, next_file) in itertools.pairwise(ranges):
        relro = permissions == "r--p" and next_permissions == "rw-p" and end == next_start and file == next_file != ""
        if relro and _libc.mprotect(start, end - start, mmap.PROT_READ | mmap.PROT_WRITE) == 0:
            count += 1
    return count


def collapse_into_huge_pages() -> int:
    """Moves this process's private memory into huge pages where the kernel can (MADV_COLLAPSE, Linux 6.1).

    Forking copies one page-table entry per page: 12,000 after importing sympy, a few dozen once collapsed. Measured,
    a fork with its exit takes half the time. It is an optimisation and nothing depends on it.

    Returns:
        The number of huge pages made.
    """
    count = 0
    for start, end, permissions, file in list(_private_ranges()):
        if permissions != "rw-p" or file not in ("", "[heap]"):
            continue
        first = (start + HUGE_PAGE_BYTES - 1) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
        for address in range(first, end - HUGE_PAGE_BYTES + 1, HUGE_PAGE_BYTES):
            if _libc.madvise(address, HUGE_PAGE_BYTES, MADV_COLLAPSE) == 0:
                count += 1
    return count
