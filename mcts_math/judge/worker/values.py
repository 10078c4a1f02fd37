"""How a value crosses from one process to the other: as a pickle that can run nothing when it is read.

Plain data of the exact builtin types goes at the speed of C, and one value's containers keep their identity. All else
goes as `make(kind, content)`: the reader knows that one name and no other, and gives it its own meaning. Value types
of the standard library and numpy arrays go by value. Objects of classes that a program defines go by reference and
stay where they are, but for what derives from an immutable plain type: its plain value comes along, so that no
method of the judged code decides a comparison.
"""

from __future__ import annotations

import array
import datetime
import importlib
import io
import itertools
import pickle
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

_DEEPEST = 10_000  # levels of nesting; what C needs for a level fits a stack of 8 MiB that often
PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, list, dict, set, bytearray, type(None))
FROZEN = (int, float, complex, str, bytes, tuple, frozenset)
MUTABLE = (list, dict, set, bytearray, deque)
_TEXTS: dict[str, Callable[[str], Any]] = {
    "Decimal": Decimal,
    "Fraction": Fraction,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
}
_KINDS = (Decimal, Fraction, datetime.datetime, datetime.date, datetime.time)
_NAMED = {
    "uuid": ("UUID",),
    "pathlib": ("PosixPath", "PurePosixPath", "PureWindowsPath"),
    "ipaddress": ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network"),
}
"""Classes of values that their text makes anew, by module."""
_VIEWS: dict[type[Any], Callable[[Any], Any]] = {
    type({}.keys()): lambda found: dict.fromkeys(found).keys(),
    type({}.values()): lambda found: dict(enumerate(found)).values(),
    type({}.items()): lambda found: dict(found).items(),
}


async def _coroutine() -> None: ...


def _named(*kinds: type[Any]) -> dict[str, type[Any]]:
    return {kind.__name__: kind for kind in kinds}


_sample = _coroutine()
_TYPES = _named(*PLAIN, range, object, deque, Counter, OrderedDict, defaultdict, *_KINDS, datetime.timedelta)
"""Types that cross as values. A message may call them, so none may be here that makes code."""
LIKE = _TYPES | _named(
    *(map, filter, zip, enumerate, reversed, types.FunctionType, types.BuiltinFunctionType, types.MethodType),
    *(types.GeneratorType, types.AsyncGeneratorType, type(_sample), type(iter([])), type(iter({})), type(iter(()))),
    *(type(iter(set())), type(iter("")), itertools.count, itertools.chain, itertools.cycle, io.StringIO, io.BytesIO),
)
"""Types that an object of the other side may be said to be of (`__class__`): what `isinstance` then answers."""
_sample.close()


class BadValue(Exception):  # noqa: N818 - what was sent is no value; the receiver decides whose fault it is
    """What arrived is not what `encode` writes."""


class CannotCross(Exception):  # noqa: N818 - the sender's own value
    """A value that has no form in the other process."""


def make(kind: str, content: Any) -> Any:
    """Stands in a pickle for `Reader.make`; never called."""
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


class Unpickler(pickle.Unpickler):
    """Reads one message.

    Args:
        resolve: the object for (kind, content) of a kind that `unpack` does not know; raises BadValue.
    """

    def __init__(self, file: io.BytesIO, resolve: Callable[[str, Any], Any]) -> None:
        super().__init__(file)
        self._resolve = resolve

    def find_class(self, module: str, name: str) -> Any:
        """The one name that a message may use."""
        if name != "make":
            raise BadValue(f"the name {name!r}")
        return self._make

    def _make(self, kind: str, content: Any) -> Any:
        reader = _READERS.get(kind)
        return reader(content) if reader is not None else self._resolve(kind, content)


def encode(message: Any, refer: Callable[[Any], tuple[str, Any]]) -> bytes:
    """The bytes of a message. Raises CannotCross."""
    file = io.BytesIO()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _DEEPEST))
    try:
        Pickler(file, refer).dump(message)
    except RecursionError:
        raise CannotCross("a value is nested too deep to be handed over") from None
    except pickle.PicklingError as error:
        raise CannotCross(f"a value can't be handed over: {error}") from None
    finally:
        sys.setrecursionlimit(limit)
    return file.getvalue()


def decode(data: bytes, resolve: Callable[[str, Any], Any]) -> Any:
    """The message of such bytes. Raises BadValue on anything else."""
    try:
        return Unpickler(io.BytesIO(data), resolve).load()
    except Exception as error:  # of whatever reading rubbish may raise
        raise BadValue(f"{type(error).__name__}: {error}"[:200]) from error


