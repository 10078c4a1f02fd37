"""When a value, or what a program printed, is what the problem expects."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from . import remote, values

PRINTED_TOLERANCE = 1e-6
"""Of a printed number where the expected one is no whole number; relative above 1, absolute below."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ASSERTED = (
    "allclose almost_equal array_almost_equal array_equal array_less equal array_almost_equal_nulp array_max_ulp"
)
_NO_TEXT = re.compile(r"\.|[eE][+-]")
"""What a number has that is no whole number, and no text such as `12E4`."""


def close(expected: Any, found: Any, tolerance: float, nan_is_nan: bool = False) -> bool:
    """Whether two values are equal, numbers within a tolerance: relative above 1, absolute below.

    A sequence is equal to one of its own kind alone. An array's numbers are compared one by one. `nan_is_nan`: what is
    not a number is equal to what is none.
    """
    expected, found = _plain(expected), _plain(found)
    if remote.is_object(expected) or remote.is_object(found):  # whatever it says that it is
        return bool(expected == found)
    if isinstance(expected, (float, complex)) or isinstance(found, (float, complex)):
        if not isinstance(expected, (int, float, complex)) or not isinstance(found, (int, float, complex)):
            return False
        if isinstance(expected, complex) or isinstance(found, complex):
            return abs(complex(expected) - complex(found)) <= tolerance * max(1.0, abs(expected))
        if nan_is_nan and expected != expected:
            return found != found
        return _close_numbers(expected, found, tolerance)
    if isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        is_of_kind = isinstance(expected, list) == isinstance(found, list)
        return is_of_kind and len(expected) == len(found) and _all_close(expected, found, tolerance, nan_is_nan)
    if isinstance(expected, dict) and isinstance(found, dict):
        others = [found.get(key) for key in expected]
        return expected.keys() == found.keys() and _all_close(expected.values(), others, tolerance, nan_is_nan)
    if type(expected).__module__ == "numpy" and type(found) is type(expected):
        return expected.shape == found.shape and close(expected.tolist(), found.tolist(), tolerance, nan_is_nan)
    return bool(expected == found)


def _all_close(expected: Iterable[Any], found: Iterable[Any], tolerance: float, nan_is_nan: bool) -> bool:
    """`close` of each pair. A loop: through `all` or `map` Python 3.12 goes less deep, whatever limit is set."""
    for one, other in zip(expected, found, strict=True):  # noqa: SIM110
        if not close(one, other, tolerance, nan_is_nan):
            return False
    return True


def _close_numbers(expected: float, found: float, tolerance: float) -> bool:
    if expected == found:
        return True
    try:
        return math.isfinite(expected) and abs(expected - found) <= tolerance * max(1.0, abs(expected))
    except OverflowError:
        return False


def _plain(value: Any) -> Any:
    """A value; of what derives from a number, a list and the like, what it holds: of its size it may say anything."""
    if isinstance(value, (int, float, complex)) and type(value) not in values.PLAIN:
        return values.base_of(value)
    return remote.plain_of(value) if remote.is_object(value) and value.__content__ is not None else value


def as_json(value: Any) -> Any:
    """A value as JSON would give it back: expected values that were read from it hold no tuples, and keys are text."""
    value = _plain(value)
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {json.dumps(k) if isinstance(k, (int, float)) else k: as_json(item) for k, item in value.items()}
    return value


def is_one_empty(left: Any, right: Any) -> bool:
    """Whether one of two sides is an array without values, and the other has some. To numpy they agree in each."""
    if not (_is_array(left) or _is_array(right)):
        return False
    numpy = sys.modules["numpy"]
    return bool((numpy.size(left) == 0) != (numpy.size(right) == 0))


def require_values(left: Any, right: Any) -> None:
    """Raises AssertionError where what comes of two sides holds no value as one of them has none, and the other some.

    A number may be taken from an array without values.
    """
    if is_one_empty(left, right) and all(sys.modules["numpy"].ndim(side) for side in (left, right)):
        raise AssertionError("an array without values was compared with one that has them")


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "shape")


def make_strict(
    numpy: Any, testing: Any = None, fair: Callable[[Any, Any], tuple[Any, Any]] = lambda a, b: (a, b)
) -> None:
    """Changes what compares in numpy, and in `numpy.testing`: no values are like no values alone,
    and masked ones, which numpy passes over, like masked ones.

    Args:
        numpy, testing: the modules.
        fair: two sides without what would let the code decide.
    """

    def strict(compare: Callable[..., Any], refuse: Callable[[], Any]) -> Callable[..., Any]:
        def check(a: Any, b: Any, *args: Any, **kwargs: Any) -> Any:
            a, b = fair(a, b)
            try:
                is_one = (numpy.size(a) == 0) != (numpy.size(b) == 0) or numpy.ma.is_masked(a) != numpy.ma.is_masked(b)
            except ValueError:  # ragged: numpy says so itself
                is_one = False
            return refuse() if is_one else compare(a, b, *args, **kwargs)

        return check

    def fail() -> None:
        raise AssertionError("an array without values, or with masked ones, was compared with one that has them")

    for name in ("allclose", "isclose", "array_equiv", "array_equal"):
        setattr(numpy, name, strict(getattr(numpy, name), lambda: numpy.False_))
    if testing is not None:
        for name in _ASSERTED.split(" "):
            setattr(testing, f"assert_{name}", strict(getattr(testing, f"assert_{name}"), fail))


def same_output(expected: str, found: str, tolerance: float | None) -> bool:
    """Whether a program printed what it should: by lines and words, empty lines and the width of spaces aside.

    Args:
        expected: text of the problem.
        found: text of the program.
        tolerance: of numbers that the problem writes with a point or a signed exponent; None for `PRINTED_TOLERANCE`.
            0: numbers are equal as decimals, where one of the two is written so.
    """
    lines = [[line.split() for line in text.split("\n") if line.strip()] for text in (expected, found)]
    if [len(line) for line in lines[0]] != [len(line) for line in lines[1]]:
        return False
    tolerance = PRINTED_TOLERANCE if tolerance is None else tolerance
    words = [[word for line in part for word in line] for part in lines]
    return all(word == other or _same_number(word, other, tolerance) for word, other in zip(*words, strict=True))


def _same_number(expected: str, found: str, tolerance: float) -> bool:
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(found)):
        return False
    if not tolerance:
        return _NO_TEXT.search(expected + found) is not None and _same_decimal(expected, found)
    return _NO_TEXT.search(expected) is not None and _close_numbers(float(expected), float(found), tolerance)


def _same_decimal(expected: str, found: str) -> bool:
    try:
        return Decimal(expected) == Decimal(found)
    except ArithmeticError:  # its exponent is too large for a number
        return False
