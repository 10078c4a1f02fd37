"""The kernel's own bound behind the sandbox's: a control group (version 2) of all processes of a clean parent.

Where the host lets this process make a group beside its own, as root or within a delegated part of the tree (systemd's
user services, Slurm), the kernel holds memory and processes as well. Its limits are wider than `SandboxLimits`: it is a
net, should a bound of ours ever be passed by, and nothing depends on it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.worker import wire

CONTROLLERS: Final = ("memory", "pids")
_PROC: Final = Path("/proc/self")
_IMPORTS_BYTES: Final = 1 << 30  # of a clean parent
_TABLES_BYTES: Final = 1 << 20  # page tables of a fork
_OTHER_TASKS: Final = 256
_REMOVAL_TRIES: Final = 50
_number: Final = itertools.count()


class Cgroup:
    """A group that this process made (with `make`); it bounds what `controllers` names, of `CONTROLLERS`."""

    def __init__(self, folder: Path, controllers: tuple[str, ...]) -> None:
        self.controllers = controllers
        self._folder = folder

    @classmethod
    def make(cls, limits: SandboxLimits, pid: int | None = None, proc: Path = _PROC) -> Cgroup | None:
        """A group for a clean parent, with room for all that its limits allow; None where there can be none."""
        for parent, controllers in _places(proc):
            _sweep(parent)
            folder = parent / f"mcts_math-{os.getpid()}-{next(_number)}"
            try:
                folder.mkdir()
            except OSError:  # not ours to change
                continue
            group = cls(folder, controllers)
            try:
                group._bound(limits)
                if pid is not None:
                    group.add(pid)
            except OSError:
                group.close()
                continue
            return group
        return None

    def _bound(self, limits: SandboxLimits) -> None:
        most = {
            "memory": limits.snapshot_bytes + limits.max_running * limits.memory_bytes + _IMPORTS_BYTES
            + wire.SHARES * limits.max_sandboxes * limits.temp_bytes + limits.max_snapshots * _TABLES_BYTES,
            "pids": limits.max_snapshots + 2 * limits.max_sandboxes + limits.max_running * limits.max_threads
            + _OTHER_TASKS,
        }  # fmt: skip
        for name in self.controllers:
            (self._folder / f"{name}.max").write_text(str(most[name]))
        swap = self._folder / "memory.swap.max"
        if "memory" in self.controllers and swap.exists():
            swap.write_text("0")

    def add(self, pid: int) -> None:
        """Moves a process, and all that it will start, into the group."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """Ends what is left in the group, and removes it."""
        with contextlib.suppress(OSError):  # before Linux 5.14
            (self._folder / "cgroup.kill").write_text("1")
        for _ in range(_REMOVAL_TRIES):
            try:
                self._folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:  # processes that are just ending
                time.sleep(0.02)
            else:
                return


def _sweep(parent: Path) -> None:
    """Removes what hosts that were killed have left there; a group that still has processes can't be removed."""
    for folder in parent.glob("mcts_math-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _places(proc: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Groups that hand down controllers to new ones, this process's own parent first; with these controllers.

    A group that has processes hands nothing down, except the root of the tree. No bound on memory is left behind: what
    somebody has set for this process holds for its sandboxes.
    """
    try:
        mounted, own = _mount(proc), _own(proc)
    except (OSError, ValueError):  # no /proc as we know it
        return
    if mounted is None or own is None:
        return
    place = mounted / own
    for folder in [mounted / above for above in own.parents] or [mounted]:
        if _is_bounded(place):
            return
        place = folder
        try:
            handed = (folder / "cgroup.subtree_control").read_text().split()
        except OSError:
            continue
        if controllers := tuple(name for name in CONTROLLERS if name in handed):
            yield folder, controllers


def _is_bounded(group: Path) -> bool:
    try:
        return (group / "memory.max").read_text().strip() != "max"
    except OSError:  # the root has none
        return False


def _mount(proc: Path) -> Path | None:
    """Where the tree of groups is mounted, whole."""
    for line in (proc / "mountinfo").read_text(errors="surrogateescape").splitlines():
        fields, _, kind = line.partition(" - ")
        root, point = fields.split()[3:5]
        if kind.startswith("cgroup2 ") and root == "/":
            return Path(point)
    return None


def _own(proc: Path) -> Path | None:
    """This process's group, from the root of the tree."""
    lines = (proc / "cgroup").read_text(errors="surrogateescape").splitlines()
    return next((Path(line.removeprefix("0::/")) for line in lines if line.startswith("0::/")), None)
