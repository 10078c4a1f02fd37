"""Derivatives, worked out by the rules of differentiation."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from mcts_math.answer.values.evaluate import UndefinedError
from mcts_math.answer.values.nodes import (
    HALF,
    MINUS_ONE,
    ONE,
    ZERO,
    Bound,
    Call,
    Const,
    Node,
    Num,
    Power,
    Prod,
    Sum,
    Sym,
    negate,
    substitute,
    symbols,
)

_E: Final = Const("e")
_TWO: Final = Num(Fraction(2))


def _one_over_root(start: Node, sign: int) -> Callable[[Node], Node]:
    """1 over the square root of `start` and plus or minus a square."""
    return lambda u: Power(Power(_with_square(start, sign, u), HALF), MINUS_ONE)


def _with_square(start: Node, sign: int, u: Node) -> Node:
    return Sum((start, Prod((Num(Fraction(sign)), u, u))))


def _times(name: str, other: str, sign: int = 1) -> Callable[[Node], Node]:
    return lambda u: Prod((Num(Fraction(sign)), Call(name, (u,)), Call(other, (u,))))


_OF_FUNCTIONS: Final[dict[str, Callable[[Node], Node]]] = {
    "sin": lambda u: Call("cos", (u,)),
    "cos": lambda u: negate(Call("sin", (u,))),
    "tan": _times("sec", "sec"),
    "cot": _times("csc", "csc", -1),
    "sec": _times("sec", "tan"),
    "csc": _times("csc", "cot", -1),
    "sinh": lambda u: Call("cosh", (u,)),
    "cosh": lambda u: Call("sinh", (u,)),
    "tanh": _times("sech", "sech"),
    "asin": _one_over_root(ONE, -1),
    "acos": lambda u: negate(_one_over_root(ONE, -1)(u)),
    "atan": lambda u: Power(_with_square(ONE, 1, u), MINUS_ONE),
    "acot": lambda u: negate(Power(_with_square(ONE, 1, u), MINUS_ONE)),
    "asinh": _one_over_root(ONE, 1),
    "acosh": _one_over_root(MINUS_ONE, 1),
    "atanh": lambda u: Power(_with_square(ONE, -1, u), MINUS_ONE),
    "log": lambda u: Power(u, MINUS_ONE),
}


def derivative(node: Node, name: str) -> Node:
    """The derivative of `node` by the variable `name`.

    Raises:
        UndefinedError: a function whose derivative is not known.
    """
    if node == Sym(name):
        return ONE
    if name not in symbols(node):
        return ZERO
    match node:
        case Sum(items):
            return Sum(tuple(derivative(item, name) for item in items))
        case Prod(items):
            return Sum(
                tuple(Prod((*items[:i], derivative(items[i], name), *items[i + 1 :])) for i in range(len(items)))
            )
        case Power(base, exponent):
            below = Prod((exponent, Power(base, Sum((exponent, MINUS_ONE))), derivative(base, name)))
            scale = ONE if base == _E else Call("log", (base,))
            within = Prod((node, scale, derivative(exponent, name)))
            if name not in symbols(exponent):
                return below
            return within if name not in symbols(base) else Sum((below, within))
        case Call("log", (inner, base)):
            return derivative(Prod((Call("log", (inner,)), Power(Call("log", (base,)), MINUS_ONE))), name)
        case Call(function, (inner,), free) if free or function in _OF_FUNCTIONS:
            outer = Call(function + "'", (inner,), free=True) if free else _OF_FUNCTIONS[function](inner)
            return outer if inner == Sym(name) else Prod((outer, derivative(inner, name)))
        case Bound("int", body, bound, low, high) if name not in symbols(body):
            ends = (Prod((substitute(body, {bound: end}), derivative(end, name))) for end in (high, low))
            return Sum((next(ends), negate(next(ends))))
    raise UndefinedError("a derivative that is not known")
