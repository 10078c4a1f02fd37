"""Where two functions are compared: fixed points that look random, on every piece of a function made of pieces.

Three kinds of functions need different points. An analytic function is known by its values anywhere. One with absolute
values, maxima, roots or inverse functions is only known piece by piece: points lie between all places where a piece
may end. One with floors, parities or factorials of a variable called n, k or the like is a function of integers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Final

from mcts_math.answer.values.nodes import MINUS_ONE, PI, Bound, Call, Const, Node, Num, Power, Prod, Sum, Sym, children
from mcts_math.answer.values.polynomials import rational_function, real_roots

NUM_POINTS: Final = 12
_INTEGER_NAMES: Final = frozenset({"n", "m", "k", "i", "j", "l", "N", "M", "K"})
_INTEGERS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 24, 30, 41, -1, -2, -3, -6)
_OF_INTEGERS: Final = frozenset({"floor", "ceil", "mod", "gcd", "lcm", "factorial", "binom"})
_PERIODIC: Final = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_ANALYTIC: Final = frozenset({*_PERIODIC, "sinh", "cosh", "tanh", "coth", "sech", "csch"})


@lru_cache(maxsize=4096)
def symbols(node: Node) -> frozenset[str]:
    """Names of the variables in `node`."""
    if isinstance(node, Sym):
        return frozenset({node.name})
    names: frozenset[str] = frozenset()
    for child in children(node):
        names |= symbols(child)
    return names - {node.name} if isinstance(node, Bound) else names


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def point(names: frozenset[str], index: int) -> dict[str, Fraction]:
    """The `index`-th test point, below `NUM_POINTS`; 0 to 3 positive, 4 negative, the others mixed, 11 far away."""
    values: dict[str, Fraction] = {}
    for name in names:
        noise = zlib.crc32(f"{name}/{index}".encode())
        size = Fraction(noise % 8999 + 500, 3001)  # 0.17 to 3.2
        if index in (3, 8, 9):
            size = size / 4  # inside the domain of arcsin and of sqrt(1 - x^2)
        elif index in (2, 10):
            size = size * 5
        elif index == 11:
            size = size * 60
        values[name] = -size if index == 4 or (index > 4 and (noise >> 16) % 2) else size
    return values


def points(left: Node, right: Node, names: frozenset[str]) -> tuple[list[dict[str, Fraction]], bool]:
    """Where to compare two functions of `names`; and whether a few of the points are as good as all of them."""
    whole = names & _INTEGER_NAMES & frozenset(name for node in (left, right) for name in _counted(node))
    found = [point(names, index) for index in range(NUM_POINTS)]
    if whole:
        series = any(isinstance(part, Bound) for node in (left, right) for part in walk(node))
        size = next(i for i, at in enumerate(_INTEGERS) if at > 20) if series else len(_INTEGERS)
        found = [_at_integers(names, whole, index, size) for index in range(size)]
    breaking = [part for node in (left, right) for part in walk(node) if not _is_analytic(part)]
    if breaking and len(names) == 1:
        (name,) = names - whole or {""}
        found += [{name: at} for at in _between(breaking, name)] if name else []
    return found, not whole and not breaking


def _at_integers(names: frozenset[str], whole: frozenset[str], index: int, size: int) -> dict[str, Fraction]:
    values = point(names - whole, index % NUM_POINTS)
    for place, name in enumerate(sorted(whole)):
        step = index if not place else zlib.crc32(f"{name}/{index}".encode()) % size
        values[name] = Fraction(_INTEGERS[step])
    return values


def _counted(node: Node) -> frozenset[str]:
    """Variables that are counted with: under a floor or a factorial, in the sign (-1)^n, in the phase of cos(n pi)."""
    names: frozenset[str] = frozenset()
    for part in walk(node):
        if isinstance(part, Call) and (part.name in _OF_INTEGERS or (part.name in _PERIODIC and PI in walk(part))):
            names |= symbols(part)
        elif isinstance(part, Bound):
            names |= symbols(part.low) | symbols(part.high)
        elif isinstance(part, Power) and not symbols(part.base) and symbols(part.exponent):
            negative = isinstance(part.base, Num) and part.base.value < 0
            turning = Const("i") in walk(part.base) or (Const("i") in walk(part.exponent) and PI in walk(part.exponent))
            if negative or turning or (isinstance(part.base, Prod) and MINUS_ONE in part.base.items):
                names |= symbols(part.exponent)
    return names


def _is_analytic(node: Node) -> bool:
    """Whether the topmost operation of `node` has no branches, corners or jumps in its variables."""
    if isinstance(node, Power):
        return not symbols(node.base) or (isinstance(node.exponent, Num) and node.exponent.value.denominator == 1)
    return not isinstance(node, Call) or node.free or node.name in _ANALYTIC or not symbols(node)


def _between(breaking: list[Node], name: str) -> list[Fraction]:
    """One point inside each piece of the line that the corners of the functions mark off."""
    ends: set[float] = set()
    far = 8.0
    for part in breaking[:12]:
        arguments = [part.base] if isinstance(part, Power) else list(children(part))
        if isinstance(part, Call) and part.name in ("max", "min"):
            arguments += [Sum((a, Prod((MINUS_ONE, b)))) for i, a in enumerate(arguments) for b in arguments[:i]][:12]
        for argument in arguments:
            function = rational_function(argument, name)
            for polynomial in function or ():
                ends |= {place for _, place in real_roots(polynomial) or ()}
        for number in walk(part):
            if isinstance(number, Num) and 0 < abs(number.value) < 10**6:
                far = min(far * float(1 + max(abs(number.value), 1 / abs(number.value))), 1e9)
    places = sorted(ends)[:24]
    inner = [Fraction(low + 0.4 * (high - low)) for low, high in pairwise(places)]
    if places:
        inner += [Fraction(places[0] - 0.7), Fraction(places[-1] + 0.7)]
    return [*inner, Fraction(far), -Fraction(far)]
