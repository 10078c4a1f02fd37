"""Solutions with constants of integration: two formulas are the same family where their constants absorb the rest.

A formula is a function for each choice of its constants. The functions of a family lie on a flat (a line for one
constant, a plane for two), seen as vectors of their values at test points. Equal flats are equal families.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any, Final

from mcts_math.answer.rules.scalars import EXACTLY, scalars_equal
from mcts_math.answer.text.vocabulary import ADDED, FREE, NUMBERED, OF_INTEGRATION, VARIABLES
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.nodes import Call, Const, Node, Power, Sum, Sym, rename, symbols, walk
from mcts_math.answer.values.points import point, rank, same_flat

_OF_EQUATIONS: Final = frozenset({"sin", "cos", "sinh", "cosh"})
_SHIFTS: Final = ADDED - {"c"}
_FACTORS: Final = tuple(Fraction(sign * size, 2) for size in (2, 1, 4) for sign in (1, -1))
_NEAR: Final = (0, 1, 3, 4, 5, 6, 7, 8, 9)  # test points at which no exponential drowns another


def same_family(left: Sequence[Node], right: Sequence[Node]) -> bool:
    """Whether the vectors `left`, for all values of their constants of integration, are those that `right` are.

    A constant that is added absorbs numbers; as a factor or an exponent it does so only with exponentials and waves.
    """
    mine, theirs = _constants(left), _constants(right)
    if len(mine) > 1 or len(theirs) > 1:  # other letters stand for constants if the other side has as many
        mine = mine if len(mine) > 1 else sorted((_names(left) & FREE) - _names(right))
        theirs = theirs if len(theirs) > 1 else sorted((_names(right) & FREE) - _names(left))
    if not mine or len(mine) != len(theirs):
        return False
    both = _sampled(left, mine, right, theirs)
    if both is None:
        return False
    if all(len(mine) == 1 and _is_added(functions) for functions in both):
        if not {*mine, *theirs} <= ADDED:
            return False
    elif len(mine) > 1 and ({*mine} <= NUMBERED or {*theirs} <= NUMBERED):
        pass
    elif not _is_of_equations(left, mine) or not _is_of_equations(right, theirs):
        return False
    return same_flat(*both, len(mine))


def share_constants(items: Sequence[Node]) -> bool:
    """Whether a constant of integration stands in several of them: it has one value in all."""
    return len(_constants(items)) < sum(len(_constants((item,))) for item in items)


def _constants(items: Sequence[Node]) -> list[str]:
    return sorted(_names(items) & OF_INTEGRATION)


def _names(items: Sequence[Node]) -> frozenset[str]:
    return frozenset().union(*map(symbols, items))


def same_shifted(left: Node, right: Node) -> bool:
    """Whether two formulas of a function are the same when the constant that is added in each is another multiple."""
    mine, theirs = (symbols(node) & _SHIFTS for node in (left, right))
    if len(mine) != 1 or len(theirs) != 1 or not all(map(_shifts, (left, right), (min(mine), min(theirs)))):
        return False
    turned = (tree.Prod((tree.Num(factor), Sym(min(mine)))) for factor in _FACTORS)
    return any(scalars_equal(left, tree.substitute(right, {min(theirs): value}), EXACTLY) for value in turned)


def _shifts(node: Node, name: str) -> bool:
    """Whether a constant stands only where it is added to a variable, within the formula: `1/(C - x)`."""
    within = [part for part in tree.children(node) if name in symbols(part)]
    added = isinstance(node, Sum) and {*within} <= {Sym(name), tree.negate(Sym(name))} and symbols(node) & VARIABLES
    return bool(within) and (bool(added) or all(_shifts(part, name) for part in within))


def same_unknowns(left: Node, right: Node) -> bool:
    """Whether two formulas of a function are the same but for their letters: all `a x + b` are all `m x + c`."""
    mine, theirs = (sorted(name.partition(" in ")[0] for name in symbols(node) - VARIABLES) for node in (left, right))
    if not mine or len(mine) != len(theirs) or {*mine} & {*theirs} or not {*mine, *theirs} <= FREE:
        return False
    left, right = (rename(node, {name: name.partition(" in ")[0] for name in symbols(node)}) for node in (left, right))
    if len(mine) == 1:
        return scalars_equal(left, rename(right, {theirs[0]: mine[0]}), EXACTLY)
    both = _sampled((left,), mine, (right,), theirs)
    return both is not None and same_flat(*both, len(mine))


def same_curves(left: Node, right: Node) -> bool:
    """Whether `left = 0` and `right = 0` are the same curves for all values of the constant added in each."""
    mine, theirs = sorted(symbols(left) & ADDED), sorted(symbols(right) & ADDED)
    both = _sampled((left,), mine, (right,), theirs) if len(mine) == len(theirs) == 1 else None
    if both is None or not all(map(_is_added, both)):
        return False
    first, second, ones = both[0][0], both[1][0], [1.0] * len(both[0][0])
    return rank([ones, first]) == rank([ones, second]) == rank([ones, first, second]) == 2


def _sampled(
    left: Sequence[Node], mine: Sequence[str], right: Sequence[Node], theirs: Sequence[str]
) -> tuple[list[list[Any]], list[list[Any]]] | None:
    """Functions of either family as their values at the test points at which all have one; None where too few do."""
    nodes = (*left, *right)
    names = frozenset().union(*map(symbols, nodes)) - {*mine, *theirs}
    given = names - VARIABLES
    known = not given or (given <= _names(left) & _names(right) and not {*mine} & {*theirs})
    if not names & VARIABLES or not known or len(left) != len(right):
        return None
    choices = range(len(mine) + 2)
    columns: list[list[Any]] = []
    calls = {part.name for node in nodes for part in walk(node) if isinstance(part, Call)}
    for index, scale in product(_NEAR, (1, 3) if calls & {"abs", "acot"} else (1,)):  # |sin x| is not sin x behind pi
        if "acot" in calls and index > 3:
            continue  # its values at negative numbers are a matter of taste
        at = {name: float(value * scale) for name, value in point(names, index).items()}
        try:
            columns += [
                [
                    evaluate(node, at | {name: abs(float(value)) for name, value in chosen.items()}, numbers())
                    for node, constants in ((one, mine), (other, theirs))
                    for chosen in (point(frozenset(constants), choice) for choice in choices)
                ]
                for one, other in zip(left, right, strict=True)
            ]
        except UndefinedError:
            continue
    if len(columns) < (len(mine) + 3) * len(left):
        return None
    functions = [list(row) for row in zip(*columns, strict=True)]
    return functions[: len(choices)], functions[len(choices) :]


def _is_added(functions: Sequence[Sequence[Any]]) -> bool:
    """Whether the functions of a family differ by numbers alone."""
    steps = [a - b for a, b in zip(functions[1], functions[0], strict=True)]
    return rank([steps, [1.0] * len(steps)]) == 1


def _is_of_equations(nodes: Sequence[Node], constants: Sequence[str]) -> bool:
    """Whether a constant stands beside a function that linear equations have as solutions."""
    terms = [term for node in nodes for term in (node.items if isinstance(node, Sum) else (node,))]
    return any(
        (isinstance(part, Power) and part.base == Const("e") and bool(symbols(part.exponent) - {*constants}))
        or (isinstance(part, Call) and part.name in _OF_EQUATIONS and bool(symbols(part) - {*constants}))
        for term in terms
        if symbols(term) & {*constants}
        for part in walk(term)
    )
