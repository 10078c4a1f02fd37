"""Folders for temporary files: one for each cell, that no other cell can reach.

A question's sandbox has small file systems of its own at `wire.SCRATCH`. The supervisor alone may list them or create
anything in them: a folder for each cell, named by the token of its fork, which its siblings do not know. When a cell is
done, its files become part of its state's memory and the folder goes; the branch's next cell finds them in its own.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import resource
import shutil
import sys
from collections.abc import Iterator

from . import kernel, wire

_MAX_FILES = 512  # of a cell, folders included
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_chdir, _listdir, _mkdir, _rmdir, _unlink, _open = os.chdir, os.listdir, os.mkdir, os.rmdir, os.unlink, open
_getcwd, _isdir, _join, _umask = kernel.getcwd, os.path.isdir, os.path.join, os.umask
_get_limit, _set_limit = resource.getrlimit, resource.setrlimit


def settle() -> None:
    """`shutil` copies a file's bytes and times, not its mode: no cell may set one. Call it before all questions."""
    shutil.copymode = lambda src, dst, *, follow_symlinks=True: None
    shutil.copystat = _copy_times  # type: ignore[assignment]


def _copy_times(src: str, dst: str, *, follow_symlinks: bool = True) -> None:
    found = os.stat(src, follow_symlinks=follow_symlinks)
    os.utime(dst, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=follow_symlinks)


def mount(proc_fd: int, uid: int, num_bytes: int, num_places: int) -> None:
    """Mounts the first of `wire.SCRATCH`, in namespaces of this process's own; closes `proc_fd`.

    Args:
        proc_fd: the machine's /proc, which is not shown here.
        uid: this process's, and its group's, as it was before it had a user namespace of its own.
        num_bytes: of each cell; there is room for several in each place.
        num_places: how many.
    """
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else these files are root's
    kernel.map_ids(uid, uid, uid, proc_fd)
    os.close(proc_fd)
    options = f"size={wire.SHARES * num_bytes},nr_inodes={wire.SHARES * _MAX_FILES},mode=111"
    for place in wire.SCRATCH[:num_places]:
        kernel.mount("none", place, "tmpfs", _NOSUID | _NODEV | _NOEXEC, options)


def make(folder: str) -> bool:
    """Makes a cell's folder, the supervisor's part; False where other cells of the question have filled the place."""
    try:
        os.mkdir(folder, 0o700)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


def remove(folder: str) -> None:
    """Removes a cell's folder, with all that a cell that was stopped has left there, however deep."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        pass  # the fork never came
    except OSError:
        with contextlib.suppress(OSError):
            _remove_all(folder)


def _remove_all(folder: str) -> None:
    """Removes a folder that nobody uses any more: brings up, time and again, what is one level down."""
    number = itertools.count()
    while names := os.listdir(folder):
        for path in [os.path.join(folder, name) for name in names]:
            if not os.path.isdir(path):
                os.unlink(path)
                continue
            for name in os.listdir(path):
                free = (os.path.join(folder, str(n)) for n in number)
                os.rename(os.path.join(path, name), next(place for place in free if not os.path.lexists(place)))
            os.rmdir(path)
    os.rmdir(folder)


class _SpareMemory:
    """In its context memory is free that `confine.set_limits` keeps from cells: they can't use that up."""

    def __enter__(self) -> None:
        self._limits = _get_limit(resource.RLIMIT_AS)
        _set_limit(resource.RLIMIT_AS, (self._limits[1], self._limits[1]))

    def __exit__(self, *exc: object) -> None:
        _set_limit(resource.RLIMIT_AS, self._limits)


_spare_memory = _SpareMemory()  # one for all: more objects are more pages


class Kept:
    """The temporary files of a state's branch, in its memory; at most `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._files: list[tuple[str, bytes | None]] = []  # relative path and content; None for a folder
        self._place = ""  # relative path of the current folder

    def put(self) -> None:
        """Puts what the cells before left into the current folder, as its owner may use it, and goes where they were.

        Raises OSError (ENOSPC) where other cells of the question leave no room.
        """
        if not self._files:
            return
        mask = _umask(0o022)
        with _spare_memory:
            for name, content in self._files:
                if content is None:
                    _mkdir(name)
                    continue
                with _open(name, "wb") as file:
                    file.write(content)
        _umask(mask)
        if self._place:
            _chdir(self._place)

    def take(self, folder: str) -> None:
        """Takes the files of a cell's folder into memory and leaves the folder empty.

        Raises OSError, MemoryError or RecursionError where they can't be had, are too many or too deep; what the cells
        before left stays as it was.
        """
        with _spare_memory:
            if _listdir(folder) or self._files:
                place = _place_in(folder)
                _chdir(folder)
                self._files = self._taken()
                self._place = place
        if getattr(sys.modules.get("tempfile"), "tempdir", None) is not None:
            sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]  # the next cell has another folder

    def _taken(self) -> list[tuple[str, bytes | None]]:
        taken: list[tuple[str, bytes | None]] = []
        num_bytes = 0
        for name, content in _moved(""):
            taken.append((name, content))
            num_bytes += len(content or b"")
            if num_bytes > self._max_bytes or len(taken) > _MAX_FILES:
                most = f"{self._max_bytes} bytes or {_MAX_FILES} temporary files"
                raise OSError(errno.ENOSPC, f"more than {most}, those of the cells before included")
        return taken


def _place_in(folder: str) -> str:
    """The current folder's path from a folder; "" for that itself, and where the current one is elsewhere or gone."""
    try:
        here = _getcwd()
    except FileNotFoundError:
        return ""
    return here[len(folder) + 1 :] if here.startswith(folder) else ""


def _moved(folder: str) -> Iterator[tuple[str, bytes | None]]:
    """What is in a folder, each folder before what is in it; it is removed meanwhile."""
    for name in _listdir(folder or "."):
        path = _join(folder, name)
        if _isdir(path):
            yield path, None
            yield from _moved(path)
            _rmdir(path)
            continue
        with _open(path, "rb") as file:
            content = file.read()
        _unlink(path)
        yield path, content
