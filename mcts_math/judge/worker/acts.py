"""What one side does with its own objects when the other side asks, and how long it may take."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from . import remote, values

_MAX_TEXT = 1000


def describe_class(kind: Any) -> Any:
    """What `remote.local_class` is told of a class of this side."""
    if not isinstance(kind, type):
        raise TypeError("only a class is described")
    plain = {object, bool, type(None), *values.FROZEN}
    specials = {n for c in kind.__mro__ if c not in plain for n, v in vars(c).items() if n in remote.SPECIALS and v}
    metaclass: Any = type(kind)
    of_class = {n for c in metaclass.__mro__ if c not in (type, object) for n in vars(c) if n in remote.SPECIALS}
    like = kind.__name__ if kind in values.LIKE.values() else None
    bases = [] if like else [base for base in kind.__bases__ if base is not object]
    doc = kind.__doc__ if isinstance(kind.__doc__, str) else None
    return kind.__name__, doc, like, bases, sorted(specials), sorted(of_class - {"__call__"})


def perform(value: Any, how: str, args: Any, kwargs: Any) -> Any:
    """Does with an object of this side what the other side does with what stands for it."""
    if how == "__call__":
        return value(*args, **kwargs)
    if how in ("get", "set", "del"):
        access: dict[str, Callable[..., Any]] = {"get": getattr, "set": setattr, "del": delattr}
        return access[how](value, *args)
    if how == "next":
        try:
            return [next(value)]
        except StopIteration:
            return []
    if how in ("await", "await special", "anext"):
        return _asynchronous(value, how, args)
    ways: dict[str, Callable[..., Any]] = {
        "__iter__": iter,
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "plain": values.base_of,
        "agrees with all": agrees,
        "holds all": lambda value: holds(value, Stranger()),
    }
    if how in ways:
        return ways[how](value)
    if how not in remote.SPECIALS:
        raise TypeError(f"nobody can {how!r}")
    return getattr(type(value), how)(value, *args, **kwargs)


class Stranger:
    """Equal to itself alone, and known to nobody."""


def agrees(value: Any) -> bool:
    """Whether an object says that it is equal to one that nobody knows; not, where it can't say."""
    try:
        return bool(value == Stranger())
    except Exception:  # what it wants to know of the other, a stranger has not
        return False


def holds(value: Any, item: object) -> bool:
    """Whether a container says that it holds something; not, where it can't say."""
    try:
        return item in value
    except Exception:  # it has no place for a stranger
        return False


_loop: Any = None


def _asynchronous(value: Any, how: str, args: Any) -> Any:
    global _loop
    import asyncio

    if _loop is None:
        _loop = asyncio.new_event_loop()
        asyncio.set_event_loop(_loop)

    async def wait(awaitable: Any) -> Any:
        return await awaitable

    if how == "anext":
        try:
            return [_loop.run_until_complete(wait(type(value).__anext__(value)))]
        except StopAsyncIteration:
            return []
    return _loop.run_until_complete(wait(value if how == "await" else getattr(type(value), args[0])(value, *args[1:])))


class limited:  # noqa: N801 - used as a function
    """Ends what runs within by OutOfTime: after so much CPU time, or three times as long by the clock."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if self._seconds is not None:
            import signal

            for number, timer, times in (
                (signal.SIGPROF, signal.ITIMER_PROF, 1),
                (signal.SIGALRM, signal.ITIMER_REAL, 3),
            ):
                signal.signal(number, _out_of_time)
                signal.setitimer(timer, self._seconds * times)

    def __exit__(self, *error: object) -> None:
        if self._seconds is not None:
            import signal

            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)


def _out_of_time(*_: object) -> None:
    raise OutOfTime("timed out")


class RemoteError(Exception):
    """The other side raised what would here mean something else: the end of a loop, a skipped test."""


class OutOfTime(BaseException):
    """A test took longer than its problem allows."""


def describe(error: BaseException) -> str:
    """Name and text of an exception."""
    try:
        text = str(error)[:_MAX_TEXT]
    except Exception as other:
        text = f"(its text raised {type(other).__name__})"
    name = "" if isinstance(error, (RemoteError, OutOfTime)) else type(error).__name__
    return ": ".join(part for part in (name, text.strip()) if part)
