"""LaTeX commands with arguments: fractions, roots, binomials."""

from __future__ import annotations

from fractions import Fraction

from mcts_math.answer.parse.brackets import brackets
from mcts_math.answer.parse.cursor import POWER, Cursor
from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.values.nodes import HALF, MINUS_ONE, Call, Node, Num, Power, Prod, Sym


def command(cursor: Cursor, text: str) -> Node:
    """The value of the LaTeX command `text`, just taken, with its arguments."""
    if text == "frac":
        above, below = argument(cursor), argument(cursor)
        if above == Sym("d") and isinstance(below, Prod) and below.items[0] == above:
            raise UnreadableError("a derivative that is not worked out")
        if isinstance(above, Num) and isinstance(below, Num) and below.value and not above.digits + below.digits:
            return Num(above.value / below.value)
        return Prod((above, Power(below, MINUS_ONE)))
    if text == "binom":
        return Call("binom", (argument(cursor), argument(cursor)))
    if text == "sqrt":
        return _root(cursor)
    if text == "cbrt":
        return Power(argument(cursor), Num(Fraction(1, 3)), root=True)
    raise UnreadableError(f"{text!r} in an unexpected place")


def argument(cursor: Cursor, whole: bool = False) -> Node:
    """The argument of a LaTeX command: a group, one digit (`whole`: one number), one letter or one command."""
    token = cursor.token
    if token.text == "{" and token.kind == "op":
        cursor.advance()
        bars, cursor.bars = cursor.bars, 0
        inner = cursor.expression(0)
        cursor.bars = bars
        cursor.expect("}")
        return inner
    if token.kind == "num" and token.text.isdigit() and len(token.text) > 1 and not (whole and token.space):
        cursor.tokens[cursor.index] = token._replace(
            text=token.text[1:], value=Fraction(int(token.text[1:])), space=False
        )
        return Num(Fraction(int(token.text[0])))
    cursor.enter()
    cursor.advance()
    if token.kind == "num" and token.value is not None:
        node: Node = Num(token.value, token.digits, token.places)
    elif token.kind == "sym":
        node = Sym(token.text)
    elif token.text in ("(", "{{") and token.kind == "op":
        node = brackets(cursor, token.text)
    else:
        cursor.index -= 1
        node = cursor.expression(POWER)
    cursor.depth -= 1
    return node


def _root(cursor: Cursor) -> Node:
    index: Node | None = None
    if cursor.token.text == "[":
        cursor.advance()
        index = cursor.expression(0) if cursor.token.text != "]" else None
        cursor.expect("]")
    inner = argument(cursor, whole=True)
    if index is None:
        return Power(inner, HALF)
    if isinstance(index, Num) and index.value:
        return Power(inner, Num(1 / index.value), root=True)
    return Power(inner, Power(index, MINUS_ONE), root=True)
