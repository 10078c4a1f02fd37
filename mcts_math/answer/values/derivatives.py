"""Derivatives, worked out by the rules of differentiation."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.text.vocabulary import meanings
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.evaluate import UndefinedError
from mcts_math.answer.values.nodes import MINUS_ONE, ONE, Bound, Call, Node, Num, Power, Prod, Sum, Sym, symbols

_PRODUCTS: Final = meanings(  # of functions and, first, -1
    "cos: sin; -sin: cos; sec·sec: tan; -csc·csc: cot; sec·tan: sec; -csc·cot: csc; cosh: sinh; "
    "sinh: cosh; sech·sech: tanh"
)
_POWERS: Final = meanings(  # a, b, c, p: c (a + b u^2)^p
    "1,-1,1,-1/2: asin; 1,-1,-1,-1/2: acos; 1,1,1,-1: atan; 1,1,-1,-1: acot; 1,1,1,-1/2: asinh; -1,1,1,-1/2: acosh; "
    "1,-1,1,-1: atanh"
)


def _of_function(name: str, u: Node) -> Node:
    if name == "log":
        return Power(u, MINUS_ONE)
    if name in _PRODUCTS:
        factors = tuple(Call(part, (u,)) for part in _PRODUCTS[name].lstrip("-").split("·"))
        return Prod((MINUS_ONE, *factors) if _PRODUCTS[name][0] == "-" else factors)
    if name not in _POWERS:
        raise UndefinedError("a derivative that is not known")
    start, squares, scale, power = (Num(Fraction(value)) for value in _POWERS[name].split(","))
    return Prod((scale, Power(Sum((start, Prod((squares, u, u)))), power)))


def derivative(node: Node, name: str) -> Node:
    """The derivative of `node` by the variable `name`. Raises UndefinedError where it is not known."""
    if node == Sym(name):
        return ONE
    if name not in symbols(node):
        return tree.ZERO
    match node:
        case Sum(items):
            return Sum(tuple(derivative(item, name) for item in items))
        case Prod(items):
            return Sum(
                tuple(Prod((*items[:i], derivative(items[i], name), *items[i + 1 :])) for i in range(len(items)))
            )
        case Power(base, exponent):
            below = Prod((exponent, Power(base, Sum((exponent, MINUS_ONE))), derivative(base, name)))
            scale = ONE if base == tree.Const("e") else Call("log", (base,))
            within = Prod((node, scale, derivative(exponent, name)))
            if name not in symbols(exponent):
                return below
            return within if name not in symbols(base) else Sum((below, within))
        case Call("log", (inner, base)):
            return derivative(Prod((Call("log", (inner,)), Power(Call("log", (base,)), MINUS_ONE))), name)
        case Call(function, (inner,), free):
            outer = Call(function + "'", (inner,), free=True) if free else _of_function(function, inner)
            return outer if inner == Sym(name) else Prod((outer, derivative(inner, name)))
        case Bound("int", body, bound, low, high) if name not in symbols(body):
            ends = (Prod((tree.substitute(body, {bound: end}), derivative(end, name))) for end in (high, low))
            return Sum((next(ends), tree.negate(next(ends))))
    raise UndefinedError("a derivative that is not known")
