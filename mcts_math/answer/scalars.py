"""Whether two expressions are the same number or the same function of their variables.

Exactly (fractions) where that is possible; otherwise by value, at fixed points for expressions with variables, first
in floats and, where floats call them equal, once more in fifty digits.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Final

from mcts_math.answer.arithmetic import Arithmetic, FloatArithmetic, UndefinedError, Value, evaluate
from mcts_math.answer.decimals import float_of, noisy, rationals_equal, rounds_to, slack, written
from mcts_math.answer.exact import TooLargeError, exact
from mcts_math.answer.nodes import INFINITY, Bound, Call, Const, Node, Num, Power, Prod, Sum, Sym, children
from mcts_math.answer.precise import PreciseArithmetic
from mcts_math.answer.verdict import Policy

CLOSE: Final = 1e-9
_CONSTANTS_OF_INTEGRATION: Final = frozenset({"C", "c", "K", "k", "C_1", "c_1", "C_0", "c_0"})
_NUM_POINTS: Final = 12
_ENOUGH: Final = 3


@lru_cache(maxsize=4096)
def symbols(node: Node) -> frozenset[str]:
    """Names of the variables in `node`."""
    if isinstance(node, Sym):
        return frozenset({node.name})
    names: frozenset[str] = frozenset()
    for child in children(node):
        names |= symbols(child)
    return names - {node.name} if isinstance(node, Bound) else names


def contains(node: Node, kind: type | tuple[type, ...]) -> bool:
    """Whether a node of `kind` is in `node`."""
    return isinstance(node, kind) or any(contains(child, kind) for child in children(node))


def scalars_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether the two expressions are equal; never true where that could not be established."""
    if left == right:
        return True
    if contains(left, Const) or contains(right, Const):
        special = _special(left), _special(right)
        if special != (None, None):
            return special[0] == special[1]
    try:
        first, second = exact(left), exact(right)
        if first is not None and second is not None:
            return rationals_equal(left, right, first, second, policy)
    except (TooLargeError, ZeroDivisionError):
        pass  # too large for fractions, or a division by zero: the values below decide, or nothing does
    names = symbols(left) | symbols(right)
    if not names and not contains(left, Call) and not contains(right, Call):
        return _constants_equal(left, right, policy)
    right = _same_constant_name(left, right)
    return functions_equal(left, right, policy) if names else _constants_equal(left, right, policy)


def _special(node: Node) -> str | None:
    """`oo`, `-oo`, `nan`, `true`, `false`, or None for a number."""
    if isinstance(node, Const) and node.name in ("oo", "nan", "true", "false"):
        return node.name
    if isinstance(node, Prod) and len(node.items) == 2 and node.items[1] == INFINITY:
        factor = node.items[0]
        if isinstance(factor, Num) and factor.value:
            return "oo" if factor.value > 0 else "-oo"
    return None


def _same_constant_name(left: Node, right: Node) -> Node:
    """`right` with its constant of integration named as in `left`."""
    mine, other = symbols(left) - symbols(right), symbols(right) - symbols(left)
    if len(mine) == len(other) == 1 and mine | other <= _CONSTANTS_OF_INTEGRATION and len(symbols(left)) > 1:
        return rename(right, {next(iter(other)): next(iter(mine))})
    return right


def rename(node: Node, names: Mapping[str, str]) -> Node:
    """`node` with variables renamed (expressions only)."""
    if isinstance(node, Sym):
        return Sym(names.get(node.name, node.name))
    if isinstance(node, Power):
        return Power(rename(node.base, names), rename(node.exponent, names), node.root)
    if isinstance(node, Call):
        return Call(node.name, tuple(rename(arg, names) for arg in node.args), node.free)
    if isinstance(node, (Sum, Prod)):
        return type(node)(tuple(rename(item, names) for item in node.items))
    return node


def _near(a: Value, b: Value, tolerance: float) -> bool:
    return bool(abs(a - b) <= tolerance * max(abs(a), abs(b)))


def _tolerance(left: Node, right: Node, policy: Policy) -> float:
    """Relative; more than `CLOSE` only where exactly one side has rounded decimals in it."""
    slacks = slack(left), slack(right)
    if policy.rounding and (not slacks[0]) != (not slacks[1]):
        return max(CLOSE, *slacks)
    return CLOSE


def _constants_equal(left: Node, right: Node, policy: Policy) -> bool:
    a, b = written(left), written(right)
    decimal, other = (a, right) if a is not None else (b, left)
    try:
        if decimal is not None and a is not b and (a is None or b is None):
            value = _approximate(other)
            if isinstance(value, complex):
                if abs(value.imag) > CLOSE * abs(value):
                    return False
                value = value.real
            if _near(float_of(decimal.value), value, 1e-12):
                return decimal.is_float or _precisely_equal(left, right, {}, False, False)
            if decimal.is_float:
                return _near(float_of(decimal.value), value, CLOSE)
            return policy.rounding and rounds_to(decimal, Fraction(value), policy)
        first, second = evaluate(left, {}, FloatArithmetic()), evaluate(right, {}, FloatArithmetic())
    except (UndefinedError, OverflowError):
        return _precisely_equal(left, right, {}, False, False)
    tolerance = _tolerance(left, right, policy)
    if not _near(first, second, max(tolerance, 1e-7)) and abs(first - second) > 1e-7:
        return False
    if tolerance > CLOSE or noisy(left, right):
        return _near(first, second, tolerance) or abs(first - second) < 1e-12
    return _precisely_equal(left, right, {}, False, False)


