"""Lists and the like that objects of the code hold: the tests have copies, and what they do to these is done there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from . import remote, values

_MOST = 32
_MOST_BYTES = 64 << 10
"""Of all copies together: whether they were changed costs time to see, before each request."""
_FRESH = 2  # references to an object that nobody holds but the function that asks
_MOST_ITEMS = 4096


def is_held(how: str, value: Any) -> bool:
    """Whether an answer is something to change, and not large, that the object which was asked may hold.

    A list that was made for this answer, as by a property that copies, is held by nobody.
    """
    if how not in ("get", "__getitem__") or remote.is_object(value) or not isinstance(value, values.MUTABLE):
        return False
    return len(value) <= _MOST_ITEMS and len(value) + sum(map(_length, _items(value))) <= _MOST_ITEMS


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _length(item: Any) -> int:
    return len(item) if isinstance(item, (*values.MUTABLE, str, bytes, tuple, frozenset)) else 0


def is_fresh(references: int) -> bool:
    """Whether `sys.getrefcount` of an answer, asked where one variable holds it, tells that nothing else does."""
    return references <= _FRESH


def _replace(old: Any, new: Any) -> None:
    """Gives a container new items. Those that it had may be the tests' own: they stay what they are."""
    if isinstance(old, (list, bytearray)):
        old[:] = new
        return
    old.clear()
    (old.extend if isinstance(old, deque) else old.update)(new)


class Copies:
    """The copies that the tests got last.

    Args:
        refer: see `values.Pickler`.
    """

    def __init__(self, refer: Callable[[Any], tuple[str, Any]]) -> None:
        self._refer = refer
        self._kept: dict[int, tuple[Any, bytes]] = {}  # by number: the copy, and what it was when both sides agreed

    def take(self, number: int, value: Any) -> Any:
        """What the tests get for what the other side knows by a number: each time the same object."""
        known = self._kept.pop(number, None)
        if known is not None and type(known[0]) is type(value):
            _replace(known[0], value)
            value = known[0]
        self._kept[number] = value, values.encode(value, self._refer)
        room = _MOST_BYTES
        for place, old in enumerate(reversed(list(self._kept))):  # the latest ones stay
            room -= len(self._kept[old][1])
            if place >= _MOST or room < 0:
                del self._kept[old]
        return value

    def changed(self) -> list[tuple[int, Any]]:
        """Numbers and copies that the tests have changed since this was asked last. Raises CannotCross."""
        found = []
        for number, (value, before) in self._kept.items():
            data = values.encode(value, self._refer)
            if data != before:
                self._kept[number] = value, data
                found.append((number, value))
        return found
