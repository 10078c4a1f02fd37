"""Whose processes are the interpreter's: those that came into being during a test."""

from __future__ import annotations

import psutil

OTHERS: list[psutil.Process] = []
"""Below pytest before the test, such as the engines that other tests keep."""


def children(recursive: bool = True) -> list[psutil.Process]:
    """Processes that the test has started."""
    return [process for process in psutil.Process().children(recursive) if process not in OTHERS]


def num_living() -> int:
    """How many of them have not ended."""
    return sum(map(_lives, children()))


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it ended while we looked
        return False
