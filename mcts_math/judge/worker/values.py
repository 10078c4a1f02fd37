"""How a value crosses from one process to the other: as JSON, so that reading it can run nothing.

Plain data goes by value: numbers, text, bytes, the containers of `builtins` and `collections`, a few value types of
the standard library. A subclass arrives as its plain base, so no method of the judged code comes along: an `__eq__`
that always agrees stays at home. Anything else goes by reference, and stays where it is. One value's containers keep
their identity: a list that occurs twice arrives as one list.
"""

from __future__ import annotations

import base64
import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

_JSON_INT = 1 << 53
_BUILTIN_TYPES = {
    t.__name__: t
    for t in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, type(None))
}
_SEQUENCES: dict[str, type[Any]] = {"list": list, "deque": deque, "set": set, "bytearray": bytearray}
_FROZEN: dict[str, type[Any]] = {"tuple": tuple, "frozenset": frozenset}
_MAPPINGS: dict[str, type[Any]] = {"Counter": Counter, "OrderedDict": OrderedDict, "dict": dict}
_TEXTS: dict[str, tuple[type[Any], Callable[[str], Any]]] = {
    "Decimal": (Decimal, Decimal),
    "Fraction": (Fraction, Fraction),
    "datetime": (datetime.datetime, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.fromisoformat),
}


class BadValue(Exception):  # noqa: N818 - what was sent is no value; the receiver decides whose fault it is
    """What arrived is not what `Encoder` writes."""


class Encoder:
    """Writes one message's values.

    Args:
        refer: gives the JSON for what goes by reference; raises TypeError where it may not go at all.
    """

    def __init__(self, refer: Callable[[Any], Any]) -> None:
        self._refer = refer
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is good only while its object lives

    def encode(self, value: Any) -> Any:
        """The JSON of a value: itself, or [kind, content]."""
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if isinstance(value, int):
            number = int.__int__(value)
            return number if -_JSON_INT < number < _JSON_INT else ["int", hex(number)]
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, complex):
            return ["complex", [value.real, value.imag]]
        if isinstance(value, bytes):
            return ["bytes", base64.b64encode(value).decode()]
        if isinstance(value, range):
            return ["range", [self.encode(x) for x in (value.start, value.stop, value.step)]]
        if kind.__module__ == "numpy" and getattr(value, "ndim", 1) == 0:
            return self.encode(value.item())
        return self._encode_structure(value)

    def _encode_structure(self, value: Any) -> Any:
        if id(value) in self._numbers:
            return ["again", self._numbers[id(value)]]
        for name, kind in {**_SEQUENCES, **_FROZEN}.items():
            if isinstance(value, kind):
                self._number(value)
                return [name, [self.encode(x) for x in kind.__iter__(value)]]
        for name, kind in _MAPPINGS.items():
            if isinstance(value, kind):
                self._number(value)
                return [name, [[self.encode(k), self.encode(v)] for k, v in kind.items(value)]]
        for name, (kind, _) in _TEXTS.items():
            if isinstance(value, kind):
                return [name, value.isoformat() if hasattr(value, "isoformat") else str(value)]
        if isinstance(value, datetime.timedelta):
            return ["timedelta", [value.days, value.seconds, value.microseconds]]
        for name, builtin in _BUILTIN_TYPES.items():
            if value is builtin:
                return ["type", name]
        if value is NotImplemented or value is Ellipsis:
            return ["constant", repr(value)]
        return self._refer(value)

    def _number(self, value: Any) -> None:
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)


class Decoder:
    """Reads one message's values.

    Args:
        resolve: gives the object for [kind, content] of a kind that is not plain; raises BadValue.
    """

    def __init__(self, resolve: Callable[[Any, Any], Any]) -> None:
        self._resolve = resolve
        self._numbered: list[Any] = []

    def decode(self, data: Any) -> Any:
        """The value of what `Encoder.encode` wrote. Raises BadValue on anything else."""
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        try:
            kind, content = data
            return self._decode(kind, content)
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError) as error:
            raise BadValue(f"{type(error).__name__}: {error}") from error

    def _decode(self, kind: Any, content: Any) -> Any:
        if kind in _SEQUENCES:
            return self._fill(_SEQUENCES[kind](), content)
        if kind in _FROZEN:
            place = len(self._numbered)
            self._numbered.append(_UNFINISHED)
            value = self._numbered[place] = _FROZEN[kind](self.decode(x) for x in content)
            return value
        if kind in _MAPPINGS:
            mapping = _MAPPINGS[kind]()
            self._numbered.append(mapping)
            for key, item in content:
                mapping[self.decode(key)] = self.decode(item)
            return mapping
        if kind in _TEXTS:
            return _TEXTS[kind][1](content)
        return self._decode_atom(kind, content)

    def _fill(self, container: Any, content: Any) -> Any:
        self._numbered.append(container)
        add = container.add if isinstance(container, set) else container.append
        for item in content:
            add(self.decode(item))
        return container

    def _decode_atom(self, kind: Any, content: Any) -> Any:
        if kind == "again":
            value = self._numbered[content]
            if value is _UNFINISHED:
                raise BadValue("a tuple within itself")
            return value
        if kind == "int":
            return int(content, 16)
        if kind == "complex":
            return complex(*content)
        if kind == "bytes":
            return base64.b64decode(content, validate=True)
        if kind == "range":
            return range(*(self.decode(x) for x in content))
        if kind == "timedelta":
            return datetime.timedelta(*content)
        if kind == "type":
            return _BUILTIN_TYPES[content]
        if kind == "constant":
            return {"NotImplemented": NotImplemented, "Ellipsis": Ellipsis}[content]
        return self._resolve(kind, content)


_UNFINISHED = object()
_ = defaultdict  # arrives as a dict: what its missing keys give is code
