"""Reading tokens into a tree: one precedence-climbing grammar for LaTeX, Python and plain text.

Nothing is ever executed. The nesting is bounded, so that no text can exhaust the stack.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.atoms import Atoms
from mcts_math.answer.lexer import Token, Unreadable
from mcts_math.answer.nodes import (
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
    Text,
    negate,
)

# Binding powers, loosest first.
LOGIC, RELATION, UNIT, RATIO, UNION, SUM, PRODUCT, SIGN, POWER, POSTFIX = 2, 4, 5, 6, 7, 8, 10, 11, 14, 16
RELATIONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">=", "~", "in", "notin"})
UNIONS: Final = frozenset({"cup", "cap", "setminus"})
_STARTS: Final = frozenset({"num", "sym", "const", "func", "ctor"})
_START_OPS: Final = frozenset({"(", "{", "{{", "frac", "sqrt", "cbrt", "binom", "lfloor", "lceil"})


class Reader(Atoms):
    """Parser of one token list."""

    def answer(self) -> Node:
        """The whole text as one value; several values without brackets are a list.

        Raises:
            Unreadable: the text is in no notation that the grammar knows.
        """
        node = self.items(frozenset({"end"}))
        if self.token.kind != "end":
            raise Unreadable(f"{self.token.text!r} in an unexpected place")
        return node

    def items(self, closers: frozenset[str]) -> Node:
        """Values separated by commas, semicolons or "and", up to one of `closers`, as one node."""
        parts = self.comma_list(closers)
        if len(parts) == 1:
            return parts[0]
        return Group("", "", tuple(parts))

    def comma_list(self, closers: frozenset[str]) -> list[Node]:
        """Values separated by commas, semicolons, or "and" after a comma; a final comma is allowed."""
        parts: list[Node] = []
        while self.token.text not in closers and self.token.kind != "end":
            if self.token.text == "and" and parts:
                self.advance()
            parts.append(self.expression(0))
            if self.token.text not in (",", ";"):
                break
            self.advance()
        return parts

    def expression(self, minimum: int) -> Node:
        """An expression of operators that bind at least as tightly as `minimum`."""
        self.enter()
        left = self.prefix()
        while True:
            power = self._power()
            if power < minimum or not power:
                break
            left = self._extend(left, power)
        self.depth -= 1
        return left

    def _power(self) -> int:
        """How tightly the next token binds as an infix or postfix operator; 0 where it is none."""
        token = self.token
        if token.kind in _STARTS:
            return PRODUCT
        if token.kind == "word":
            return UNIT
        if token.kind != "op":
            return 0
        powers = {
            **dict.fromkeys(RELATIONS, RELATION),
            **dict.fromkeys(UNIONS, UNION),
            **dict.fromkeys(_START_OPS, PRODUCT),
            **dict.fromkeys(("+", "-", "pm", "mp"), SUM),
            **dict.fromkeys(("*", "/", "bmod", "mod", "choose", "over"), PRODUCT),
            **dict.fromkeys(("!", "%", "deg", "'"), POSTFIX),
            **dict.fromkeys(("or", "and", "&"), LOGIC),
            "^": POWER,
            ":": RATIO,
            "$": UNIT,
        }
        if token.text.startswith("begin "):
            return PRODUCT
        if token.text == "|":
            return self.bar_power(LOGIC, PRODUCT)
        if token.text == "%" and self.peek().kind in _STARTS and self.peek().space:
            return PRODUCT  # Python's remainder
        return powers.get(token.text, 0)

    def _extend(self, left: Node, power: int) -> Node:
        if power == SUM:
            return self._sum(left)
        if power == PRODUCT:
            return self._product(left)
        token = self.token
        if power == UNIT:
            if token.text == "$":
                self.advance()
                return Quantity(left, "dollar")
            return self.unit(left)
        self.advance()
        if power == POWER:
            if self.token.text in ("deg",):
                self.advance()
                return self.degrees(left)
            if self.token.text == "{" and self.peek().text == "deg" and self.peek(2).text == "}":
                for _ in range(3):
                    self.advance()
                return self.degrees(left)
            return Power(left, self.expression(POWER))
        if power == POSTFIX:
            return self._postfix(left, token)
        if power == RELATION:
            return self._relation(left, token.text)
        right = self.expression(power + 1)
        if power == RATIO:
            return self._ratio(left, right)
        op = {"|": "or", "&": "and"}.get(token.text, token.text)
        op = "minus" if op == "setminus" else op
        if isinstance(left, SetOp) and left.op == op:
            return SetOp(op, (*left.items, right))
        return SetOp(op, (left, right))

    def _sum(self, left: Node) -> Node:
        """All terms of one level at once, so that long sums stay flat."""
        terms = [left]
        while self.token.kind == "op" and self.token.text in ("+", "-", "pm", "mp"):
            op = self.token.text
            self.advance()
            right = self.expression(SUM + 1)
            if op in ("pm", "mp"):
                whole = terms[0] if len(terms) == 1 else Sum(tuple(terms))
                terms = [PlusMinus(whole, right, 1 if op == "pm" else -1)]
            else:
                terms.append(right if op == "+" else negate(right))
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def _product(self, left: Node) -> Node:
        """All factors of one level at once."""
        factors = [left]
        while self._power() == PRODUCT:
            token = self.token
            explicit = token.kind == "op" and token.text in ("*", "/", "bmod", "mod", "%", "choose", "over")
            if explicit:
                self.advance()
            elif token.kind == "num" and isinstance(factors[-1], Num) and self.previous.kind == "num":
                raise Unreadable("two numbers side by side")
            right = self.expression(PRODUCT + 1)
            if not explicit or token.text == "*":
                factors.append(right)
            elif token.text == "/":
                factors.append(reciprocal(right))
            else:
                whole = factors[0] if len(factors) == 1 else Prod(tuple(factors))
                name = {"choose": "binom", "over": "over"}.get(token.text, "mod")
                factors = [Prod((whole, reciprocal(right))) if name == "over" else Call(name, (whole, right))]
        if len(factors) == 2 and isinstance(factors[0], Num) and isinstance(factors[1], Num):
            if not factors[0].digits and not factors[1].digits and factors[1].value.denominator != 1:
                return Num(factors[0].value * factors[1].value)
        return factors[0] if len(factors) == 1 else Prod(tuple(factors))

    def _postfix(self, left: Node, token: Token) -> Node:
        if token.text == "!":
            return Call("factorial", (left,))
        if token.text == "%":
            return Quantity(left, "%")
        if token.text == "deg":
            return self.degrees(left)
        return Call("prime", (left,), free=True)

    def _relation(self, left: Node, op: str) -> Node:
        ops, parts = [op], [left, self.expression(RELATION + 1)]
        while self.token.kind == "op" and self.token.text in RELATIONS:
            ops.append(self.token.text)
            self.advance()
            parts.append(self.expression(RELATION + 1))
        return Relation(tuple(ops), tuple(parts))

    def _ratio(self, left: Node, right: Node) -> Node:
        if isinstance(left, Text):
            return Relation(("=",), (left, right))
        items = (*left.items, right) if isinstance(left, Ratio) else (left, right)
        second = self.previous.text
        clock = len(items) == 2 and len(second) == 2 and second.isdigit() and int(second) < 60
        hour = items[0]
        return Ratio(items, clock and isinstance(hour, Num) and hour.value.denominator == 1 and 0 <= hour.value < 24)


def reciprocal(node: Node) -> Node:
    """One over `node`; an exact number stays a number."""
    if isinstance(node, Num) and not node.digits and node.value:
        return Num(Fraction(1) / node.value)
    return Power(node, MINUS_ONE)
