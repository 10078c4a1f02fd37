"""Solutions with constants of integration: two formulas are the same family where their constants absorb the rest.

A formula that is linear in its constants stands for a rest and the span of their factors. Two are the same family where
the spans are the same and hold the difference of the rests. That is a matter of ranks: of the values at test points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mcts_math.answer.values.arithmetic import UndefinedError, evaluate, numbers
from mcts_math.answer.values.nodes import MINUS_ONE, ONE, ZERO, Call, Const, Node, Power, Prod, Sum, Sym, rebuild
from mcts_math.answer.values.points import point, symbols, walk

_ADDED: Final = frozenset({"C", "K", "c", "C_1", "c_1", "C_0", "c_0"})
_CONSTANTS: Final = _ADDED | {"A", "B", "D", "C_2", "C_3", "c_2", "c_3"}
_VARIABLES: Final = frozenset({"x", "t", "u", "s", "y", "z", "theta"})
_OF_EQUATIONS: Final = frozenset({"sin", "cos", "sinh", "cosh"})
_NEAR: Final = (0, 1, 3, 4, 5, 6, 7, 8, 9)  # test points at which no exponential drowns another
_LOST: Final = 1e-8  # relative size below which a value is rounding error


def same_family(left: Node, right: Node) -> bool:
    """Whether `left` for all values of its constants of integration are the functions that `right` is.

    A constant that is added absorbs numbers (`x + 2C`, `(x+1)^2/2 + C` and `x^2/2 + x + C`). One that is a factor or
    an exponent does so only with exponentials and waves: elsewhere it may be a given parameter.
    """
    mine, theirs = sorted(symbols(left) & _CONSTANTS), sorted(symbols(right) & _CONSTANTS)
    variables = (symbols(left) | symbols(right)) - set(mine) - set(theirs)
    if not mine or len(mine) != len(theirs) or not variables or not variables <= _VARIABLES:
        return False
    first, second = _linear(left, mine), _linear(right, theirs)
    if first is None or second is None:
        return False
    factors, others = first[0], second[0]
    if len(mine) == 1 and not symbols(factors[0]) and not symbols(others[0]):
        if not {*mine, *theirs} <= _ADDED:
            return False
    elif not all(any(map(_is_of_equations, walk(Sum(tuple(part))))) for part in (factors, others)):
        return False
    rest = Sum((first[1], Prod((MINUS_ONE, second[1]))))
    count = len(mine)
    return _rank(factors) == _rank(others) == count == _rank([*factors, *others, rest])


def same_curves(left: Node, right: Node) -> bool:
    """Whether `left = 0` and `right = 0` are the same curves for all values of the constant in each."""
    mine, theirs = sorted(symbols(left) & _ADDED), sorted(symbols(right) & _ADDED)
    if len(mine) != 1 or len(theirs) != 1 or not (symbols(left) | symbols(right)) - {*mine, *theirs} <= _VARIABLES:
        return False
    first, second = _linear(left, mine), _linear(right, theirs)
    if first is None or second is None or symbols(first[0][0]) or symbols(second[0][0]):
        return False
    rests = [first[1], second[1]]
    return _rank([ONE, *rests]) == 2 == _rank([ONE, first[1]]) == _rank([ONE, second[1]])


def _is_of_equations(node: Node) -> bool:
    """Whether it is a function that linear equations have as solutions."""
    if isinstance(node, Power):
        return node.base == Const("e") and bool(symbols(node.exponent))
    return isinstance(node, Call) and node.name in _OF_EQUATIONS and bool(symbols(node))


def _linear(node: Node, names: Sequence[str]) -> tuple[list[Node], Node] | None:
    """The factor of each constant, and the rest, of a formula that is linear in them or becomes so (`e^C`)."""
    for name in names:
        node = _freed(node, name)
    terms = node.items if isinstance(node, Sum) else (node,)
    factors: dict[str, list[Node]] = {name: [] for name in names}
    rest: list[Node] = [ZERO]
    for term in terms:
        own = [name for name in names if name in symbols(term)]
        factor = _factor(term, own[0]) if len(own) == 1 else None
        if not own:
            rest.append(term)
        elif factor is None:
            return None
        else:
            factors[own[0]].append(factor)
    if not all(factors.values()):
        return None
    return [Sum(tuple(parts)) for parts in factors.values()], Sum(tuple(rest))


def _factor(node: Node, name: str) -> Node | None:
    """What the constant is multiplied by in a term; None where the term is no multiple of it."""
    if node == Sym(name):
        return ONE
    if isinstance(node, Prod) and sum(item == Sym(name) for item in node.items) == 1:
        rest = tuple(item for item in node.items if item != Sym(name))
        return None if any(name in symbols(item) for item in rest) else Prod((ONE, *rest))
    return None


def _freed(node: Node, name: str) -> Node:
    """`e^(u + C)` as `C e^u`, `ln(C u)` as `C + ln u`, products with a sum that holds the constant as sums."""
    if name not in symbols(node):
        return node
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
    if isinstance(node, Prod):
        sums = [item for item in node.items if isinstance(item, Sum) and name in symbols(item)]
        others = tuple(item for item in node.items if not sums or item is not sums[0])
        if len(sums) == 1 and not any(name in symbols(item) for item in others):
            return Sum(tuple(Prod((*others, item)) for item in sums[0].items))
    if isinstance(node, (Sum, Prod)):  # flat, so that the constant is seen
        return type(node)(
            tuple(part for item in node.items for part in (item.items if isinstance(item, type(node)) else (item,)))
        )
    return node


def _rank(functions: Sequence[Node]) -> int:
    """How many of the functions are linearly independent, by their values at test points; 0 where too few have one."""
    names = frozenset(name for function in functions for name in symbols(function))
    rows: list[list[Any]] = []
    for index in _NEAR:
        values = {name: float(value) for name, value in point(names, index).items()}
        try:
            rows.append([evaluate(function, values, numbers()) for function in functions])
        except UndefinedError:
            continue
    if len(rows) < len(functions) + 1:
        return 0
    columns = [list(column) for column in zip(*rows, strict=True)]
    rank = 0
    for column in columns:
        size = max(map(abs, column))
        if not size:
            continue
        column[:] = [value / size for value in column]
    while columns:
        pivot = max(columns, key=lambda column: max(map(abs, column)))
        place = max(range(len(pivot)), key=lambda row: abs(pivot[row]))
        if abs(pivot[place]) < _LOST:
            break
        rank += 1
        columns.remove(pivot)
        for column in columns:
            factor = column[place] / pivot[place]
            column[:] = [value - factor * other for value, other in zip(column, pivot, strict=True)]
    return rank
