"""Approximate values in as many digits as are asked for, by mpmath.

Values are real or complex. In real mode a step that leaves the real line makes the value undefined.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from operator import mod
from typing import Any, Final

from mcts_math.answer.values.evaluate import OutOfRangeError, Point, UndefinedError, Value, noise, series, value_of
from mcts_math.answer.values.nodes import INFINITY, Bound, Node, Num, Power, children, negate, symbols, walk

_NAMES: Final = {"binom": "binomial", "rad": "radians", "conjugate": "conj"}
_OF_PYTHON: Final[dict[str, Callable[..., Value]]] = {"min": min, "max": max, "abs": abs, "mod": mod}
DIGITS: Final = 30
INFINITE: Final[dict[Node, float]] = {INFINITY: math.inf, negate(INFINITY): -math.inf}
_MAX_LIMITS: Final = 1000  # remembered
_FAR: Final = (-1024, -256, -64, -16, -4, -1, 0, 1, 4, 16, 64, 256, 1024)  # an integral to infinity may end there
_FAR_OFF: Final = 3 << 13  # where a function or a term must be near its limit
_NEAR: Final = 0.05
_MAX_PLACES: Final = 80  # of a limit; those that mpmath's extrapolation helps need fewer
_FEW_PLACES: Final = {"method": "gauss-legendre", "maxdegree": 5}  # for an integral of integrals
_MAX_TERMS: Final = 220  # of a series
_OF_ANY_SIZE: Final = ("log", "abs", "re", "im", "sign")
_own: Final = threading.local()  # an mpmath context changes its precision while it works: one for each thread


def numbers(digits: int = DIGITS, real: bool = False) -> Approximate:
    """This thread's numbers of that precision."""
    kept: dict[tuple[int, bool], Approximate] = _own.__dict__.setdefault("kept", {})
    if (digits, real) not in kept:
        kept[digits, real] = Approximate(digits, real)
    return kept[digits, real]


