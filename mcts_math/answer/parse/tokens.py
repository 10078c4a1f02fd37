"""The place in a text that the lexer has come to, and the tokens found so far."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from mcts_math.answer.parse.runs import is_word

OPENING: Final = frozenset({"(", "[", "{{"})
CLOSING: Final = frozenset({")", "]", "}}"})
_RUN: Final = re.compile(r"[A-Za-z]{4,}")


class UnreadableError(Exception):
    """The text is not an answer in any notation that the reader knows; the message says why."""


class Token(NamedTuple):
    """One token. Kinds: num, sym, const, func, ctor, word, op, end."""

    kind: str
    text: str
    space: bool  # white space before it
    value: Fraction | None = None
    digits: int = 0  # as in `nodes.Num`
    places: int = 0


class Scanner:
    """A text, a position in it, and the tokens before that position.

    Attributes:
        latex: the text has LaTeX commands.
        python: the text has Python's `*` and no LaTeX: sympy prints `5*feet`, so names are whole.
        wordy: the text has words of a language: short runs of letters are words too.
        thousands: `1,234` outside brackets is one number.
        depth: how many brackets are open.
        space: white space precedes the next token.
    """

    def __init__(self, text: str, thousands: bool) -> None:
        self.text = text
        self.thousands = thousands
        self.latex = "\\" in text
        self.python = not self.latex and "*" in text
        self.wordy = not self.latex and not self.python and any(map(is_word, _RUN.findall(text)))
        self.position = 0
        self.tokens: list[Token] = []
        self.depth = 0
        self.space = False
        self.braces: list[str] = []

    def add(self, kind: str, text: str) -> None:
        """Appends a token."""
        self.tokens.append(Token(kind, text, self.space))
        if kind == "op":
            self.depth += (text in OPENING) - (text in CLOSING)
        self.space = False

    def add_number(self, text: str, value: Fraction, digits: int = 0, places: int = 0) -> None:
        """Appends a number; `digits` and `places` as in `nodes.Num`."""
        self.tokens.append(Token("num", text, self.space, value, digits, places))
        self.space = False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match of `pattern` at the position, which moves behind it."""
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def peek(self, length: int = 1) -> str:
        """The next characters."""
        return self.text[self.position : self.position + length]

    def follows(self, kinds: tuple[str, ...], texts: frozenset[str]) -> bool:
        """Whether the last token is of one of the kinds or is one of the texts."""
        return bool(self.tokens) and (self.tokens[-1].kind in kinds or self.tokens[-1].text in texts)
