"""Operators of the code's classes that derive from a number, a text or a tuple, and so are that plain value here.

What the plain type can do, an object of such a class does as that type: it is compared, measured, iterated and
converted without a word of the code. What the type can't do (a tuple has no `abs`, and can't be called) is the code's,
but for truth, and for `in`, which goes by the items. Operators are the code's only for the class that the problem asks
for, and only

1. between two objects of the code; what derives from a number calculates with plain data as that number;
2. beside plain data for what derives from no number, except for differences from anything but sets, dictionaries and
   texts; of a quotient the code says no plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .remote import BINARY, DIFFERENCES, HOLDERS, QUOTIENTS, SPECIALS, RemoteType, ask, is_an_item

_NUMBERS = (int, float, complex)
_UNARY = frozenset(f"__{name}__" for name in ("neg", "pos", "abs", "invert", "round", "trunc", "floor", "ceil"))
_OPERATORS = frozenset(f"__{prefix}{name}__" for name in BINARY for prefix in ("", "r", "i"))


def methods(kind: type[Any], specials: Iterable[str]) -> dict[str, Any]:
    """The special methods of a class that derives from a plain type, but for those that show it.

    Args:
        kind: the plain type.
        specials: names of what the code's class has.
    """
    own = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    found: dict[str, Any] = {}
    for special in specials:
        if special in _OPERATORS or (special in _UNARY and special in own):
            found[special] = _operator(kind, special, own.get(special))
        elif special in SPECIALS and special != "__bool__" and special not in own:
            found[special] = SPECIALS[special] if special != "__contains__" else is_an_item
    return found


def _operator(kind: type[Any], special: str, plain: Callable[..., Any] | None) -> Callable[..., Any]:
    is_number = issubclass(kind, _NUMBERS)

    def is_own(self: Any, other: Any) -> bool:
        if not self.__trusted__ or special in _UNARY or isinstance(type(other), RemoteType):
            return bool(self.__trusted__)
        return not is_number and (special not in DIFFERENCES or isinstance(other, HOLDERS))

    def method(self: Any, *others: Any) -> Any:
        if is_own(self, others[0] if others else None):
            result = ask(self, special, *others)
            if special in QUOTIENTS and not isinstance(type(result), RemoteType) and result is not NotImplemented:
                raise TypeError(f"the code says what a quotient of its object is, by a {type(result).__name__}")
            return result
        try:
            return NotImplemented if plain is None else plain(self, *others)
        except TypeError:
            if is_number:
                raise
            return NotImplemented  # a sequence is added to one of its kind alone; the other one may know better

    return method
