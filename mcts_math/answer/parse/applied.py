"""What is applied to arguments: LaTeX commands, functions with and without brackets, sums, integrals and limits."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.brackets import brackets
from mcts_math.answer.parse.tokens import POWER, PRODUCT, SIGN, SUM, Cursor, Token, UnreadableError
from mcts_math.answer.text.vocabulary import CIRCULAR
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import MINUS_ONE, ONE, Bound, Call, Const, Group, Node, Num, Power, Prod, Sym
from mcts_math.answer.values.show import show

_DIFFERENTIALS: Final = (Sym("d"), tree.PARTIAL)


def command(cursor: Cursor, text: str) -> Node:
    """The value of the LaTeX command `text`, just taken, with its arguments."""
    if text == "frac":
        above, below = argument(cursor), argument(cursor)
        if (derived := _derived(above, below)) is not None:
            return derived
        if isinstance(above, Num) and isinstance(below, Num) and below.value and not above.digits + below.digits:
            return Num(above.value / below.value)
        return Prod((above, Power(below, MINUS_ONE)))
    if text == "binom":
        above = argument(cursor)
        below = brackets(cursor, "{") if cursor.take("{") else argument(cursor)
        if isinstance(below, Group) and below.left == "{":
            below = Prod(tuple(Call("factorial", (item,)) for item in below.items))
            return Prod((Call("factorial", (above,)), Power(below, MINUS_ONE)))
        return Call("binom", (above, below))
    if text == "sqrt":
        index = cursor.within() if cursor.take("[") and not cursor.sees("]") else None
        if cursor.previous.text == "[" or index is not None:
            cursor.expect("]")
        return _root(argument(cursor, whole=True), index or Num(Fraction(2)), index is not None)
    if text == "cbrt":
        return _root(argument(cursor), Num(Fraction(3)))
    raise UnreadableError(f"{text!r} in an unexpected place")


def _derived(above: Node, below: Node) -> Node | None:
    """`\\frac{df}{dx}` as f'(x), `\\frac{∂f}{∂x}` as it is; None for other fractions.

    Raises UnreadableError where an operator alone, `\\frac{d}{dx}`, stands before a formula.
    """
    mark, *under = below.items if isinstance(below, Prod) else (below,)
    order, *function = above.items if isinstance(above, Prod) else (above,)
    if mark not in _DIFFERENTIALS or not under or mark not in (order, getattr(order, "base", None)):
        return None
    names = [part for part in under if part != mark]
    match function:
        case [Sym("f" | "g" | "h" | "F" | "G" | "H" as name)] if len(names) == 1 and order == Sym("d"):
            return Call(name + "'", tuple(names), free=True)
        case [Sym() | Call() as of]:
            return Call("derivative", (of, *sorted(names, key=show)), free=True)
        case []:
            raise UnreadableError("a derivative that is not worked out")
    return None


def _root(inner: Node, index: Node, real: bool = True) -> Node:
    exponent = Num(1 / index.value) if isinstance(index, Num) and index.value else Power(index, MINUS_ONE)
    return Power(inner, exponent, root=real)


def argument(cursor: Cursor, whole: bool = False) -> Node:
    """The argument of a LaTeX command: a group, one digit (`whole`: one number), one letter or one command."""
    token = cursor.token
    if cursor.take("{"):
        inner = cursor.within()
        cursor.expect("}")
        return inner
    if token.kind == "num" and token.text.isdigit() and len(token.text) > 1 and not whole:
        rest = token._replace(text=token.text[1:], value=Fraction(int(token.text[1:])), space=False)
        cursor.tokens[cursor.index] = rest
        return Num(Fraction(int(token.text[0])))
    if token.kind == "num" and token.value is not None:
        cursor.index += 1
        return Num(token.value, token.digits, token.places)
    if token.kind == "sym":
        return Sym(cursor.advance().text)
    return cursor.expression(POWER)


def function(cursor: Cursor, name: str) -> Node:
    """A function's value: with a power or base before the argument, and with or without brackets."""
    power: Node | None = None
    base: Node | None = None
    while cursor.sees("^", "_"):
        if cursor.advance().text == "^":
            power = cursor.expression(SIGN) if cursor.sees("-") else argument(cursor)
        else:
            base = argument(cursor)
    args = _arguments(cursor, name)
    node = _call(name, args, base)
    if power is None:
        return node
    if power == MINUS_ONE and name in CIRCULAR:  # sin^{-1} is the inverse function, not the reciprocal
        return Call("a" + name, tuple(args))
    return Power(node, power)


