"""Tokens: the place that the lexer has come to in a text, and the parser in a list of tokens; their steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from fractions import Fraction
from typing import Final, NamedTuple

from mcts_math.answer.text.runs import is_word
from mcts_math.answer.values.nodes import Node, Relation, Sym

OPENING: Final = frozenset({"(", "[", "{{"})
CLOSING: Final = frozenset({")", "]", "}}"})
_RUN: Final = re.compile(r"[A-Za-z]{4,}")


class UnreadableError(Exception):
    """The text is not an answer in any notation that the reader knows; the message says why."""


class Token(NamedTuple):
    """One token.

    Kinds: num (a number), sym (a variable), const, func, ctor (what Python prints before a bracket), word, money (a
    currency's sign or code; its text is the unit), op (operators, brackets and commands), end.
    """

    kind: str
    text: str
    space: bool  # white space before it
    value: Fraction | None = None
    digits: int = 0  # as in `nodes.Num`
    places: int = 0


class Scanner:
    """A text, a position in it, and the tokens before that position."""

    def __init__(self, text: str, thousands: bool) -> None:
        self.text = text
        self.thousands = thousands  # 1,234 outside brackets is one number
        self.latex = "\\" in text
        self.python = not self.latex and "*" in text  # sympy prints 5*feet: names are whole
        self.wordy = not self.latex and not self.python and any(map(is_word, _RUN.findall(text)))  # ab is a word, too
        self.position = 0
        self.tokens: list[Token] = []
        self.depth = 0  # how many brackets are open
        self.space = False  # white space precedes the next token
        self.braces: list[str] = []  # the closing tokens of the braces that are open

    def add(self, kind: str, text: str, value: Fraction | None = None, digits: int = 0, places: int = 0) -> None:
        """Appends a token; a number has its value, and `digits` and `places` as in `nodes.Num`."""
        self.tokens.append(Token(kind, text, self.space, value, digits, places))
        if kind == "op":
            self.depth += (text in OPENING) - (text in CLOSING)
        self.space = False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match of `pattern` at the position, which moves behind it."""
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def sees(self, pattern: re.Pattern[str]) -> bool:
        """Whether `pattern` matches at the position, which stays."""
        return pattern.match(self.text, self.position) is not None

    def peek(self, length: int = 1) -> str:
        return self.text[self.position : self.position + length]

    def insert(self, text: str) -> None:
        """Puts `text` at the position, as what is read next."""
        self.text = self.text[: self.position] + text + self.text[self.position :]

    def follows(self, kinds: Container[str], texts: Container[str] = ()) -> bool:
        """Whether the last token is of one of the kinds or is one of the texts."""
        return bool(self.tokens) and (self.tokens[-1].kind in kinds or self.tokens[-1].text in texts)


MAX_DEPTH: Final = 120

# Binding powers, loosest first. A sign binds tighter than a product and looser than a power.
IMPLIES, LOGIC, BOTH, CELL, RELATION, UNIT, RATIO, UNION, SUM, PRODUCT, SIGN, POWER, POSTFIX = range(1, 14)

_EVERY: Final = re.compile(
    r"(?:(?:for|whenever|where|with) )?(?:(?:all|any|every|each)(?: (?P<kind>(?:positive )?(?:integers?"
    r"|natural numbers?)))?(?: (?:real|complex))?(?: numbers?)?(?: values? of)?|(?:some |an )?(?P<one>integers?))"
)


class Cursor:
    """A token list, which ends with an end token, and a position in it."""

    def __init__(self, tokens: list[Token], spaced: bool, parser: Callable[[Cursor, int], Node]) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0  # how deeply expressions are nested there
        self.bars = 0  # how many absolute values are open
        self.spaced = spaced  # the text has the spaces of a Python print
        self.parser = parser  # of expressions

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    @property
    def previous(self) -> Token:
        return self.tokens[self.index - 1]

    def peek(self, distance: int = 1) -> Token:
        return self.tokens[min(self.index + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        token = self.tokens[self.index]
        if token.kind == "end":
            raise UnreadableError("the text ends too early")
        self.index += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next token is one of the operators `texts`."""
        token = self.tokens[self.index]
        return token.kind == "op" and token.text in texts

    def take(self, *texts: str) -> bool:
        """Takes the next token if it is one of the operators `texts`; whether it is."""
        found = self.sees(*texts)
        self.index += found
        return found

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise UnreadableError(f"{self.token.text or 'the end'!r} where {text!r} was expected")

    def expression(self, minimum: int) -> Node:
        """An expression of operators that bind at least as tightly as `minimum`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")
        node = self.parser(self, minimum)
        self.depth -= 1
        return node

    def within(self, minimum: int = 0) -> Node:
        """An expression between brackets: bars that are open outside are not closed there."""
        bars, self.bars = self.bars, 0
        node = self.expression(minimum)
        self.bars = bars
        return node

    def comma_list(self, *closers: str) -> list[Node]:
        """Values separated by commas, semicolons, or "and" after a comma; a final comma is allowed."""
        bars, self.bars = self.bars, 0
        parts: list[Node] = []
        while self.token.text not in closers and self.token.kind != "end":
            if parts:
                self.take("and", "or")
                if (clause := self._clause()) is not None:
                    parts += clause
                    continue
            parts.append(self.expression(0))
            parts += self._clause() or ()
            if not self.take(",", ";"):
                break
        self.bars = bars
        return parts

    def list_until(self, closer: str) -> list[Node]:
        """The values up to a closing bracket, which is taken too."""
        items = self.comma_list(closer)
        self.expect(closer)
        return items

    def arguments(self, closer: str = ")") -> list[Node]:
        """The arguments of a function up to a closing bracket, which is taken too: at least one."""
        items = self.list_until(closer)
        if not items:
            raise UnreadableError("a function without an argument")
        return items

    def _clause(self) -> list[Node] | None:
        """What `for all` begins: the domain of a variable, or nothing that is worth saying; None for other words."""
        start = self.index
        words: list[str] = []
        while self.token.kind == "word":
            words.append(self.advance().text)
        match = _EVERY.fullmatch(" ".join(words).lower()) if words else None
        if match is None:
            self.index = start
            return None
        said = [self.expression(0)] if self.token.kind != "end" else []
        variables = [item for item in said if isinstance(item, Sym)]
        if (kind := match.group("kind") or match.group("one")) is not None:
            domain = Sym("Z" if kind.startswith("integer") else "N")
            return [Relation(("in",), (name, domain)) for name in variables]
        return said if len(variables) < len(said) else []
