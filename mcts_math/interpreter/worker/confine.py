"""Takes rights away from a process, in the order in which that is possible."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import kernel, landlock, mounts, seccomp, wire

_SPARE_BYTES = 1 << 20  # of memory, for a branch's files where it has used up its own


class Rules(NamedTuple):
    """What the host orders; plain data. The fields of `SandboxLimits`, and of `Layers` (one that fails is an error).

    Attributes:
        temp_bytes: 0 also where there can be no folders.
        temp_places: file systems for temporary files, by which cells share no room; see `wire.folder_of`.
        path: Python's module search path, absolute.
        warm_up: run once before any question, so that lazy imports and caches are shared by all.
        uid: user and group to become when started as root, and to be in namespaces.
        exact: numbers are not rounded.
        tells: cells send what they print before they are done.
        libraries: directories and files with shared libraries and time zones; this and what follows is filled in by
            the clean parent.
        base_bytes: its address space.
        proc_fd: a descriptor of /proc, which is not shown any more; -1 where nobody needs it.
    """

    modules: list[str]
    memory_bytes: int
    cpu_seconds: int
    max_threads: int
    truncate: int
    output_chars: int
    input_files: list[str]
    temp_bytes: int
    temp_places: int
    namespaces: bool
    landlock: bool
    seccomp: bool
    path: list[str]
    warm_up: str
    uid: int
    exact: bool
    tells: bool
    libraries: Sequence[str] = ()
    base_bytes: int = 0
    proc_fd: int = -1

    @property
    def readable(self) -> list[str]:
        """All that a node may read."""
        return [*self.path, *self.libraries, *self.input_files]

    @property
    def writable(self) -> Sequence[str]:
        """Where temporary files may be."""
        return wire.SCRATCH[: self.temp_places] if self.temp_bytes else ()


def enter_file_system(rules: Rules) -> int:
    """Gives this process a mount namespace that shows Python alone, and another host name; see `Rules.proc_fd`."""
    proc_fd = os.open("/proc", os.O_PATH | os.O_CLOEXEC) if rules.temp_bytes else -1
    own = kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS
    try:
        os.setgroups([])  # who may not do that can't become another user, but in a namespace of its own
        kernel.unshare(own)
    except PermissionError:  # no root; or that of a container, which needs a user namespace as anybody does
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | own)
        kernel.map_ids(rules.uid, uid, gid)
    socket.sethostname("sandbox")
    mounts.enter(rules.readable, rules.writable)
    return proc_fd


def leave_root(uid: int) -> None:
    """Becomes an ordinary user where this process is root and may; else keeps the user and drops capabilities."""
    if os.geteuid() == 0 and uid != 0:
        with contextlib.suppress(PermissionError):  # a user namespace may have no other user
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
    kernel.drop_rights()


def set_limits(rules: Rules) -> None:
    """Sets the rlimits of a node; they hold for each process by itself."""
    cpu_seconds = rules.cpu_seconds + (os.cpu_count() or 1)  # the host looks before that, and tells why
    memory = rules.base_bytes + rules.memory_bytes
    limits = {
        resource.RLIMIT_AS: (memory, memory + _SPARE_BYTES),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 1),
        resource.RLIMIT_FSIZE: (rules.temp_bytes,) * 2,
        resource.RLIMIT_MEMLOCK: (0, 0),
        resource.RLIMIT_MSGQUEUE: (0, 0),
        resource.RLIMIT_NOFILE: (wire.NUM_FILES, wire.NUM_FILES),
        resource.RLIMIT_RTPRIO: (0, 0),
        resource.RLIMIT_SIGPENDING: (256, 256),
        resource.RLIMIT_STACK: (8 << 20, 8 << 20),
    }
    for which, (soft, hard) in limits.items():
        old_hard = resource.getrlimit(which)[1]
        if old_hard != resource.RLIM_INFINITY:
            soft, hard = min(soft, old_hard), min(hard, old_hard)
        resource.setrlimit(which, (soft, hard))


def lock(rules: Rules, hand_over: Callable[[int], None]) -> None:
    """Locks this process and all that it forks in, for good.

    Args:
        hand_over: is given the descriptor for the supervisor (`seccomp.listen`), or -1 without seccomp, and must have
            sent it to the supervisor when it returns. By then the limit on open files is still the machine's: the
            kernel compares it with the descriptors that all processes of this user together have on their way.
    """
    kernel.drop_rights()
    hand_over(seccomp.listen() if rules.seccomp else -1)
    set_limits(rules)
    if rules.landlock:
        landlock.restrict(rules.readable, mounts.DEVICES, rules.writable)
    if rules.seccomp:
        seccomp.lock(files=rules.temp_bytes > 0)
