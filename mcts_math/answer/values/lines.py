"""Sets that a letter runs through: families over the integers and straight lines over the real numbers."""

from __future__ import annotations

from mcts_math.answer.values.nodes import PI, ZERO, Bound, Group, Node, Prod, Quantity, Sum, Sym, symbols, walk


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
