"""The system calls that a node may make: an allow-list as a seccomp filter, and the supervisor's side of it.

What is not listed fails with EPERM, which Python shows as PermissionError. Two things are decided outside the
filter, by the question's supervisor (seccomp user notification): the one fork that a node makes for each step, and
every thread. A fork with the wrong flags never gets that far.

There are two filters: the first gives the listener for these decisions, and while it stands alone the listener can
still be handed over. The second is the allow-list, without `sendmsg`: descriptors that are on their way are counted
for the user, not the process, and a cell that leaves enough of them there would lock out the sandboxes of others.
"""

from __future__ import annotations

import ctypes
import errno
import signal
import struct
from collections.abc import Sequence
from typing import NamedTuple

from . import fork, kernel

NOTIFICATION_BYTES = 80
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_REPLY = struct.Struct("=QqiI")
_CONTINUE = 1

_OP_BYTES = 8
_SET_MODE_FILTER, _FLAG_NEW_LISTENER = 1, 8
_RET_KILL, _RET_ERRNO, _RET_NOTIFY, _RET_ALLOW = 0x80000000, 0x00050000, 0x7FC00000, 0x7FFF0000

# (x86-64, arm64); -1 where the machine has no such call.
_ALLOWED = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "mprotect": (10, 226),
    "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66),
    "access": (21, -1), "pipe": (22, -1), "select": (23, -1), "sched_yield": (24, 124), "mremap": (25, 216),
    "madvise": (28, 233), "dup": (32, 23), "dup2": (33, -1), "pause": (34, -1),
    "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, -1), "setitimer": (38, 103), "getpid": (39, 172),
    "shutdown": (48, 210),
    "getsockname": (51, 204), "getpeername": (52, 205), "exit": (60, 93),
    "wait4": (61, 260), "uname": (63, 160), "getcwd": (79, 17), "chdir": (80, 49), "readlink": (89, -1),
    "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179),
    "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177),
    "getppid": (110, 173), "getpgrp": (111, -1), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgid": (121, 155), "getsid": (124, 156), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132), "setrlimit": (160, 164),
    "gettid": (186, 178), "time": (201, -1), "sched_getaffinity": (204, 123),
    "getdents64": (217, 61), "set_tid_address": (218, 96), "restart_syscall": (219, 128),
    "exit_group": (231, 94), "epoll_wait": (232, -1),
    "epoll_ctl": (233, 21), "waitid": (247, 95), "openat": (257, 56), "newfstatat": (262, 79),
    "readlinkat": (267, 78), "faccessat": (269, 48), "pselect6": (270, 72), "ppoll": (271, 73),
    "set_robust_list": (273, 99), "epoll_pwait": (281, 22), "eventfd2": (290, 19), "epoll_create1": (291, 20),
    "dup3": (292, 24), "pipe2": (293, 59), "getcpu": (309, 168), "getrandom": (318, 278),
    "statx": (332, 291), "rseq": (334, 293), "close_range": (436, 436), "faccessat2": (439, 439),
    "stat": (4, -1), "lstat": (6, -1), "poll": (7, -1), "open": (2, -1),
}  # fmt: skip

# Besides, where there is a folder for temporary files. No chmod: the folder's own parent must stay closed.
_FILE_CALLS = {
    "mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1), "unlink": (87, -1), "unlinkat": (263, 35),
    "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276), "ftruncate": (77, 46), "fsync": (74, 82),
    "fdatasync": (75, 83), "umask": (95, 166), "utimensat": (280, 88),
}  # fmt: skip

# The same, allowed for some arguments only; see `_argument_rules`.
_CHECKED = {
    "mmap": (9, 222), "ioctl": (16, 29), "socketpair": (53, 199), "clone": (56, 220), "fcntl": (72, 25),
    "prctl": (157, 167), "prlimit64": (302, 261), "clone3": (435, 435), "getsockopt": (55, 209),
    "futex": (202, 98), "sendto": (44, 206), "recvfrom": (45, 207), "recvmsg": (47, 212),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
}  # fmt: skip

