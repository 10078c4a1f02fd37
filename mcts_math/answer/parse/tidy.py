"""Trees as they were parsed, brought into the form that is compared.

± is written out as two values, "and" between values makes a list, measures of two units become one, and what is said
about an integer or a domain goes where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Final

from mcts_math.answer.parse.domains import line, over_range, through_point, without_domain
from mcts_math.answer.parse.dots import listed
from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.matrices import as_tuple, length, matrix_value, scaled, transposed_list
from mcts_math.answer.values.measures import compound, is_measure, product_of_measures, sum_of_measures
from mcts_math.answer.values.nodes import DOTS, Group, Node, Power, Prod, Quantity, Relation, SetOp, Sum, Sym
from mcts_math.answer.values.shapes import CONNECTIVES, assignments, is_family, named_point

_MAX_SIGNS: Final = 4  # a ± may occur this often in one answer
_PROPOSITIONS: Final = tuple(map(Sym, "pqrs"))


def reject_prose(node: Node) -> None:
    """Words inside a sum or product mean that the text was prose."""
    for child in tree.children(node):
        dots = child == DOTS and not (isinstance(node, Sum) and len(node.items) > 2)
        if isinstance(node, (Sum, Prod, Power, tree.Call)) and (isinstance(child, tree.Text) or dots):
            raise UnreadableError("words or dots in a formula")
        if child == tree.PARTIAL:
            raise UnreadableError("a derivative that is not worked out")
        reject_prose(child)


def tidy(node: Node) -> Node:
    """`node` with ± written out as two values, "and"/"or" between values as a list, and common units in front."""
    changed: Node | None = None
    match node:
        case SetOp("and", (Quantity() as first, Quantity() as second)):
            changed = compound(first, second)
        case Quantity(Prod((Quantity() as first, *rest)), unit):
            larger = tidy(first)  # of 5 hours 20 minutes 10 seconds
            if isinstance(larger, Quantity):
                changed = compound(larger, Quantity(tree.joined(Prod, rest), unit))
            if changed is None and is_measure(first):
                raise UnreadableError("two measures side by side")
        case Quantity(Sum((*items, last)), unit) if any(map(is_measure, items)):
            own = next(item.unit for item in items if isinstance(item, Quantity) and is_measure(item))
            changed = _possible(sum_of_measures((*items, Quantity(last, unit)), own))
        case SetOp("minus" | "cup" | "cap" as op, items):
            node = SetOp(op, tuple(map(tidy, items)))
        case tree.Call("abs"):
            changed = length(node.args[0])
        case tree.Bound("family"):
            return replace(node, body=tidy(node.body))
    if changed is None and isinstance(node, (Sum, Prod, Power)):
        changed = _tidy_formula(node)
    if changed is None and (changed := _systems(node)) is None:
        if isinstance(node, SetOp) and node.op in ("and", "or") and not _is_logic(node):
            node = Group("", "", node.items)
        changed = _tidy_group(node) if isinstance(node, Group) else _without_signs(node)
    return changed


def _tidy_formula(node: Sum | Prod | Power) -> Node | None:
    if isinstance(node, Sum) and (points := through_point(node)) is not None:
        return points
    if any(isinstance(part, tree.Matrix) for part in tree.walk(node)):
        return matrix_value(node) or node
    if isinstance(node, Sum):
        return as_tuple(node)
    parts = tree.children(node)
    counted = any(isinstance(part, Quantity) and not part.unit.known for part in parts)
    if counted and any(isinstance(part, Group) for part in parts):
        raise UnreadableError("words between a number and brackets")
    if isinstance(node, Prod) and (vector := scaled(node)) is not None:
        return vector
    if any(map(is_measure, tree.walk(node))) and not (isinstance(node, Prod) and _count_signs(node)):
        return _possible(product_of_measures(node))
    return transposed_list(node) if isinstance(node, Power) else None


def _possible(result: Node | None) -> Node:
    """`result`. Raises UnreadableError where there is none: `2 m + 3`, `sin(2 m)`."""
    if result is None:
        raise UnreadableError("measures that can't be added or multiplied")
    return result


def _tidy_group(node: Group) -> Node:
    if not node.left:
        if (chain := _chain(node)) is not None:
            return tidy(chain)
        if (within := over_range(node) or without_domain(node)) is not None:
            return tidy(within)
        # the signs of several names go together: x = 2 ± a, y = 1 ∓ a
        if sum(_count_signs(item) > 0 for item in node.items) > 1 and assignments(node) is not None:
            return tidy(SetOp("or", tuple(SetOp("and", tree.children(system)) for system in _readings(node, True))))
    if node.left + node.right == "()" and _count_signs(node):  # (±1, ±2) are four points
        return Group("", "", tuple(map(tidy, _readings(node))))
    items: list[Node] = []
    for item in map(tidy, node.items):
        if not node.left and (named := named_point(item)) is not None:
            item = Relation(("=",), named)
        flat = isinstance(item, Group) and not item.left and node.left in ("", "{", "[")
        items += item.items if flat and isinstance(item, Group) else (item,)
    if any(map(_is_condition, items)):  # of the parameter: a ray, or a segment
        items = list(map(_moving, items))
    if node.left in ("", "{") and (excluded := _excluded(items)) is not None:
        return excluded
    return replace(node, items=listed(items) if DOTS in items else tuple(items))


def _moving(node: Node) -> Node:
    """`node` with lines as points that move with their parameter."""
    return node.body if isinstance(node, tree.Bound) and node.kind == "line" else tree.rebuild(node, _moving)


def _without_signs(node: Node) -> Node:
    if isinstance(node, Relation):  # each sign of a set makes two elements
        several = [is_family(item) or (isinstance(item, Group) and item.left == "{") for item in node.items]
        items = (tidy(item) if many else item for many, item in zip(several, node.items, strict=True))
        node = Relation(node.ops, tuple(items))
        if len(node.ops) > 1 and (same := line(node)) is not None:
            return same
    if not _count_signs(node):
        return Relation(node.ops, tuple(map(tidy, node.items))) if isinstance(node, Relation) else node
    values = _readings(node)
    return _excluded(values) or Group("", "", values)


def _chain(node: Group) -> Relation | None:
    """`a = b, b = c` as a = b = c; None for anything else."""
    pairs = [item.items for item in node.items if isinstance(item, Relation) and item.ops == ("=",)]
    meet = all(isinstance(a[1], Sym) and a[1] == b[0] for a, b in pairwise(pairs))
    if not meet or not 1 < len(pairs) == len(node.items):
        return None
    return Relation(("=",) * len(pairs), (*pairs[0], *(pair[1] for pair in pairs[1:])))


def _systems(node: Node) -> Group | None:
    """`x = 1, y = 2 or x = 2, y = 1` as a list of points; None for anything else."""
    if not isinstance(node, SetOp) and not (isinstance(node, Group) and not node.left):
        return None
    systems = _alternatives(node)
    if len(systems) < 2 or not all(len(system) > 1 for system in systems):
        return None
    named = [assignments(Group("", "", system)) or {} for system in systems]
    if not named[0] or any(values.keys() != named[0].keys() for values in named):
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


def _is_condition(node: Node) -> bool:
    stated = isinstance(node, SetOp) or (isinstance(node, Relation) and node.ops[0] not in ("=", "~"))
    return stated or node in _PROPOSITIONS or (isinstance(node, tree.Call) and node.name in CONNECTIVES)


def _is_logic(node: SetOp) -> bool:
    """Whether and, or join conditions, or equations of which one holds; values of one letter are a list."""
    labels = {item.items[0] for item in node.items if isinstance(item, Relation)}
    return any(map(_is_condition, node.items)) or (node.op == "or" and len(labels) > 1)


def _count_signs(node: Node) -> int:
    own = isinstance(node, tree.Call) and node.name in ("±", "∓")
    return own + sum(map(_count_signs, tree.children(node)))


def _readings(node: Node, linked: bool = False) -> tuple[Node, ...]:
    """`node` for each choice of its signs. Those of ± are free, unless they are linked or stand with a ∓."""
    count = _count_signs(node)
    if count > _MAX_SIGNS:
        raise UnreadableError("too many ± signs")
    linked = linked or any(isinstance(part, tree.Call) and part.name == "∓" for part in tree.walk(node))
    choices = [(sign,) * count for sign in (1, -1)] if linked else product((1, -1), repeat=count)
    return tuple(_choose_signs(node, iter(signs)) for signs in choices)


def _excluded(items: Sequence[Node]) -> SetOp | None:
    """`x != 1, 2` as what both hold for; None for anything else."""
    match items:
        case (Relation(("!=",), (name, _)), _, *_):
            unequal = [item if isinstance(item, Relation) else Relation(("!=",), (name, item)) for item in items]
            return SetOp("and", tuple(unequal)) if all(item.ops == ("!=",) for item in unequal) else None
    return None


def _choose_signs(node: Node, signs: Iterator[int]) -> Node:
    """`node` with each ± read as + (the next of `signs` is 1) or − (it is -1), and each ∓ the other way."""
    match node:
        case tree.Call("±" | "∓" as name, (left, right)):
            sign = next(signs)
            left, right = _choose_signs(left, signs), _choose_signs(right, signs)
            right = right if (name == "±") == (sign > 0) else tree.negate(right)
            return right if left == tree.ZERO else Sum((left, right))
    return tree.rebuild(node, lambda child: _choose_signs(child, signs))
