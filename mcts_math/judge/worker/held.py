"""Lists and the like that objects of the code hold: the tests have copies, and what they do to these is done there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import values

_MOST = 32
_MOST_BYTES = 32 << 10
"""A larger one stays a copy: whether it was changed costs time to see, before each request."""
HELD = ("get", "__getitem__")
"""Ways to ask for what an object holds."""


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
            values.sync(known[0], value)
            value = known[0]
        data = values.encode(value, self._refer)
        if len(data) <= _MOST_BYTES:
            self._kept[number] = value, data
            for old in list(self._kept)[:-_MOST]:
                del self._kept[old]
        return value

    def changed(self) -> Iterator[tuple[int, Any]]:
        """Numbers and copies that the tests have changed since this was asked last."""
        for number, (value, before) in list(self._kept.items()):
            data = values.encode(value, self._refer)
            if data != before:
                self._kept[number] = value, data
                yield number, value
