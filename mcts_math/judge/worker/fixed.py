"""What the judged code may not change of an object of the tests, though it may use the object."""

from __future__ import annotations

import asyncio
import inspect
import types
from typing import Any
from unittest.mock import AsyncMock, NonCallableMock

from .access import OF_TESTS, of_class

_OF_MOCKS = frozenset(name for name in dir(AsyncMock) if not name.startswith("_")) | {"method_calls", "mock"}
"""Names by which tests set a mock up, and by which it tells of its calls."""
_OF_LOOPS = ("asyncio.events", "asyncio.runners")
"""Modules with the classes that event loops, and what makes them, derive from."""
_READ = frozenset(("return_value", "called", "call_count"))


def is_fixed(value: Any, how: str, name: str) -> bool:
    """Whether the code may not get, set or delete an attribute.

    That are methods, what a class computes, the records of a mock, and all of what runs the tests' coroutines.

    Args:
        value: object or class of the tests.
        how: "get", "set" or "del".
        name: public name of the attribute.
    """
    is_class = issubclass(type(value), type)
    kind = value if is_class else type(value)
    if (name == "get_loop" and issubclass(kind, asyncio.Future)) or _runs_coroutines(kind):
        return True
    if name in _OF_MOCKS and (issubclass(kind, NonCallableMock) or _stands_for_mock(value)):
        return how != "get" or name not in _READ
    if how == "get":
        return False
    if is_class:
        is_own = of_class(value, "__module__") in OF_TESTS
        return not is_own or hasattr(type(inspect.getattr_static(value, name, None)), "__get__")
    return callable(getattr(value, name, None))


def _runs_coroutines(kind: type[Any]) -> bool:
    return any(of_class(base, "__module__") in _OF_LOOPS for base in kind.__mro__)


def _stands_for_mock(value: Any) -> bool:
    """Whether a value is a function that `create_autospec` has made."""
    return type(value) is types.FunctionType and issubclass(type(vars(value).get("mock")), NonCallableMock)
