"""Sets that a letter runs through: families over the integers and straight lines over the real numbers."""

from __future__ import annotations

from fractions import Fraction

from mcts_math.answer.values.nodes import PI, ZERO, Bound, Group, Node, Prod, Quantity, Sum, Sym
from mcts_math.answer.values.points import symbols, walk
from mcts_math.answer.values.polynomials import rational_function


def over_integers(node: Node, letters: str) -> Node:
    """`pi/4 + k pi` as a family over the integers, where one of the letters is multiplied by an angle."""
    if not isinstance(node, Sum):
        return node
    found = [letter for letter in letters if letter in symbols(node)]
    if len(found) != 1 or len(symbols(node)) != 1:
        return node
    turning = [item for item in node.items if symbols(item)]
    if len(turning) != 1 or not isinstance(turning[0], Prod) or Sym(found[0]) not in turning[0].items:
        return node
    angle = any(part == PI or (isinstance(part, Quantity) and part.unit == "degree") for part in walk(turning[0]))
    return Bound("family", node, found[0], ZERO, ZERO) if angle else node


def line(node: Group, name: str) -> Node:
    """The points of a tuple for all real values of its letter."""
    return Bound("line", node, name, ZERO, ZERO)


def lines_equal(left: Bound, right: Bound) -> bool:
    """Whether two straight lines with rational coefficients are the same."""
    first, second = _straight(left), _straight(right)
    if first is None or second is None or len(first) != len(second):
        return False
    ways = [way for _, way in first], [way for _, way in second]
    between = [a - b for (a, _), (b, _) in zip(first, second, strict=True)]
    return _parallel(*ways) and _parallel(ways[0], between)


def _straight(node: Bound) -> list[tuple[Fraction, Fraction]] | None:
    """Start and step of each coordinate."""
    found: list[tuple[Fraction, Fraction]] = []
    for item in node.body.items if isinstance(node.body, Group) else ():
        function = rational_function(item, node.name)
        if function is None or len(function[0]) > 2 or function[1] != (Fraction(1),):
            return None
        start, step, *_ = (*function[0], Fraction(0), Fraction(0))
        found.append((start, step))
    return found if any(step for _, step in found) else None


def _parallel(left: list[Fraction], right: list[Fraction]) -> bool:
    return all(a * d == b * c for a, c in zip(left, right, strict=True) for b, d in zip(left, right, strict=True))
