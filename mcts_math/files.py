"""Files that are there whole or not at all, and files that one process at a time may write."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def replace_file(path: Path, data: str | bytes) -> None:
    """Writes a file beside and puts it in the place of `path` at once; folders are made. Text is written as UTF-8.

    Raises:
        OSError: it can't be written; `path` is then what it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp{os.getpid()}")
    try:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def is_same_file(first: str | Path, second: str | Path) -> bool:
    """Whether both paths are the same file, by whatever links, or would be once written."""
    try:
        return Path(first).samefile(second)
    except OSError:  # one of them is not there, or can not be
        return os.path.realpath(first) == os.path.realpath(second)


def try_lock(descriptor: int) -> bool:
    """Takes the exclusive lock of an open file, which ends with the process; False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
