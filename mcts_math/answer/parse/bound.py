"""Sums, products, integrals and limits: LaTeX operators that bind a variable."""

from __future__ import annotations

from mcts_math.answer.parse.arguments import argument
from mcts_math.answer.parse.cursor import PRODUCT, SUM, Cursor
from mcts_math.answer.parse.tokens import Token, UnreadableError
from mcts_math.answer.values.nodes import ONE, Bound, Node, Num, Relation, Sym


def bound(cursor: Cursor, kind: str) -> Node:
    """What follows `\\sum`, `\\prod`, `\\int` or `\\lim`, just taken."""
    if kind == "int":
        return _integral(cursor)
    return _limit(cursor) if kind == "lim" else _series(cursor, kind)


def _series(cursor: Cursor, kind: str) -> Node:
    _free_index(cursor)
    cursor.expect("_")
    start = argument(cursor)
    cursor.expect("^")
    high = argument(cursor)
    if not isinstance(start, Relation) or start.ops != ("=",) or not isinstance(start.items[0], Sym):
        raise UnreadableError(f"a {kind} without the start of its index")
    body = cursor.expression(PRODUCT)
    return Bound(kind, body, start.items[0].name, start.items[1], high)


def _free_index(cursor: Cursor) -> None:
    """An index called i is no imaginary unit, from here on."""
    if cursor.peek(2) == cursor.peek(2)._replace(kind="const", text="i"):
        for index in range(cursor.index, len(cursor.tokens)):
            token = cursor.tokens[index]
            if token.kind == "const" and token.text == "i":
                cursor.tokens[index] = token._replace(kind="sym")


def _limit(cursor: Cursor) -> Node:
    cursor.expect("_")
    cursor.expect("{")
    name = cursor.advance()
    if name.kind != "sym" or cursor.token.text not in ("to", "rightarrow"):
        raise UnreadableError("a limit without its variable")
    cursor.advance()
    at = cursor.expression(SUM)
    cursor.expect("}")
    return Bound("lim", cursor.expression(PRODUCT), name.text, at, at)


def _integral(cursor: Cursor) -> Node:
    cursor.expect("_")
    low = argument(cursor)
    cursor.expect("^")
    high = argument(cursor)
    place, depth = _differential(cursor)
    name = cursor.tokens[place + 1].text
    if depth:  # \frac{dx}{x}
        cursor.tokens[place : place + 2] = [Token("num", "1", False, ONE.value)]
        return Bound("int", cursor.expression(PRODUCT), name, low, high)
    if place == cursor.index:
        body: Node = Num(ONE.value)
    else:
        inner = Cursor(
            [*cursor.tokens[cursor.index : place], Token("end", "", False)], cursor.spaced, cursor.parser, cursor.clause
        )
        inner.depth = cursor.depth
        body = inner.expression(SUM)
        if inner.token.kind != "end":
            raise UnreadableError("an integrand that is no expression")
    cursor.index = place + 2
    return Bound("int", body, name, low, high)


def _differential(cursor: Cursor) -> tuple[int, int]:
    """Where the `d` of the next `dx` is, and how many braces are open there."""
    depth = 0
    for index in range(cursor.index, len(cursor.tokens) - 1):
        token, following = cursor.tokens[index], cursor.tokens[index + 1]
        depth += (token.text in ("{", "(")) - (token.text in ("}", ")"))
        if token.kind == "sym" and token.text == "d" and following.kind == "sym":
            return index, depth
    raise UnreadableError("an integral without its variable")
