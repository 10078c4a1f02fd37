"""Approximate values of expressions, in floats or in fifty digits: one arithmetic over mpmath's two contexts.

Values are real or complex numbers. In real mode a step that leaves the real line makes the value undefined.
"""

from __future__ import annotations

import cmath
import math
import threading
import zlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

from mcts_math.answer.values.exact import TooLargeError, max_terms
from mcts_math.answer.values.nodes import (
    INFINITY,
    Bound,
    Call,
    Const,
    Matrix,
    Node,
    Num,
    Power,
    Prod,
    Quantity,
    Sum,
    Sym,
    children,
    negate,
)

Value = Any  # float, complex, or an mpmath number: mpmath has no types

_NAMES: Final = {"binom": "binomial", "rad": "radians", "conjugate": "conj"}
_HYPERBOLIC: Final = ("asinh", "acosh", "atanh")  # mpmath's float context lacks them
_TINY: Final = 1e-290  # floats below this have lost digits


class UndefinedError(Exception):
    """The expression has no value there."""


class OutOfRangeError(UndefinedError):
    """There may be a value, but this arithmetic can't hold it."""


class Arithmetic:
    """Numbers of one precision and their functions.

    Args:
        digits: significant digits; 15 are machine numbers.
        real: what leaves the real line is undefined.
    """

    def __init__(self, digits: int, real: bool) -> None:
        import mpmath  # here, so that what needs no values does not pay for it

        self.real = real
        self.floats = digits <= 15
        self.context: Any = mpmath.fp if self.floats else mpmath.mp.clone()
        if not self.floats:
            self.context.dps = digits

    def number(self, value: Fraction) -> Value:
        """`value` rounded to the precision."""
        if not self.floats:
            return self.context.mpf(value.numerator) / value.denominator
        result = float(value)
        if value and abs(result) < _TINY:
            raise OutOfRangeError("too small")
        return result

    def constant(self, name: str) -> Value:
        """A named constant."""
        if name == "i" and not self.real:
            return self.context.mpc(0, 1)
        if name not in ("pi", "e"):
            raise UndefinedError(name)
        return +self.context.pi if name == "pi" else +self.context.e

    def power(self, base: Value, exponent: Value) -> Value:
        """`base ** exponent`, the principal value."""
        if self.real and base < 0 and not self.context.isint(exponent):
            raise UndefinedError("not real")
        self._reachable(base, 1 << 20)
        self._reachable(exponent, 64)
        return self.checked(self.context.power(base, exponent), zero=not base)

    def call(self, name: str, args: list[Value]) -> Value:
        """A named function; `log` takes its base second."""
        context, first = self.context, args[0]
        for arg in args:
            self._reachable(arg, 256 if name not in ("log", "abs", "re", "im", "sign") else 1 << 20)
        if name == "log":
            if self.real and first <= 0:
                raise UndefinedError("not real")
            return context.log(first) / context.log(args[1]) if len(args) > 1 else context.log(first)
        if name in ("min", "max"):
            return min(args) if name == "min" else max(args)
        if name == "abs":
            return abs(first)
        if name == "mod" and len(args) == 2:
            return first % args[1]
        if name in _HYPERBOLIC and self.floats:
            function = getattr(cmath, name)
            value = function(first)
            value = value.real if not value.imag else value
        else:
            function = getattr(context, _NAMES.get(name, name), None)
            if function is None:
                raise UndefinedError(name)
            value = function(*args)
        if self.real and context.im(value) != 0:
            raise UndefinedError("not real")
        return self.checked(value, zero=True)

    def bound(self, kind: str, at: Callable[[Value], Value], low: Value, high: Value) -> Value:
        """A sum, product, integral or limit of `at` from `low` to `high`, by the methods of mpmath."""
        context = self.context
        if self.floats:
            raise UndefinedError("no float is near enough to a limit")
        if kind == "lim":
            return context.limit(at, context.mpf(low))
        if kind == "int":
            value, error = context.quad(at, [low, high], error=True)
            if not error < context.mpf(10) ** -25:
                raise UndefinedError("an integral that does not converge fast enough")
            return value
        if not math.isinf(high) or math.isinf(low):
            raise UndefinedError("a long sum")
        return (context.nsum if kind == "sum" else context.nprod)(at, [low, context.inf])

    def _reachable(self, value: Value, bits: int) -> None:
        """Raises where `value` has more than `bits` bits before the point: its sine or power would need as many."""
        if not self.floats and (
            self.context.isinf(value) or self.context.isnan(value) or (value != 0 and self.context.mag(value) > bits)
        ):
            raise OutOfRangeError("too large")

    def checked(self, value: Value, zero: bool) -> Value:
        """`value`, if it is finite and not a float that has lost its digits (`zero`: it may be 0)."""
        if self.floats:
            size = abs(value)
            if not size < math.inf or (size < _TINY and not (zero and not size)):
                raise OutOfRangeError("beyond the floats")
        return value


def evaluate(node: Node, values: Mapping[str, Value], using: Arithmetic, products: bool = False) -> Value:
    """The value of `node` where its variables have `values`.

    Args:
        products: f(x) is read as f times x.

    Raises:
        OutOfRangeError: no value that this arithmetic can hold.
        UndefinedError: no value there.
    """
    try:
        return using.checked(_evaluate(node, values, using, products), zero=True)
    except OverflowError as error:
        raise OutOfRangeError(str(error)) from error
    except (ArithmeticError, ValueError, TypeError, TooLargeError) as error:
        raise UndefinedError(str(error)) from error


