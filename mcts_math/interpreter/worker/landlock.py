"""Landlock: which files a node may open, enforced by the kernel whatever the mounts look like."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_CHANGE = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 13 | 1 << 14  # make and remove files and folders, move, truncate
_RIGHTS_BY_ABI = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))  # fs rights that each ABI added
_NET_RIGHTS, _SCOPES = 3, 3  # bind and connect TCP (ABI 4); abstract sockets and signals (ABI 6)


def restrict(read_only: Iterable[str], devices: Iterable[str], writable: Iterable[str]) -> None:
    """Lets this process and its children open only what is named, for good; no_new_privs must be set.

    Devices may be read and written; in `writable` directories files and folders may be made, changed and removed.
    Raises OSError where the kernel has no Landlock.
    """
    version = kernel.syscall("landlock_create_ruleset", 0, 0, 1)
    rights = sum(bits for since, bits in _RIGHTS_BY_ABI if version >= since)
    attributes = struct.pack("=QQQ", rights, _NET_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    attributes = attributes[: 24 if version >= 6 else 16 if version >= 4 else 8]
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    ruleset = kernel.syscall("landlock_create_ruleset", buffer, len(attributes), 0)
    try:
        for path in read_only:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in devices:
            _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
        for path in writable:
            _allow(ruleset, path, (_READ_FILE | _READ_DIR | _WRITE_FILE | _CHANGE) & rights)
        kernel.syscall("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # what is not shown here needs no right
    try:
        if not os.path.isdir(path):
            rights &= ~_READ_DIR
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, fd), 12)
        kernel.syscall("landlock_add_rule", ruleset, 1, rule, 0)
    finally:
        os.close(fd)
