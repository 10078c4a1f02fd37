"""Functions applied to arguments, with and without brackets."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.arguments import argument
from mcts_math.answer.parse.cursor import POWER, SIGN, Cursor
from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.vocabulary import names
from mcts_math.answer.values.nodes import HALF, MINUS_ONE, Call, Const, Node, Num, Power, Prod

# sin^{-1} is the inverse function, not the reciprocal.
_INVERTED: Final = frozenset(names("sin cos tan cot sec csc sinh cosh tanh coth sech csch"))


def function(cursor: Cursor, name: str) -> Node:
    """A function's value: with a power or base before the argument, and with or without brackets."""
    power: Node | None = None
    base: Node | None = None
    while cursor.token.text in ("^", "_") and cursor.token.kind == "op":
        if cursor.advance().text == "^":
            power = argument(cursor) if cursor.token.text != "-" else cursor.expression(SIGN)
        else:
            base = argument(cursor)
    if cursor.token.text == "'":
        raise UnreadableError("the derivative of a named function")
    if cursor.token.kind == "op" and cursor.token.text == "(":
        cursor.advance()
        args = cursor.list_until(")")
    elif cursor.token.text == "{{" and cursor.token.kind == "op" and name in ("min", "max", "gcd", "lcm"):
        cursor.advance()
        args = cursor.list_until("}}")
    elif cursor.token.kind == "op" and cursor.token.text in ("{", "|", "["):
        args = [cursor.expression(POWER)]
    else:
        args = [_bare_argument(cursor)]
    if not args:
        raise UnreadableError(f"{name} without an argument")
    node = _call(name, args, base)
    if power is None:
        return node
    if power == MINUS_ONE and name in _INVERTED:
        return Call("a" + name, tuple(args))
    return Power(node, power)


def _bare_argument(cursor: Cursor) -> Node:
    """`\\sin 2x`: factors side by side, up to an operator or another function."""
    factors = [cursor.expression(POWER)] if cursor.token.text not in ("-", "+") else [cursor.expression(SIGN)]
    while cursor.token.kind in ("num", "sym", "const") or (
        cursor.token.kind == "op" and cursor.token.text in ("frac", "sqrt", "(")
    ):
        if cursor.token.text == "(" and not isinstance(factors[-1], Num):
            break
        factors.append(cursor.expression(POWER))
    return factors[0] if len(factors) == 1 else Prod(tuple(factors))


def _call(name: str, args: list[Node], base: Node | None) -> Node:
    if name == "sqrt":
        return Power(args[0], HALF)
    if name == "cbrt":
        return Power(args[0], Num(Fraction(1, 3)), root=True)
    if name == "root" and len(args) == 2:
        return Power(args[0], Power(args[1], MINUS_ONE), root=True)
    if name == "exp" and len(args) == 1:
        return Power(Const("e"), args[0])
    if name in ("log2", "log10"):
        return Call("log", (args[0], Num(Fraction(int(name[3:])))))
    if base is not None:
        if name != "log":
            raise UnreadableError(f"{name} with a subscript")
        return Call("log", (args[0], base))
    return Call(name, tuple(args))
