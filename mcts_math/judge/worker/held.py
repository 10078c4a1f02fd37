"""Lists and the like that both sides hold, each a copy of its own: what one side does to its copy is done to the other.

The code's side gives each a number. Every message tells which of them its sender has changed since the last one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import remote, values
from .parts import parts, renew

_MOST = 32
_MOST_BYTES = 64 << 10
"""Of all copies together: whether they were changed costs time to see, before each message."""
_FRESH = 2  # references to an object that nobody holds but the function that asks
_MOST_ITEMS = 4096


def is_held(value: Any, references: int) -> bool:
    """Whether an answer is something to change, and not large, that the code goes on holding.

    A list that was made for this answer, as by a property that copies, is held by nobody.

    Args:
        value: the answer.
        references: `sys.getrefcount` of it, asked where one variable holds it.
    """
    if references <= _FRESH or remote.is_object(value) or not isinstance(value, values.MUTABLE):
        return False
    return len(value) <= _MOST_ITEMS and len(value) + sum(map(_length, _items(value))) <= _MOST_ITEMS


def held_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> list[tuple[int | str, Any]]:
    """Place and value of the arguments of a call that are held after it, by more than those who ask.

    Who asks has them among the arguments and in a list of their parts; the result stands in three frames.
    """
    found: list[tuple[int | str, Any]] = []
    for place in (*range(len(args)), *kwargs):
        value = args[place] if isinstance(place, int) else kwargs[place]
        references = sys.getrefcount(value) - (5 if result is value else 2)
        if is_held(value, references):
            found.append((place, value))
    return found


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _length(item: Any) -> int:
    return len(item) if isinstance(item, (*values.MUTABLE, str, bytes, tuple, frozenset)) else 0


class Copies:
    """The containers that this side has shared with the other last.

    Args:
        refer: see `values.Pickler`.
        show: gives a container its number.
    """

    def __init__(self, refer: Callable[[Any], tuple[str, Any]], show: Callable[[Any], int]) -> None:
        self._refer, self._show = refer, show
        self._kept: dict[int, tuple[list[Any], bytes]] = {}  # by number: its parts when both sides agreed, and as bytes

    def keep(self, number: int, value: Any) -> None:
        """Watches over a container that is now as the other side has it. Raises CannotCross."""
        self._kept.pop(number, None)
        found = parts(value)
        self._kept[number] = found, values.encode(found, self._refer)
        room = _MOST_BYTES
        for place, old in enumerate(reversed(list(self._kept))):  # the latest ones stay
            room -= len(self._kept[old][1])
            if place >= _MOST or room < 0:
                del self._kept[old]

    def hold(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], given: list[Any], result: Any, references: int
    ) -> list[tuple[int | str, int]]:
        """Watches over what the code goes on holding of the arguments and the result of a call; place and number.

        Args:
            args, kwargs, result: of the call.
            given: `parts` of the arguments.
            references: `sys.getrefcount` of the result.
        """
        found = held_arguments(args, kwargs, result)
        if is_held(result, references - 1) and not any(part is result for part in given):
            found.append((-1, result))
        held = [(place, self._show(value)) for place, value in found]
        for (_, number), (_, value) in zip(held, found, strict=True):
            if number not in self._kept:
                self.keep(number, value)
        return held

    def take(self, number: int, value: Any) -> Any:
        """What stands here for what the other side knows by a number, and has this value: each time the same object."""
        if number in self._kept:
            value = self._kept[number][0][0]
        self.keep(number, value)
        return value

    def update(self, number: int, olds: list[Any], news: list[Any]) -> None:
        """Takes over what the other side did to a container.

        Args:
            number: of the container.
            olds: its parts, where nobody watches over it any more; none: then nobody needs it.
            news: their copies.
        """
        olds = self._kept[number][0] if number in self._kept else olds
        renew(olds, news)
        if olds:
            self.keep(number, olds[0])

    def changed(self) -> list[tuple[int, list[Any]]]:
        """Numbers and parts of those that were changed since this was asked last. Raises CannotCross."""
        found = []
        for number, (kept, before) in list(self._kept.items()):
            if values.encode(kept, self._refer) != before:
                found.append((number, kept))
                now = parts(kept[0])
                self._kept[number] = now, values.encode(now, self._refer)
        return found
