"""Sets of real numbers: intervals, points, their unions, and the solution sets of inequalities in one variable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.values.arithmetic import UndefinedError, evaluate, numbers
from mcts_math.answer.values.exact import TooLargeError, exact
from mcts_math.answer.values.nodes import (
    INFINITY,
    Call,
    Group,
    Node,
    Num,
    Relation,
    SetOp,
    Sum,
    Sym,
    Text,
    Time,
    negate,
)
from mcts_math.answer.values.points import symbols
from mcts_math.answer.values.polynomials import boundaries, rational_function, value_at
from mcts_math.answer.verdict import Policy

_INFINITE = float("inf")
_LOWEST = negate(INFINITY)
_SAMPLES = tuple(map(Fraction, ("0", "1", "2", "7", "-3", "-11/2")))


@dataclass(frozen=True, slots=True)
class Piece:
    """An interval or a point: ends, whether they belong to it, and the ends as floats to sort by."""

    low: Node
    high: Node
    low_closed: bool
    high_closed: bool
    start: float
    stop: float


Pieces = tuple[Piece, ...]
_ALL: Pieces = (Piece(_LOWEST, INFINITY, False, False, -_INFINITE, _INFINITE),)


def real_set(node: Node) -> Pieces | None:
    """The set that `node` denotes as disjoint pieces in ascending order; None where it denotes none with known ends."""
    if isinstance(node, Group):
        return _group_set(node)
    if isinstance(node, SetOp):
        parts = [real_set(item) or _point(item) for item in node.items]
        known = [part for part in parts if part is not None]
        if len(known) != len(parts):
            return None
        result = known[0]
        for part in known[1:]:
            result = combine(node.op, result, part)
        return result
    if isinstance(node, Relation):
        return _relation_set(node)
    return None


def point_or_set(node: Node) -> Pieces | None:
    """As `real_set`; a number is the set of itself."""
    return real_set(node) or (None if isinstance(node, (Group, SetOp, Relation, Text)) else _point(node))


def variable(node: Node) -> str | None:
    """The one variable that a condition is about, or None."""
    names = symbols(node)
    return next(iter(names)) if len(names) == 1 else None


def sets_equal(left: Pieces, right: Pieces, policy: Policy) -> bool:
    """Whether two sets are the same, ends included."""
    return len(left) == len(right) and all(
        a.low_closed == b.low_closed
        and a.high_closed == b.high_closed
        and scalars_equal(a.low, b.low, policy)
        and scalars_equal(a.high, b.high, policy)
        for a, b in zip(left, right, strict=True)
    )


def position(node: Node) -> float | None:
    """A number without variables as a float, infinite ones too; None for anything else."""
    if node == INFINITY:
        return _INFINITE
    if node == _LOWEST:
        return -_INFINITE
    if symbols(node) or isinstance(node, (Group, Relation, Time)):
        return None
    try:
        value = evaluate(node, {}, numbers())
    except UndefinedError:
        return None
    return None if isinstance(value, complex) else float(value)


def _point(node: Node) -> Pieces | None:
    """A number as the set of itself (`{1, 2} ∪ {3}`, where the last braces may group)."""
    at = position(node)
    return None if at is None else (Piece(node, node, True, True, at, at),)


def _group_set(node: Group) -> Pieces | None:
    if node.left == "{":
        points: Pieces = ()
        for item in node.items:
            at = position(item)
            if at is None:
                return None
            points = combine("cup", points, (Piece(item, item, True, True, at, at),))
        return points
    if len(node.items) != 2 or not node.left:
        return None
    start, stop = position(node.items[0]), position(node.items[1])
    if start is None or stop is None or start > stop:
        return None
    return (Piece(*node.items, node.left == "[", node.right == "]", start, stop),)


def _relation_set(node: Relation) -> Pieces | None:
    name = variable(node)
    if name is None:
        return None
    if node.ops == ("in",) and node.items[0] == Sym(name):
        return real_set(node.items[1])
    result = _ALL
    for left, op, right in zip(node.items, node.ops, node.items[1:], strict=False):
        part = _inequality(left, op, right, name)
        if part is None:
            return None
        result = combine("cap", result, part)
    return result


_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def _inequality(left: Node, op: str, right: Node, name: str) -> Pieces | None:
    if op not in _FLIPPED:
        return None
    if isinstance(right, Call) and right.name == "abs":
        left, op, right = right, _FLIPPED[op], left
    if isinstance(left, Call) and left.name == "abs" and not symbols(right) and op[0] in "<>":
        parts = _inequality(left.args[0], op, right, name), _inequality(left.args[0], _FLIPPED[op], negate(right), name)
        if parts[0] is None or parts[1] is None:
            return None
        return combine("cap" if op[0] == "<" else "cup", parts[0], parts[1])
    if right == Sym(name):
        left, op, right = right, _FLIPPED[op], left
    if left == Sym(name) and not symbols(right):
        end = right
    else:
        solved = _linear(left, right, name)
        if solved is None:
            return _rational_inequality(Sum((left, negate(right))), op, name)
        end, rising = solved
        op = op if rising else _FLIPPED[op]
    at = position(end)
    if at is None:
        return None
    below = Piece(_LOWEST, end, False, op == "<=", -_INFINITE, at)
    above = Piece(end, INFINITY, op == ">=", False, at, _INFINITE)
    if op == "=":
        return (Piece(end, end, True, True, at, at),)
    if op == "!=":
        return (below, above)
    if op[0] == "<":
        return (replace(below, high_closed=op == "<=" and at < _INFINITE),) if at > -_INFINITE else ()
    return (replace(above, low_closed=op == ">=" and at > -_INFINITE),) if at < _INFINITE else ()


def _rational_inequality(difference: Node, op: str, name: str) -> Pieces | None:
    """Where a rational function is above, below or at zero, by its roots and poles."""
    function = rational_function(difference, name)
    if function is None or not all(function):
        return None
    above, below = function
    ends = boundaries(above, below)
    if ends is None:
        return None
    holds = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0), "=": (0,), "!=": (-1, 1)}[op]
    found: list[Piece] = []
    nodes = [_LOWEST, *(end.node for end in ends), INFINITY]
    at = [-_INFINITE, *(end.position for end in ends), _INFINITE]
    for index in range(len(nodes) - 1):
        sample = _between(at[index], at[index + 1])
        value = value_at(above, sample) * value_at(below, sample)
        if (value > 0) - (value < 0) in holds:
            found.append(Piece(nodes[index], nodes[index + 1], False, False, at[index], at[index + 1]))
    if 0 in holds:
        found += [Piece(e.node, e.node, True, True, e.position, e.position) for e in ends if not e.pole]
    return _union(tuple(found))


def _between(low: float, high: float) -> Fraction:
    """A number between two others, of which either may be infinite."""
    if low == -_INFINITE:
        return Fraction(0) if high == _INFINITE else Fraction(high) - 1
    return Fraction(low) + 1 if high == _INFINITE else (Fraction(low) + Fraction(high)) / 2


def _linear(left: Node, right: Node, name: str) -> tuple[Node, bool] | None:
    """Where `left - right` is linear with rational coefficients: its root, and whether it rises."""
    differences: list[Fraction] = []
    try:
        for at in _SAMPLES:
            first, second = exact(left, {name: at}), exact(right, {name: at})
            if first is None or second is None:
                return None
            differences.append(first - second)
    except (TooLargeError, ZeroDivisionError):
        return None
    start, slope = differences[0], differences[1] - differences[0]
    if not slope or any(value != start + at * slope for at, value in zip(_SAMPLES, differences, strict=True)):
        return None
    return Num(-start / slope), slope > 0


def combine(op: str, left: Pieces, right: Pieces) -> Pieces:
    """The union (`cup`, `or`), intersection (`cap`, `and`) or difference (`minus`) of two sets."""
    if op in ("cup", "or"):
        return _union(left + right)
    if op in ("cap", "and"):
        return _union(tuple(piece for a in left for b in right if (piece := _meet(a, b)) is not None))
    return combine("cap", left, complement(right))


def _meet(a: Piece, b: Piece) -> Piece | None:
    low = max((a, b), key=lambda piece: (piece.start, not piece.low_closed))
    high = min((a, b), key=lambda piece: (piece.stop, piece.high_closed))
    if low.start > high.stop or (low.start == high.stop and not (low.low_closed and high.high_closed)):
        return None
    return Piece(low.low, high.high, low.low_closed, high.high_closed, low.start, high.stop)


def _union(pieces: Pieces) -> Pieces:
    merged: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.start, not piece.low_closed)):
        last = merged[-1] if merged else None
        touches = last is not None and (
            piece.start < last.stop or (piece.start == last.stop and (piece.low_closed or last.high_closed))
        )
        if last is None or not touches:
            merged.append(piece)
        elif (piece.stop, piece.high_closed) > (last.stop, last.high_closed):
            merged[-1] = replace(last, high=piece.high, high_closed=piece.high_closed, stop=piece.stop)
    return tuple(merged)


def complement(pieces: Pieces) -> Pieces:
    """The real numbers that are not in a set."""
    result: list[Piece] = []
    low, closed, start = _LOWEST, False, -_INFINITE
    for piece in pieces:
        if piece.start > start or (piece.start == start and closed and not piece.low_closed and start > -_INFINITE):
            result.append(Piece(low, piece.low, closed, not piece.low_closed, start, piece.start))
        low, closed, start = piece.high, not piece.high_closed, piece.stop
    if start < _INFINITE:
        result.append(Piece(low, INFINITY, closed, False, start, _INFINITE))
    return tuple(result)
