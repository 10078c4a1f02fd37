"""Comparison of piecewise functions, congruences and families over the integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, NamedTuple

from mcts_math.answer.rules.compare import compare
from mcts_math.answer.rules.real_sets import EVERYWHERE, Cell, RealSet, cells, real_set, variable
from mcts_math.answer.rules.scalars import EXACTLY, scalars_equal
from mcts_math.answer.text.vocabulary import COUNTERS, INTEGERS, PARAMETERS, UNKNOWNS
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.matrices import as_tuple
from mcts_math.answer.values.nodes import ONE, Bound, Call, Cases, Group, Node, Num, substitute, symbols
from mcts_math.answer.values.points import point, rank, same_flat
from mcts_math.answer.values.polynomials import linear_function
from mcts_math.answer.values.shapes import assignments, is_congruence, is_family, over_integers
from mcts_math.answer.verdict import Policy

_SHARES: Final = (0.0009, 0.0013, 0.0031, 0.017, 0.31, 0.77)  # of a long interval: near its ends too
_PARITIES: Final = ("even", "odd")
_NUM_PLACES: Final = 12
_HUGE: Final = 1e300  # larger ones are left out
_FEW, _MANY = 3, 16  # sizes of an integer: each of a few values of one family is among many of the other
Row = tuple[Node, RealSet]


def cases_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two piecewise functions, or one and a formula, have the same values everywhere."""
    halves = _by_parity(left), _by_parity(right)
    if (found := halves[0] or halves[1]) is not None:
        first, second = (
            half.values if half else (node, node) for half, node in ((halves[0], left), (halves[1], right))
        )
        double = tree.Prod((Num(Fraction(2)), tree.Sym(found.counter)))
        ends: list[dict[str, Node]] = [{found.counter: double}, {found.counter: tree.Sum((double, ONE))}]
        pairs = [(substitute(a, at), substitute(b, at)) for a, b, at in zip(first, second, ends, strict=True)]
        return not any(Cases in map(type, pair) or not scalars_equal(*pair, policy) for pair in pairs)
    mine, theirs = _rows(left), _rows(right)
    if mine is None or theirs is None:
        return False
    cases = [node for node in (left, right) if isinstance(node, Cases)]
    name = variable(*(condition for node in cases for _, condition in node.rows if condition is not None))
    return name is not None and all(
        _same_within(cell, mine, theirs, name, policy) for cell in cells(*(where for _, where in (*mine, *theirs)))
    )


class _Halves(NamedTuple):
    """What a function of an integer is, by its parity."""

    counter: str
    values: tuple[Node, Node]  # for even ones and for odd ones


def _by_parity(node: Node) -> _Halves | None:
    """What `1 if n is even, 0 if n is odd` says; None for any other node."""
    match node:
        case Cases(((first, tree.Quantity(tree.Sym(name) as counter, unit)), (second, at))) if name in INTEGERS:
            parity = str(unit).removeprefix("is ")
            other = str(at.unit).removeprefix("is ") if isinstance(at, tree.Quantity) and at.value == counter else at
            if parity in _PARITIES and (other is None or (other in _PARITIES and other != parity)):
                return _Halves(name, (first, second) if parity == "even" else (second, first))
    return None


def _rows(node: Node) -> list[Row] | None:
    """Values with the sets on which they hold where those above do not; None where a condition has no known ends."""
    if not isinstance(node, Cases):
        return [(node, EVERYWHERE)]
    found = [(value, EVERYWHERE if at is None else real_set(at)) for value, at in node.rows]
    known = [(value, where) for value, where in found if where is not None]
    return known if len(known) == len(found) else None


def _same_within(cell: Cell, left: Sequence[Row], right: Sequence[Row], name: str, policy: Policy) -> bool:
    """Whether both functions have the same values at a place, or in the gap between two."""
    mine, theirs = (next((value for value, where in rows if where.holds(cell.sample)), None) for rows in (left, right))
    if mine is None or theirs is None:
        return mine is theirs
    if cell.end is not None:
        at = {name: cell.end.node}
        return mine == theirs or compare(substitute(mine, at), substitute(theirs, at), policy).equal
    if compare(mine, theirs, policy).equal:
        return True
    low, high = max(cell.low, -1e6), min(cell.high, 1e6)
    ways = [share * share * (high - low) for share in _SHARES]
    places = [Num(Fraction(x)) for way in ways for x in (low + way, high - way)]
    return all(scalars_equal(substitute(mine, {name: x}), substitute(theirs, {name: x}), EXACTLY) for x in places)


def congruences_equal(congruence: Call, other: Node, policy: Policy) -> bool:
    """Whether two residues are the same modulo the same number; a plain number equals the residue as written."""
    (residue, modulus), second = congruence.args, _congruence(other)
    if second is None:
        return scalars_equal(residue, other, policy)
    if not scalars_equal(modulus, second[1], policy):
        return False
    difference = exact(tree.Prod((tree.Sum((residue, tree.negate(second[0]))), tree.Power(modulus, tree.MINUS_ONE))))
    return difference is not None and difference.denominator == 1


