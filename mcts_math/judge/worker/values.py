"""How a value crosses from one process to the other: as a pickle that can run nothing when it is read.

Plain data of the exact builtin types goes at the speed of C, and one value's containers keep their identity. All else
goes as `make(kind, content)`: the reader knows that one name and no other, and gives it its own meaning. Value types
of the standard library and numpy arrays go by value. Objects of classes that a program defines go by reference and
stay where they are, but for what derives from an immutable plain type: its plain value comes along, so that no
method of the judged code decides a comparison.
"""

from __future__ import annotations

import array
import io
import itertools
import pickle
import re
import sys
import types
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PosixPath, PurePosixPath, PureWindowsPath
from statistics import NormalDist
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

_DEEPEST = 10_000  # levels of nesting; what C needs for a level fits a stack of 8 MiB that often
_MANY_BYTES = 16 << 20
ONE_PROCESS = "state `isolation` as one_process"  # how a refusal ends
PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, list, dict, set, bytearray, type(None))
FROZEN = (int, float, complex, str, bytes, tuple, frozenset)
MUTABLE = (list, dict, set, bytearray, deque)
_WRITTEN = (Decimal, Fraction, UUID, PosixPath, PurePosixPath, PureWindowsPath)
_WRITTEN_TOO = (IPv4Address, IPv6Address, IPv4Network, IPv6Network)
_PARTS: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {
    **dict.fromkeys((*_WRITTEN, *_WRITTEN_TOO), lambda value: (str(value),)),
    date: lambda value: (value.isoformat(),),
    **dict.fromkeys((time, datetime), lambda value: (value.replace(tzinfo=None).isoformat(), value.fold, _zone(value))),
    timezone: lambda value: value.__getinitargs__(),
    ZoneInfo: lambda value: (value.key,),
    **dict.fromkeys((range, slice), lambda value: (value.start, value.stop, value.step)),
    **dict.fromkeys((Counter, OrderedDict), lambda value: (dict(value),)),
    **dict.fromkeys((type(NotImplemented), type(Ellipsis)), lambda _: ()),
    **dict.fromkeys((type({}.keys()), type({}.values()), type({}.items())), lambda value: (list(value),)),
    complex: lambda value: (value.real, value.imag),
    types.MappingProxyType: lambda value: (dict(value),),
    memoryview: lambda value: (value.tobytes(), value.format, value.shape),
    re.Pattern: lambda value: (value.pattern, value.flags),
    NormalDist: lambda value: (value.mean, value.stdev),
    array.array: lambda value: (value.typecode, value.tolist()),
    timedelta: lambda value: (value.days, value.seconds, value.microseconds),
    deque: lambda value: (list(value), value.maxlen),
    defaultdict: lambda value: (value.default_factory, dict(value)),
}
"""Value types that both sides know, and what the one side needs to make anew what the other side has."""


CONTENT: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {
    types.SimpleNamespace: lambda value: tuple(vars(value).items()),
    ChainMap: lambda value: tuple(value.maps),
    **dict.fromkeys((UserDict, UserList, UserString), lambda value: (value.data,)),
}
"""Types of the standard library whose objects stay where they are, and compare by this content."""


def _zone(value: Any) -> tzinfo | None:
    """The time zone of a time; of a class that the other side does not know, what it says there and then."""
    zone: tzinfo | None = value.tzinfo
    if zone is None or type(zone) is timezone or (type(zone) is ZoneInfo and zone.key):
        return zone
    offset = value.utcoffset()
    return None if offset is None else timezone(offset, value.tzname() or str(offset))


def _timed(kind: Any, text: str, fold: int, zone: Any) -> Any:
    return kind.fromisoformat(text).replace(fold=fold, tzinfo=zone)


async def _coroutine() -> None: ...


_sample = _coroutine()
UNCHANGED = tuple(kind for kind in (*PLAIN, *_PARTS, object) if kind.__flags__ & 1 << 8)
_TYPES = {kind.__name__: kind for kind in UNCHANGED if kind is not object}
"""Types that cross as values: those that nobody can change, as a message may set attributes of what it has made. A
message may call them, so none may be here that makes code."""
LIKE = {
    kind.__name__: kind
    for kind in (
        *(*PLAIN, *_PARTS, object, map, filter, zip, enumerate, reversed, types.FunctionType, types.MethodType),
        *(types.BuiltinFunctionType, types.GeneratorType, types.AsyncGeneratorType, type(_sample), type(iter([]))),
        *(type(iter({})), type(iter(())), type(iter(set())), type(iter("")), itertools.count, itertools.chain),
        *(itertools.cycle, io.StringIO, io.BytesIO, re.Match, *CONTENT),
    )
}
"""Types that an object of the other side may be said to be of (`__class__`): what `isinstance` then answers."""
_sample.close()


class BadValue(Exception):  # noqa: N818 - what was sent is no value; the receiver decides whose fault it is
    """What arrived is not what `encode` writes."""


class CannotCross(Exception):  # noqa: N818 - the sender's own value
    """A value that has no form in the other process.

    Attributes:
        num_extra: about how many bytes less would have had one.
        is_large: less of it would have had one.
    """

    def __init__(self, reason: str, num_extra: float = float("inf")) -> None:
        super().__init__(reason)
        self.num_extra, self.is_large = num_extra, num_extra < float("inf")


