"""Lists and the like that both sides hold, each a copy of its own: what one side does to its copy is done to the other.

The code's side gives each a number. Every message tells which of them its sender has changed since the last one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import values
from .parts import SHARED, parts, renew
from .values import CannotCross

_MOST = 32
_MOST_BYTES = 64 << 10
"""Of all copies together: whether they were changed costs time to see, before each message."""
_MOST_TOLD = 4 << 20
"""Bytes of one container that the code changes again and again, until it is asked for anew."""
_FRESH = 2  # references to an object that nobody holds but the function that asks
_PER_CALL = (lambda value: sys.getrefcount(value))(object()) - 1  # that a call has to an argument; Python 3.10 has two


def is_held(value: Any, references: int) -> bool:
    """Whether a value is something to change that the code goes on holding: what was made for an answer is not.

    Args:
        value: the value.
        references: `sys.getrefcount` of it, asked where one variable holds it.
    """
    return references > _FRESH and type(value) in SHARED


def held_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> list[tuple[int | str, Any]]:
    """Place and value of the arguments of a call that are held after it, by more than those who ask.

    Who asks has them among the arguments and in a list of their parts; the result stands in three frames.
    """
    found: list[tuple[int | str, Any]] = []
    for place in (*range(len(args)), *kwargs):
        value = args[place] if isinstance(place, int) else kwargs[place]
        references = sys.getrefcount(value) - (3 + 2 * _PER_CALL if result is value else 2)
        if is_held(value, references):
            found.append((place, value))
    return found


class Copies:
    """The containers that this side has shared with the other last.

    Args:
        refer: see `values.Pickler`.
        show: gives a container its number.
        tells_all: what this side did to a container must be told; else up to 4 MiB of it.
    """

    def __init__(
        self, refer: Callable[[Any], tuple[str, Any]], show: Callable[[Any], int], tells_all: bool = True
    ) -> None:
        self._refer, self._show, self._tells_all = refer, show, tells_all
        self._kept: dict[int, tuple[list[Any], bytes]] = {}  # by number: its parts when both sides agreed, and as bytes
        self._told: dict[int, int] = {}  # by number: bytes of its changes

    def keep(self, number: int, value: Any) -> None:
        """Watches over a container that is now as the other side has it, if it is not too large. Raises CannotCross."""
        self._kept.pop(number, None)
        self._told.pop(number, None)
        found = parts(value)
        self._kept[number] = found, values.encode(found, self._refer)
        self._make_room()

    def _make_room(self) -> None:
        """Watches no more over what is too large, nor over what was used longest ago."""
        for number in [number for number, (_, data) in self._kept.items() if len(data) > _MOST_BYTES]:
            del self._kept[number]
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
            if number in self._kept:
                self._kept[number] = self._kept.pop(number)
            else:
                self.keep(number, value)
        return held

    def take(self, number: int, value: Any) -> Any:
        """What stands here for what the other side knows by a number, and has this value: each time the same object."""
        if number in self._kept:
            (known, *_), data = self._kept[number]
            if values.encode(parts(value), self._refer) != data:  # the other side watches no more, and told no change
                renew([known], [value])
            value = known
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
        """Numbers and parts of those that were changed since this was asked last. Raises CannotCross.

        What has grown too large is told once, and watched no more; neither is what the code changes all the time.
        """
        found = []
        for number, (kept, before) in list(self._kept.items()):
            try:
                data = values.encode(kept, self._refer)
                if data == before:
                    continue
                now = parts(kept[0])
                self._kept[number] = now, values.encode(now, self._refer)
            except CannotCross:
                if self._tells_all:
                    raise
                del self._kept[number]
                continue
            self._told[number] = self._told.get(number, 0) + len(data)
            if self._tells_all or len(data) <= _MOST_TOLD:
                found.append((number, kept))
            if not self._tells_all and self._told[number] > _MOST_TOLD:
                del self._kept[number]
        self._make_room()
        return found
