"""Sets of real numbers: intervals, points, their unions, and the solution sets of inequalities in one variable.

A set is known by the places where it may end and by a test of any number. Both need no case for each operation: between
two neighbouring places the test says the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.approximate import INFINITE, numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.nodes import ONE, Call, Group, Node, Relation, SetOp, Sum, Sym, negate, symbols
from mcts_math.answer.values.polynomials import Root, rational_function, real_roots
from mcts_math.answer.values.shapes import HOLDS
from mcts_math.answer.verdict import Policy

FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_MAX_BARS: Final = 4
_PLACES: Final = (0.0, 1.0, 2.7, -3.1)  # where a function may show that it is linear


@dataclass(frozen=True, slots=True)
class RealSet:
    """A set of real numbers: the finite places where it may end, in any order, and whether a number is in it."""

    ends: tuple[Root, ...]
    holds: Callable[[float], bool]


class Cell(NamedTuple):
    """A place where a set may end, or the gap between two neighbouring ones."""

    end: Root | None
    low: float
    high: float

    @property
    def sample(self) -> float:
        """A number in it."""
        if math.isinf(self.low):
            return 0.0 if math.isinf(self.high) else self.high - 1
        return self.low + 1 if math.isinf(self.high) else (self.low + self.high) / 2


EVERYWHERE: Final = RealSet((), lambda x: True)


def real_set(node: Node) -> RealSet | None:
    """The set that `node` denotes; None where it denotes none with known ends."""
    if isinstance(node, Group):
        return _points(node.items) if node.left == "{" else _interval(node)
    if isinstance(node, SetOp):
        return _combined(node.op, [point_or_set(item) for item in node.items]) if len(symbols(node)) < 2 else None
    return _condition(node) if isinstance(node, Relation) else None


def point_or_set(node: Node) -> RealSet | None:
    """As `real_set`; a number is the set of itself."""
    return _points((node,)) if not isinstance(node, (Group, SetOp, Relation, tree.Text)) else real_set(node)


def variable(*nodes: Node) -> str | None:
    """The one variable that conditions are about, or None."""
    names = frozenset().union(*map(symbols, nodes))
    return next(iter(names)) if len(names) == 1 else None


def sets_equal(left: RealSet, right: RealSet, policy: Policy) -> bool:
    """Whether two sets are the same, ends included."""
    mine, theirs = _borders(left), _borders(right)
    return len(mine) == len(theirs) and all(
        how == other and (end is None or last is None or scalars_equal(end.node, last.node, policy))
        for (end, how), (last, other) in zip(mine, theirs, strict=True)
    )


def position(node: Node) -> float | None:
    """A number without variables as a float, infinite ones too; None for anything else."""
    return None if symbols(node) else _value(node, "", 0.0)


def cells(*sets: RealSet) -> Iterator[Cell]:
    """The pieces of the real line on which every set holds everywhere or nowhere, in ascending order."""
    low = -math.inf
    for end in sorted((end for one in sets for end in one.ends), key=lambda end: end.at):
        if not _same(low, end.at):
            yield Cell(None, low, end.at)
            yield Cell(end, end.at, end.at)
        low = end.at
    yield Cell(None, low, math.inf)


def _borders(one: RealSet) -> list[tuple[Root | None, tuple[bool, ...]]]:
    """Where the set really ends, and whether it holds before, at and behind that place."""
    line = list(cells(one))
    holds = [one.holds(cell.sample) for cell in line]
    around = [(line[i].end, tuple(holds[i - 1 : i + 2])) for i in range(1, len(line), 2)]
    return [(None, (holds[0],)), *(border for border in around if len(set(border[1])) > 1)]


def _same(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= 1e-12 * max(abs(a), abs(b)) < math.inf


def _points(items: Sequence[Node]) -> RealSet | None:
    ends = [Root(item, at) for item in items if (at := position(item)) is not None]
    if len(ends) < len(items):
        return None
    return RealSet(tuple(ends), lambda x: any(_same(x, end.at) for end in ends))


def _interval(node: Group) -> RealSet | None:
    if len(node.items) != 2 or not node.left:
        return None
    start, stop = map(position, node.items)
    if start is None or stop is None or start > stop or (start == stop and node.left + node.right != "[]"):
        return None
    if (math.isinf(start) and node.left == "[") or (math.isinf(stop) and node.right == "]"):
        return None  # of the extended line: it holds infinity

    def holds(x: float) -> bool:
        after = node.left == "[" if _same(x, start) else x > start
        return after and (node.right == "]" if _same(x, stop) else x < stop)

    both = zip(node.items, (start, stop), strict=True)
    return RealSet(tuple(Root(item, at) for item, at in both if not math.isinf(at)), holds)


def _combined(op: str, parts: Sequence[RealSet | None]) -> RealSet | None:
    """The union (`cup`, `or`), intersection (`cap`, `and`) or difference (`minus`) of sets."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None

    def holds(x: float) -> bool:
        within = [part.holds(x) for part in known]
        if op == "minus":
            return within[0] and not any(within[1:])
        return any(within) if op in ("cup", "or") else all(within)

    return RealSet(tuple(end for part in known for end in part.ends), holds)


