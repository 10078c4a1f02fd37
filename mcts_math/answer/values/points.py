"""Where two functions are compared: fixed points that look random, on every piece of a function made of pieces.

Three kinds of functions need different points. An analytic function is known by its values anywhere. One with absolute
values, maxima, roots or inverse functions is only known piece by piece: points lie between all places where a piece
may end. One with floors, parities or factorials of a variable called n, k or the like is a function of integers.
Families of functions are compared by the directions that their values there span.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any, Final

from mcts_math.answer.text.vocabulary import INTEGERS
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.evaluate import noise
from mcts_math.answer.values.nodes import MINUS_ONE, PI, Bound, Call, Const, Node, Num, Power, Prod, symbols, walk
from mcts_math.answer.values.polynomials import rational_function, real_roots

NUM_POINTS: Final = 12
_INTEGERS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 24, 30, 41, -1, -2, -3, -6)
_NUM_SMALL: Final = 15  # of the integers above: enough for series, which take long
_WIDE: Final = 3
_OF_INTEGERS: Final = frozenset({"floor", "ceil", "mod", "gcd", "lcm", "factorial", "binom"})
_PERIODIC: Final = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_ANALYTIC: Final = frozenset({*_PERIODIC, "sinh", "cosh", "tanh", "coth", "sech", "csch"})


def point(names: frozenset[str], index: int) -> dict[str, Fraction]:
    """The `index`-th test point, below `NUM_POINTS`; 0 to 3 positive, 4 negative, the others mixed, 11 far away."""
    values: dict[str, Fraction] = {}
    for name in names:
        chance = noise(name, index)
        size = Fraction(chance % 8999 + 500, 3001)  # 0.17 to 3.2
        if index in (3, 8, 9):
            size = size / 4  # inside the domain of arcsin and of sqrt(1 - x^2)
        elif index in (2, 10):
            size = size * 5
        elif index == 11:
            size = size * 60
        values[name] = -size if index == 4 or (index > 4 and (chance >> 16) % 2) else size
    return values


def points(left: Node, right: Node, names: frozenset[str]) -> tuple[list[dict[str, Fraction]], bool]:
    """Where to compare two functions of `names`; and whether a few of the points are as good as all of them."""
    parts = [*walk(left), *walk(right)]
    whole = names & INTEGERS & frozenset(name for part in parts for name in _counted(part))
    found = [point(names, index) for index in range(NUM_POINTS)]
    if whole:
        size = _NUM_SMALL if any(isinstance(part, Bound) for part in parts) else len(_INTEGERS)
        found = [_at_integers(names, whole, index, size) for index in range(size)]
    breaking = [part for part in parts if not _is_analytic(part)]
    if breaking and not whole:  # |sin x| differs from sin x behind pi only
        found += [{name: value * _WIDE for name, value in at.items()} for at in found[4:]]
    if breaking and len(names) == 1 and not whole:
        (name,) = names
        found += [{name: at} for at in _between(breaking, name)]
    return found, not whole and not breaking


def _at_integers(names: frozenset[str], whole: frozenset[str], index: int, size: int) -> dict[str, Fraction]:
    values = point(names - whole, index % NUM_POINTS)
    for place, name in enumerate(sorted(whole)):
        step = index if not place else noise(name, index) % size
        values[name] = Fraction(_INTEGERS[step])
    return values


def _counted(part: Node) -> frozenset[str]:
    """Variables that are counted with: under a floor or a factorial, in the sign (-1)^n, in the phase of cos(n pi)."""
    if isinstance(part, Call) and (part.name in _OF_INTEGERS or (part.name in _PERIODIC and PI in walk(part))):
        return symbols(part)
    if isinstance(part, Bound):
        return symbols(part.low) | symbols(part.high)
    if isinstance(part, Power) and not symbols(part.base) and symbols(part.exponent):
        negative = isinstance(part.base, Num) and part.base.value < 0
        turning = Const("i") in walk(part.base) or (Const("i") in walk(part.exponent) and PI in walk(part.exponent))
        if negative or turning or (isinstance(part.base, Prod) and MINUS_ONE in part.base.items):
            return symbols(part.exponent)
    return frozenset()


def _is_analytic(node: Node) -> bool:
    """Whether the topmost operation of `node` has no branches, corners or jumps in its variables."""
    if isinstance(node, Power):
        return not symbols(node.base) or (isinstance(node.exponent, Num) and node.exponent.value.denominator == 1)
    return not isinstance(node, Call) or node.free or node.name in _ANALYTIC or not symbols(node)


def corners(part: Node, name: str) -> list[float]:
    """Where a piece of the function that `part` is may end: at zeros and poles of what is in it."""
    arguments = [part.base] if isinstance(part, Power) else list(tree.children(part))
    if isinstance(part, Call) and part.name in ("max", "min"):
        arguments += [tree.Sum((a, tree.negate(b))) for a, b in combinations(arguments, 2)][:12]
    functions = [rational_function(argument, name) for argument in arguments]
    return [root.at for function in functions for polynomial in function or () for root in real_roots(polynomial) or ()]


def _between(breaking: list[Node], name: str) -> list[Fraction]:
    """One point inside each piece of the line that the corners of the functions mark off."""
    places = sorted({place for part in breaking[:12] for place in corners(part, name)})[:24]
    inner = [Fraction(low + 0.4 * (high - low)) for low, high in pairwise(places)]
    if places:
        inner += [Fraction(places[0] - 0.7), Fraction(places[-1] + 0.7)]
    sizes = [abs(number.value) for part in breaking for number in walk(part) if isinstance(number, Num)]
    far = 8.0
    for size in sizes:
        if 0 < size < 10**6:
            far = min(far * float(1 + max(size, 1 / size)), 1e9)
    return [*inner, Fraction(far), -Fraction(far)]


Vector = Sequence[Any]  # real or complex numbers
_LOST: Final = 1e-8  # relative size below which a value is rounding error


def same_flat(left: Sequence[Vector], right: Sequence[Vector], dimension: int) -> bool:
    """Whether the points `left` span the same flat (line, plane, …) of that dimension as the points `right`."""
    return all(
        rank([[a - b for a, b in zip(point, points[0], strict=True)] for point in points[1:]]) == dimension
        for points in (left, right, [*left, *right])
    )


def rank(vectors: Sequence[Vector]) -> int:
    """How many of the vectors are linearly independent."""
    rows = []
    for vector in vectors:
        size = max(map(abs, vector))
        if size:
            rows.append([value / size for value in vector])
    count = 0
    while rows:
        pivot = max(rows, key=lambda row: max(map(abs, row)))
        place = max(range(len(pivot)), key=lambda index: abs(pivot[index]))
        if abs(pivot[place]) < _LOST:
            break
        count += 1
        rows.remove(pivot)
        for row in rows:
            factor = row[place] / pivot[place]
            row[:] = [value - factor * other for value, other in zip(row, pivot, strict=True)]
    return count
