"""Trees as they were parsed, brought into the form that is compared.

± is written out as two values, "and" between values makes a list, measures of two units become one, and what is said
about an integer or a domain goes where it belongs.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import Final

from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.spelled import REALS
from mcts_math.answer.text.units import same_dimension
from mcts_math.answer.values.lines import line
from mcts_math.answer.values.matrices import length, matrix_value, vector_sum
from mcts_math.answer.values.nodes import (
    DOTS,
    MINUS_ONE,
    ONE,
    ZERO,
    Bound,
    Call,
    Group,
    Matrix,
    Node,
    Num,
    PlusMinus,
    Power,
    Prod,
    Quantity,
    Ratio,
    Relation,
    SetOp,
    Sum,
    Sym,
    Text,
    children,
    negate,
    rebuild,
    symbols,
    walk,
)
from mcts_math.answer.values.shapes import assignments

_MAX_SIGNS: Final = 4  # a ± may occur this often in one answer


def reject_prose(node: Node) -> None:
    """Words inside a sum or product mean that the text was prose."""
    for child in children(node):
        if isinstance(node, (Sum, Prod, Power, Call)) and (isinstance(child, Text) or child == DOTS):
            raise UnreadableError("words or dots in a formula")
        reject_prose(child)


def tidy(node: Node) -> Node:
    """`node` with ± written out as two values, "and"/"or" between values as a list, and common units in front."""
    if isinstance(node, SetOp) and node.op == "and" and (measured := _compound(node.items)) is not None:
        return measured
    if isinstance(node, Quantity) and isinstance(node.value, Prod) and isinstance(node.value.items[0], Quantity):
        rest = node.value.items[1:]
        smaller = Quantity(rest[0] if len(rest) == 1 else Prod(rest), node.unit)
        if (measured := _compound((node.value.items[0], smaller))) is not None:
            return measured
    if (points := _systems(node)) is not None:
        return points
    if isinstance(node, SetOp) and node.op in ("and", "or") and not any(_condition(item) for item in node.items):
        node = Group("", "", node.items)
    if isinstance(node, Group) and not node.left and _restrictions(node):
        return SetOp("and", node.items)
    if isinstance(node, Group) and not node.left and (within := _without_domain(node)) is not None:
        return tidy(within)
    if isinstance(node, Group) and (node.left, node.right) == ("(", ")") and (points := _signed_points(node)):
        return points
    if isinstance(node, Group) and (node.left, node.right) == ("(", ")") and _count_signs(node) == 1:
        return Group("", "", (choose_sign(node, 1), choose_sign(node, -1)))  # (±1, 2): two points
    if isinstance(node, Group):
        items: list[Node] = []
        for item in node.items:
            item = tidy(item)
            if isinstance(item, Group) and not item.left and (node.left in ("", "{", "[")):
                items.extend(item.items)
            else:
                items.append(item)
        return replace(node, items=_listed(items) if DOTS in items else tuple(items))
    if isinstance(node, Sum) and all(isinstance(item, Quantity) for item in node.items):
        units = {item.unit for item in node.items if isinstance(item, Quantity)}
        if len(units) == 1:
            return Quantity(Sum(tuple(item.value for item in node.items if isinstance(item, Quantity))), units.pop())
    if isinstance(node, (Sum, Prod, Power)) and any(isinstance(part, Matrix) for part in walk(node)):
        return matrix_value(node) or node
    if isinstance(node, Call) and node.name == "abs" and (vector := length(node)) is not None:
        return vector
    if isinstance(node, Prod):
        return _tidy_product(node)
    if isinstance(node, Sum) and (vector := vector_sum(node)) is not None:
        return vector
    if isinstance(node, Sum) and isinstance(node.items[0], Group):
        return _set_difference(node)
    signs = _count_signs(node)
    if not signs:
        return Relation(node.ops, tuple(map(tidy, node.items))) if isinstance(node, Relation) else node
    if signs > _MAX_SIGNS:
        raise UnreadableError("too many ± signs")
    return Group("", "", (choose_sign(node, 1), choose_sign(node, -1)))


def _listed(items: list[Node]) -> tuple[Node, ...]:
    """`1, 2, …, 9` written out; `1, 2, 3, …, n` with as few terms as show the step. Other lists as they are."""
    place = items.index(DOTS)
    known = [item.value for item in items[:place] if isinstance(item, Num)]
    if not 2 <= len(known) == place or DOTS in items[place + 1 :] or len(items) > place + 2:
        return tuple(items)
    step = known[1] - known[0]
    if not step or any(b - a != step for a, b in pairwise(known)):
        return tuple(items)
    last = items[-1]
    if not isinstance(last, Num):  # of no known length
        return (*items[:2], *items[place:])
    count = (last.value - known[0]) / step
    if count.denominator != 1 or not len(known) <= count < 1000:
        return tuple(items)
    return tuple(Num(known[0] + step * index) for index in range(int(count) + 1))


def _signed_points(node: Group) -> Group | None:
    """`(±1, ±2)` as four points; None where signs go together (∓), or are not several."""
    signs = [_count_signs(item) for item in node.items]
    kinds = [part.sign for part in walk(node) if isinstance(part, PlusMinus)]
    if max(signs, default=0) != 1 or not 1 < sum(signs) <= _MAX_SIGNS or -1 in kinds:
        return None
    choices = [[choose_sign(item, 1), choose_sign(item, -1)] if _count_signs(item) else [item] for item in node.items]
    return Group("", "", tuple(Group("(", ")", point) for point in product(*choices)))


def _systems(node: Node) -> Group | None:
    """`x = 1, y = 2 or x = 2, y = 1` as a list of points; None for anything else."""
    if not isinstance(node, (Group, SetOp)) or (isinstance(node, Group) and node.left):
        return None
    systems = _alternatives(node)
    if len(systems) < 2 or not all(len(system) > 1 for system in systems):
        return None
    named = [assignments(Group("", "", system)) for system in systems]
    first = named[0]
    if first is None or not all(values is not None and values.keys() == first.keys() for values in named):
        return None
    return Group("", "", tuple(Group("(", ")", tuple(map(tidy, system))) for system in systems))


def _alternatives(node: Node) -> list[tuple[Node, ...]]:
    """The systems between which "or" stands, each as its equations."""
    if isinstance(node, SetOp) and node.op == "or":
        return [system for item in node.items for system in _alternatives(item)]
    if (isinstance(node, SetOp) and node.op == "and") or (isinstance(node, Group) and not node.left):
        systems: list[tuple[Node, ...]] = [()]
        for item in node.items:
            first, *others = _alternatives(item)
            systems = [*systems[:-1], systems[-1] + first, *others]
        return systems
    return [(node,)]


_NUMBER_SETS: Final = frozenset({"Z", "N", "Q", "C"})


def _without_domain(node: Group) -> Node | None:
    """`2k, k in Z` as a family over the integers; `f(x) = x^2, x in R` without what goes without saying; else None."""
    if len(node.items) < 2:
        return None
    first, *rest = node.items
    if not all(_is_domain(item) and symbols(item) & symbols(first) for item in rest):
        return None
    result = first
    for item in rest:
        assert isinstance(item, Relation)
        name, domain = item.items
        if isinstance(name, Sym) and domain in (Sym("Z"), Sym("N")):
            result = _over_integers(result, name.name, ONE if domain == Sym("N") else ZERO)
        elif isinstance(name, Sym) and domain == REALS and isinstance(result, Group) and len(result.items) > 1:
            result = line(result, name.name) if result.left == "(" else result
    return result


def _restrictions(node: Group) -> bool:
    """Whether the items are conditions on one variable that hold together: `x in R, x != 2`."""
    ops = {op for item in node.items if isinstance(item, Relation) for op in item.ops}
    conditions = len(node.items) > 1 and all(_condition(item) and len(symbols(item)) == 1 for item in node.items)
    return conditions and bool(ops & {"in", "!="}) and len({symbols(item) for item in node.items}) == 1


def _is_domain(node: Node) -> bool:
    if not isinstance(node, Relation) or node.ops != ("in",) or not isinstance(node.items[0], Sym):
        return False
    domain = node.items[1]
    return domain == REALS or (isinstance(domain, Sym) and domain.name in _NUMBER_SETS)


def _over_integers(node: Node, name: str, start: Node) -> Node:
    if isinstance(node, Relation) and node.ops == ("=",):
        return Relation(node.ops, (node.items[0], Bound("family", node.items[1], name, start, start)))
    return Bound("family", node, name, start, start)


def _compound(items: tuple[Node, ...]) -> Quantity | None:
    """`3 hours 20 minutes` in the smaller unit (dollars and cents in the larger); None where units don't fit."""
    if len(items) != 2 or not all(isinstance(item, Quantity) for item in items):
        return None
    first, second = (item for item in items if isinstance(item, Quantity))
    scale = same_dimension(first.unit, second.unit)
    if scale is None or scale <= 1:
        return None
    if scale == 100:  # dollars and cents: 12.50 rather than 1250
        return Quantity(Sum((first.value, Prod((Num(1 / scale), second.value)))), first.unit)
    return Quantity(Sum((Prod((Num(scale), first.value)), second.value)), second.unit)


