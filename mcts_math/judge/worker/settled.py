"""Which exceptions say that a test has failed. The judged code can't catch these, and go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_OF_CHECKS = ("unittest", "_pytest")
"""Modules whose exceptions are what a check raises, and a skip."""
CATCHERS = AssertionError.__mro__
"""Classes by which a failed assert is caught; `contextlib.suppress` takes `object`, too."""
_OWN = vars(BaseException)["__dict__"]


class OutOfTime(BaseException):
    """A test took longer than its problem allows."""


def own(error: BaseException) -> dict[str, Any]:
    """The attributes that an exception has on this side: `__dict__` of a remote one is asked for over there."""
    return cast("dict[str, Any]", _OWN.__get__(error))


def settle(error: BaseException) -> None:
    """Notes that an exception left an assert of the tests: whatever it is, the assert has failed."""
    object.__setattr__(error, "__settled__", True)


def steers(error: BaseException, modules: tuple[str, ...]) -> bool:
    """Whether an exception is of a class of these modules, or one that derives from it."""
    return any(kind.__module__.startswith(modules) for kind in type(error).__mro__)


def is_settled(error: BaseException) -> bool:
    """Whether an exception, or one in whose handling it was raised, left an assert; or is what a check raises.

    Where memory is out, nobody could say.
    """
    if isinstance(error, (AssertionError, MemoryError)) or steers(error, _OF_CHECKS):
        return True
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if "__settled__" in own(one):
            return True
        one = one.__context__
    return False


def may_catch(error: BaseException | None) -> bool:
    """Whether a context manager of the code may end an exception that leaves the tests' `with`.

    Tests that want to fail may leave by an exit.
    """
    return error is None or not (isinstance(error, (SystemExit, OutOfTime)) or is_settled(error))


@contextmanager
def kept(error: BaseException | None) -> Iterator[None]:
    """What a context manager of the code raises within does not take the place of how an assert of the tests failed."""
    try:
        yield
    except BaseException as other:
        if error is None or other is error or not is_settled(error):
            raise
        raise error from None


def catches_asserts(value: Any) -> bool:
    """Whether what the code has under a name would catch a failed assert: tests say `except MyError` after it."""
    kinds = value if type(value) is tuple else (value,)
    return any(kind is one for kind in kinds for one in CATCHERS)
