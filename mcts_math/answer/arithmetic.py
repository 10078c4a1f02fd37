"""Approximate values of expressions, in floats or in any other arithmetic (`precise`).

Values are real or complex numbers. In real mode a step that leaves the real line makes the value undefined.
"""

from __future__ import annotations

import cmath
import math
import zlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, Protocol

from mcts_math.answer.exact import TooLargeError, max_terms
from mcts_math.answer.nodes import (
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
from mcts_math.answer.vocabulary import names

Value = Any  # float, complex, or an mpmath number: mpmath has no types


class UndefinedError(Exception):
    """The expression has no value there."""


class Arithmetic(Protocol):
    """The operations that evaluation needs."""

    real: bool

    def number(self, value: Fraction) -> Value: ...

    def constant(self, name: str) -> Value: ...

    def power(self, base: Value, exponent: Value) -> Value: ...

    def call(self, name: str, args: list[Value]) -> Value: ...

    def bound(self, kind: str, at: Callable[[Value], Value], low: Value, high: Value) -> Value: ...


def evaluate(node: Node, values: Mapping[str, Value], using: Arithmetic, products: bool = False) -> Value:
    """The value of `node` where its variables have `values`.

    Args:
        products: f(x) is read as f times x.

    Raises:
        UndefinedError: no value there, or none within reach (infinite, not a number).
    """
    try:
        return _evaluate(node, values, using, products)
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
            total = total * _evaluate(item, values, using, products)
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
    if not isinstance(base, complex) and isinstance(node.exponent, Num) and not getattr(base, "imag", 0) and base < 0:
        index = node.exponent.value.denominator
        if index > 1 and index % 2 and index < 1000:
            root = using.power(-base, exponent)
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


def _inverse(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: 1 / function(value)


class FloatArithmetic:
    """Machine numbers: quick, about 1e-15 per step."""

    _REAL: Final[Mapping[str, Callable[[Any], Any]]] = {
        **{name: getattr(math, name) for name in names("sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh")},
        "cot": _inverse(math.tan),
        "sec": _inverse(math.cos),
        "csc": _inverse(math.sin),
        "coth": _inverse(math.tanh),
        "sech": _inverse(math.cosh),
        "csch": _inverse(math.sinh),
        "acot": lambda x: math.atan(1 / x) if x else math.pi / 2,
        "asec": lambda x: math.acos(1 / x),
        "acsc": lambda x: math.asin(1 / x),
        "floor": math.floor,
        "ceil": math.ceil,
        "factorial": lambda x: math.gamma(x + 1),
        "gamma": math.gamma,
        "sign": lambda x: (x > 0) - (x < 0),
        "arg": lambda x: 0.0 if x > 0 else math.pi,
        "rad": math.radians,
    }
    _COMPLEX: Final[Mapping[str, Callable[[Any], Any]]] = {
        **{name: getattr(cmath, name) for name in names("sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh")},
        "cot": _inverse(cmath.tan),
        "sec": _inverse(cmath.cos),
        "csc": _inverse(cmath.sin),
        "arg": cmath.phase,
    }

    def __init__(self, real: bool = False) -> None:
        self.real = real

    def number(self, value: Fraction) -> Value:
        """The nearest float."""
        return float(value)

    def constant(self, name: str) -> Value:
        """A named constant."""
        if name == "i":
            if self.real:
                raise UndefinedError("not real")
            return 1j
        if name not in ("pi", "e"):
            raise UndefinedError(name)
        return math.pi if name == "pi" else math.e

    def power(self, base: Value, exponent: Value) -> Value:
        """`base ** exponent`, the principal value."""
        if self.real and not isinstance(base, complex) and base < 0 and exponent != int(exponent):
            raise UndefinedError("not real")
        result = base**exponent
        return _finite(result)

    def call(self, name: str, args: list[Value]) -> Value:
        """A named function; `log` takes its base second."""
        first = args[0]
        if name == "log":
            value = self._log(first)
            return value / self._log(args[1]) if len(args) > 1 else value
        if name in ("abs", "re", "im", "conjugate"):
            return abs(first) if name == "abs" else _part(name, first)
        if len(args) > 1:
            return several(name, args)
        if isinstance(first, complex):
            function = self._COMPLEX.get(name)
        else:
            function = self._REAL.get(name)
            if name in ("asin", "acos", "atanh", "acosh") and not self.real and not _inside(name, first):
                function = self._COMPLEX.get(name)
        if function is None:
            raise UndefinedError(name)
        return _finite(function(first))

    def bound(self, kind: str, at: Callable[[Value], Value], low: Value, high: Value) -> Value:
        """No float is near enough to a limit: the precise arithmetic decides."""
        raise UndefinedError(kind)

    def _log(self, value: Value) -> Value:
        if not isinstance(value, complex) and value > 0:
            return math.log(value)
        if self.real:
            raise UndefinedError("not real")
        return cmath.log(value)


def _inside(name: str, value: float) -> bool:
    return value >= 1 if name == "acosh" else -1 <= value <= 1 and (name != "atanh" or abs(value) < 1)


def _finite(value: Value) -> Value:
    if isinstance(value, complex):
        if not cmath.isfinite(value):
            raise UndefinedError("infinite")
    elif not math.isfinite(value):
        raise UndefinedError("infinite")
    return value


def _part(name: str, value: Value) -> Value:
    number = complex(value)
    return {"re": number.real, "im": number.imag, "conjugate": number.conjugate()}[name]


def several(name: str, args: list[Value]) -> Value:
    """A function of several numbers."""
    if name in ("min", "max"):
        return min(args) if name == "min" else max(args)
    if len(args) != 2:
        raise UndefinedError(name)
    left, right = args
    if name == "mod":
        return left % right
    if name == "atan2":
        return math.atan2(left, right)
    if name == "binom":
        return math.gamma(left + 1) / (math.gamma(right + 1) * math.gamma(left - right + 1))
    raise UndefinedError(name)