def _evaluate(node: Node, values: Mapping[str, Value], using: Arithmetic, products: bool) -> Value:
    if isinstance(node, Num):
        return using.number(node.value)
    if isinstance(node, Sym):
        return values[node.name]
    if isinstance(node, Const):
        return using.constant(node.name)
    if isinstance(node, Sum):
        total = _evaluate(node.items[0], values, using, products)
        for item in node.items[1:]:
            total = total + _evaluate(item, values, using, products)
        return total
    if isinstance(node, Prod):
        total = _evaluate(node.items[0], values, using, products)
        for item in node.items[1:]:
            factor = _evaluate(item, values, using, products)
            total = using.checked(total * factor, zero=not total or not factor)
        return total
    if isinstance(node, Power):
        return _power(node, values, using, products)
    if isinstance(node, Quantity):
        inner = _evaluate(node.value, values, using, products)
        if node.unit == "degree":
            return inner * using.constant("pi") / 180
        return inner / 100 if node.unit == "%" else inner
    if isinstance(node, Call):
        return _call(node, values, using, products)
    if isinstance(node, Bound):
        return _bound(node, values, using, products)
    raise UndefinedError("no number")


def _bound(node: Bound, values: Mapping[str, Value], using: Arithmetic, products: bool) -> Value:
    ends = []
    for end in (node.low, node.high):
        sign = {INFINITY: 1, negate(INFINITY): -1}.get(end, 0)
        ends.append(sign * math.inf if sign else _evaluate(end, values, using, products))

    if node.kind in ("sum", "prod") and not math.isinf(ends[0]) and not math.isinf(ends[1]):
        return _finite_series(node, values, using, (ends[0], ends[1]), products)

    if _nested(node):
        raise UndefinedError("a limit within a limit")

    def at(value: Value) -> Value:
        return _evaluate(node.body, {**values, node.name: value}, using, products)

    return using.bound(node.kind, at, ends[0], ends[1])


def _nested(node: Node) -> bool:
    """Whether another sum, integral or limit is within."""
    return any(isinstance(child, Bound) or _nested(child) for child in children(node))


def _finite_series(
    node: Bound, values: Mapping[str, Value], using: Arithmetic, ends: tuple[Value, Value], products: bool
) -> Value:
    low, high = int(ends[0]), int(ends[1])
    if (low, high) != ends or high - low > max_terms(node):
        raise UndefinedError("a series with ends that are no integers, or with too many terms")
    total = using.number(Fraction(node.kind == "prod"))
    for index in range(low, high + 1):
        term = _evaluate(node.body, {**values, node.name: using.number(Fraction(index))}, using, products)
        total = total + term if node.kind == "sum" else total * term
    return total


def _power(node: Power, values: Mapping[str, Value], using: Arithmetic, products: bool) -> Value:
    base = _evaluate(node.base, values, using, products)
    exponent = _evaluate(node.exponent, values, using, products)
    if isinstance(node.exponent, Num) and not using.context.im(base) and using.context.re(base) < 0:
        index = node.exponent.value.denominator
        if index > 1 and index % 2 and index < 1000:
            root = using.power(-using.context.re(base), exponent)
            return -root if node.exponent.value.numerator % 2 else root
    return using.power(base, exponent)


def _call(node: Call, values: Mapping[str, Value], using: Arithmetic, products: bool) -> Value:
    if node.name == "det":
        return _determinant(node.args[0], values, using, products)
    args = [_evaluate(arg, values, using, products) for arg in node.args]
    if not node.free:
        return using.call(node.name, args)
    if products and node.name in values and len(args) == 1:
        return values[node.name] * args[0]
    key = node.name + "".join(f"|{complex(arg):.7e}" for arg in args)
    return using.number(
        Fraction(zlib.crc32(key.replace("-0.0000000e+00", "0.0000000e+00").encode()) % 10007 + 5003, 9973)
    )


def _determinant(node: Node, values: Mapping[str, Value], using: Arithmetic, products: bool) -> Value:
    if not isinstance(node, Matrix) or len(node.rows) != len(node.rows[0]) or len(node.rows) > 4:
        raise UndefinedError("no square matrix of at most four rows")

    def expand(rows: list[list[Value]]) -> Value:
        if len(rows) == 1:
            return rows[0][0]
        return sum(
            (-1) ** i * cell * expand([row[:i] + row[i + 1 :] for row in rows[1:]]) for i, cell in enumerate(rows[0])
        )

    return expand([[_evaluate(cell, values, using, products) for cell in row] for row in node.rows])


_own: Final = threading.local()  # an mpmath context changes its precision while it works: one for each thread


def numbers(digits: int = 15, real: bool = False) -> Arithmetic:
    """This thread's arithmetic of that precision."""
    kept: dict[tuple[int, bool], Arithmetic] = _own.__dict__.setdefault("kept", {})
    if (digits, real) not in kept:
        kept[digits, real] = Arithmetic(digits, real)
    return kept[digits, real]
