"""Reading tokens into a tree: one precedence-climbing grammar for LaTeX, Python and plain text.

Nothing is ever executed. The nesting is bounded, so that no text can exhaust the stack.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.arguments import argument
from mcts_math.answer.parse.brackets import bar_power
from mcts_math.answer.parse.cursor import LOGIC, POSTFIX, POWER, PRODUCT, RATIO, RELATION, SUM, UNION, UNIT, Cursor
from mcts_math.answer.parse.operands import degrees, prefix, quantifies, unit
from mcts_math.answer.parse.tokens import Token, UnreadableError
from mcts_math.answer.values.nodes import (
    MINUS_ONE,
    Call,
    Group,
    Node,
    Num,
    PlusMinus,
    Power,
    Prod,
    Quantity,
    Ratio,
    Relation,
    SetOp,
    Sum,
    Sym,
    Text,
    negate,
)
from mcts_math.answer.values.show import show

RELATIONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "~", "in", "notin", "parallel", "perp"})
UNIONS: Final = frozenset({"cup", "cap", "setminus"})
_STARTS: Final = frozenset({"num", "sym", "const", "func", "ctor"})
_START_OPS: Final = frozenset(
    {"(", "{", "{{", "frac", "sqrt", "cbrt", "binom", "lfloor", "lceil", "sum", "prod", "int", "lim"}
)

_POWERS: Final = {
    **dict.fromkeys(RELATIONS, RELATION),
    **dict.fromkeys(UNIONS, UNION),
    **dict.fromkeys(_START_OPS, PRODUCT),
    **dict.fromkeys(("+", "-", "pm", "mp"), SUM),
    **dict.fromkeys(("*", "/", "bmod", "mod", "choose", "over"), PRODUCT),
    **dict.fromkeys(("!", "%", "deg", "'"), POSTFIX),
    **dict.fromkeys(("or", "and", "&"), LOGIC),
    "^": POWER,
    ":": RATIO,
}


def parse_tokens(tokens: list[Token], spaced: bool = False) -> Node:
    """The whole text as one value; several values without brackets are a list.

    Args:
        tokens: as the lexer makes them.
        spaced: the text has the spaces of a Python print.

    Raises:
        UnreadableError: the text is in no notation that the grammar knows.
    """
    cursor = Cursor(tokens, spaced, expression, clause)
    parts = cursor.comma_list(frozenset({"end"}))
    if cursor.token.kind != "end":
        raise UnreadableError(f"{cursor.token.text!r} in an unexpected place")
    return parts[0] if len(parts) == 1 else Group("", "", tuple(parts))


def expression(cursor: Cursor, minimum: int) -> Node:
    """An expression of operators that bind at least as tightly as `minimum`."""
    left = prefix(cursor)
    while True:
        power = _power(cursor)
        if power < minimum or not power:
            break
        left = _extend(cursor, left, power)
    return left


_EVERY: Final = re.compile(
    r"(?:,? ?(?:for|whenever))? ?(?:all|any|every|each)(?P<kind>(?: positive)? (?:integers?|natural numbers?))?"
    r"(?: (?:real|complex))?(?: numbers?)?(?: values? of)?"
)


def clause(cursor: Cursor) -> list[Node] | None:
    """What `for all` begins: the domain of a variable, or nothing that is worth saying; None for other words."""
    start = cursor.index
    words = [cursor.advance().text]
    while cursor.token.kind == "word":
        words.append(cursor.advance().text)
    match = _EVERY.fullmatch(" ".join(words).lower())
    if match is None:
        cursor.index = start
        return None
    said = [cursor.expression(0)] if cursor.token.kind != "end" else []
    names = [item for item in said if isinstance(item, Sym)]
    if match.group("kind"):
        return [
            Relation(("in",), (name, Sym("N" if match.group("kind").startswith(" integer") is False else "Z")))
            for name in names
        ]
    return said if len(names) < len(said) else []


def _power(cursor: Cursor) -> int:
    """How tightly the next token binds as an infix or postfix operator; 0 where it is none."""
    token = cursor.token
    if token.kind in _STARTS:
        return PRODUCT
    if token.kind == "money":
        return UNIT
    if token.kind == "word":
        return 0 if quantifies(token) else UNIT
    if token.kind != "op":
        return 0
    if token.text.startswith("begin "):
        return PRODUCT
    if token.text == "[":
        return PRODUCT if _groups(cursor) else 0
    if token.text == "|":
        return bar_power(cursor, LOGIC, PRODUCT)
    if token.text == "%" and cursor.peek().kind in _STARTS and cursor.peek().space:
        return PRODUCT  # Python's remainder
    return _POWERS.get(token.text, 0)


def _groups(cursor: Cursor) -> bool:
    """Whether square brackets follow a factor and hold one more: `2[x + 1]`, but not `]0, 2[`."""
    if cursor.token.space or cursor.previous.kind not in ("num", "sym"):
        return False
    texts = [token.text for token in cursor.tokens[cursor.index :]]
    within = texts[: texts.index("]")] if "]" in texts else [","]
    return not {",", "cup", "cap", ";"} & set(within)


def _extend(cursor: Cursor, left: Node, power: int) -> Node:
    if power == SUM:
        return _sum(cursor, left)
    if power == PRODUCT:
        return _product(cursor, left)
    token = cursor.token
    if power == UNIT:
        return unit(cursor, left)
    cursor.advance()
    if power == POWER:
        if cursor.token.text in ("deg",):
            cursor.advance()
            return degrees(cursor, left)
        if cursor.token.text == "{" and cursor.peek().text == "deg" and cursor.peek(2).text == "}":
            for _ in range(3):
                cursor.advance()
            return degrees(cursor, left)
        exponent = cursor.expression(POWER)
        if isinstance(left, Sym) and cursor.token.text == "_":  # x^2_i
            cursor.advance()
            return Power(Sym(f"{left.name}_{show(argument(cursor))}"), exponent)
        return Power(left, exponent)
    if power == POSTFIX:
        return _postfix(cursor, left, token)
    if power == RELATION:
        return _relation(cursor, left, token.text)
    right = cursor.expression(power + 1)
    if power == RATIO:
        return _ratio(cursor, left, right)
    op = {"|": "or", "&": "and"}.get(token.text, token.text)
    op = "minus" if op == "setminus" else op
    if isinstance(left, SetOp) and left.op == op:
        return SetOp(op, (*left.items, right))
    return SetOp(op, (left, right))


def _sum(cursor: Cursor, left: Node) -> Node:
    """All terms of one level at once, so that long sums stay flat."""
    terms = [left]
    while cursor.token.kind == "op" and cursor.token.text in ("+", "-", "pm", "mp"):
        op = cursor.token.text
        cursor.advance()
        right = cursor.expression(SUM + 1)
        if op in ("pm", "mp"):
            whole = terms[0] if len(terms) == 1 else Sum(tuple(terms))
            terms = [PlusMinus(whole, right, 1 if op == "pm" else -1)]
        else:
            terms.append(right if op == "+" else negate(right))
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


def _product(cursor: Cursor, left: Node) -> Node:
    """All factors of one level at once."""
    factors = [left]
    while _power(cursor) == PRODUCT:
        token = cursor.token
        explicit = token.kind == "op" and token.text in ("*", "/", "bmod", "mod", "%", "choose", "over")
        if explicit:
            cursor.advance()
        elif token.kind == "num" and isinstance(factors[-1], Num) and cursor.previous.kind == "num":
            raise UnreadableError("two numbers side by side")
        right = cursor.expression(PRODUCT + 1)
        if not explicit and _is_measured(factors[-1]) and isinstance(right, Num) and cursor.token.kind != "word":
            raise UnreadableError("a number after words")
        if not explicit or token.text == "*":
            factors.append(right)
        elif token.text == "/":
            factors.append(reciprocal(right))
        else:
            whole = factors[0] if len(factors) == 1 else Prod(tuple(factors))
            name = {"choose": "binom", "over": "over"}.get(token.text, "mod")
            factors = [Prod((whole, reciprocal(right))) if name == "over" else Call(name, (whole, right))]
    return _fraction(factors) or (factors[0] if len(factors) == 1 else Prod(tuple(factors)))


def _is_measured(node: Node) -> bool:
    return isinstance(node, Quantity) and node.unit not in ("%", "degree")


def _fraction(factors: list[Node]) -> Num | None:
    """`3/4`, which is 3 times a quarter so far, as one number."""
    if len(factors) == 2 and all(isinstance(factor, Num) and not factor.digits for factor in factors):
        above, below = factors
        if isinstance(above, Num) and isinstance(below, Num) and below.value.denominator != 1:
            return Num(above.value * below.value)
    return None


def _postfix(cursor: Cursor, left: Node, token: Token) -> Node:
    if token.text == "!":
        return Call("factorial", (left,))
    if token.text == "%":
        return Quantity(left, "%")
    if token.text == "deg":
        return degrees(cursor, left)
    return Call("prime", (left,), free=True)


def _relation(cursor: Cursor, left: Node, op: str) -> Node:
    ops, parts = [op], [left, cursor.expression(RELATION + 1)]
    while cursor.token.kind == "op" and cursor.token.text in RELATIONS:
        ops.append(cursor.token.text)
        cursor.advance()
        parts.append(cursor.expression(RELATION + 1))
    return Relation(tuple(ops), tuple(parts))


def _ratio(cursor: Cursor, left: Node, right: Node) -> Node:
    if isinstance(left, Text):
        return Relation(("=",), (left, right))
    items = (*left.items, right) if isinstance(left, Ratio) else (left, right)
    second = cursor.previous.text
    clock = len(items) == 2 and len(second) == 2 and second.isdigit() and int(second) < 60
    hour = items[0]
    return Ratio(items, clock and isinstance(hour, Num) and hour.value.denominator == 1 and 0 <= hour.value < 24)


def reciprocal(node: Node) -> Node:
    """One over `node`; an exact number stays a number."""
    if isinstance(node, Num) and not node.digits and node.value:
        return Num(Fraction(1) / node.value)
    return Power(node, MINUS_ONE)
