"""The place in a token list that the parser has come to, and the steps that all of its parts take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcts_math.answer.parse.tokens import Token, UnreadableError
from mcts_math.answer.values.nodes import Node

MAX_DEPTH: Final = 120

# Binding powers, loosest first. A sign binds tighter than a product and looser than a power.
LOGIC, CELL, RELATION, UNIT, RATIO, UNION, SUM, PRODUCT, SIGN, POWER, POSTFIX = range(1, 12)


class Cursor:
    """A token list and a position in it.

    Attributes:
        index: position of the next token.
        depth: how deeply expressions are nested there.
        bars: how many absolute values are open.
        spaced: the text has the spaces of a Python print.

    Args:
        tokens: ends with an end token.
        spaced: see above.
        expression: the parser of expressions (`reader.expression`).
        clause: the parser of what words such as "for all" begin (`reader.clause`).
    """

    def __init__(
        self,
        tokens: list[Token],
        spaced: bool,
        expression: Callable[[Cursor, int], Node],
        clause: Callable[[Cursor], list[Node] | None],
    ) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0
        self.bars = 0
        self.spaced = spaced
        self.parser = expression
        self.clause = clause

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.index]

    @property
    def previous(self) -> Token:
        """The token that was taken last."""
        return self.tokens[self.index - 1]

    def peek(self, distance: int = 1) -> Token:
        """A token further on."""
        return self.tokens[min(self.index + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Takes the next token."""
        token = self.tokens[self.index]
        if token.kind == "end":
            raise UnreadableError("the text ends too early")
        self.index += 1
        return token

    def expect(self, text: str) -> None:
        """Takes the operator `text`."""
        if self.token.kind != "op" or self.token.text != text:
            raise UnreadableError(f"{self.token.text or 'the end'!r} where {text!r} was expected")
        self.index += 1

    def enter(self) -> None:
        """Counts one level of nesting."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")

    def expression(self, minimum: int) -> Node:
        """An expression of operators that bind at least as tightly as `minimum`."""
        self.enter()
        node = self.parser(self, minimum)
        self.depth -= 1
        return node

    def comma_list(self, closers: frozenset[str]) -> list[Node]:
        """Values separated by commas, semicolons, or "and" after a comma; a final comma is allowed."""
        parts: list[Node] = []
        while self.token.text not in closers and self.token.kind != "end":
            if self.token.text in ("and", "or") and parts:
                self.advance()
            if parts and self.token.kind == "word" and (clause := self.clause(self)) is not None:
                parts += clause
                continue
            parts.append(self.expression(0))
            if self.token.kind == "word" and (clause := self.clause(self)) is not None:
                parts += clause
            if self.token.text not in (",", ";"):
                break
            self.advance()
        return parts

    def list_until(self, closer: str) -> list[Node]:
        """The values up to a closing bracket, which is taken too."""
        bars, self.bars = self.bars, 0
        items = self.comma_list(frozenset({closer}))
        self.bars = bars
        self.expect(closer)
        return items
