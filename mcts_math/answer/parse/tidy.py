"""Trees as they were parsed, brought into the form that is compared.

± is written out as two values, "and" between values makes a list, measures of two units become one, and what is said
about an integer or a domain goes where it belongs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Final

from mcts_math.answer.parse.domains import line, without_domain
from mcts_math.answer.parse.dots import listed
from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.units import same_dimension
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.matrices import length, matrix_value, transposed_list, vector_sum
from mcts_math.answer.values.nodes import DOTS, Group, Node, Num, Power, Prod, Quantity, Relation, SetOp, Sum, Sym
from mcts_math.answer.values.propositions import CONNECTIVES
from mcts_math.answer.values.shapes import assignments, named_point

_MAX_SIGNS: Final = 4  # a ± may occur this often in one answer
_PROPOSITIONS: Final = tuple(map(Sym, "pqrs"))
_BARE: Final = ("%", "degree")  # units that stay with their numbers


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
            changed = _compound(first, second)
        case Quantity(Prod((Quantity() as first, *rest)), unit):
            larger = tidy(first)  # of 5 hours 20 minutes 10 seconds
            if isinstance(larger, Quantity):
                changed = _compound(larger, Quantity(rest[0] if len(rest) == 1 else Prod(tuple(rest)), unit))
            if changed is None and first.unit not in _BARE:
                raise UnreadableError("two measures side by side")
        case Quantity(Sum((*items, last)), unit) if any(map(_measures, items)):
            own = next(item.unit for item in items if isinstance(item, Quantity) and _measures(item))
            changed = _sum_of_measures((*items, Quantity(last, unit)), own)
        case SetOp("minus" | "cup" | "cap" as op, items):
            node = SetOp(op, tuple(map(tidy, items)))
        case tree.Call("abs"):
            changed = length(node)
    if changed is None and isinstance(node, (Sum, Prod, Power)):
        changed = _tidy_formula(node)
    if changed is None and (changed := _systems(node)) is None:
        if isinstance(node, SetOp) and node.op in ("and", "or") and not any(map(_is_condition, node.items)):
            node = Group("", "", node.items)
        changed = _tidy_group(node) if isinstance(node, Group) else _without_signs(node)
    return changed


def _tidy_formula(node: Sum | Prod | Power) -> Node | None:
    if any(isinstance(part, tree.Matrix) for part in tree.walk(node)):
        return matrix_value(node) or node
    if isinstance(node, Power):
        return _product_of_measures(node) if any(map(_measures, tree.walk(node))) else transposed_list(node)
    if isinstance(node, Prod) and not _count_signs(node):
        return _product_of_measures(node) if any(map(_measures, tree.walk(node))) else None
    if isinstance(node, Sum):
        return vector_sum(node)
    return None


def _measures(node: Node) -> bool:
    return isinstance(node, Quantity) and node.unit not in _BARE


def _sum_of_measures(items: Sequence[Node], unit: str) -> Quantity:
    """`5 m + 3 cm` in that unit. Raises UnreadableError: `2 m + 3`."""
    values: list[Node] = []
    for item in items:
        own = item.unit if isinstance(item, Quantity) else ""
        scale = Fraction(1) if own == unit else same_dimension(own, unit)
        if not isinstance(item, Quantity) or scale is None:
            raise UnreadableError("a sum of measures of different kinds")
        values.append(item.value if scale == 1 else Prod((Num(scale), item.value)))
    return Quantity(Sum(tuple(values)), unit)


def _product_of_measures(node: Node) -> Node:
    """`60 km/(2 h)` as 30 km h^-1. Raises UnreadableError where a measure stands where it has no unit to give."""
    value, powers = _taken_apart(node)
    unit = " ".join(name + (f"^{power}" if power != 1 else "") for name, power in powers.items() if power)
    return Quantity(value, unit) if unit else value


def _taken_apart(node: Node) -> tuple[Node, Counter[str]]:
    """A value without units, and the powers of its units."""
    match node:
        case Quantity(value, unit) if _measures(node):
            inner, powers = _taken_apart(value)
            for part in unit.split():
                name, _, power = part.partition("^")
                if power and not power.lstrip("-").isdecimal():
                    raise UnreadableError("a unit with a power that is no number")
                powers[name] += int(power or 1)
            return inner, powers
        case Prod(items):
            parts = [_taken_apart(item) for item in items]
            powers = Counter[str]()
            for _, more in parts:
                powers.update(more)
            return Prod(tuple(part for part, _ in parts)), powers
        case Power(base, Num(exponent)) if exponent.denominator == 1:
            inner, powers = _taken_apart(base)
            return Power(inner, node.exponent), Counter({name: int(exponent) * p for name, p in powers.items()})
    if any(map(_measures, tree.walk(node))) or (isinstance(node, Quantity) and node.unit == "degree"):
        raise UnreadableError("a measure within a formula")
    return node, Counter()


def _tidy_group(node: Group) -> Node:
    if not node.left:
        if _restrictions(node):
            return SetOp("and", node.items)
        if (within := without_domain(node)) is not None:
            return tidy(within)
        if _share_signs(node):
            systems = [[choose_sign(item, sign) for item in node.items] for sign in (1, -1)]
            return tidy(SetOp("or", tuple(SetOp("and", tuple(system)) for system in systems)))
    if node.left + node.right == "()" and (points := _signed_points(node)) is not None:
        return points
    items: list[Node] = []
    for item in map(tidy, node.items):
        if not node.left and (named := named_point(item)) is not None:
            item = Relation(("=",), named)
        flat = isinstance(item, Group) and not item.left and node.left in ("", "{", "[")
        items += item.items if flat and isinstance(item, Group) else (item,)
    if node.left in ("", "{") and (excluded := _excluded(items)) is not None:
        return excluded
    return replace(node, items=listed(items) if DOTS in items else tuple(items))


def _without_signs(node: Node) -> Node:
    if isinstance(node, Relation):  # each sign of a set makes two elements
        items = (tidy(item) if isinstance(item, Group) and item.left == "{" else item for item in node.items)
        node = Relation(node.ops, tuple(items))
        if len(node.ops) > 1 and (same := line(node)) is not None:
            return same
    signs = _count_signs(node)
    if not signs:
        return Relation(node.ops, tuple(map(tidy, node.items))) if isinstance(node, Relation) else node
    if signs > _MAX_SIGNS:
        raise UnreadableError("too many ± signs")
    return _both(node)


def _share_signs(node: Group) -> bool:
    """Whether the values of several names hold ±, which go together: `x = 2 ± a, y = 1 ∓ a`."""
    return sum(_count_signs(item) > 0 for item in node.items) > 1 and assignments(node) is not None


def _signed_points(node: Group) -> Group | None:
    """`(±1, ±2)` as four points, `(±1, 2)` and `(1±a, 1∓a)` as two; None where there are no signs."""
    signs = [_count_signs(item) for item in node.items]
    kinds = [part.name for part in tree.walk(node) if isinstance(part, tree.Call)]
    if max(signs, default=0) != 1 or sum(signs) > _MAX_SIGNS:
        return None
    if "∓" in kinds:
        return Group("", "", (choose_sign(node, 1), choose_sign(node, -1)))
    choices = [_both(item).items if count else (item,) for item, count in zip(node.items, signs, strict=True)]
    return Group("", "", tuple(Group("(", ")", point) for point in product(*choices)))


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


def _restrictions(node: Group) -> bool:
    """Whether the items are conditions on one variable that hold together: `x in R, x != 2`."""
    ops = {op for item in node.items if isinstance(item, Relation) for op in item.ops}
    if len(node.items) < 2 or not ops & {"in", "!="} or not all(map(_is_condition, node.items)):
        return False
    first = tree.symbols(node.items[0])
    return len(first) == 1 and all(tree.symbols(item) == first for item in node.items)


def _is_condition(node: Node) -> bool:
    stated = isinstance(node, SetOp) or (isinstance(node, Relation) and node.ops[0] not in ("=", "~"))
    return stated or node in _PROPOSITIONS or (isinstance(node, tree.Call) and node.name in CONNECTIVES)


def _compound(first: Quantity, second: Quantity) -> Quantity | None:
    """`3 hours 20 minutes` in the smaller unit (dollars and cents in the larger); None where units don't fit."""
    scale = same_dimension(first.unit, second.unit)
    if scale is None or scale <= 1:
        return None
    return _sum_of_measures((first, second), first.unit if scale == 100 else second.unit)


def _count_signs(node: Node) -> int:
    own = isinstance(node, tree.Call) and node.name in ("±", "∓")
    return own + sum(map(_count_signs, tree.children(node)))


def _both(node: Node) -> Group | SetOp:
    values = choose_sign(node, 1), choose_sign(node, -1)
    return _excluded(values) or Group("", "", values)


def _excluded(items: Sequence[Node]) -> SetOp | None:
    """`x != 1, 2` as what both hold for; None for anything else."""
    match items:
        case (Relation(("!=",), (name, _)), _, *_):
            unequal = [item if isinstance(item, Relation) else Relation(("!=",), (name, item)) for item in items]
            return SetOp("and", tuple(unequal)) if all(item.ops == ("!=",) for item in unequal) else None
    return None


def choose_sign(node: Node, sign: int) -> Node:
    """`node` with every ± read as + (`sign` 1) or − (`sign` -1), and every ∓ the other way."""
    match node:
        case tree.Call("±" | "∓" as name, (left, right)):
            left, right = choose_sign(left, sign), choose_sign(right, sign)
            right = right if (name == "±") == (sign > 0) else tree.negate(right)
            return right if left == tree.ZERO else Sum((left, right))
    return tree.rebuild(node, lambda child: choose_sign(child, sign))
