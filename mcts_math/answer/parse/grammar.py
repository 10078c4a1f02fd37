"""Reading tokens into a tree: one precedence-climbing grammar for LaTeX, Python and plain text.

Nothing is ever executed. The nesting is bounded, so that no text can exhaust the stack.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.applied import argument
from mcts_math.answer.parse.brackets import bar_power
from mcts_math.answer.parse.dots import multiplied, summed
from mcts_math.answer.parse.operands import SIGNS, degrees, prefix, quantifies, unit
from mcts_math.answer.parse.tokens import (
    BOTH,
    IMPLIES,
    LOGIC,
    POSTFIX,
    POWER,
    PRODUCT,
    RATIO,
    RELATION,
    SUM,
    UNION,
    UNIT,
    Cursor,
    Token,
    UnreadableError,
)
from mcts_math.answer.text.units import PERCENT
from mcts_math.answer.text.vocabulary import names
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.measures import is_measure
from mcts_math.answer.values.nodes import Call, Node, Num, Power, Prod, Ratio, Relation, SetOp, Sum, Sym, joined
from mcts_math.answer.values.shapes import is_proposition
from mcts_math.answer.values.show import show

_RELATIONS: Final = names("= != < <= > >= ~ in notin parallel perp")
_FACTORS: Final = names("* / // bmod mod % choose over")
_POWERS: Final = {
    **dict.fromkeys(_RELATIONS, RELATION),
    **dict.fromkeys(names("cup cap setminus"), UNION),
    **dict.fromkeys(names("( { {{ frac sqrt cbrt binom lfloor lceil sum prod int lim dots"), PRODUCT),
    **dict.fromkeys(_FACTORS, PRODUCT),
    **dict.fromkeys(names("+ - pm mp"), SUM),
    **dict.fromkeys(names("! % deg '"), POSTFIX),
    **dict.fromkeys(names("implies iff to"), IMPLIES),
    "or": LOGIC,
    **dict.fromkeys(names("and &"), BOTH),
    "^": POWER,
    ":": RATIO,
}
_OF_KIND: Final = {"num": PRODUCT, "sym": PRODUCT, "const": PRODUCT, "func": PRODUCT, "ctor": PRODUCT, "money": UNIT}
_PLACE: Final = Sym("()")  # of the argument of a composed function
_SET_OPS: Final = {"|": "or", "&": "and", "setminus": "minus"}


def parse_tokens(tokens: list[Token], spaced: bool = False) -> Node:
    """The whole text as one value, or a list; `spaced`: with the spaces of a Python print.

    Raises:
        UnreadableError: the text is in no notation that the grammar knows.
    """
    cursor = Cursor(tokens, spaced, expression)
    parts = cursor.comma_list()
    if cursor.token.kind != "end":
        raise UnreadableError(f"{cursor.token.text!r} in an unexpected place")
    return tree.listing(parts)


def expression(cursor: Cursor, minimum: int) -> Node:
    """An expression of operators that bind at least as tightly as `minimum`."""
    left = prefix(cursor)
    while (power := _power(cursor)) >= max(minimum, 1):
        left = _extend(cursor, left, power)
    return left


def _power(cursor: Cursor) -> int:
    """How tightly the next token binds as an infix or postfix operator; 0 where it is none."""
    token = cursor.token
    if token.kind != "op":
        return (0 if quantifies(token) else UNIT) if token.kind == "word" else _OF_KIND.get(token.kind, 0)
    if token.text.startswith("begin "):
        return PRODUCT
    if token.text == "[":
        return PRODUCT if _groups(cursor) else 0
    if token.text == "|":
        return bar_power(cursor)
    if token.text == "%" and _OF_KIND.get(cursor.peek().kind) == PRODUCT and cursor.peek().space:
        return PRODUCT  # Python's remainder
    return _POWERS.get(token.text, 0)


def _groups(cursor: Cursor) -> bool:
    """Whether square brackets follow a factor and hold one more: `2[x + 1]`, but not `]0, 2[` or `5 [m]`."""
    if cursor.previous.kind not in ("num", "sym") and cursor.previous.text not in ("}", ")"):
        return False
    texts = [token.text for token in cursor.tokens[cursor.index :]]
    within = set(texts[: texts.index("]")] if "]" in texts else [","])
    plain = not cursor.token.space and cursor.previous.kind in ("num", "sym")
    return not {",", "cup", "cap", ";"} & within and (plain or bool({"+", "-"} & within))


def _extend(cursor: Cursor, left: Node, power: int) -> Node:
    if power == SUM:
        return _sum(cursor, left)
    if power == PRODUCT:
        return _product(cursor, left)
    if power == UNIT:
        return unit(cursor, left)
    if power == RELATION:
        return _relation(cursor, left)
    op = cursor.advance().text
    if power == POWER:
        return _raised(cursor, left)
    if power == POSTFIX:
        return _postfix(cursor, left, op)
    right = cursor.expression(power if power == IMPLIES else power + 1)
    if power == RATIO:
        return _ratio(cursor, left, right)
    if power == IMPLIES:
        if not is_proposition(left) or not is_proposition(right):
            raise UnreadableError("an arrow between what are no propositions")
        return Call("iff" if op == "iff" else "implies", (left, right))
    op = _SET_OPS.get(op, op)
    if isinstance(left, SetOp) and left.op == op:
        return SetOp(op, (*left.items, right))
    return SetOp(op, (left, right))


def _sum(cursor: Cursor, left: Node) -> Node:
    """All terms of one level at once, so that long sums stay flat."""
    terms = [left]
    while cursor.take("+", "-", "pm", "mp"):
        op, of_set = cursor.previous.text, cursor.sees("{{")
        right = cursor.expression(SUM + 1)
        if op == "-" and of_set:  # R - {1}
            terms = [SetOp("minus", (joined(Sum, terms), right))]
        elif op in SIGNS:
            terms = [Call(SIGNS[op], (joined(Sum, terms), right))]
        else:
            terms.append(right if op == "+" else tree.negate(right))
    return summed(terms) if {tree.DOTS, tree.negate(tree.DOTS)} & set(terms) else joined(Sum, terms)


def _product(cursor: Cursor, left: Node) -> Node:
    factors = [left]
    while _power(cursor) == PRODUCT:
        op = cursor.advance().text if cursor.sees(*_FACTORS) else ""
        before = factors[-1]
        if not op and cursor.sees("(") and isinstance(before, Call) and _PLACE.name in tree.symbols(before):
            factors[-1] = _applied(before, cursor.expression(PRODUCT + 1))
            continue
        if not op and isinstance(before, tree.Text) and before.words.isalpha():
            spans = before.words.lower() == "span" and cursor.take("{{")
            if spans or cursor.take("("):
                args = cursor.arguments("}}") if spans else cursor.arguments()
                factors[-1] = Call(before.words.lower(), tuple(args), free=True)
                continue
        if not op and cursor.token.kind == cursor.previous.kind == "num" and isinstance(before, Num):
            raise UnreadableError("two numbers side by side")
        right = cursor.expression(PRODUCT + 1)
        if op and cursor.token.kind == "word" and isinstance(right, Num) and any(map(is_measure, factors)):
            right = unit(cursor, right)  # 5 cm * 4 cm
        if not op and is_measure(before) and isinstance(right, Num) and cursor.token.kind != "word":
            raise UnreadableError("a number after words")
        if op in ("", "*", "/"):
            factors.append(reciprocal(right) if op == "/" else right)
        elif op == "over":
            factors = [Prod((joined(Prod, factors), reciprocal(right)))]
        elif op == "//":
            factors = [Call("floor", (Prod((*factors, reciprocal(right))),))]
        else:
            above = joined(Prod, factors)
            within = isinstance(above, Num) and isinstance(right, Num) and 0 <= above.value < right.value
            name = "binom" if op == "choose" else "pmod" if within and op != "%" else "mod"
            factors = [Call(name, (above, right))]
    if tree.DOTS in factors:
        return multiplied(factors)
    return _number(factors) or joined(Prod, factors)


def _number(factors: list[Node]) -> Num | None:
    """`3/4`, which is 3 times a quarter so far, and `1.73 \\cdot 10^5`, as one number."""
    match factors:
        case [Num(above, 0), Num(below, 0)] if below.denominator != 1:
            return Num(above * below)
        case [Num(value, digits, places), Power(Num(ten), Num(power))] if digits and ten == 10 and abs(power) <= 1000:
            if power.denominator == 1:
                return Num(value * ten ** int(power), digits, places - int(power))
    return None


def reciprocal(node: Node) -> Node:
    """One over `node`; an exact number stays a number."""
    if isinstance(node, Num) and not node.digits and node.value:
        return Num(Fraction(1) / node.value)
    return Power(node, tree.MINUS_ONE)


def _raised(cursor: Cursor, left: Node) -> Node:
    if cursor.take("deg"):
        return degrees(cursor, left)
    if cursor.sees("{") and cursor.peek().text == "deg" and cursor.peek(2).text == "}":
        cursor.index += 3
        return degrees(cursor, left)
    exponent = cursor.expression(POWER)
    if isinstance(left, Sym) and cursor.take("_"):  # x^2_i
        return Power(Sym(f"{left.name}_{show(argument(cursor))}"), exponent)
    return Power(left, exponent)


def _postfix(cursor: Cursor, left: Node, op: str) -> Node:
    if op == "deg" and not isinstance(left, Num) and (cursor.token.kind in ("sym", "func") or cursor.sees("(")):
        right = cursor.expression(POWER)
        return _applied(left, right if isinstance(right, Call) else _applied(right, _PLACE))
    if op == "deg":
        return degrees(cursor, left)
    if op == "%":
        return tree.Quantity(left, PERCENT)
    if op == "!" and cursor.take("!"):  # every second factor
        last = Sum((Call("ceil", (Prod((left, tree.HALF)),)), tree.MINUS_ONE))
        return tree.Bound("prod", Sum((left, Prod((Num(Fraction(-2)), Sym("!!"))))), "!!", tree.ZERO, last)
    return Call("factorial", (left,)) if op == "!" else Call("prime", (left,), free=True)


def _applied(function: Node, to: Node) -> Node:
    """`f` of a value; `f o g` of it, which has a place for it."""
    match function:
        case Sym(name):
            return Call(name, (to,), free=True)
        case Power(Sym(name), tree.MINUS_ONE):
            return Call(f"{name}^-1", (to,), free=True)
        case Call() if _PLACE.name in tree.symbols(function):
            return tree.substitute(function, {_PLACE.name: to})
    raise UnreadableError("a composition of what are no functions")


def _relation(cursor: Cursor, left: Node) -> Node:
    ops: list[str] = []
    parts = [left]
    while cursor.take(*_RELATIONS):
        ops.append(cursor.previous.text)
        parts.append(cursor.expression(RELATION + 1))
    if ops in (["parallel"], ["perp"]):
        parts.sort(key=show)  # either line may come first
    return Relation(tuple(ops), tuple(parts))


def _ratio(cursor: Cursor, left: Node, right: Node) -> Node:
    items = (*left.items, right) if isinstance(left, Ratio) else (left, right)
    second = cursor.previous.text
    if isinstance(left, Ratio):  # 1:30:00
        return Ratio(items, left.clock and second == "00")
    clock = len(second) == 2 and second.isdigit() and int(second) < 60
    return Ratio(items, clock and isinstance(left, Num) and left.value.denominator == 1 and 0 <= left.value < 24)