def _congruence(node: Node) -> tuple[Node, Node] | None:
    """Residue and modulus of `2 (mod 5)` and of `5k + 2`, where the letter is one that counts."""
    if isinstance(node, Call) and is_congruence(node):
        return node.args[0], node.args[1]
    body = node.body if isinstance(node, Bound) and is_family(node) else node
    names = symbols(body)
    measured = any(isinstance(part, tree.Quantity) for part in tree.walk(body))
    counts = len(names) == 1 and names <= INTEGERS | {"t"} and not measured
    linear = linear_function(body, min(names)) if counts else None
    return (Num(linear[0]), Num(abs(linear[1]))) if linear is not None and linear[1] else None


def families_equal(family: Bound, other: Node, policy: Policy) -> bool:
    """Whether two sets of values, one for each integer (or each point of a line), are the same."""
    if (named := assignments(other)) is not None and len(named) > 1:
        other = Group("(", ")", tuple(named[name] for name in sorted(named)))
    if isinstance(other, Group) and all(map(is_congruence, other.items)):
        steps = (tree.Prod((item.args[1], tree.Sym(family.name))) for item in other.items if isinstance(item, Call))
        starts = (item.args[0] for item in other.items if isinstance(item, Call))
        other = replace(family, body=Group("", "", tuple(map(tree.Sum, zip(starts, steps, strict=True)))))
    other = over_integers(other, COUNTERS)
    if not isinstance(other, Bound) or not is_family(other):
        given = symbols(family.body) - {family.name}
        counters = {*COUNTERS, *({family.name} & INTEGERS)} - given - UNKNOWNS
        letters = symbols(other) & (PARAMETERS if family.kind == "line" else counters)
        stated = any(isinstance(part, tree.Relation) for part in tree.walk(other))  # of the letter: k != 0
        if len(letters) != 1 or stated or family.low not in (tree.ZERO, ONE):
            return False
        other = Bound(family.kind, as_tuple(other) or other, min(letters), family.low, family.high)
    if family.kind != other.kind:
        return False
    if family.kind == "line":
        return _lines_equal(family, other, policy)
    return _covers(family, other) and _covers(other, family)


def _lines_equal(left: Bound, right: Bound, policy: Policy) -> bool:
    mine, theirs = _members(left, 2), _members(right, 2)
    alike = len({len(point) for point in (*mine, *theirs)}) == 1
    if mine and theirs and alike and same_flat(mine, theirs, 1):
        return True
    return compare(tree.rename(left.body, {left.name: right.name}), right.body, policy).equal


def _covers(left: Bound, right: Bound) -> bool:
    """Whether the values of one family at small integers, of which there are some, are among those of the other."""
    mine, theirs = (set(map(_key, _members(node, size))) for node, size in ((left, _FEW), (right, _MANY)))
    return bool(mine) and mine <= theirs


def _key(member: Sequence[complex]) -> tuple[complex, ...]:
    return tuple(complex(round(value.real * 1e7 + 0.1234), round(value.imag * 1e7 + 0.1234)) for value in member)


def spans_equal(span: Call, other: Node, policy: Policy) -> bool:
    """Whether vectors or functions span the same space; a line through 0 is the span of its points."""
    mine, theirs = _generators(span), _generators(other)
    alike = bool(mine and theirs) and len({len(vector) for vector in (*mine, *theirs)}) == 1
    return alike and rank(mine) == rank(theirs) == rank([*mine, *theirs])


def _generators(node: Node) -> list[list[Any]]:
    """Vectors that span the space, functions by their values; none where that is not known."""
    if isinstance(node, Bound) and node.kind == "line":
        points = [member * _NUM_PLACES for member in _members(node, 2)]
        return points if rank(points) == 1 else []
    items = node.args if isinstance(node, Call) and node.name == "span" and len(node.args) <= _NUM_PLACES // 2 else ()
    places = [{name: float(value) for name, value in point(symbols(node), i).items()} for i in range(_NUM_PLACES)]
    entries = [(as_tuple(item) or Group("", "", (item,))).items for item in items]
    try:
        return [[evaluate(entry, at, numbers()) for at in places for entry in vector] for vector in entries]
    except UndefinedError:
        return []


def _members(node: Bound, size: int) -> list[list[Any]]:
    """The coordinates of a family's values at integers up to a size; of an interval also which ends belong to it."""
    if isinstance(node.body, Group) and node.body.left in ("", "{"):
        return [member for item in node.body.items for member in _members(replace(node, body=item), size)]
    coordinates = node.body.items if isinstance(node.body, Group) else (node.body,)
    if isinstance(node.body, Group) and node.kind == "family" and len(coordinates) == 2:
        coordinates += tuple(ONE if end in "[]" else tree.ZERO for end in (node.body.left, node.body.right))
    given = point(symbols(node.body) - {node.name}, 0)
    at = {name: complex(value) for name, value in given.items()}
    start = int(node.low.value) if isinstance(node.low, Num) else 0
    indices = range(start, start + 3 * size) if node.high != tree.ZERO else range(-size, size)
    members: list[list[Any]] = []
    for index in indices:
        try:
            members.append([evaluate(item, {**at, node.name: float(index)}, numbers()) for item in coordinates])
        except UndefinedError:
            continue
    return [member for member in members if all(abs(value) < _HUGE for value in member)]
