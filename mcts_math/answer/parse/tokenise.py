"""Cutting a normalised answer into tokens, whatever wrote it: LaTeX, Python, sympy, numpy or a person."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.parse.commands import scan_command
from mcts_math.answer.parse.letters import scan_letters
from mcts_math.answer.parse.numbers import scan_form, scan_number
from mcts_math.answer.parse.tokens import Scanner, Token, UnreadableError
from mcts_math.answer.text.vocabulary import meanings

MAX_TOKENS: Final = 4000
_OPTIONS: Final = re.compile(r",\s*(?:dtype|precision|domain|prec)\s*=\s*[\w'.<]+")  # of a numpy or sympy print
_SIGNS: Final = meanings("^: **; //: //; <=: <= =<; >=: >= =>; =: ==; !=: !=; and: &&; dots: ...")
_SINGLES: Final = frozenset("+-*/^!%()[]{},;:|<>=_'$&~")
_OPERATOR: Final = re.compile("|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True))))
_OR: Final = re.compile(r"(?<= )\|\|(?= )")  # without spaces it is two bars: ||x|-2|
_QUOTED: Final = re.compile(r"""(['"])([^'"()]*)\1(?=\s*[,\])}:]|$)""")
_PRIMES: Final = re.compile(r"\^ ?\{? ?(?:\\prime ?)+\}?")
_BEFORE_QUOTE: Final = frozenset({"(", "[", ",", ":", "{", "{{"})
_RAISING: Final = frozenset({"^", "_", "|"})


def tokenise(text: str, thousands: bool = True) -> list[Token]:
    """All tokens of a normalised text, and an end token; `thousands`: `1,234` outside brackets is one number.

    Raises:
        UnreadableError: a character or command that is in no notation, or too many tokens.
    """
    scanner = Scanner(_OPTIONS.sub("", text) if "=" in text else text, thousands)
    while char := scanner.peek():
        if char.isspace():
            scanner.space = True
            scanner.position += 1
        elif char.isdecimal() or (char == "." and scanner.peek(2)[1:].isdecimal()):
            scan_number(scanner)
        elif char.isalpha():
            scan_letters(scanner)
        elif char == "\\":
            scan_command(scanner)
        else:
            _scan_symbol(scanner, char)
        if len(scanner.tokens) > MAX_TOKENS:
            raise UnreadableError("too long to read")
    scanner.add("end", "")
    return scanner.tokens


def _scan_symbol(scanner: Scanner, char: str) -> None:
    if char == "(" and ")_" in scanner.text and scan_form(scanner):  # (52)_8
        return
    if char == "^" and (primes := scanner.match(_PRIMES)) is not None:
        for _ in range(primes.group().count("prime")):
            scanner.add("op", "'")
    elif char in "'\"" and scanner.follows((), _BEFORE_QUOTE) and (quoted := scanner.match(_QUOTED)) is not None:
        scanner.insert(quoted.group(2))
    elif scanner.match(_OR) is not None:
        scanner.add("op", "or")
    elif (sign := scanner.match(_OPERATOR)) is not None:
        scanner.add("op", _SIGNS[sign.group()])
    elif char in _SINGLES:
        scanner.position += 1
        scanner.add(*_single(scanner, char))
    elif char != '"':
        raise UnreadableError(f"the character {char!r}")
    else:
        scanner.position += 1


def _single(scanner: Scanner, char: str) -> tuple[str, str]:
    """Kind and text of the token of one character, just passed."""
    if char == "{":  # LaTeX groups, Python's sets, and x^{2} or |{-3}| in plain text
        grouping = scanner.latex or scanner.follows((), _RAISING)
        scanner.braces.append("}" if grouping else "}}")
        return "op", "{" if grouping else "{{"
    if char == "}" and scanner.braces:
        return "op", scanner.braces.pop()
    return ("money", "dollar") if char == "$" else ("op", char)
