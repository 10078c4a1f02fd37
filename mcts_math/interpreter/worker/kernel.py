"""System calls that the standard library lacks, by ctypes; Linux on x86-64 and arm64.

Functions raise OSError with the kernel's errno. Names and numbers are those of the kernel's headers.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import struct

X86_64 = platform.machine() == "x86_64"
COLUMN = 0 if X86_64 else 1  # of tables of numbers. The host does not start this process on any other machine

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
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_SET_THP_DISABLE = 47, 4, 41
CAP_DAC_OVERRIDE = 1

# (x86-64, arm64)
NR = {
    "clone": (56, 220),
    "capset": (126, 91),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    "pivot_root": (155, 41),
    "tgkill": (234, 131),
    "getcwd": (79, 17),
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def number(name: str) -> int:
    """The number of a system call on this machine."""
    return NR[name][COLUMN]


def _check(result: int, what: str) -> int:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")
    return result


def syscall(name: str, *args: object) -> int:
    """Makes a system call; integers are passed as longs, anything else as ctypes passes it."""
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return _check(int(_libc.syscall(ctypes.c_long(number(name)), *longs)), name)


def code_page() -> tuple[mmap.mmap, int]:
    """A page that may be written and run, and its address."""
    rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, rights)
    return page, ctypes.addressof(ctypes.c_char.from_buffer(page))


def prctl(option: int, arg2: int = 0, arg3: int = 0) -> int:
    """prctl(2) with up to three arguments."""
    args = (ctypes.c_ulong(a) for a in (arg2, arg3, 0, 0))
    return _check(int(_libc.prctl(ctypes.c_int(option), *args)), f"prctl({option})")


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(int(_libc.unshare(ctypes.c_int(flags))), "unshare")


def map_ids(to: int, uid: int, gid: int, proc_fd: int | None = None) -> None:
    """Lets a user and a group be number `to` in this process's new user namespace; `proc_fd`: /proc, if hidden."""
    folder = "/proc/self" if proc_fd is None else "self"
    for name, text in (("uid_map", f"{to} {uid} 1"), ("setgroups", "deny"), ("gid_map", f"{to} {gid} 1")):
        file = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
        os.write(file, text.encode())
        os.close(file)


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


def getcwd() -> str:
    """The current folder. Raises OSError at once where its path is too long, with which Python's own takes seconds."""
    buffer = ctypes.create_string_buffer(4096)
    syscall("getcwd", buffer, len(buffer))
    return os.fsdecode(buffer.value)


def is_thread_of(pid: int, tid: int) -> bool:
    """Whether a thread belongs to a process."""
    try:
        syscall("tgkill", pid, tid, 0)
    except OSError:  # no such thread there, or somebody else's
        return False
    return True


def drop_rights(kept: int = 0) -> None:
    """Gives up the capabilities of this process and of all it may become, but for those in a mask; nobody may look at
    its memory, and no program that it starts gets more rights."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # past the last capability (EINVAL), or not entitled to shrink the set (EPERM)
            break
    with contextlib.suppress(OSError):  # kernels without ambient capabilities have none to clear
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    syscall("capset", header, ctypes.create_string_buffer(struct.pack("=6I", kept, kept, 0, 0, 0, 0)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)