def _approximate(node: Node) -> Value:
    """The value as a float; that of a limit by the precise arithmetic."""
    if contains(node, Bound):
        return complex(evaluate(node, {}, _precise(False))).real
    return evaluate(node, {}, FloatArithmetic())


_own: Final = threading.local()  # an mpmath context changes its precision while it works: one for each thread


def _precise(real: bool) -> PreciseArithmetic:
    kept: dict[bool, PreciseArithmetic] = _own.__dict__.setdefault("kept", {})
    if real not in kept:
        kept[real] = PreciseArithmetic(real)
    return kept[real]


def _precisely_equal(
    left: Node, right: Node, point: Mapping[str, Fraction], real: bool, products: bool, digits: int = 30
) -> bool:
    """Whether the values at `point` agree in 30 digits of 50 (relative, or absolute near zero)."""
    using: Arithmetic = _precise(real)
    if contains(left, Bound) or contains(right, Bound):
        digits = 12  # limits are reached by extrapolation
    values = {name: using.number(value) for name, value in point.items()}
    try:
        a, b = evaluate(left, values, using, products), evaluate(right, values, using, products)
        limit = using.number(Fraction(1, 10**digits))
        size = max(abs(a), abs(b))
        return bool(abs(a - b) <= limit * max(size, using.number(Fraction(1))) or abs(a - b) <= limit * size)
    except UndefinedError:
        return False


def point(names: frozenset[str], index: int) -> dict[str, Fraction]:
    """The `index`-th test point: fixed values that look random; 0 to 3 positive, 4 negative, the others mixed."""
    values: dict[str, Fraction] = {}
    for name in names:
        noise = zlib.crc32(f"{name}/{index}".encode())
        size = Fraction(noise % 8999 + 500, 3001)  # 0.17 to 3.2
        if index in (3, 8, 9):
            size = size / 4  # inside the domain of arcsin and of sqrt(1 - x^2)
        elif index in (2, 10):
            size = size * 5
        values[name] = -size if index == 4 or (index > 4 and (noise >> 16) % 2) else size
    return values


def functions_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two expressions agree wherever both are defined (at the test points where both are)."""
    names = symbols(left) | symbols(right) | _free_names(left, right)
    products = _free_names(left) != _free_names(right)
    rational = (
        None if noisy(left, right) or slack(left) != slack(right) else _rational_functions_equal(left, right, names)
    )
    if rational is not None:
        return rational
    tolerance = _tolerance(left, right, policy)
    imaginary = _has_imaginary(left) or _has_imaginary(right)
    for real in (False,) if imaginary else (True, False):
        agreed = 0
        confirmed = tolerance > CLOSE or noisy(left, right)
        for index in range(_NUM_POINTS):
            where = point(names, index)
            same = _agree(left, right, where, real, products, tolerance)
            if same is None:
                continue
            if not same:
                return False
            if not confirmed:
                if not _precisely_equal(left, right, where, real, products, 25):
                    return False
                confirmed = True
            agreed += 1
        if agreed >= _ENOUGH:
            return True
    return False


def _rational_functions_equal(left: Node, right: Node, names: frozenset[str]) -> bool | None:
    """Exact comparison where both are rational functions; None where they are not, or too large."""
    agreed = 0
    for index in (0, 4, 5, 1, 6, 2, 7):
        where = point(names, index)
        try:
            first, second = exact(left, where), exact(right, where)
        except ZeroDivisionError:
            continue
        except TooLargeError:
            return None
        if first is None or second is None:
            return None
        if first != second:
            return False
        agreed += 1
        if agreed == _ENOUGH:
            return True
    return None


def _agree(
    left: Node, right: Node, where: Mapping[str, Fraction], real: bool, products: bool, tolerance: float
) -> bool | None:
    """Whether two expressions have one value there; None where one of them has none."""
    using = FloatArithmetic(real)
    values = {name: float(value) for name, value in where.items()}
    try:
        a, b = evaluate(left, values, using, products), evaluate(right, values, using, products)
    except UndefinedError:
        return None
    if _near(a, b, tolerance):
        return True
    if not _near(a, b, 1e-4) and abs(a - b) > 1e-4:
        return False
    if tolerance > CLOSE:
        return False
    return _precisely_equal(left, right, where, real, products, 25)


def _has_imaginary(node: Node) -> bool:
    return node == Const("i") or any(_has_imaginary(child) for child in children(node))


def _free_names(*nodes: Node) -> frozenset[str]:
    names: frozenset[str] = frozenset()
    for node in nodes:
        if isinstance(node, Call) and node.free and node.name != "prime":
            names |= {node.name}
        names |= _free_names(*children(node))
    return names
