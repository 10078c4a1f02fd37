"""Reads a message that `values.encode` has written, and nothing else: what wrote it may not be what it says.

A message can name one function, `make`, and have it called with a kind and its parts. No other command of a pickle
calls anything of this side, changes an object that was not made for this message, or gives one attributes.
"""

from __future__ import annotations

import io
import pickle
import types
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from .values import MAKERS, PLAIN, BadValue

_PARTS = frozenset((*PLAIN, timedelta, timezone, ZoneInfo))
"""Types of the parts of a value. An object of the other side could say that it is one of them."""
_OF_ANYTHING = ("slice", "defaultdict")
"""Kinds of values that hold what else there is."""


class _Reading:
    """Reads one message.

    Args:
        file: the message.
        resolve: the object for (kind, content) of a kind that is none of a value; raises BadValue. None: nothing is
            made, all of it is plain.
    """

    def __init__(self, file: io.BytesIO, resolve: Callable[[str, Any], Any] | None) -> None:
        super().__init__(file)  # type: ignore[call-arg]  # of the unpickler that stands beside it
        self._resolve = resolve

    def find_class(self, module: str, name: str) -> Any:
        """The one name that a message may use."""
        if name != "make" or self._resolve is None:
            raise BadValue(f"the name {name!r}")
        return self._make

    def _make(self, kind: str, content: Any) -> Any:
        assert self._resolve is not None
        if type(kind) is not str or type(content) not in (tuple, list):
            raise BadValue(f"a {type(kind).__name__} made of a {type(content).__name__}")
        if kind not in MAKERS:
            return self._resolve(kind, content)
        if kind not in _OF_ANYTHING and not _PARTS.issuperset(map(type, content)):
            raise BadValue(f"{kind} of {[type(part).__name__ for part in content]}")
        return MAKERS[kind](*content)


class _Fast(_Reading, pickle.Unpickler): ...


def _only(command: Callable[[Any], None], kind: type[Any], depth: int | None) -> Callable[[Any], None]:
    """A command that fills what stands so deep on the stack, or below the last mark; only where it is of that type."""

    def checked(reader: Any) -> None:
        filled = reader.stack[-depth] if depth else reader.metastack[-1][-1]
        if type(filled) is not kind:
            raise BadValue(f"a message that fills a {type(filled).__name__}")
        command(reader)

    return checked


def _call_make(reader: Any) -> None:
    own: object = reader
    parts = reader.stack.pop()
    function: Any = reader.stack[-1]
    if type(function) is not types.MethodType or function.__self__ is not own or type(parts) is not tuple:
        raise BadValue("a message that calls something")
    reader.stack[-1] = function(*parts)


class _Careful(_Reading, pickle._Unpickler):
    """Among what it reads are objects of this side: see the head of the module."""

    dispatch = pickle._Unpickler.dispatch.copy()
    for _code in (*pickle.BUILD, *pickle.NEWOBJ, *pickle.NEWOBJ_EX, *pickle.OBJ, *pickle.INST):
        del dispatch[_code]
    for _codes, _kind, _depth in (
        *((pickle.APPEND, list, 2), (pickle.APPENDS, list, None), (pickle.ADDITEMS, set, None)),
        *((pickle.SETITEM, dict, 3), (pickle.SETITEMS, dict, None)),
    ):
        dispatch[_codes[0]] = _only(dispatch[_codes[0]], _kind, _depth)

    dispatch[pickle.REDUCE[0]] = _call_make


def decode(data: bytes, resolve: Callable[[str, Any], Any], careful: bool) -> Any:
    """The message of such bytes. Raises BadValue on anything else.

    Args:
        data: what came.
        resolve: see `_Reading`.
        careful: nobody knows what wrote it. Then only what says that it is plain is read at the speed of C.
    """
    is_plain = careful and b"make" not in data
    reader = _Careful if careful and not is_plain else _Fast
    try:
        return reader(io.BytesIO(data), None if is_plain else resolve).load()
    except Exception as error:  # of whatever reading rubbish may raise
        raise BadValue(f"{type(error).__name__}: {error}"[:200]) from error
