"""Conditions that words attach to a value, in the notation of a formula: `x^2 for x > 0` is `x^2, x > 0`."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.runs import is_word

_MAX_LENGTH: Final = 400  # characters
_SPOKEN: Final = re.compile(
    r"\b(?:if|for|when|where|with|provided|assuming|constants?|otherwise|elsewhere)\b|[\w})\]] \("
)
_WORD: Final = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,40}")
_LETTERS: Final = r"[A-Za-z](?:_\{?\w\}?)?(?:(?:, ?and | and |, ?)[A-Za-z](?:_\{?\w\}?)?)*"
_KINDS: Final = r"(?:constants?|reals?|real (?:numbers?|constants?))"
_FREE: Final = (  # what is said of a constant that may be any number
    rf"{_LETTERS} (?:(?:is|are|being) )?(?:(?:an?|any|some|arbitrary|real) )*{_KINDS}(?: of integration)?"
)
_CONSTANTS: Final = re.compile(
    rf"(.*?[\w}})\]])(?:(?:,? (?:where|with|and|for)|,) {_FREE}|,? ?\((?:where |with )?{_FREE}\)"
    rf"|,? (?:where|with|for) (?:(?:an?|any|some|every|all|arbitrary) )*(?:{_KINDS}|real) {_LETTERS})"
)
_REJECTED: Final = re.compile(r"(.*[\w})\]]) \([^()]* (?:is|are) (?:extraneous|rejected|discarded|invalid|not valid)\)")
_IF: Final = (
    r"(?:if|for|when|where|with|whenever|provided(?: that)?|assuming|valid for)"
    r"(?: (?:all|any|every|each|real|integers?))*"
)
_ATTACHED: Final = re.compile(
    rf"(?P<value>.*?[\w}})\]])(?:,? {_IF} (?P<at>\S.*)|(?<! P)(?<!Pr) \((?:{_IF} )?(?P<in>[^()]*)\))"
)
_SIGN: Final = r"(?:[<>]=?|!=|\\(?:leq?|geq?|lt|gt|neq?|[lg]eqslant)(?![a-z]))"
_SIDE: Final = r"[\w\\{}|.^()*/+ -]{1,40}?"
_BOUND: Final = re.compile(rf"{_SIDE}(?: ?{_SIGN} ?{_SIDE}){{1,2}}")
_EQUAL: Final = re.compile(rf"{_SIDE} ?= ?{_SIDE}")
_PARITY: Final = re.compile(r"([a-z])(?: is)? (even|odd)|(even|odd) ([a-z])")
_PARTS: Final = re.compile(r" ?[,;] (?:and )?| and ")
_PIECE: Final = re.compile(
    r"(?P<value>.*?\S) (?:(?:if|for|when|where) (?P<at>.+)|\((?P<in>[^()]+)\)|otherwise|else(?:where)?)"
)
_LETTER: Final = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])")
_LABEL: Final = re.compile(r"([a-zA-Z](?:\([a-z]\)|_\{?[a-z]\}?)?) ?= ?(.+)")


def conditioned(words: str) -> str:
    """`x^2 for x > 0` as value and condition, `1 if n is even, 0 otherwise` as cases; other words as they are.

    That a letter is any constant goes without saying, and so does which solution is chosen: `x = 5, where x > 0`.
    """
    if len(words) > _MAX_LENGTH or _SPOKEN.search(words) is None:
        return words
    if (cases := _cases(words)) is not None:
        return cases
    if (match := _CONSTANTS.fullmatch(words) or _REJECTED.fullmatch(words)) is not None:
        return match[1]
    match = _ATTACHED.fullmatch(words)
    if match is None or _is_prose(match["value"]):
        return words
    conditions = _PARTS.split(match["at"] or match["in"])
    stated = all(_BOUND.fullmatch(condition) and not _is_prose(condition) for condition in conditions)
    if not stated:
        return words
    letters = [set(_LETTER.findall(text)) for text in (match["value"], *conditions)]
    solved = _LABEL.fullmatch(match["value"]) is not None and letters[0] == set().union(*letters[1:])
    return match["value"] if solved and len(letters[0]) == 1 else ", ".join([match["value"], *conditions])


def _is_prose(text: str) -> bool:
    return any(map(is_word, _WORD.findall(text)))


def _cases(words: str) -> str | None:
    """The cases of a function that are said one after another; None for anything else."""
    parts = _PARTS.split(re.sub(r", (?=(?:if|for|when|where|otherwise|else(?:where)?)\b)", " ", words))
    pieces = [_PIECE.fullmatch(part) for part in parts]
    rows: list[str] = []
    label = ""
    for piece in pieces:
        condition = None if piece is None else _condition(piece)
        if piece is None or condition is None or len(pieces) < 2:
            return None
        value, named = piece["value"], _LABEL.fullmatch(piece["value"])
        if named is not None and (not rows or named[1] == label):
            label, value = named.groups()
        if "=" in value or _is_prose(value):
            return None
        rows.append(f"{value} & {condition}")
    system = r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"
    return f"{label} = {system}" if label else system


def _condition(piece: re.Match[str]) -> str | None:
    """On what a piece holds; None where that is told in other words."""
    condition = piece["at"] or piece["in"]
    if condition is None:
        return r"\text{otherwise}"
    if (parity := _PARITY.fullmatch(condition)) is not None:
        return rf"{parity[1] or parity[4]} \text{{ {parity[2] or parity[3]}}}"
    stated = _BOUND.fullmatch(condition) or _EQUAL.fullmatch(condition)
    return condition if stated and not _is_prose(condition) else None