def _set_difference(node: Sum) -> Node:
    """`R - {1}` is a difference of sets."""
    first, *rest = node.items
    for item in rest:
        if not isinstance(item, Prod) or len(item.items) != 2 or item.items[0] != MINUS_ONE:
            return node
        first = SetOp("minus", (first, item.items[1]))
    return first


def _tidy_product(node: Prod) -> Node:
    if _count_signs(node):
        return Group("", "", (choose_sign(node, 1), choose_sign(node, -1)))
    quantities = [item for item in node.items if isinstance(item, Quantity) and item.unit not in ("%", "degree")]
    if len(quantities) != 1:
        return node
    only = quantities[0]
    return Quantity(Prod(tuple(only.value if item is only else item for item in node.items)), only.unit)


def _condition(node: Node) -> bool:
    if isinstance(node, Relation):
        return node.ops[0] not in ("=", "~")
    return isinstance(node, SetOp)


def _count_signs(node: Node) -> int:
    return isinstance(node, PlusMinus) + sum(_count_signs(child) for child in children(node))


def _opposite(node: Node) -> Node:
    """Minus a number or a tuple of numbers."""
    if isinstance(node, Group) and (node.left, node.right) == ("(", ")"):
        return Group("(", ")", tuple(map(negate, node.items)))
    return negate(node)


def choose_sign(node: Node, sign: int) -> Node:
    """`node` with every ± read as + (`sign` 1) or − (`sign` -1), and every ∓ the other way."""
    if isinstance(node, PlusMinus):
        left, right = choose_sign(node.left, sign), choose_sign(node.right, sign)
        right = right if node.sign == sign else _opposite(right)
        return right if left == ZERO else Sum((left, right))
    if isinstance(node, (SetOp, Ratio)) and _count_signs(node):
        raise UnreadableError("a ± in an unexpected place")
    return rebuild(node, lambda child: choose_sign(child, sign))
