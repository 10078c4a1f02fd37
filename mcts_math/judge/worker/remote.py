"""What stands here for an object of the other process: it asks there, and decides no comparison with plain data.

A class of the other side becomes a local class with the special methods of the original and no others, so that
`isinstance`, `except`, `in` and `with` mean what they mean everywhere. What derives from an immutable plain type is
that plain value, with the other attributes asked for. Rules that keep the judged code from deciding a test:

1. An object is never equal to plain data, nor ordered beside it. What derives from a list, a dictionary or a set
   compares by its content.
2. Arithmetic of an object and plain data is the code's only where the problem asks for that very class. A difference
   from a number (or a list of some), or a quotient, is an object then, and what comes of a difference never becomes
   plain data, nor is it asked what numpy asks of a number: else `abs(f() - 3.14) < 0.01` would be the code's to decide.
3. An object that says it equals an object that nobody knows can't be compared: no `!=` holds of it either.
4. A class is equal to itself alone, whatever its own class says.
5. What left an assert the code can neither catch nor replace, by a context manager or in a call of a test's function.
6. All this is of what the tests are told. The code is told what an object of the tests says.
"""

from __future__ import annotations

import asyncio
import dis
import sys
from collections.abc import Callable
from functools import partial, partialmethod
from types import FrameType, GeneratorType
from typing import TYPE_CHECKING, Any, cast

from .settled import catches_asserts, kept, may_catch
from .values import FROZEN, BadValue, CannotCross, made_of

if TYPE_CHECKING:
    from .peer import Peer

_BINARY = "add sub mul truediv floordiv mod pow lshift rshift and or xor matmul divmod"
BINARY = tuple(_BINARY.split(" "))
_OF_SETS = ("difference", "symmetric_difference", "issubset", "issuperset", "isdisjoint")
"""Methods that compare a set: as its operators, they go by its content."""
DIFFERENCES = ("__sub__", "__rsub__", "__isub__")
QUOTIENTS = ("__truediv__", "__rtruediv__", "__itruediv__")
SHOWN = ("__str__", "__repr__", "__format__")
HOLDERS = (str, bytes, bytearray, set, frozenset, dict)  # a list or a tuple may be one of numbers, to numpy
_READS = ("LOAD_ATTR", "LOAD_METHOD")
_ASKED = (
    *("neg", "pos", "abs", "invert", "int", "float", "complex", "index", "round", "trunc", "floor", "ceil"),
    *("len", "bool", "str", "repr", "bytes", "format", "reversed", "getitem", "setitem", "delitem", "missing"),
    *("enter", "call", "length_hint", "fspath", "dir", "get", "set", "delete", "set_name", "iter", "aiter"),
)
_OPEN = "wrapped members cause notes self func name qualname annotations code defaults kwdefaults match_args"
_READABLE = frozenset(f"__{name}__" for name in _OPEN.split(" "))
"""What may be asked of an object of the other side beside its public names."""
UNFAIR = "the code's object says that it equals, or holds, what it can't know"
ENDS = ("next", "send", "throw")
"""What an iterator or a generator may answer by its end."""


def number_of(value: Any) -> int:
    """The number under which the other side knows an object or a class. Raises CannotCross where it knows none."""
    if not isinstance(value, RemoteType):
        return cast(int, object.__getattribute__(value, "__number__"))
    if "__class_number__" not in value.__dict__:
        raise CannotCross(f"{value.__name__} is no class of the other side")
    return cast(int, value.__dict__["__class_number__"])


def ask(value: Any, how: str, /, *args: Any, **kwargs: Any) -> Any:
    """Has the other side do something with an object or a class of its own."""
    peer = cast("Peer", (value if isinstance(value, RemoteType) else type(value)).__peer__)
    return peer.request(number_of(value), how, args, kwargs)


