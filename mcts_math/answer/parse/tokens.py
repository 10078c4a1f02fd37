"""The place in a text that the lexer has come to, and the tokens found so far."""

from __future__ import annotations

import re
from collections.abc import Container
from fractions import Fraction
from typing import Final, NamedTuple

from mcts_math.answer.text.runs import is_word

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
