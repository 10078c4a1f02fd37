"""Values in fifty digits, by mpmath: for what floats can't decide."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mcts_math.answer.arithmetic import UndefinedError, Value, several
from mcts_math.errors import CheckerError


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
                raise UndefinedError("not real")
            return self.context.mpc(0, 1)
        if name not in ("pi", "e"):
            raise UndefinedError(name)
        return +self.context.pi if name == "pi" else +self.context.e

    def power(self, base: Value, exponent: Value) -> Value:
        """`base ** exponent`, the principal value."""
        if self.real and self.context.im(base) == 0 and base < 0 and not self.context.isint(exponent):
            raise UndefinedError("not real")
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
                raise UndefinedError("not real")
            return context.log(first) / context.log(args[1]) if len(args) > 1 else context.log(first)
        if name in ("abs", "re", "im", "conjugate"):
            return {"abs": abs, "re": context.re, "im": context.im, "conjugate": context.conj}[name](first)
        if len(args) > 1 and name != "binom":
            return several(name, args)
        function = getattr(context, {"binom": "binomial", "rad": "radians"}.get(name, name), None)
        if function is None:
            raise UndefinedError(name)
        value = function(*args)
        if self.real and context.im(value) != 0:
            raise UndefinedError("not real")
        return value

    def bound(self, kind: str, at: Callable[[Value], Value], low: Value, high: Value) -> Value:
        """A sum, product, integral or limit of `at` from `low` to `high`, by the methods of mpmath."""
        context = self.context
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
        if self.context.isinf(value) or self.context.isnan(value) or (value != 0 and self.context.mag(value) > bits):
            raise UndefinedError("too large")
