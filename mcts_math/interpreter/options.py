"""What the sandbox may use."""

from __future__ import annotations

import importlib.util
import os
import resource
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mcts_math.errors import InterpreterError

_OTHER_FILES = 512  # of the host program, at most
_TOLD = ("step_timeout_s", "cpu_seconds", "memory_bytes", "temp_bytes")  # to the kernel
_MOST = 1 << 58  # of these: the kernel's own numbers are larger
_FILES_PER_SANDBOX = 8  # its own two and those of four states and steps


def _default_sandboxes() -> int:
    """As many as this machine holds with ease: each takes some 3 MiB, and they may take a 16th of the memory.

    A question that lost its sandbox costs a new one and all cells of its branch at its next step, and a search that
    takes the questions in turn loses every one of them if there is one place too few.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = (most_files - _OTHER_FILES) // _FILES_PER_SANDBOX if most_files != resource.RLIM_INFINITY else 1024
    return max(64, min(1024, room, memory // 16 // (3 << 20)))


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What cells may use, and what they find. The bounds hold whatever a cell does.

    Attributes:
        step_timeout_s: seconds of one cell, rendering of its value included; > 0. Seconds in which the cell was ready
            to run while every core was taken do not count, up to ten times this limit.
        cpu_s: CPU seconds of one cell, all its threads together; None for twice `step_timeout_s` rounded up, plus 1.
            The kernel counts them by samples: on a busy machine it is wrong by some 10 %.
        memory_bytes: memory that one cell may allocate beyond what Python and the imported modules take.
        snapshot_bytes: memory of all kept states and running cells together. Where it runs short, kept states are ended
            first; then the cells that came last are stopped, and run again when there is room.
        max_snapshots: kept states, all sessions together; >= 1. By default four times `max_sandboxes`. Those from which
            cells run just now may be more.
        max_sandboxes: questions that keep processes at a time; the idlest are put away (and rebuilt when needed). By
            default 64 to 1,024, by the machine's memory and the hard limit of open files (`ulimit -Hn`).
        max_running: cells that run at a time; more wait, and their clocks do not run meanwhile.
        max_threads: threads that one cell may start.
        observations: "published" rounds printed numbers to 4 decimals, as the published tool does; "exact" does not.
        truncate: characters of one print, value or error that are shown.
        output_chars: characters of one observation; several prints may be shown.
        num_parents: clean parent processes; forks of one parent hinder each other, so two or more use more cores.
        modules: packages that are imported once, before any question.
        input_files: absolute paths of files and folders that cells may read, in the same places.
        temp_bytes: size of one cell's temporary files, with those that its branch has left; 0 for none. Needs
            namespaces. Cells of a question that run at a time have room for eight times as much together.
        allow_unsafe_exec: run even where the kernel gives neither seccomp nor a file system fence.
    """

    step_timeout_s: float = 30.0
    cpu_s: int | None = None
    memory_bytes: int = 1 << 30
    snapshot_bytes: int = 2 << 30
    max_snapshots: int = field(default_factory=lambda: 4 * _default_sandboxes())
    max_sandboxes: int = field(default_factory=_default_sandboxes)
    max_running: int = field(default_factory=lambda: max(8, 2 * (os.cpu_count() or 1)))
    max_threads: int = 64
    observations: Literal["published", "exact"] = "published"
    truncate: int = 500
    output_chars: int = 4000
    num_parents: int = 2
    modules: tuple[str, ...] = ("numpy", "sympy")
    input_files: tuple[str, ...] = ()
    temp_bytes: int = 16 << 20
    allow_unsafe_exec: bool = False

    def __post_init__(self) -> None:
        """Refuses values that could not work."""
        low = {
            "step_timeout_s": 0.001,
            "cpu_seconds": 1,
            "memory_bytes": 16 << 20,
            "snapshot_bytes": 0,
            "max_snapshots": 1,
            "max_sandboxes": 1,
            "max_running": 1,
            "max_threads": 0,
            "truncate": 1,
            "output_chars": 100,
            "num_parents": 1,
            "temp_bytes": 0,
        }
        for name, least in low.items():
            value, most = getattr(self, name), " and at most 2**58" if name in _TOLD else ""
            kind = (int, float) if name == "step_timeout_s" else int
            if not isinstance(value, kind) or not value >= least or (most and value > _MOST):
                whole = ", a whole number" if kind is int else ""
                raise ValueError(f"SandboxLimits.{name} is {value!r}; it must be at least {least}{most}{whole}")
        for name in ("modules", "input_files"):
            if isinstance(value := getattr(self, name), str):
                raise ValueError(f"SandboxLimits.{name} is {value!r}; it must be a tuple of such")
        if self.observations not in ("published", "exact"):
            raise ValueError(f"SandboxLimits.observations is {self.observations!r}; it must be published or exact")
        for path in self.input_files:
            if not Path(path).is_absolute():
                raise ValueError(f"SandboxLimits.input_files has {path!r}; each must be an absolute path")

    @property
    def cpu_seconds(self) -> int:
        """CPU seconds of one cell, a whole number as the kernel counts them."""
        return self.cpu_s if self.cpu_s is not None else 2 * int(-(-self.step_timeout_s // 1)) + 1

    def require_modules(self) -> None:
        """Raises InterpreterError where a module is not installed; whether its import succeeds, the start tells."""
        for name in self.modules:
            package = name.partition(".")[0]
            if not package or importlib.util.find_spec(package) is None:
                raise InterpreterError(f"No module named {name!r}: `modules` names it; install it, or leave it out")

    def allow_files(self) -> None:
        """Raises this process's soft limit of open files, where it is short, towards what so many sandboxes need."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        need = _OTHER_FILES + 4 * self.max_sandboxes + self.max_snapshots
        if soft != resource.RLIM_INFINITY and soft < need:
            most = need if hard == resource.RLIM_INFINITY else min(need, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