_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX
_FCNTLS = (0, 1, 2, 3, 4, 1030)  # F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_DUPFD_CLOEXEC; no F_SETOWN: it signals
_LOCKS = (6, 7, 37, 38)  # F_SETLK F_SETLKW F_OFD_SETLK F_OFD_SETLKW: nobody shares a file, so every lock is free
_SOCKET_OPTIONS = (2, 3, 4, 7, 8, 38, 39)  # REUSEADDR TYPE ERROR SNDBUF RCVBUF PROTOCOL DOMAIN; none about the host
_CLONE_FLAGS = (fork.STATE_FLAGS | signal.SIGCHLD, 0x3D0F00, 0x7D0F00)  # the latter: of a thread by glibc and musl
_FUTEX_PRIVATE, _FUTEX_COMMAND = 0x80, 0x7F
_FUTEX_WAITS, _FUTEX_WAKES = (0, 9), (1, 10)  # FUTEX_WAIT, FUTEX_WAIT_BITSET; FUTEX_WAKE, FUTEX_WAKE_BITSET
_MAP_TYPE_MASK, _MAP_PRIVATE, _MAP_HUGETLB = 0x0F, 0x02, 0x40000
_CLOCK_OF_ANOTHER, _CLOCK_OF_A_THREAD = 1 << 31, 4  # bits: negative, with the complement of a number above bit 2
_PR_SET_NAME, _PR_GET_NAME, _SIGKILL, _AF_UNIX, _SOCK_STREAM, _MSG_OOB = 15, 16, 9, 1, 1, 1


class _Op(NamedTuple):
    code: int
    jump_true: int
    jump_false: int
    value: int


def _load(offset: int) -> _Op:
    return _Op(0x20, 0, 0, offset)


def _return(value: int) -> _Op:
    return _Op(0x06, 0, 0, value)


def _equal(value: int, jump_true: int, jump_false: int) -> _Op:
    return _Op(0x15, jump_true, jump_false, value)


_ERRNO_EPERM = _return(_RET_ERRNO | errno.EPERM)


def _argument(index: int) -> _Op:
    """Loads the low half of an argument."""
    return _load(16 + 8 * index)


def _one_of(index: int, allowed: Sequence[int], answered: Sequence[int] = (), mask: int = 0xFFFFFFFF) -> list[_Op]:
    """Allows the call where the low half of an argument, of it the bits in `mask`, is one of `allowed`.

    Where it is one of `answered`, the call is not made and seems done; else EPERM.
    """
    actions = dict.fromkeys(allowed, _RET_ALLOW) | dict.fromkeys(answered, _RET_ERRNO)
    tests = [op for value, action in actions.items() for op in (_equal(value, 0, 1), _return(action))]
    return [_argument(index), _Op(0x54, 0, 0, mask), *tests, _ERRNO_EPERM]


def _without(index: int, bits: int) -> list[_Op]:
    """Allows the call where the low half of an argument has none of some bits, else EPERM."""
    return [_argument(index), _Op(0x45, 0, 1, bits), _ERRNO_EPERM, _return(_RET_ALLOW)]


def _argument_rules() -> dict[str, list[_Op]]:
    """For each checked call, instructions that end in a return on every way through."""
    # No process's CPU time by its number. A thread's the kernel tells its own process alone.
    own_clocks = [
        _argument(0),
        _Op(0x45, 0, 2, _CLOCK_OF_ANOTHER),
        _Op(0x45, 1, 0, _CLOCK_OF_A_THREAD),
        _ERRNO_EPERM,
        _return(_RET_ALLOW),
    ]
    only_streams, only_to_kill = _one_of(1, (_SOCK_STREAM,), mask=0x0F), _one_of(1, (_SIGKILL,))
    return {
        # Shared memory would outlive a fork and join siblings; huge pages are a pool of the whole machine.
        "mmap": _one_of(3, (_MAP_PRIVATE,), mask=_MAP_TYPE_MASK | _MAP_HUGETLB),
        "ioctl": _one_of(1, _IOCTLS),
        "fcntl": _one_of(1, _FCNTLS, answered=_LOCKS),
        # Streams only: from a datagram socket one can write to any socket of the machine that has a path.
        "socketpair": [_argument(0), _equal(_AF_UNIX, 1, 0), _ERRNO_EPERM, *only_streams],
        "clone": _one_of(0, _CLONE_FLAGS),
        # One may name oneself, and ask to die with one's parent; one may not take that back.
        "prctl": [
            _argument(0),
            _equal(kernel.PR_SET_PDEATHSIG, 0, len(only_to_kill)),
            *only_to_kill,
            *_one_of(0, (_PR_SET_NAME, _PR_GET_NAME)),
        ],
        "getsockopt": _one_of(2, _SOCKET_OPTIONS),
        # Others go by the file that lies at the address, and join cells of different questions. Those that wait are
        # told to look again (pthread_join needs one, and looks in a loop); so there is nobody to be woken, which who
        # wakes is told: an error would end the program (libc knows none in a semaphore of several processes).
        "futex": [
            _argument(1),
            _Op(0x45, 8, 0, _FUTEX_PRIVATE),
            _Op(0x54, 0, 0, _FUTEX_COMMAND),
            *(_equal(wait, 4 - i, 0) for i, wait in enumerate(_FUTEX_WAITS)),
            *(_equal(wake, 3 - i, 0) for i, wake in enumerate(_FUTEX_WAKES)),
            _ERRNO_EPERM,
            _return(_RET_ERRNO | errno.EAGAIN),
            _return(_RET_ERRNO),
            _return(_RET_ALLOW),
        ],
        "prlimit64": _one_of(0, (0,)),  # one's own limits
        # Nobody needs bytes out of band, and the kernel's code for them in AF_UNIX was a way out of sandboxes before.
        "sendto": _without(3, _MSG_OOB),
        "recvfrom": _without(3, _MSG_OOB),
        "recvmsg": _without(2, _MSG_OOB),
        **dict.fromkeys(("clock_gettime", "clock_getres", "clock_nanosleep"), own_clocks),
        # Its flags are in memory, out of a filter's sight; libc falls back.
        "clone3": [_return(_RET_ERRNO | errno.ENOSYS)],
    }


