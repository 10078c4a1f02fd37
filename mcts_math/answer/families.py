"""Solutions with a constant of integration: two formulas are the same family where one constant absorbs the other."""

from __future__ import annotations

from typing import Final

from mcts_math.answer.nodes import MINUS_ONE, ONE, ZERO, Call, Const, Node, Num, Power, Prod, Sum, Sym, rebuild
from mcts_math.answer.points import NUM_POINTS, point, symbols, walk
from mcts_math.answer.scalars import functions_equal
from mcts_math.answer.verdict import Policy

_CONSTANTS: Final = frozenset({"C", "K", "c", "C_1", "c_1", "C_0", "c_0", "C_2"})
_VARIABLES: Final = frozenset({"x", "t", "u", "s", "y", "z", "r", "theta"})
_STRICT: Final = Policy(rounding=False)


def same_family(left: Node, right: Node) -> bool:
    """Whether `left` for all values of its constant of integration are the functions that `right` is.

    A constant that is added absorbs numbers (`x + 2C`, `(x+1)^2/2 + C` and `x^2/2 + x + C`). One that is a factor or
    an exponent does so only where it stands before an exponential: elsewhere it may be a given parameter.
    """
    mine, theirs = symbols(left) & _CONSTANTS, symbols(right) & _CONSTANTS
    variables = (symbols(left) | symbols(right)) - mine - theirs
    if len(mine) != 1 or len(theirs) != 1 or not variables or not variables <= _VARIABLES:
        return False
    first, second = _linear(left, next(iter(mine))), _linear(right, next(iter(theirs)))
    if first is None or second is None:
        return False
    if not symbols(first[0]) and not symbols(second[0]):
        return _constant(_minus(first[1], second[1]))
    exponential = any(isinstance(part, Power) and part.base == Const("e") for part in walk(first[0]))
    return exponential and _equal(first[1], second[1]) and _constant(Prod((first[0], Power(second[0], MINUS_ONE))))


def _linear(node: Node, name: str) -> tuple[Node, Node] | None:
    """Factor and rest of a formula that is linear in its constant, or becomes so as `e^C` is a constant too."""
    node = _freed(node, name)
    terms = node.items if isinstance(node, Sum) else (node,)
    own = [_factor(term, name) for term in terms if name in symbols(term)]
    factors = [factor for factor in own if factor is not None]
    if not own or len(factors) < len(own):
        return None
    rest = tuple(term for term in terms if name not in symbols(term))
    return factors[0] if len(factors) == 1 else Sum(tuple(factors)), Sum((ZERO, *rest))


def _factor(node: Node, name: str) -> Node | None:
    """What the constant is multiplied by in a term; None where the term is no multiple of it."""
    if node == Sym(name):
        return ONE
    if isinstance(node, Prod) and sum(item == Sym(name) for item in node.items) == 1:
        rest = tuple(item for item in node.items if item != Sym(name))
        return None if any(name in symbols(item) for item in rest) else Prod((ONE, *rest))
    return None


def _freed(node: Node, name: str) -> Node:
    """`e^(u + C)` as `C e^u`, and `ln(C u)` as `C + ln u`."""
    if isinstance(node, Power) and node.base == Const("e") and isinstance(node.exponent, Sum):
        rest = tuple(item for item in node.exponent.items if item not in (Sym(name), Prod((MINUS_ONE, Sym(name)))))
        if len(rest) < len(node.exponent.items) and not any(name in symbols(item) for item in rest):
            return Prod((Sym(name), Power(node.base, Sum(rest))))
    if isinstance(node, Call) and node.name == "log" and len(node.args) == 1:
        inner = node.args[0].args[0] if isinstance(node.args[0], Call) and node.args[0].name == "abs" else node.args[0]
        factor = _factor(inner, name)
        if factor is not None:
            return Sum((Sym(name), Call("log", (Call("abs", (factor,)) if inner is not node.args[0] else factor,))))
    node = rebuild(node, lambda child: _freed(child, name))
    if isinstance(node, (Sum, Prod)):  # flat, so that the constant is seen
        flat = (part for item in node.items for part in (item.items if isinstance(item, type(node)) else (item,)))
        return type(node)(tuple(flat))
    return node


def _at(node: Node, values: dict[str, Node]) -> Node:
    if isinstance(node, Sym):
        return values.get(node.name, node)
    return rebuild(node, lambda child: _at(child, values))


def _minus(left: Node, right: Node) -> Node:
    return Sum((left, Prod((MINUS_ONE, right))))


def _equal(left: Node, right: Node) -> bool:
    return functions_equal(left, right, _STRICT)


def _constant(node: Node) -> bool:
    """Whether the value of `node` is one and the same wherever it has one."""
    for index in range(NUM_POINTS):
        value = _at(node, {name: Num(at) for name, at in point(symbols(node), index).items()})
        if _equal(node, value):
            return True
    return False
