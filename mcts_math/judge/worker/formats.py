"""Texts that the tests use as formats: one of the code's may ask no value for an attribute."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import Any

FORMATS = ("format", "format_map")
"""Methods whose text may ask for any attribute."""


def _fields(text: str) -> Iterator[str]:
    """The fields of a format, those within its fields as well. Raises ValueError where it is none."""
    for _, field, within, _ in string.Formatter().parse(text):
        if field is not None:
            yield field
            yield from _fields(within or "")


class Formats:
    """Texts that are used as formats.

    Args:
        is_own: whether something stands within a text of the tests.
        has_come: whether the code can have given anything by now.
    """

    def __init__(self, is_own: Callable[[str], bool], has_come: Callable[[], bool]) -> None:
        self._is_own, self._has_come, plain = is_own, has_come, string.Formatter.get_field

        def get_field(formatter: Any, field: str, args: Any, kwargs: Any) -> Any:
            self._require(field)
            return plain(formatter, field, args, kwargs)

        string.Formatter.get_field = get_field  # type: ignore[method-assign, assignment]

    def _require(self, text: str) -> None:
        """Raises TypeError where a format, or a field of one, asks for attributes, and may be of the code."""
        if "." in text and self._has_come() and not self._is_own(text):
            raise TypeError(f"a format that asks for {text[:40]!r} is not used as the tests' own")

    def method(self, value: Any, name: str) -> Any:
        """`value.format` or `value.format_map`."""
        if value is str:
            return lambda text, *args, **kwargs: self.method(text, name)(*args, **kwargs)
        found = getattr(value, name)
        if not isinstance(value, str) or getattr(type(value), name) is not getattr(str, name):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            for field in _fields(value):
                self._require(field)
            return found(*args, **kwargs)

        return call
