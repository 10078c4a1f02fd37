"""What can be changed within a value that crossed, and how one side's copy follows the other's."""

from __future__ import annotations

import array
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from operator import is_
from typing import Any

SHARED = frozenset((list, dict, set, bytearray, deque, defaultdict, OrderedDict, Counter, array.array))
"""Types whose objects can be changed and cross by value; numpy's arrays too."""
_LEAVES = frozenset((bool, int, float, complex, str, bytes, frozenset, type(None)))
_MOST_LOOKED_AT = 20_000


def parts(value: Any, most: float = _MOST_LOOKED_AT) -> list[Any]:
    """What can be changed within a value, itself included, each once; in an order that is the same for its copy.

    After `most` values nobody looks further.
    """
    found: list[Any] = []
    seen: set[int] = set()
    waiting = [value]
    num_left = most
    for one in waiting:
        kind = type(one)
        is_tuple = kind is tuple
        if id(one) in seen or num_left < 0 or not (is_tuple or kind in SHARED or is_array(kind)):
            continue
        seen.add(id(one))
        if not is_tuple:
            found.append(one)
        if isinstance(one, (list, tuple, dict, deque)):
            num_left -= len(one)
            items = one.values() if isinstance(one, dict) else one
            if not _LEAVES.issuperset(map(type, items)):
                waiting += [item for item in items if type(item) not in _LEAVES]
    return found


def snapshot(value: Any) -> list[Any]:
    """What all that can be changed within a value holds now: the very items, so that none gives its place away.

    An array of objects holds None: nobody looks into its objects.
    """
    return [_held(one) for one in parts(value, math.inf)]


def is_unchanged(value: Any, before: list[Any]) -> bool:
    """Whether a value holds the very items of its snapshot; not, where nobody can tell."""
    now = snapshot(value)
    return len(now) == len(before) and all(map(_are_same, now, before))


def _are_same(now: Any, was: Any) -> bool:
    if now is None or was is None or len(now) != len(was):
        return False
    return bool(now == was) if isinstance(was, bytes) else all(map(is_, now, was))


def _held(one: Any) -> Any:
    if isinstance(one, (list, set, deque)):
        return list(one)
    if isinstance(one, dict):
        return [*one, *one.values()]
    if is_array(type(one)) and one.dtype.hasobject:
        return None
    return bytes(one) if isinstance(one, bytearray) else one.tobytes()


def shares(given: list[Any], value: Any) -> bool:
    """Whether a value is, or holds, one of these containers."""
    return not set(map(id, given)).isdisjoint(map(id, parts(value)))


def is_array(kind: type[Any]) -> bool:
    """Whether a type is that of numpy's arrays itself."""
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy"


def renew(olds: list[Any], news: list[Any], value: Any = None) -> Any:
    """Gives containers the content that their copies have by now, and returns a value that may hold such copies.

    Args:
        olds: the containers, as `parts` gave them.
        news: their copies; each container of `olds` takes the place of its copy wherever that stands.
        value: what came along; the result is the same with `olds` in it.
    """
    known = {id(new): old for old, new in zip(olds, news, strict=False) if type(old) is type(new)}

    def kept(item: Any) -> Any:
        return tuple(map(kept, item)) if type(item) is tuple else known.get(id(item), item)

    for new in parts((*news, value)):
        _fill(known.get(id(new), new), new, kept)
    return kept(value)


def _fill(old: Any, new: Any, kept: Callable[[Any], Any]) -> None:
    items: Any
    if isinstance(old, list):
        old[:] = new if _LEAVES.issuperset(map(type, new)) else map(kept, new)
    elif isinstance(old, (bytearray, array.array)):
        old[:] = new
    elif isinstance(old, dict):
        items = {key: kept(item) for key, item in new.items()}
        old.clear()
        old.update(items)
    elif isinstance(old, (set, deque)):
        items = [*map(kept, new)]
        old.clear()
        (old.update if isinstance(old, set) else old.extend)(items)
    elif old.shape == new.shape and old.flags.writeable:
        old[...] = new
