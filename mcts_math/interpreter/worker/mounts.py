"""A root file system that shows only what Python needs, read-only."""

from __future__ import annotations

import os
from collections.abc import Iterable

from . import kernel

_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 0x1000, 0x4000, 0x40000
_LOCKABLE = {os.ST_NOSUID: _NOSUID, os.ST_NODEV: _NODEV, os.ST_NOEXEC: _NOEXEC, os.ST_NOATIME: 1024}
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def enter(read_only: Iterable[str], empty: Iterable[str]) -> None:
    """Makes a small read-only root and moves this process into it; needs a mount namespace of its own.

    It shows directories and files (absolute paths) in the same places, without those that are missing; and empty
    directories to mount something on.
    """
    kernel.mount("none", "/", flags=_REC | _PRIVATE)
    # /proc is there on every Linux, and is not wanted: as good a place to build the new root on as any.
    base = "/proc"
    kernel.mount("none", base, "tmpfs", _NOSUID | _NODEV, "size=64k,mode=755")
    os.chdir(base)
    for path in _without_nested(p for p in read_only if os.path.exists(p)):
        _bind(path, base + path, _RDONLY | _NOSUID | _NODEV)
    for path in DEVICES:
        _bind(path, base + path, _NOSUID | _NOEXEC)
    for path in empty:
        os.makedirs(base + path, 0o755, exist_ok=True)
    for name in ("/lib", "/lib32", "/lib64"):  # by such links the dynamic loader finds its libraries
        if os.path.islink(name) and not os.path.lexists(base + name):
            os.symlink(os.readlink(name), base + name)
    kernel.pivot_root(".", ".")
    kernel.umount_detached(".")
    os.chdir("/")
    kernel.mount("none", "/", flags=_REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _without_nested(paths: Iterable[str]) -> list[str]:
    """Drops the paths that lie below another one."""
    kept: list[str] = []
    for path in sorted(set(map(os.path.normpath, paths))):
        if not any(path == k or path.startswith(k.rstrip("/") + "/") for k in kept):
            kept.append(path)
    return kept


def _bind(source: str, target: str, flags: int) -> None:
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        with open(target, "wb"):
            pass
    kernel.mount(source, target, flags=_BIND)
    # Flags that an outer mount has are locked within a user namespace: they must be repeated.
    has = os.statvfs(target).f_flag
    locked = sum(flag for bit, flag in _LOCKABLE.items() if has & bit)
    kernel.mount("none", target, flags=_REMOUNT | _BIND | flags | locked)