def _named(value: Any, name: str) -> Any:
    """What the other side's object has under a name. Raises TypeError where that would catch failed asserts."""
    found = ask(value, "get", name)
    if catches_asserts(found) and (value if isinstance(value, RemoteType) else type(value)).__peer__.careful:
        raise TypeError(f"{name} of the code catches failed asserts too")
    return found


class RemoteType(type):
    """The class of the local classes that stand for classes of the other side."""

    __peer__: Peer

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:
        return ask(cls, "__call__", *args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if "__class_number__" not in cls.__dict__ or (name.startswith("__") and name not in _READABLE):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return _named(cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name.startswith("__" if cls.__peer__.careful else "_"):  # the code may set no such name
            super().__setattr__(name, value)
        else:
            ask(cls, "set", name, value)

    __delattr__ = partialmethod(ask, "del")
    __dir__ = partialmethod(ask, "__dir__")


class Remote(metaclass=RemoteType):
    """An object of the other side."""

    __slots__ = ()
    __peer__: Peer
    __trusted__ = False  # the problem asks for this class
    __content__: type[Any] | None = None  # the mutable plain type that it derives from
    __differs__ = False  # it came of its difference from a number

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _READABLE:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self.__differs__ and _is_asked_by_numpy(name, sys._getframe(1)):
            raise AttributeError(name)
        if name in ENDS and isinstance(self, GeneratorType):
            return partial(ask, self, name)
        if name in _OF_SETS and type(self).__content__ is set:
            return getattr(plain_of(self), name)
        return _named(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") and name.endswith("__"):  # an exception's own: traceback, context, notes
            object.__setattr__(self, name, value)
        else:
            ask(self, "set", name, value)

    __delattr__ = partialmethod(ask, "del")
    __dir__ = partialmethod(ask, "__dir__")
    __copy__ = partialmethod(ask, "copy")

    def __setstate__(self, state: Any) -> None:
        """Raises BadValue: what is read may change no object of this side, and no class."""
        raise BadValue("a state")

    def __deepcopy__(self, memo: Any) -> Any:
        return ask(self, "deepcopy")


def _is_asked_by_numpy(name: str, frame: FrameType) -> bool:
    """Whether numpy asks for a method, as `numpy.sqrt` does: `frame` is what asks, and no `x.sqrt` of the tests."""
    numpy, code = sys.modules.get("numpy"), frame.f_code
    is_of_tests = code.co_filename == "<tests>" and dis.opname[code.co_code[frame.f_lasti]] in _READS
    return numpy is not None and isinstance(vars(numpy).get(name), numpy.ufunc) and not is_of_tests


def is_object(value: Any) -> bool:
    """Whether a value is an object of the other side, and not plain data that it has derived; whatever it says."""
    return issubclass(type(type(value)), RemoteType) and not issubclass(type(value), (*FROZEN, BaseException))


def plain_of(value: Any) -> Any:
    """What an object of the other side holds, of the very type that it derives from. Raises Broken where it lies."""
    try:
        return made_of(type(value).__content__, ask(value, "plain"))
    except BadValue as error:
        raise cast("Peer", type(value).__peer__).fail(f"sent what is no value: {error}") from None


def _by_type(special: str, value: Any, other: Any) -> Any:
    """What the type of a plain value says of it and another one, whatever its attributes are."""
    return getattr(type(value), special, lambda *_: NotImplemented)(value, other)


def _marked(result: Any) -> Any:
    """What comes of a difference. Raises TypeError where it is no object of the code."""
    if is_object(_an_object(result)):
        object.__setattr__(result, "__differs__", True)
    return result


def _an_object(result: Any) -> Any:
    if not is_object(result) and result is not NotImplemented:
        raise TypeError(f"the code says how far its object is from a number, by a {type(result).__name__}")
    return result


def _asked(special: str) -> Callable[..., Any]:
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = ask(self, special, *args, **kwargs)
        return _marked(result) if self.__differs__ and special not in SHOWN else result

    return method


def _binary(special: str, reflected: str) -> Callable[..., Any]:
    def method(self: Any, other: Any, *more: Any) -> Any:
        if not (self.__peer__.careful or self.__content__):
            return ask(self, special, other, *more)
        if not is_object(other):
            if self.__content__ is not None:
                return _by_type(special, plain_of(self), other)
            if not self.__trusted__:
                return NotImplemented
        elif not is_object(self) and special != reflected:
            return NotImplemented
        result = ask(self, special, other, *more)
        is_number = not is_object(other) and not isinstance(other, HOLDERS)
        if self.__differs__ or getattr(other, "__differs__", False) is True or (is_number and special in DIFFERENCES):
            return _marked(result)
        return _an_object(result) if is_number and special in QUOTIENTS else result

    return method


def _compared(special: str) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if self is other:
            return special in ("__eq__", "__le__", "__ge__")
        if not (self.__peer__.careful or self.__content__):
            return ask(self, special, other)
        if not is_object(other):
            return NotImplemented if self.__content__ is None else _by_type(special, plain_of(self), other)
        result = ask(self, special, other)
        if special == "__eq__" and result and ask(self, "agrees with all"):
            raise TypeError(UNFAIR)
        return result

    return method


def _contains(self: Any, item: Any) -> bool:
    if self.__content__ is not None:
        return item in plain_of(self)
    if self.__peer__.careful and not self.__trusted__:
        return is_an_item(self, item)
    if self.__peer__.careful and ask(self, "holds all", item):
        raise TypeError(UNFAIR)
    return bool(ask(self, "__contains__", item))


def is_an_item(value: Any, item: Any) -> bool:
    """Whether something is among the items of an object, whatever that says."""
    return any(item is other or item == other for other in value)


AWAITED = ("await", "__anext__", "__aenter__", "__aexit__")
"""What can be awaited of an object of the other side."""


async def drive(peer: Peer, number: int, how: str, *args: Any) -> Any:
    """Awaits something of the other side, a moment at a time: what runs beside it here goes on meanwhile."""
    begun, was_cancelled = peer.request(number, "begin", (how, *args), {}), False
    while not (found := peer.request(number, "step", (begun,), {})):
        if found is None:
            raise asyncio.CancelledError if was_cancelled else RuntimeError("what was awaited was cancelled")
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            was_cancelled = True
            peer.request(number, "cancel", (begun,), {})
    return found[0]


def _drive(self: Any, how: str, *args: Any) -> Any:
    return drive(type(self).__peer__, number_of(self), how, *args)


async def _anext(self: Any) -> Any:
    if not (found := await _drive(self, "__anext__")):
        raise StopAsyncIteration
    return found[0]


def _exit(self: Any, kind: Any, error: Any, trace: Any) -> Any:
    with kept(error):
        return ask(self, "__exit__", kind, error, None) and may_catch(error)


async def _exit_async(self: Any, kind: Any, error: Any, trace: Any) -> Any:
    with kept(error):
        return await _drive(self, "__aexit__", kind, error, None) and may_catch(error)


SPECIALS: dict[str, Any] = {
    **{f"__{name}__": _asked(f"__{name}__") for name in _ASKED},
    **{f"__{name}__": _binary(f"__{name}__", f"__r{name}__") for name in BINARY},
    **{f"__r{name}__": _binary(f"__r{name}__", f"__r{name}__") for name in BINARY},
    **{f"__i{name}__": _binary(f"__i{name}__", f"__i{name}__") for name in BINARY},
    **{f"__{name}__": _compared(f"__{name}__") for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "__class_getitem__": classmethod(lambda cls, _: cls),
    "__hash__": lambda self: ask(self, "__hash__"),
    "__contains__": _contains,
    "__next__": _asked("next"),
    "__anext__": _anext,
    "__exit__": _exit,
    "__await__": lambda self: _drive(self, "await").__await__(),
    "__aenter__": lambda self: _drive(self, "__aenter__"),
    "__aexit__": _exit_async,
}
