"""Runs a Python program as a user without rights, where the tests themselves run as root.

Python may live where such a user can't look (`/root`). Then the folders that lead to it are shown to the program, in
a mount namespace of its own; nothing changes for anybody else.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from mcts_math.interpreter.orders import search_path
from mcts_math.interpreter.worker import kernel

UID = 54321


def become(extra: Path) -> None:
    """Turns this process into that of an ordinary user who can run Python.

    Args:
        extra: another folder that the program needs.
    """
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=0x4000 | 0x40000)
    executable = Path(sys.executable)
    needed = [*map(Path, search_path()), executable.parent.parent, executable.resolve().parent, extra]
    needed.append(Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib"))
    for closed in sorted({top for path in needed if (top := closed_parent(path)) is not None}):
        inside = [p for p in needed if p.is_relative_to(closed)]
        show([p for p in inside if not any(q in p.parents for q in inside)], closed)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)


def closed_parent(path: Path) -> Path | None:
    """The highest folder above `path` that others may not enter."""
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & 1:
            return parent
    return None


def show(paths: list[Path], closed: Path) -> None:
    """Replaces `closed` by a folder that leads to `paths` alone."""
    handles = [(path, os.open(path, os.O_PATH)) for path in sorted(set(paths), key=lambda p: len(p.parts))]
    aside = "/mnt"
    kernel.mount("none", aside, "tmpfs", 0, "mode=755")
    for i, (_, handle) in enumerate(handles):
        Path(aside, str(i)).mkdir()
        kernel.mount(f"/proc/self/fd/{handle}", f"{aside}/{i}", flags=0x1000)
        os.close(handle)
    kernel.mount("none", str(closed), "tmpfs", 0, "mode=755")
    for i, (path, _) in enumerate(handles):
        path.mkdir(parents=True, exist_ok=True)
        kernel.mount(f"{aside}/{i}", str(path), flags=0x1000)
    kernel.umount_detached(aside)


def main() -> None:
    """Becomes the user and runs `python PROGRAM ARGUMENT...`."""
    become(Path(__file__).parents[2])
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


if __name__ == "__main__":
    main()