def _condition(node: Relation) -> RealSet | None:
    name = variable(node)
    if name is None:
        return None
    if node.ops == ("in",) and node.items[0] == Sym(name):
        return real_set(node.items[1])
    steps = zip(node.items, node.ops, node.items[1:], strict=False)
    return _combined("and", [_inequality(left, op, right, name) for left, op, right in steps])


def _inequality(left: Node, op: str, right: Node, name: str) -> RealSet | None:
    ends = _zeros(left, right, name) if op in FLIPPED else None
    if ends is None:
        return None

    def holds(x: float) -> bool:
        a, b = _value(left, name, x), _value(right, name, x)
        if a is None or b is None:
            return False
        equal = any(_same(x, end.at) for end in ends) and abs(a - b) <= 1e-9 * (1 + abs(a) + abs(b))
        return HOLDS[op](a, a if equal else b)

    return RealSet(ends, holds)


def _zeros(left: Node, right: Node, name: str) -> tuple[Root, ...] | None:
    """Where two sides may change places: zeros and poles of their difference."""
    for end, other in ((left, right), (right, left)):
        if other == Sym(name) and not symbols(end):
            at = position(end)
            return None if at is None else () if math.isinf(at) else (Root(end, at),)
    found: list[Root] = []
    for difference in _without_bars(Sum((left, negate(right))), _MAX_BARS):
        function = rational_function(difference, name)
        if function is None and (root := _line_root(difference, name)) is not None:
            found.append(root)
            continue
        for polynomial in function or ((),):
            roots = real_roots(polynomial) if polynomial else None
            if roots is None:
                return None
            found += roots
    return tuple(found)


def _line_root(node: Node, name: str) -> Root | None:
    """Where a linear function is zero, whatever its constants."""
    values = [y for x in _PLACES if (y := _value(node, name, x)) is not None]
    if len(values) < len(_PLACES) or values[1] == values[0]:
        return None
    slope = values[1] - values[0]
    if any(abs(y - values[0] - slope * x) > 1e-9 * (1 + abs(y)) for x, y in zip(_PLACES, values, strict=True)):
        return None
    first, second = (tree.substitute(node, {name: x}) for x in (tree.ZERO, ONE))
    zero = tree.Prod((negate(first), tree.Power(Sum((second, negate(first))), tree.MINUS_ONE)))
    return Root(zero, at) if (at := position(zero)) is not None else None


def _without_bars(node: Node, most: int) -> Iterator[Node]:
    """`node` with each absolute value as what is between the bars, and as minus that."""
    bars = next((part for part in tree.walk(node) if isinstance(part, Call) and part.name == "abs"), None)
    if bars is None or not most:
        yield node
        return

    def opened(part: Node, inner: Node) -> Node:
        return inner if part == bars else tree.rebuild(part, lambda child: opened(child, inner))

    for inner in (bars.args[0], negate(bars.args[0])):
        yield from _without_bars(opened(node, inner), most - 1)


def _value(node: Node, name: str, x: float) -> float | None:
    """The real value where the variable is `x`; infinities too."""
    if node in INFINITE:
        return INFINITE[node]
    try:
        return float(evaluate(node, {name: x}, numbers(real=True)))
    except (UndefinedError, OverflowError):
        return None