def pack(value: Any) -> tuple[str, Any] | None:
    """(kind, content) of a value type that both sides know; None of anything else."""
    kind = type(value)
    if kind in _VIEWS:
        return "view", (kind.__name__, list(value))
    if kind is range or kind is slice:
        return kind.__name__, (value.start, value.stop, value.step)
    if kind is complex:
        return "complex", (value.real, value.imag)
    if kind is array.array:
        return "array", (value.typecode, list(value))
    for plain in _KINDS:
        if kind is plain:
            return plain.__name__, value.isoformat() if hasattr(value, "isoformat") else str(value)
    if kind.__name__ in _NAMED.get(kind.__module__, ()):
        return "named", (kind.__module__, kind.__name__, str(value))
    if kind is datetime.timedelta:
        return "timedelta", (value.days, value.seconds, value.microseconds)
    if kind is deque:
        return "deque", (list(value), value.maxlen)
    if kind is defaultdict:
        return "defaultdict", (value.default_factory, dict(value))
    if kind in (Counter, OrderedDict):
        return kind.__name__, dict(value)
    if isinstance(value, type) and value in _TYPES.values():
        return "type", value.__name__
    if value is NotImplemented or value is Ellipsis:
        return "constant", repr(value)
    if kind.__module__.partition(".")[0] == "numpy":
        return _pack_numpy(value)
    return None


def _pack_numpy(value: Any) -> tuple[str, Any] | None:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic):
        plain = value.item()
        return None if isinstance(plain, numpy.generic) else ("is", plain)
    if type(value) is not numpy.ndarray:
        return None
    if value.dtype.kind == "O":
        return "objects", (value.shape, value.ravel().tolist())
    if not _is_plain_numpy(value.dtype.str):
        return None
    return "ndarray", (value.dtype.str, value.shape, value.tobytes())


def _is_plain_numpy(name: str) -> bool:
    """Whether a type of numpy is one of numbers, truth values, text or times. (`re` would cost a millisecond here.)"""
    return name[:1] in ("<", ">", "|", "=") and name[1:2] in tuple("biufcSUmM?") and not {",", "(", ":"} & set(name)


def _numpy(content: Any) -> Any:
    """An array, or where numpy is not there, the lists that stand for it."""
    kind, shape, data = content
    if not _is_plain_numpy(kind):
        raise BadValue(f"an array of {kind!r}")
    import numpy

    return numpy.frombuffer(data, dtype=numpy.dtype(kind)).reshape(shape).copy()


def _objects(content: Any) -> Any:
    import numpy

    shape, items = content
    flat = numpy.empty(len(items), dtype=object)
    flat[:] = items
    return flat.reshape(shape)


def _named_value(content: Any) -> Any:
    module, name, text = content
    if name not in _NAMED.get(module, ()):
        raise BadValue(f"a {name} of {module}")
    return getattr(importlib.import_module(module), name)(text)


_READERS: dict[str, Callable[[Any], Any]] = {
    **_TEXTS,
    "named": _named_value,
    "is": lambda content: content,
    "view": lambda content: {t.__name__: read for t, read in _VIEWS.items()}[content[0]](content[1]),
    "complex": lambda content: complex(*content),
    "range": lambda content: range(*content),
    "slice": lambda content: slice(*content),
    "array": lambda content: array.array(*content),
    "timedelta": lambda content: datetime.timedelta(*content),
    "deque": lambda content: deque(*content),
    "defaultdict": lambda content: defaultdict(*content),
    "Counter": lambda content: Counter(content),
    "OrderedDict": lambda content: OrderedDict(content),
    "type": lambda content: _TYPES[content],
    "constant": lambda content: {"NotImplemented": NotImplemented, "Ellipsis": Ellipsis}[content],
    "ndarray": _numpy,
    "objects": _objects,
}


def base_of(value: Any) -> Any:
    """The plain value of an object whose class derives from a plain type, by that type's own methods alone."""
    kinds: tuple[Any, ...] = (*FROZEN, *MUTABLE)
    kind = next(kind for kind in kinds if isinstance(value, kind))
    if kind is dict:
        return dict(dict.items(value))
    if kind is complex:
        return complex(value.real, value.imag)
    methods = {int: "__int__", float: "__float__", str: "__str__"}
    return getattr(kind, methods[kind])(value) if kind in methods else kind(kind.__iter__(value))


def sync(old: Any, new: Any) -> None:
    """Gives a container the content that its copy has by now, and those within it."""
    if type(old) is not type(new):
        return
    if isinstance(old, (list, tuple)) and len(old) == len(new):
        for index, (was, item) in enumerate(zip(old, new, strict=True)):
            if type(was) is type(item) and (isinstance(was, (*MUTABLE, tuple)) or type(was).__name__ == "ndarray"):
                sync(was, item)
            elif isinstance(old, list):
                old[index] = item
    elif isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, dict):
        kept = {key: old[key] for key in new if key in old}
        old.clear()
        old.update(new)
        for key, was in kept.items():
            if isinstance(was, MUTABLE) and type(was) is type(new[key]):
                sync(was, new[key])
                old[key] = was
    elif isinstance(old, (set, deque)):
        old.clear()
        (old.update if isinstance(old, set) else old.extend)(new)
    elif type(old).__module__ == "numpy" and getattr(old, "shape", 0) == new.shape != ():
        old[...] = new
