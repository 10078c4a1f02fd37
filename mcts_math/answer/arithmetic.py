"""Approximate values of expressions: in floats first, in 50 digits where floats can't decide.

Values are real or complex numbers. In real mode a step that leaves the real line makes the value undefined.
"""

from __future__ import annotations

import cmath
import math
import zlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, Protocol

from mcts_math.answer.exact import TooLarge
from mcts_math.answer.nodes import Call, Const, Matrix, Node, Num, Power, Prod, Quantity, Sum, Sym
from mcts_math.errors import CheckerError

Value = Any  # float, complex, or an mpmath number: mpmath has no types


class Undefined(Exception):
    """The expression has no value there."""


class Arithmetic(Protocol):
    """The operations that evaluation needs."""

    real: bool

    def number(self, value: Fraction) -> Value: ...

    def constant(self, name: str) -> Value: ...

    def power(self, base: Value, exponent: Value) -> Value: ...

    def call(self, name: str, args: list[Value]) -> Value: ...


def evaluate(node: Node, values: Mapping[str, Value], using: Arithmetic, products: bool = False) -> Value:
    """The value of `node` where its variables have `values`.

    Args:
        products: f(x) is read as f times x.

    Raises:
        Undefined: no value there, or none within reach (infinite, not a number).
    """
    try:
        return _evaluate(node, values, using, products)
    except (ArithmeticError, ValueError, TypeError, TooLarge) as error:
        raise Undefined(str(error)) from error


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
    raise Undefined("no number")


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
    return using.number(Fraction(zlib.crc32(key.replace("-0.0000000e+00", "0.0000000e+00").encode()) % 10007 + 5003, 9973))


def _determinant(node: Node, values: Mapping[str, Value], using: Arithmetic, products: bool) -> Value:
    if not isinstance(node, Matrix) or len(node.rows) != len(node.rows[0]) or len(node.rows) > 4:
        raise Undefined("no square matrix of at most four rows")

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
        **{name: getattr(math, name) for name in "sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh".split()},
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
        **{name: getattr(cmath, name) for name in "sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh".split()},
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
                raise Undefined("not real")
            return 1j
        if name not in ("pi", "e"):
            raise Undefined(name)
        return math.pi if name == "pi" else math.e

    def power(self, base: Value, exponent: Value) -> Value:
        """`base ** exponent`, the principal value."""
        if self.real and not isinstance(base, complex) and base < 0 and exponent != int(exponent):
            raise Undefined("not real")
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
            return _several(name, args)
        if isinstance(first, complex):
            function = self._COMPLEX.get(name)
        else:
            function = self._REAL.get(name)
            if name in ("asin", "acos", "atanh", "acosh") and not self.real and not _inside(name, first):
                function = self._COMPLEX.get(name)
        if function is None:
            raise Undefined(name)
        return _finite(function(first))

    def _log(self, value: Value) -> Value:
        if not isinstance(value, complex) and value > 0:
            return math.log(value)
        if self.real:
            raise Undefined("not real")
        return cmath.log(value)


class PreciseArithmetic:
    """Fifty digits, by mpmath. Values whose size alone would take long to compute are undefined."""

    def __init__(self, real: bool = False, digits: int = 50) -> None:
        try:
            import mpmath
        except ImportError as error:
            raise CheckerError("the answer checker needs mpmath >= 1.3: pip install mpmath") from error
        self.real = real
        self.context: Any = mpmath.mp.clone()
        self.context.dps = digits

    def number(self, value: Fraction) -> Value:
        """`value` rounded to the precision."""
        return self.context.mpf(value.numerator) / value.denominator

    def constant(self, name: str) -> Value:
        """A named constant."""
        if name == "i":
            if self.real:
                raise Undefined("not real")
            return self.context.mpc(0, 1)
        if name not in ("pi", "e"):
            raise Undefined(name)
        return +self.context.pi if name == "pi" else +self.context.e

    def power(self, base: Value, exponent: Value) -> Value:
        """`base ** exponent`, the principal value."""
        if self.real and self.context.im(base) == 0 and base < 0 and not self.context.isint(exponent):
            raise Undefined("not real")
        self._reachable(base, 1 << 20)
        self._reachable(exponent, 64)
        return self.context.power(base, exponent)

    def call(self, name: str, args: list[Value]) -> Value:
        """A named function."""
        context = self.context
        for arg in args:
            self._reachable(arg, 256 if name not in ("log", "abs", "re", "im", "sign") else 1 << 20)
        first = args[0]
        if name == "log":
            if self.real and (context.im(first) != 0 or first <= 0):
                raise Undefined("not real")
            return context.log(first) / context.log(args[1]) if len(args) > 1 else context.log(first)
        if name in ("abs", "re", "im", "conjugate"):
            return {"abs": abs, "re": context.re, "im": context.im, "conjugate": context.conj}[name](first)
        if len(args) > 1 and name != "binom":
            return _several(name, args)
        function = getattr(context, {"binom": "binomial", "rad": "radians"}.get(name, name), None)
        if function is None:
            raise Undefined(name)
        value = function(*args)
        if self.real and context.im(value) != 0:
            raise Undefined("not real")
        return value

    def _reachable(self, value: Value, bits: int) -> None:
        """Sines and powers of astronomically large numbers would need as many digits: at most `bits` before the point."""
        if self.context.isinf(value) or self.context.isnan(value) or (value != 0 and self.context.mag(value) > bits):
            raise Undefined("too large")


def _inside(name: str, value: float) -> bool:
    return value >= 1 if name == "acosh" else -1 <= value <= 1 and (name != "atanh" or abs(value) < 1)


def _finite(value: Value) -> Value:
    if isinstance(value, complex):
        if not cmath.isfinite(value):
            raise Undefined("infinite")
    elif not math.isfinite(value):
        raise Undefined("infinite")
    return value


def _part(name: str, value: Value) -> Value:
    number = complex(value)
    return {"re": number.real, "im": number.imag, "conjugate": number.conjugate()}[name]


def _several(name: str, args: list[Value]) -> Value:
    if name in ("min", "max"):
        return min(args) if name == "min" else max(args)
    if len(args) != 2:
        raise Undefined(name)
    left, right = args
    if name == "mod":
        return left % right
    if name == "atan2":
        return math.atan2(left, right)
    if name == "binom":
        return math.gamma(left + 1) / (math.gamma(right + 1) * math.gamma(left - right + 1))
    raise Undefined(name)
