"""Texts that the tests use as formats: one of the code's asks of values what the code may ask of them."""

from __future__ import annotations

import string
from _string import formatter_field_name_split  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator
from typing import Any

from .acts import allowed
from .remote import RemoteType

FORMATS = ("format", "format_map")
"""Methods whose text may ask for any attribute."""


def _fields(text: str) -> Iterator[str]:
    """The fields of a format, those within its fields as well. Raises ValueError where it is none."""
    for _, field, within, _ in string.Formatter().parse(text):
        if field is not None:
            yield field
            yield from _fields(within or "")


class Formats:
    """Texts that are used as formats. What one asks of the values that it is given, the code may ask of them.

    Args:
        is_own: whether something stands within a text of the tests.
        has_come: whether the code can have given anything by now.
    """

    def __init__(self, is_own: Callable[[str], bool], has_come: Callable[[], bool]) -> None:
        self._is_own, self._has_come, plain = is_own, has_come, string.Formatter.get_field

        def get_field(formatter: Any, field: str, args: Any, kwargs: Any) -> Any:
            return (plain if self._may(field) else _allowed_field)(formatter, field, args, kwargs)

        string.Formatter.get_field = get_field  # type: ignore[method-assign, assignment]

    def _may(self, text: str) -> bool:
        """Whether a format, or a field of one, asks for no attributes, or is of the tests."""
        return "." not in text or not self._has_come() or self._is_own(text)

    def method(self, value: Any, name: str) -> Any:
        """`value.format` or `value.format_map`; of a text of the code, what the library has for it in Python."""
        if value is str:
            return lambda text, *args, **kwargs: self.method(text, name)(*args, **kwargs)
        found = getattr(value, name)
        if not isinstance(value, str) or getattr(type(value), name) is not getattr(str, name) or self._may(value):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if all(map(self._may, _fields(value))):
                return found(*args, **kwargs)
            return string.Formatter().vformat(value, *((args, kwargs) if name == "format" else ((), *args)))

        return call


def _allowed_field(formatter: string.Formatter, field: str, args: Any, kwargs: Any) -> Any:
    first, rest = formatter_field_name_split(field)
    value = formatter.get_value(first, args, kwargs)
    for is_attribute, key in rest:
        if not is_attribute:
            value = value[key]
        elif isinstance(type(value), RemoteType):
            value = getattr(value, key)
        else:
            value = allowed(value, "get", (key,), {})
    return value, first
