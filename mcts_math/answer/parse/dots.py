"""Lists and sums with dots: written out, or closed, where their terms show the rule."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

from mcts_math.answer.values.exact import exact, same_residue
from mcts_math.answer.values.nodes import (
    DOTS,
    MINUS_ONE,
    ONE,
    Bound,
    Call,
    Node,
    Num,
    Power,
    Prod,
    Sum,
    Sym,
    negate,
    substitute,
    symbols,
)
from mcts_math.answer.values.roles import COUNTERS

_STARTS: Final = range(4)  # of the counter
_MOST: Final = 1000  # terms that are written out


def listed(items: Sequence[Node]) -> tuple[Node, ...]:
    """`1, 2, …, 9` and `1, 2, 4, …, 64` written out; `1, 2, 3, …, n` with as few terms as show the step, others as
    they are."""
    items = tuple(items)
    place = items.index(DOTS)
    known = [item.value for item in items[:place] if isinstance(item, Num)]
    if not 2 <= len(known) == place or DOTS in items[place + 1 :] or len(items) > place + 2:
        return items
    last = items[-1]
    if isinstance(last, Num):
        return tuple(map(Num, _progression(known, last.value))) or items
    step = known[1] - known[0]
    even = step and all(b - a == step for a, b in pairwise(known))
    return (*items[:2], *items[place:]) if even else items  # of no known length


def _progression(known: Sequence[Fraction], last: Fraction) -> list[Fraction]:
    """The numbers up to `last`, with even steps, or with three or more that are multiplied by one number; else none."""
    step = known[1] - known[0]
    if step and all(b - a == step for a, b in pairwise(known)):
        count = (last - known[0]) / step
        if count.denominator == 1 and len(known) <= count < _MOST:
            return [known[0] + step * index for index in range(int(count) + 1)]
    elif len(known) > 2 and all(known) and abs(known[1]) != abs(known[0]):
        ratio, terms = known[1] / known[0], list(known)
        if all(b == a * ratio for a, b in pairwise(known)):
            while terms[-1] != last and len(terms) < _MOST and abs(terms[-1] * ratio - last) < abs(terms[-1] - last):
                terms.append(terms[-1] * ratio)
            return terms if terms[-1] == last else []
    return []


def summed(terms: Sequence[Node]) -> Node:
    """A sum with dots: of its terms as `listed`, over its index, or the limit of a geometric series.

    A sum of no known rule is a function of the terms that are written, in their order; whatever the sign of its dots.
    """
    terms = tuple(DOTS if term == negate(DOTS) else term for term in terms)
    place = terms.index(DOTS)
    known, after = terms[:place], terms[place + 1 :]
    if (short := listed(terms)) != terms and DOTS not in short:
        return Sum(short)
    if len(known) < 2 or DOTS in after:
        return Sum(terms)
    closed = _indexed(known, after[0]) if len(after) == 1 else None if after else _geometric(known)
    return closed or Call(f"…{place}", known + after, free=True)


def _indexed(known: Sequence[Node], last: Node) -> Node | None:
    """`1 + 3 + … + (2n-1)` as a sum over n, if the last term gives the first ones too."""
    for name in COUNTERS:
        if name not in symbols(last) or any(name in symbols(term) for term in known):
            continue
        for start in _STARTS:
            first = [substitute(last, {name: Num(Fraction(start + index))}) for index in range(len(known))]
            if all(same_residue(*pair) for pair in zip(first, known, strict=True)):
                counter = f"{name} counted"
                body = substitute(last, {name: Sym(counter)})
                return Bound("sum", body, counter, Num(Fraction(start)), Sym(name))
    return None


def _geometric(known: Sequence[Node]) -> Node | None:
    """`1 + x + x^2 + …` as 1/(1-x), where three terms or more show one ratio, which is no number of 1 or more."""
    ratio = Prod((known[1], Power(known[0], MINUS_ONE)))
    if len(known) < 3 or not all(same_residue(Prod((term, ratio)), after) for term, after in pairwise(known)):
        return None
    size = None if symbols(ratio) else exact(ratio)
    if not symbols(ratio) and (size is None or abs(size) >= 1):
        return None
    return Prod((known[0], Power(Sum((ONE, negate(ratio))), MINUS_ONE)))
