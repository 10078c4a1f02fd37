"""Lists, sums and products with dots: written out, or closed, where their terms show the rule."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

from mcts_math.answer.text.vocabulary import COUNTERS
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.exact import exact, same_residue
from mcts_math.answer.values.nodes import DOTS, MINUS_ONE, Node, Num, Power, Prod, Sum, Sym, negate, rebuild, symbols

_STARTS: Final = range(4)  # of the counter
_MOST: Final = 3000  # terms that are written out
_COUNTER: Final = "… counted"


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
    """The numbers up to `last`, with even steps, or multiplied by one number; else none."""
    step = known[1] - known[0]
    if step and all(b - a == step for a, b in pairwise(known)):
        count = (last - known[0]) / step
        if count.denominator == 1 and len(known) <= count < _MOST:
            return [known[0] + step * index for index in range(int(count) + 1)]
    if all(known) and abs(known[1]) != abs(known[0]):
        ratio, terms = known[1] / known[0], list(known)
        if all(b == a * ratio for a, b in pairwise(known)):
            while terms[-1] != last and len(terms) < _MOST and abs(terms[-1] * ratio - last) < abs(terms[-1] - last):
                terms.append(terms[-1] * ratio)
            return terms if terms[-1] == last else []
    return []


def summed(terms: Sequence[Node]) -> Node:
    """A sum with dots over its index, or the limit of a series; without a rule, a function of the terms in order."""
    terms = tuple(DOTS if term == negate(DOTS) else term for term in terms)
    if (short := listed(terms)) != terms and DOTS not in short:
        return Sum(short)
    place = terms.index(DOTS)
    if place < 2 < len(terms) - place:  # x^n + … + x + 1
        terms, place = terms[::-1], len(terms) - place - 1
    known, after = terms[:place], terms[place + 1 :]
    if len(known) < 2 or DOTS in after:
        return Sum(terms)
    closed = None
    if len(after) < 2:
        closed = _indexed("sum", known, after[0]) if after else _geometric(known) or _series(known)
    return closed or tree.Call(f"…{place}", known + after, free=True)


def multiplied(factors: Sequence[Node]) -> Node:
    """A product with dots over its index, where its factors show the rule."""
    factors = tuple(factors)
    place = factors.index(DOTS)
    closed = None
    if place > 1 and len(factors) == place + 2 and factors[-1] != DOTS:
        closed = _indexed("prod", factors[:place], factors[-1])
    return closed or Prod(factors)


def _indexed(kind: str, known: Sequence[Node], last: Node) -> Node | None:
    """`1 + 3 + … + (2n-1)` as a sum over n, if the last term gives the first ones too."""
    for name in COUNTERS:
        if name not in symbols(last) or any(name in symbols(term) for term in known):
            continue
        for start in _STARTS:
            first = [tree.substitute(last, {name: Num(Fraction(start + index))}) for index in range(len(known))]
            if all(same_residue(*pair) for pair in zip(first, known, strict=True)):
                counter = f"{name} counted"
                body = tree.substitute(last, {name: Sym(counter)})
                return tree.Bound(kind, body, counter, Num(Fraction(start)), Sym(name))
    return None


def _series(known: Sequence[Node]) -> Node | None:
    """By even steps of the numbers in its last two terms, if these give the others too: `x - x^3/3! + x^5/5! - …`."""
    if len(known) < 3:
        return None
    signs, bodies = zip(*map(_signed, known), strict=True)
    alternates = signs[0] != signs[1]
    if any((a != b) != alternates for a, b in pairwise(signs)):
        return None
    counter = Sym(_COUNTER)
    body = _rule(bodies[-2], bodies[-1], Sum((counter, Num(Fraction(2 - len(known))))))
    if body is None:
        return None

    def term(index: int) -> Node:
        return tree.substitute(body, {_COUNTER: Num(Fraction(index))})

    if not all(same_residue(term(index), body) for index, body in enumerate(bodies[:-2])):
        return None
    turns = Power(MINUS_ONE, counter) if alternates else tree.ONE
    return tree.Bound("sum", Prod((Num(Fraction(signs[0])), turns, body)), _COUNTER, tree.ZERO, tree.INFINITY)


def _signed(term: Node) -> tuple[int, Node]:
    """The sign of a term, and the term without it."""
    match term:
        case Num(value) if value < 0:
            return -1, negate(term)
        case Prod((Num(value), *rest)) if value < 0:
            return -1, tree.joined(Prod, rest if value == -1 else (Num(-value), *rest))
    return 1, term


def _rule(first: Node, second: Node, counter: Node) -> Node | None:
    """The function of the counter that is `first` where that is 0 and `second` where it is 1; their shape is one."""
    if isinstance(first, Num) and isinstance(second, Num):
        above, below = (
            Sum((Num(Fraction(a)), Prod((Num(Fraction(b - a)), counter))))
            for a, b in zip(first.value.as_integer_ratio(), second.value.as_integer_ratio(), strict=True)
        )
        whole = first.value.denominator == second.value.denominator == 1
        return above if whole else Prod((above, Power(below, MINUS_ONE)))
    mine, other = tree.children(first), tree.children(second)
    if len(mine) != len(other) or rebuild(first, lambda _: tree.ZERO) != rebuild(second, lambda _: tree.ZERO):
        return None
    parts = [part for a, b in zip(mine, other, strict=True) if (part := _rule(a, b, counter)) is not None]
    rest = iter(parts)
    return rebuild(first, lambda _: next(rest)) if len(parts) == len(mine) else None


def _geometric(known: Sequence[Node]) -> Node | None:
    """`1 + x + x^2 + …` as 1/(1-x), where three terms or more show one ratio, which is no number of 1 or more."""
    ratio = Prod((known[1], Power(known[0], MINUS_ONE)))
    if len(known) < 3 or not all(same_residue(Prod((term, ratio)), after) for term, after in pairwise(known)):
        return None
    size = None if symbols(ratio) else exact(ratio)
    if not symbols(ratio) and (size is None or abs(size) >= 1):
        return None
    return Prod((known[0], Power(Sum((tree.ONE, negate(ratio))), MINUS_ONE)))
