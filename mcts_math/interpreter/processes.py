"""What the kernel tells about a process; the process of a state, as the host knows it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from mcts_math.interpreter.parent import no_room

_FORK_FAULTS, _FORK_CPU_TICKS = 256, 20  # many times what a fork takes: 1 MiB, 0.2 s
_MANY_PAGES, _MANY_TICKS = 4096, 2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MAPPING_BYTES = 256  # of the kernel's memory
_MANY_MAPPINGS, _MOST_MAPPINGS = 1 << 13, 1 << 16  # no program has so many; the kernel's own bound
_TABLES = re.compile(rb"^VmPTE:\s*(\d+) kB", re.MULTILINE)


@dataclass(slots=True)
class ProcessFacts:
    """What the kernel tells about a process."""

    has_ended: bool  # its first thread has, and of what others hold the kernel tells nothing
    num_faults: int
    num_threads: int
    num_pages: int
    start_ticks: int
    cpu_ticks: int

    @classmethod
    def read(cls, pid: int) -> ProcessFacts | None:
        """Reads /proc; None if there is no such process, or it is hidden.

        Raises InterpreterError where this process may open no more files.
        """
        try:
            stat = read_small(f"/proc/{pid}/stat")
            fields = stat[stat.rindex(b")") + 2 :].split()
            num_faults, num_pages = int(fields[7]), int(fields[21])
            if num_faults > _MANY_PAGES:  # else it is not worth a second file
                _, resident, shared = read_small(f"/proc/{pid}/statm").split()[:3]
                num_pages = int(resident) - int(shared)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        except OSError as error:
            raise no_room(error) from error
        return cls(
            has_ended=fields[0] in (b"Z", b"X"),
            num_faults=num_faults,
            num_threads=int(fields[17]),
            num_pages=num_pages,
            start_ticks=int(fields[19]),
            cpu_ticks=int(fields[11]) + int(fields[12]),
        )

    @property
    def num_private_bytes(self) -> int:
        """An upper bound of the memory that the process shares with no other.

        Each page that a fork makes its own costs it a fault (pages that come and go count each time), as huge pages are
        forbidden in a sandbox; and it can't hold more than all of its pages that are no file's.
        """
        return min(self.num_faults, self.num_pages) * _PAGE_BYTES


@dataclass(slots=True, eq=False)
class StateProcess:
    """A live state: a process that waits on a socket.

    Attributes:
        sock: our end of its socket.
        pid: its process id, as the kernel told it.
        start_ticks: when the process started; -1 where it was gone before that could be asked.
        num_bytes: memory that it holds and no other state does, estimated from above.
        num_kernel_bytes: of that, what the kernel needs to hold it; its parent's where it has done little.
        num_users: steps that start from it; it is not put away meanwhile.
        max_faults, max_cpu_ticks: what a process that only waits and forks will not exceed; see `stands_still`.
    """

    sock: socket.socket
    pid: int
    start_ticks: int = -1
    num_bytes: int = 0
    num_kernel_bytes: int = 0
    num_users: int = 0
    max_faults: int = 0
    max_cpu_ticks: int = 0

    def note(self, facts: ProcessFacts, parent: StateProcess) -> None:
        """Takes what the kernel says when its cell is done; it is a fork of `parent`."""
        is_light = facts.num_faults <= _MANY_PAGES and facts.cpu_ticks < _MANY_TICKS  # no time for many mappings
        self.num_kernel_bytes = parent.num_kernel_bytes if is_light else _num_kernel_bytes(self.pid)
        self.num_bytes = facts.num_private_bytes + self.num_kernel_bytes
        self.start_ticks = facts.start_ticks
        self.max_faults, self.max_cpu_ticks = facts.num_faults, facts.cpu_ticks
        self.allow_fork()

    def allow_fork(self) -> None:
        """Allows it the work of an order."""
        self.max_faults += _FORK_FAULTS
        self.max_cpu_ticks += _FORK_CPU_TICKS

    def stands_still(self) -> bool:
        """Whether it has done no more than its orders need. One that says its cell is done, and goes on, has not."""
        facts = ProcessFacts.read(self.pid)
        if facts is None or facts.start_ticks != self.start_ticks:
            return True  # it is gone: that costs nothing, and who needs it will notice
        within = facts.num_faults <= self.max_faults and facts.cpu_ticks <= self.max_cpu_ticks
        return within and facts.num_threads == 1 and not facts.has_ended


def _num_kernel_bytes(pid: int) -> int:
    """What the kernel needs for a process's page tables, and for its mappings where this process may look (as root).

    Of more than 8192 mappings the kernel's bound is taken for the number: to count them would take long. Raises as
    `ProcessFacts.read` does.
    """
    count, tables = 0, None
    try:
        tables = _TABLES.search(read_small(f"/proc/{pid}/status"))
        with Path(f"/proc/{pid}/maps").open("rb", buffering=0) as maps:
            while count <= _MANY_MAPPINGS and (lines := maps.read(1 << 16)):
                count += lines.count(b"\n")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    except OSError as error:
        raise no_room(error) from error
    num_mappings = count if count <= _MANY_MAPPINGS else _MOST_MAPPINGS
    return num_mappings * _MAPPING_BYTES + (int(tables[1]) << 10 if tables else 0)


def kill(pid: int, start_ticks: int) -> None:
    """Kills a process, known by when it started; not another one that got its number meanwhile."""
    with contextlib.suppress(ProcessLookupError):  # it went by itself
        handle = os.pidfd_open(pid)
        try:
            facts = ProcessFacts.read(pid)
            if facts is not None and facts.start_ticks == start_ticks:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def read_small(path: str) -> bytes:
    """The first 4 KiB of a file. Thousands are read a second: a file object would take as long again."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)