def _arguments(cursor: Cursor, name: str) -> list[Node]:
    if cursor.take("'"):
        raise UnreadableError("the derivative of a named function")
    if cursor.take("("):
        return cursor.arguments()
    if name in ("min", "max", "gcd", "lcm") and cursor.take("{{"):
        return cursor.arguments("}}")
    if cursor.sees("{", "|", "["):
        inner = cursor.expression(POWER)
        return [inner.items[0]] if isinstance(inner, Group) and inner.left == "[" and len(inner.items) == 1 else [inner]
    # \sin 2x: factors side by side, up to an operator or another function
    factors = [cursor.expression(SIGN if cursor.sees("-", "+") else POWER)]
    while cursor.token.kind in ("num", "sym", "const") or cursor.sees("frac", "sqrt", "("):
        if cursor.sees("(") and not isinstance(factors[-1], Num):
            break
        factors.append(cursor.expression(POWER))
    return [tree.joined(Prod, factors)]


def _call(name: str, args: list[Node], base: Node | None) -> Node:
    if base is not None and name != "log":
        raise UnreadableError(f"{name} with a subscript")
    if name in ("sqrt", "cbrt") or (name == "root" and len(args) == 2):
        index = args[1] if name == "root" else Num(Fraction(2 if name == "sqrt" else 3))
        return _root(args[0], index, real=name != "sqrt")
    if name == "pow" and len(args) == 2:
        return Power(args[0], args[1])
    if name == "exp" and len(args) == 1:
        return Power(Const("e"), args[0])
    if name == "cis" and len(args) == 1:
        return Power(Const("e"), Prod((Const("i"), args[0])))
    if name in ("log2", "log10"):
        base = Num(Fraction(int(name[3:])))
    return Call("log", (args[0], base)) if base is not None else Call(name, tuple(args))


def bound(cursor: Cursor, kind: str) -> Node:
    """What follows `\\sum`, `\\prod`, `\\int` or `\\lim`, just taken: an operator that binds a variable."""
    if kind == "lim":
        return _limit(cursor)
    if kind != "int":
        _free_index(cursor)
    cursor.expect("_")
    low = argument(cursor)
    cursor.expect("^")
    high = argument(cursor)
    if kind == "int":
        return _integral(cursor, low, high)
    if not isinstance(low, tree.Relation) or low.ops != ("=",) or not isinstance(low.items[0], Sym):
        raise UnreadableError(f"a {kind} without the start of its index")
    index = low.items[0].name
    return Bound(kind, _indexed(cursor.expression(PRODUCT), index), index, low.items[1], high)


def _indexed(body: Node, index: str) -> Node:
    """`body` with names such as a_n as functions of the index."""
    names = (name for name in tree.symbols(body) if name[1:2] == "_" and index in name[2:])
    own = {name: Call(name[:2] if name[2:] == index else name, (Sym(index),), free=True) for name in names}
    return tree.substitute(body, own)


def _free_index(cursor: Cursor) -> None:
    """An index called i is no imaginary unit, from here on."""
    if (cursor.peek(2).kind, cursor.peek(2).text) == ("const", "i"):
        for index in range(cursor.index, len(cursor.tokens)):
            token = cursor.tokens[index]
            if token.kind == "const" and token.text == "i":
                cursor.tokens[index] = token._replace(kind="sym")


def _limit(cursor: Cursor) -> Node:
    cursor.expect("_")
    cursor.expect("{")
    name = cursor.advance()
    if name.kind != "sym" or not cursor.take("to"):
        raise UnreadableError("a limit without its variable")
    at = cursor.expression(SUM)
    cursor.expect("}")
    return Bound("lim", _indexed(cursor.expression(PRODUCT), name.text), name.text, at, at)


def _integral(cursor: Cursor, low: Node, high: Node) -> Node:
    place, depth = _differential(cursor)
    name = cursor.tokens[place + 1].text
    if depth:  # \frac{dx}{x}
        cursor.tokens[place : place + 2] = [Token("num", "1", False, ONE.value)]
        return Bound("int", cursor.expression(PRODUCT), name, low, high)
    body: Node = Num(ONE.value)
    if place > cursor.index:
        inner = Cursor([*cursor.tokens[cursor.index : place], Token("end", "", False)], cursor.spaced, cursor.parser)
        inner.depth = cursor.depth
        body = inner.expression(SUM)
        if inner.token.kind != "end":
            raise UnreadableError("an integrand that is no expression")
    cursor.index = place + 2
    return Bound("int", body, name, low, high)


def _differential(cursor: Cursor) -> tuple[int, int]:
    """Where the `d` of the next `dx` is, and how many braces are open there."""
    depth = within = 0
    for index in range(cursor.index, len(cursor.tokens) - 1):
        token, following = cursor.tokens[index], cursor.tokens[index + 1]
        depth += (token.text in ("{", "(")) - (token.text in ("}", ")"))
        within += token.kind == "op" and token.text == "int"
        if token.kind == "sym" and token.text == "d" and following.kind == "sym":
            if not within:
                return index, depth
            within -= 1
    raise UnreadableError("an integral without its variable")
