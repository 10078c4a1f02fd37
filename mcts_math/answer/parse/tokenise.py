"""Cutting a normalised answer into tokens, whatever wrote it: LaTeX, Python, sympy, numpy or a person."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.parse.scan_commands import scan_command
from mcts_math.answer.parse.scan_letters import scan_letters
from mcts_math.answer.parse.scan_numbers import scan_based_in_brackets, scan_number
from mcts_math.answer.parse.tokens import Scanner, Token, UnreadableError

MAX_TOKENS: Final = 4000
_OPTIONS: Final = re.compile(r",\s*(?:dtype|precision|domain|prec)\s*=\s*[\w'.<]+")  # of a numpy or sympy print
_PAIRS: Final = {
    "**": "^",
    "<=": "<=",
    ">=": ">=",
    "==": "=",
    "!=": "!=",
    "=<": "<=",
    "=>": ">=",
    "&&": "and",
    "||": "or",
}
_SINGLES: Final = frozenset("+-*/^!%()[]{},;:|<>=_'$&~")
_RAISING: Final = frozenset({"^", "_", "|"})


def tokenise(text: str, thousands: bool = True) -> list[Token]:
    """All tokens of a normalised text, and an end token.

    Args:
        text: normalised text.
        thousands: `1,234` outside brackets is one number.

    Raises:
        UnreadableError: a character or command that is in no notation, or too many tokens.
    """
    scanner = Scanner(_OPTIONS.sub("", text), thousands)
    while char := scanner.peek():
        if char.isspace():
            scanner.space = True
            scanner.position += 1
        elif char.isdecimal() or (char == "." and scanner.peek(2)[1:].isdecimal()):
            scan_number(scanner)
        elif char.isascii() and char.isalpha():
            scan_letters(scanner)
        elif char.isalpha():
            scanner.add("word", _take_word(scanner))
        elif char == "\\":
            scan_command(scanner)
        else:
            _scan_symbol(scanner, char)
        if len(scanner.tokens) > MAX_TOKENS:
            raise UnreadableError("too long to read")
    scanner.add("end", "")
    return scanner.tokens


def _take_word(scanner: Scanner) -> str:
    """A word in letters that are no mathematician's: it is compared as it is written."""
    start = scanner.position
    while scanner.peek().isalpha() and not scanner.peek().isascii():
        scanner.position += 1
    return scanner.text[start : scanner.position]


def _scan_symbol(scanner: Scanner, char: str) -> None:
    if char == "(" and scan_based_in_brackets(scanner):
        return
    if scanner.peek(3) == "...":
        scanner.position += 3
        scanner.add("op", "dots")
        return
    pair = scanner.peek(2)
    if pair in _PAIRS:
        scanner.position += 2
        scanner.add("op", _PAIRS[pair])
        return
    scanner.position += 1
    if char == "{":  # LaTeX groups, Python's sets, and x^{2} or |{-3}| in plain text
        grouping = scanner.latex or scanner.follows((), _RAISING)
        scanner.braces.append("}" if grouping else "}}")
        scanner.add("op", "{" if grouping else "{{")
    elif char == "}" and scanner.braces:
        scanner.add("op", scanner.braces.pop())
    elif char in _SINGLES:
        scanner.add("op", char)
    elif char != '"':
        raise UnreadableError(f"the character {char!r}")