def listener_program() -> list[_Op]:
    """The first filter: asks the supervisor about each clone, and lets all else pass."""
    return [_load(0), _equal(kernel.number("clone"), 0, 1), _return(_RET_NOTIFY), _return(_RET_ALLOW)]


def program(files: bool) -> list[_Op]:
    """The second filter, the allow-list. Of two filters the stricter answer counts, and asking is stricter than yes.

    `files` allows to make and remove files, where the file system and Landlock allow it too.
    """
    ops = [
        _load(4),
        _equal(0xC000003E if kernel.X86_64 else 0xC00000B7, 1, 0),
        _return(_RET_KILL),
        _load(0),
    ]
    rules = _argument_rules()
    # The checked calls come first: `mmap` and `clone` are frequent, and a jump over a rule fits in its 8 bits.
    for name, numbers in _CHECKED.items():
        rule = rules[name]
        ops += [_equal(numbers[kernel.COLUMN], 0, len(rule)), *rule]
    for numbers in [*_ALLOWED.values(), *(_FILE_CALLS.values() if files else ())]:
        if numbers[kernel.COLUMN] >= 0:
            ops += [_equal(numbers[kernel.COLUMN], 0, 1), _return(_RET_ALLOW)]
    return [*ops, _ERRNO_EPERM]


def listen() -> int:
    """Puts this process and all its children under the supervisor's decisions; no_new_privs must be set.

    Returns the descriptor on which the supervisor gets the notifications; hand it over, close it, and call `lock`.
    """
    return _install(_LISTENER, _FLAG_NEW_LISTENER)


def lock(files: bool) -> None:
    """Locks this process and all its children in, for good; see `program`."""
    _install(_ALLOW_LISTS[files], 0)


def _assemble(ops: Sequence[_Op]) -> bytes:
    return b"".join(struct.pack("=HBBI", *op) for op in ops)


# Once for all sandboxes: each page that a new process touches costs it a copy.
_LISTENER, _ALLOW_LISTS = _assemble(listener_program()), [_assemble(program(files)) for files in (False, True)]


def _install(code: bytes, flags: int) -> int:
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // _OP_BYTES, ctypes.addressof(buffer)))
    return kernel.syscall("seccomp", _SET_MODE_FILTER, flags, filter_program)


class Notification(NamedTuple):
    """A call that waits for the supervisor's answer."""

    id: int
    pid: int
    flags: int  # first argument of clone
    token: int


def parse_notification(data: bytes | bytearray) -> Notification:
    """Reads a struct seccomp_notif of a clone call."""
    notification_id, pid, _, _, _, _, flags, _, _, _, token, _ = _NOTIFICATION.unpack(data)
    return Notification(notification_id, pid, flags, token)


def allow(notification: Notification) -> bytes:
    """The reply that lets the call run. Safe here: all that was judged were register values, not memory."""
    return _REPLY.pack(notification.id, 0, 0, _CONTINUE)


def refuse(notification: Notification, number: int) -> bytes:
    """The reply that fails the call with an errno."""
    return _REPLY.pack(notification.id, 0, -number, 0)