def make(kind: str, content: Any) -> Any:
    """Stands in a pickle for what reads it (`reading`); never called."""
    raise BadValue(kind)


class Pickler(pickle.Pickler):
    """Writes one message.

    Args:
        refer: (kind, content) of what goes by reference.
    """

    def __init__(self, file: io.BytesIO, refer: Callable[[Any], tuple[str, Any]]) -> None:
        super().__init__(file, protocol=5)
        self._refer = refer

    def reducer_override(self, value: Any) -> Any:
        """What is not plain; called by `dump`."""
        if value is make:
            return NotImplemented
        return make, pack(value) or self._refer(value)


@contextmanager
def deep() -> Iterator[None]:
    """Lets calls go as deep as a value may: what goes through one takes calls for each level, by Python's version."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def encode(message: Any, refer: Callable[[Any], tuple[str, Any]]) -> bytes:
    """The bytes of a message. Raises CannotCross."""
    file = io.BytesIO()
    try:
        with deep():
            Pickler(file, refer).dump(message)
    except RecursionError:
        raise CannotCross("a value is nested too deep to be handed over", _DEEPEST // 2) from None
    except MemoryError:
        raise CannotCross("a value is too large to be handed over", _MANY_BYTES) from None
    except pickle.PicklingError as error:
        raise CannotCross(f"a value can't be handed over: {error}") from None
    return file.getvalue()


def pack(value: Any) -> tuple[str, Any] | None:
    """(kind, content) of a value type that both sides know; None of anything else."""
    kind = type(value)
    if kind in _PARTS:
        return kind.__name__, _PARTS[kind](value)
    if isinstance(value, type):
        return ("type", (value.__name__,)) if _TYPES.get(value.__name__) is value else None
    if kind.__module__ != "numpy":
        return None
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic):
        plain = value.item()
        return None if isinstance(plain, numpy.generic) else ("is", (plain,))
    if kind is numpy.ndarray and value.dtype.kind == "O":
        return "objects", (value.shape, value.ravel().tolist(), value.flags.writeable)
    if kind is numpy.ndarray and _is_plain_numpy(value.dtype.str):
        return "ndarray", (value.dtype.str, value.shape, value.tobytes(), value.flags.writeable)
    return None


def _is_plain_numpy(name: str) -> bool:
    """Whether a type of numpy is one of numbers, truth values, text or times."""
    return name[:1] in ("<", ">", "|", "=") and name[1:2] in tuple("biufcSUmM?") and not {",", "(", ":"} & set(name)


def _numbers(kind: str, shape: Any, data: bytes, writeable: Any) -> Any:
    if not _is_plain_numpy(kind):
        raise BadValue(f"an array of {kind!r}")
    import numpy

    found = numpy.frombuffer(data, dtype=numpy.dtype(kind)).reshape(shape).copy()
    found.flags.writeable = writeable
    return found


def _objects(shape: Any, items: Any, writeable: Any) -> Any:
    import numpy

    flat = numpy.empty(len(items), dtype=object)
    flat[:] = items
    found = flat.reshape(shape)
    found.flags.writeable = writeable
    return found


MAKERS: dict[str, Callable[..., Any]] = {
    **{kind.__name__: kind for kind in _PARTS},
    "date": date.fromisoformat,
    "Pattern": re.compile,
    "memoryview": lambda data, kind, shape: memoryview(data).cast(kind, list(shape)) if data else memoryview(data),
    **{kind.__name__: partial(_timed, kind) for kind in (time, datetime)},
    "dict_keys": lambda found: dict.fromkeys(found).keys(),
    "dict_values": lambda found: dict(enumerate(found)).values(),
    "dict_items": lambda found: dict(found).items(),
    "type": _TYPES.__getitem__,
    "is": lambda value: value,
    "ndarray": _numbers,
    "objects": _objects,
}


def base_of(value: Any) -> Any:
    """The plain value of an object whose class derives from a plain type, by that type's own methods alone.

    Of one that derives from a type of `CONTENT`: what `made_of` makes it anew of.
    """
    if isinstance(value, tuple(CONTENT)):
        return next(parts(value) for kind, parts in CONTENT.items() if isinstance(value, kind))
    kinds: tuple[Any, ...] = (*FROZEN, *MUTABLE)
    kind = next(kind for kind in kinds if isinstance(value, kind))
    if kind is dict:
        return dict(dict.items(value))
    if kind is complex:
        return complex(value.real, value.imag)
    methods = {int: "__int__", float: "__float__", str: "__str__"}
    return getattr(kind, methods[kind])(value) if kind in methods else kind(kind.__iter__(value))


def made_of(kind: Any, found: Any) -> Any:
    """The value that the other side's `base_of` told of, of that very type. Raises BadValue where it is none."""
    if type(found) is not (tuple if kind in CONTENT else kind):
        raise BadValue(f"a {type(found).__name__} as the content of a {kind.__name__}")
    if kind is types.SimpleNamespace:
        return types.SimpleNamespace(**dict(found))
    return kind(*found) if kind in CONTENT else found
