"""Folders for temporary files: one for each cell, that no other cell can reach.

A question's sandbox has a small file system of its own, `BASE`. Nobody may list it or create anything in it, but the
supervisor, which makes a folder for each cell, named by the token of its fork: 64 random bits that its siblings do not
know. When a cell is done, its files become part of its state's memory and the folder goes; the next cell of the branch
finds them in its own folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys

from . import kernel

BASE = "/scratch"
_MAX_FILES = 512
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_chdir, _listdir, _mkdir, _rmdir, _unlink, _open = os.chdir, os.listdir, os.mkdir, os.rmdir, os.unlink, open
_isdir, _join = os.path.isdir, os.path.join


def path_of(token: int) -> str:
    """The folder of the cell whose fork has this token."""
    return f"{BASE}/{token:016x}"


def mount(proc_fd: int, uid: int, gid: int, num_bytes: int) -> None:
    """Mounts `BASE`, in namespaces of this process's own; closes `proc_fd`.

    Args:
        proc_fd: the machine's /proc, which is not shown here.
        uid, gid: this process's, as they were before it had a user namespace of its own.
        num_bytes: the size.
    """
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # else these files are root's
    for name, text in (("uid_map", f"{uid} {uid} 1"), ("setgroups", "deny"), ("gid_map", f"{gid} {gid} 1")):
        file = os.open(f"self/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
        os.write(file, text.encode())
        os.close(file)
    os.close(proc_fd)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    options = f"size={num_bytes},nr_inodes={_MAX_FILES},mode=111"
    kernel.mount("none", BASE, "tmpfs", _NOSUID | _NODEV | _NOEXEC, options)


def make(token: int) -> None:
    """Makes a cell's folder; the supervisor's part."""
    os.mkdir(path_of(token), 0o700)


def remove(token: int) -> None:
    """Removes a cell's folder, with all that a cell that was stopped has left there.

    What a cell has nested too deep for Python stays: that takes room from its own question alone.
    """
    try:
        os.rmdir(path_of(token))
    except FileNotFoundError:
        pass  # the fork never came
    except OSError:
        with contextlib.suppress(OSError, RecursionError):
            shutil.rmtree(path_of(token))


class Folder:
    """What a state knows of its branch's temporary files."""

    def __init__(self) -> None:
        self._path = ""
        self._kept: list[tuple[str, bytes | None]] = []  # relative path and content; None for a folder

    def open(self, token: int) -> None:
        """Makes the folder of a cell the current one, with the files that the cells before left."""
        self._path = path_of(token)
        _chdir(self._path)
        if self._kept:
            self._put()
        if "tempfile" in sys.modules:
            sys.modules["tempfile"].tempdir = self._path  # type: ignore[attr-defined]  # where the cell before had it

    def _put(self) -> None:
        for name, content in self._kept:
            if content is None:
                _mkdir(name)
                continue
            with _open(name, "wb") as file:
                file.write(content)

    def close(self) -> None:
        """Takes the files into memory and leaves the folder empty."""
        if _listdir(self._path) or self._kept:
            _chdir(self._path)
            self._kept = []
            self._take("")

    def _take(self, folder: str) -> None:
        for name in _listdir(folder or "."):
            path = _join(folder, name)
            if _isdir(path):
                self._kept.append((path, None))
                self._take(path)
                _rmdir(path)
                continue
            with _open(path, "rb") as file:
                self._kept.append((path, file.read()))
            _unlink(path)
