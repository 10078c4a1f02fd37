"""What one side does with its own objects when the other side asks."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import itertools
import traceback
import types
from collections.abc import Callable
from posix import urandom as _entropy  # that of `os` follows from a seed that the code knows
from typing import Any

from . import access, remote, values
from .fixed import is_fixed
from .settled import OutOfTime

_MAX_TEXT = 1000
_STEP_S = 0.002


def perform(value: Any, how: str, args: Any, kwargs: Any) -> Any:
    """Does with an object of this side what the other side does with what stands for it."""
    if how in _WAYS:
        return _WAYS[how](value, *args, **kwargs)
    if how not in remote.SPECIALS:
        raise TypeError(f"nobody can {how!r}")
    return getattr(type(value), how)(value, *args, **kwargs)


_OPEN = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__")
"""What decorators read of a function of the tests."""
_COUNTS = ("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_name")


def _shape(function: Any, name: str) -> Any:
    """What `inspect` reads of a function's parameters; nothing of what it does, and no value of a default."""
    if name == "__code__" and isinstance(function, types.FunctionType):
        code = function.__code__
        more = sum(bool(code.co_flags & flag) for flag in (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS))
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]  # behind them stand its variables
        return types.SimpleNamespace(co_varnames=names, **{fact: getattr(code, fact) for fact in _COUNTS})
    if name in ("__defaults__", "__kwdefaults__") and getattr(function, name, 0) is None:
        return None
    raise AttributeError(name)


def allowed(value: Any, how: str, args: Any, kwargs: Any) -> Any:
    """What the judged code may do with an object of the tests: use it, and not look behind it."""
    access.require(value, how)
    if how in ("get", "set", "del"):
        is_text = type(args[0]) is str  # another kind of text may lie about itself
        if is_text and how == "get" and args[0] in ("__code__", "__defaults__", "__kwdefaults__"):
            return _shape(value, args[0])
        if not is_text or (args[0].startswith("_") and (how != "get" or args[0] not in _OPEN)):
            raise AttributeError(args[0])
        if is_fixed(value, how, args[0]):
            raise AttributeError(f"{args[0]} of the tests can't be replaced")
        if args[0] not in _OPEN:
            access.require_name(value, args[0])
    return perform(value, how, args, kwargs)


class Stranger:
    """Equal to itself alone."""


def _somebody() -> Any:
    """An object that nobody knows, not even by the name of its class, or by having no attributes."""
    name = f"_{_entropy(4).hex()}"
    somebody = type(name, (), {"__module__": "solution"})()
    setattr(somebody, name, name)
    return somebody


def agrees(value: Any) -> bool:
    """Whether an object says that it is equal to one that nobody knows; not, where it can't say."""
    try:
        return bool(value == _somebody())
    except Exception:  # what it wants to know of the other, a stranger has not
        return False


def holds(value: Any, item: object) -> bool:
    """Whether a container says that it holds something; not, where it can't say."""
    try:
        return item in value
    except Exception:  # it has no place for a stranger
        return False


def _decoys(item: Any) -> list[Any]:
    """Values of the kind of a plain one that nobody knows; none for other kinds."""
    if type(item) in (int, float):
        number = type(item)(int.from_bytes(_entropy(5), "big"))
        return [number, number + 1]
    return [_entropy(9).hex()] if type(item) is str else []


def holds_all(value: Any, item: object) -> bool:
    """Whether a container says that it holds a stranger, or what was made up just now in the place of an item."""
    made_up = _decoys(item)
    return holds(value, _somebody()) or (bool(made_up) and all(holds(value, other) for other in made_up))


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


_begun: dict[int, asyncio.Task[Any]] = {}
"""What the other side has begun and was not told the end of, by the number that it knows: no task crosses."""
_numbers = itertools.count()


def _begin(value: Any, how: str, *args: Any) -> int:
    """Begins what is awaited of an object: the object itself, or what one of `AWAITED` gives; its number."""
    if how not in remote.AWAITED:
        raise TypeError(f"nobody can await {how!r}")

    async def run() -> Any:
        if how == "await":
            return await value
        try:
            found = await getattr(type(value), how)(value, *args)
        except StopAsyncIteration:
            return []
        return [found] if how == "__anext__" else found

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = _loop()
    number = next(_numbers)
    _begun[number] = loop.create_task(run())
    return number


def _step(_: Any, number: int) -> list[Any] | None:
    """Lets what was begun go on for a moment: its result in a list, an empty one where there is none yet, None if it
    was cancelled.
    """
    task = _begun[number]
    loop = task.get_loop()
    if not (task.done() or loop.is_running()):
        loop.run_until_complete(asyncio.wait({task}, timeout=_STEP_S))
    if not task.done():
        return []
    del _begun[number]
    return None if task.cancelled() else [task.result()]


def untold() -> list[BaseException]:
    """How what the other side has begun has failed, where it was not told."""
    ended = [task.exception() for task in _begun.values() if task.done() and not task.cancelled()]
    return [error for error in ended if error is not None]


_WAYS: dict[str, Callable[..., Any]] = {
    "__call__": lambda value, /, *args, **kwargs: value(*args, **kwargs),
    "get": getattr,
    "set": setattr,
    "del": delattr,
    "next": next,
    "send": types.GeneratorType.send,
    "throw": types.GeneratorType.throw,
    "begin": _begin,
    "step": _step,
    "cancel": lambda _, number: _begun[number].cancel(),
    "__iter__": iter,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "plain": values.base_of,
    "agrees with all": agrees,
    "holds all": holds_all,
}


class RemoteError(Exception):
    """The other side raised what would here mean something else: the end of a loop, a skipped test."""


def calls_of(error: BaseException) -> list[tuple[str, int]]:
    """File and line of each call that an exception went through, the innermost last; whatever the exception says."""
    trace = vars(BaseException)["__traceback__"].__get__(error)
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]


def describe(error: BaseException) -> str:
    """Name and text of an exception; of the text, whatever asking for it raises."""
    try:
        text = str(error)[:_MAX_TEXT]
    except BaseException as other:  # it ends the process, takes too long, breaks the connection: the test failed before
        text = f"(its text raised {access.of_class(type(other), '__name__')})"
    name = "" if issubclass(type(error), (RemoteError, OutOfTime)) else access.of_class(type(error), "__name__")
    return ": ".join(part for part in (name, text.strip()) if part)
