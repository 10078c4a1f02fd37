"""Whether two expressions are the same number or the same function of their variables.

Exactly (fractions) where that is possible; otherwise by value, at fixed points for expressions with variables, first
in floats and, where floats call them equal, once more in fifty digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from mcts_math.answer.values.arithmetic import OutOfRangeError, UndefinedError, Value, evaluate, numbers
from mcts_math.answer.values.decimals import float_of, noisy, rationals_equal, rounds_to, slack, written
from mcts_math.answer.values.exact import TooLargeError, exact
from mcts_math.answer.values.nodes import INFINITY, Bound, Call, Const, Node, Num, Prod, children
from mcts_math.answer.values.points import points, symbols
from mcts_math.answer.values.substitution import rename
from mcts_math.answer.verdict import Policy

CLOSE: Final = 1e-9
_CONSTANTS_OF_INTEGRATION: Final = frozenset({"C", "c", "K", "k", "C_1", "c_1", "C_0", "c_0"})
_ENOUGH: Final = 3
_FAR_OFF: Final = 4  # points at which values that no float holds are computed: each takes long
DIGITS: Final = 50
Point = Mapping[str, Fraction]


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
        first, second = evaluate(left, {}, numbers()), evaluate(right, {}, numbers())
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
        return complex(evaluate(node, {}, numbers(DIGITS))).real
    return evaluate(node, {}, numbers())


def _precisely_equal(left: Node, right: Node, at: Point, real: bool, products: bool, digits: int = 30) -> bool:
    """Whether the values at a point agree in `digits` digits, or their difference vanishes as precision grows.

    The difference of two equal values is rounding error alone: with 70 more digits it shrinks by as much. That tells
    e^-100, which is small, from sqrt(2) + sqrt(3) - sqrt(5 + 2 sqrt(6)), which is 0, whatever the size of either.
    """
    limits = contains(left, Bound) or contains(right, Bound)
    gap = None
    try:
        for precision in (DIGITS, DIGITS + 70):
            using = numbers(precision, real)
            values = {name: using.number(value) for name, value in at.items()}
            a, b = evaluate(left, values, using, products), evaluate(right, values, using, products)
            size = max(abs(a), abs(b))
            if limits:  # reached by extrapolation
                return bool(abs(a - b) <= using.number(Fraction(1, 10**12)) * max(size, 1))
            if abs(a - b) <= using.number(Fraction(1, 10**digits)) * size:
                return True
            if gap is not None:
                return bool(abs(a - b) <= gap * using.number(Fraction(1, 10**30)))
            gap = using.number(Fraction(1)) * abs(a - b)
    except UndefinedError:
        return False
    return False


def functions_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two expressions agree wherever both are defined (at the test points where both are)."""
    free = _free_names(left), _free_names(right)
    where, few = points(left, right, symbols(left) | symbols(right) | free[0] | free[1])
    tolerance = _tolerance(left, right, policy)
    exactly = not noisy(left, right) and slack(left) == slack(right)
    reach = 0 if contains(left, Bound) or contains(right, Bound) else _FAR_OFF
    imaginary = _has_imaginary(left) or _has_imaginary(right)
    for real in (False,) if imaginary else (True, False):
        agreed = far_off = 0
        confirmed = tolerance > CLOSE or noisy(left, right)
        for at in where:
            same = _exactly_agree(left, right, at) if exactly else None
            rational = same is not None
            if same is None:
                try:
                    same = _agree(left, right, at, real, free[0] != free[1], tolerance)
                except OutOfRangeError:
                    far_off += 1
                    same = _agree_far_off(left, right, at, real, free[0] != free[1]) if far_off <= reach else None
            if same is None:
                continue
            if not same or not (
                confirmed or rational or _precisely_equal(left, right, at, real, free[0] != free[1], 25)
            ):
                return False
            confirmed |= not rational
            agreed += 1
            if few and agreed == (_ENOUGH if rational else _ENOUGH + 2):
                break
        if agreed >= _ENOUGH:
            return True
    return False


def _exactly_agree(left: Node, right: Node, at: Point) -> bool | None:
    """Whether two expressions have one rational value there; None where a value is not known to be rational."""
    try:
        first, second = exact(left, at), exact(right, at)
    except (ZeroDivisionError, TooLargeError):
        return None
    return None if first is None or second is None else first == second


def _agree(left: Node, right: Node, at: Point, real: bool, products: bool, tolerance: float) -> bool | None:
    """Whether two expressions have one value there; None where one of them has none.

    Raises:
        OutOfRangeError: no float holds a value on the way.
    """
    try:
        values = {name: float(value) for name, value in at.items()}
        a, b = (
            evaluate(left, values, numbers(real=real), products),
            evaluate(right, values, numbers(real=real), products),
        )
    except OutOfRangeError:
        raise
    except UndefinedError:
        return None
    if _near(a, b, tolerance):
        return True
    if (not _near(a, b, 1e-4) and abs(a - b) > 1e-4) or tolerance > CLOSE:
        return False
    return _precisely_equal(left, right, at, real, products, 25)


def _agree_far_off(left: Node, right: Node, at: Point, real: bool, products: bool) -> bool | None:
    """As `_agree`, for values that no float holds."""
    using = numbers(DIGITS, real)
    values = {name: using.number(value) for name, value in at.items()}
    try:
        a, b = evaluate(left, values, using, products), evaluate(right, values, using, products)
    except UndefinedError:
        return None
    return _near(a, b, using.number(Fraction(1, 10**12))) or _precisely_equal(left, right, at, real, products, 25)


def _has_imaginary(node: Node) -> bool:
    return node == Const("i") or any(_has_imaginary(child) for child in children(node))


def _free_names(*nodes: Node) -> frozenset[str]:
    names: frozenset[str] = frozenset()
    for node in nodes:
        if isinstance(node, Call) and node.free and node.name != "prime":
            names |= {node.name}
        names |= _free_names(*children(node))
    return names