class Approximate:
    """Numbers of so many significant digits and their functions; `real`: what leaves the real line is undefined."""

    def __init__(self, digits: int, real: bool) -> None:
        import mpmath  # here, so that what needs no values does not pay for it

        self.real = real
        self.context: Any = mpmath.mp.clone()
        self.context.dps = digits
        self._double = 0  # how many integrals of integrals are being worked out
        self._limits: dict[Node, Value | UndefinedError] = {}  # of constants: a gold meets many points and answers

    def number(self, value: Fraction) -> Value:
        whole = self.context.mpf(value.numerator)
        return whole if value.denominator == 1 else whole / value.denominator

    def constant(self, name: str) -> Value:
        if name == "i" and not self.real:
            return self.context.mpc(0, 1)
        if name not in ("pi", "e"):
            raise UndefinedError(name)
        return +self.context.pi if name == "pi" else +self.context.e

    def power(self, base: Value, node: Power, at: Point) -> Value:
        """The principal value; the real one of an odd root of a negative number."""
        exponent = value_of(node.exponent, at, self)
        if isinstance(node.exponent, Num) and not self.context.im(base) and self.context.re(base) < 0:
            index = node.exponent.value.denominator
            if index > 1 and index % 2 and index < 1000:
                root = self._power(-self.context.re(base), exponent)
                return -root if node.exponent.value.numerator % 2 else root
        return self._power(base, exponent)

    def _power(self, base: Value, exponent: Value) -> Value:
        if self.real and base < 0 and not self.context.isint(exponent):
            raise UndefinedError("not real")
        self._reachable(base, 1 << 20)
        self._reachable(exponent, 64)
        return self.context.power(base, exponent)

    def call(self, name: str, args: list[Value], free: bool) -> Value:
        """A named function; `log` takes its base second. A function without a meaning has fixed random values."""
        context, first = self.context, args[0]
        if free:
            key = "|".join(f"{complex(arg):.7e}" for arg in args).replace("-0.0000000e+00", "0.0000000e+00")
            return self.number(Fraction(noise(name, key) % 10007 + 5003, 9973))
        if name == "rootof":  # of a polynomial, by its place among the real roots
            return self.real_roots(args[1:])[int(first)]
        if name == "mod" and any(isinstance(arg, context.mpc) for arg in args):
            raise UndefinedError("a remainder of complex numbers")
        if name == "log" and args[1:] and args[1] in (0, 1):
            raise UndefinedError("a logarithm to the base 0 or 1")
        for arg in args:
            self._reachable(arg, 1 << 20 if name in _OF_ANY_SIZE else 256)
        function = _OF_PYTHON.get(name) or getattr(context, _NAMES.get(name, name), None)
        if function is None:
            raise UndefinedError(name)
        value = function(*args)
        if self.real and context.im(value) != 0:
            raise UndefinedError("not real")
        return context.re(value) if self.real else value

    def real_roots(self, coefficients: Sequence[Value]) -> list[Value]:
        """The real roots of a polynomial without multiple roots, the constant term first, in ascending order."""
        values = [self.context.mpf(c.numerator) / c.denominator if isinstance(c, Fraction) else c for c in coefficients]
        try:
            roots = self.context.polyroots(values[::-1], maxsteps=200, extraprec=200)
        except self.context.NoConvergence as error:
            raise UndefinedError("roots that are not found") from error
        tiny = self.context.mpf(10) ** (10 - self.context.dps)
        return sorted(root.real for root in roots if abs(root.imag) <= tiny * abs(root))

    def bound(self, node: Bound, at: Point) -> Value:
        """A sum, product, integral or limit; long ones by the methods of mpmath."""
        low, high = (INFINITE[end] if end in INFINITE else value_of(end, at, self) for end in (node.low, node.high))
        if node.kind in ("sum", "prod") and not math.isinf(low) and not math.isinf(high):
            return series(node, at, self, low, high)
        within = [part for child in children(node) for part in walk(child) if isinstance(part, Bound)]
        if within and (symbols(node) or len(within) > 1 or {node.kind, within[0].kind} != {"int"}):
            raise UndefinedError("a limit within a limit")
        if symbols(node):
            return self._limit(node, at, low, high)
        if node not in self._limits:
            if len(self._limits) >= _MAX_LIMITS:
                self._limits.clear()
            try:
                self._limits[node] = self._limit(node, at, low, high)
            except UndefinedError as error:
                self._limits[node] = error
        limit = self._limits[node]
        if isinstance(limit, UndefinedError):
            raise limit
        return limit

    def _limit(self, node: Bound, at: Point, low: Value, high: Value) -> Value:
        def term(value: Value) -> Value:
            return value_of(node.body, {**at, node.name: value}, self)

        context = self.context
        if node.kind == "lim":
            return self._approached(term, context.mpf(low))
        if node.kind == "int":
            double = any(isinstance(part, Bound) for part in walk(node.body))
            self._double += double
            try:
                return self._integral(term, low, high)
            finally:
                self._double -= double
        if not math.isinf(high) or math.isinf(low):
            raise UndefinedError("a long sum")
        unit, extrapolate = (0, context.nsum) if node.kind == "sum" else (1, context.nprod)
        try:
            far, farther = (abs(term(context.mpf(place)) - unit) for place in (_FAR_OFF, 2 * _FAR_OFF))
        except OutOfRangeError:  # of factorials
            far, farther = (abs(term(context.mpf(place)) - unit) for place in (_FAR_OFF >> 4, _FAR_OFF >> 3))
        if far > _NEAR:  # else (-1)^n and 2^n would get the sums of Abel and Euler
            raise UndefinedError("a series that does not converge")
        return self._first_found(
            partial(extrapolate, term, [low, context.inf], method=method, strict=True, maxterms=_MAX_TERMS)
            for method in ("r+s", "e")[: 1 if 2 * farther > 0.98 * far else 2]  # 1/n and larger terms have no sum
        )

    def _first_found(self, ways: Iterable[Callable[[], Value]]) -> Value:
        """The first value that one of mpmath's extrapolations converges to."""
        for way in ways:
            try:
                return way()
            except (self.context.NoConvergence, UndefinedError):
                continue
        raise UndefinedError("a limit that is not found")

    def _approached(self, term: Callable[[Value], Value], point: Value) -> Value:
        """The limit at a point from above, by halved distances, which hasten roots and logarithms, or by even ones."""
        context = self.context
        far = term(context.sign(point) * _FAR_OFF if math.isinf(point) else point + context.mpf(1) / _FAR_OFF)
        limit = self._first_found(
            partial(context.limit, term, point, exp=halved, strict=True, maxterms=_MAX_PLACES)
            for halved in (True, False)
        )
        if abs(far - limit) > (1 + abs(limit)) * _NEAR:  # as 0, which is no limit of (-1)^n
            raise UndefinedError("a limit that is none")
        below = far if math.isinf(point) else term(point - context.mpf(1) / _FAR_OFF)
        if not below.imag and abs(below - limit) > 100 * abs(far - limit) + (1 + abs(limit)) * _NEAR:
            raise UndefinedError("limits from both sides that differ")
        return limit

    def _integral(self, term: Callable[[Value], Value], low: Value, high: Value) -> Value:
        small = self.context.mpf(10) ** (-self.context.dps // 2)
        try:
            value, error = self.context.quad(term, [low, high], error=True, **(_FEW_PLACES if self._double else {}))
        except OutOfRangeError:  # an exponential far out, which may be left out where it has died away before
            places = [place for place in _FAR if low < place < high]
            if not places or any(
                self._lives_on(term, places, end, small) for end in (0, -1) if math.isinf((low, high)[end])
            ):
                raise
            value, error = self.context.quad(term, [p for p in (low, *places, high) if not math.isinf(p)], error=True)
        if not error < small:
            raise UndefinedError("an integral that does not converge fast enough")
        return value

    def _lives_on(self, term: Callable[[Value], Value], places: Sequence[int], end: int, small: Value) -> bool:
        """Whether a term does not fall, or is not small yet, at the last place on that side and some way beyond."""
        far = [places[end] * times for times in (1, 2, 4, 16, 64)]
        sizes = [abs(term(place)) for place in far]
        falls = all(b <= a for a, b in pairwise([abs(term(places[end] / 4)), *sizes]))
        return not falls or any(size * abs(place) > small for size, place in zip(sizes, far, strict=True))

    def _reachable(self, value: Value, bits: int) -> None:
        """Raises where `value` has more than `bits` bits before the point: its sine or power would need as many."""
        if value and self.context.mag(value) > bits:
            raise OutOfRangeError("too large")

    def checked(self, value: Value) -> Value:
        if not self.context.isfinite(value):
            raise UndefinedError("infinite")
        return value
