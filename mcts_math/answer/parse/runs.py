"""Runs of letters: names written together, products of variables, or words of a language."""

from __future__ import annotations

from typing import Final

from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import (
    CONSTANTS,
    CONSTRUCTORS,
    EMPTY_NAMES,
    FUNCTIONS,
    GREEK,
    REAL_NAMES,
    SHORT_WORDS,
)


def is_word(run: str) -> bool:
    """Whether a run of letters is a word of a language, not a name or a product of variables."""
    if run in FUNCTIONS or run in CONSTANTS or run in GREEK or run in CONSTRUCTORS or run in EMPTY_NAMES | REAL_NAMES:
        return False
    if len(run) < 3 or run.lower() in ("and", "or", "base"):
        return False
    return run.lower() in SHORT_WORDS or (len(run) > 3 and (run in UNITS or segment(run) is None))


_PARTS_OF_WORDS: Final = frozenset({"re", "im", "Re", "Im"})  # area, time


def segment(run: str) -> list[tuple[int, str]] | None:
    """`xsinx` as x, sin, x; `abc` as a, b, c; None where the letters look like a word.

    Returns:
        (offset, name) pairs that cover the run.
    """
    parts: list[tuple[int, str]] = []
    loose = position = 0
    names = 0
    while position < len(run):
        for length in range(min(7, len(run) - position), 1, -1):
            piece = run[position : position + length]
            if (piece in FUNCTIONS or piece in GREEK or piece == "pi") and piece not in _PARTS_OF_WORDS:
                names += 1
                break
        else:
            piece = run[position]
            loose += 1
        parts.append((position, piece))
        position += len(piece)
    if loose > 3 or (names and loose > 2) or (run.isupper() and len(run) > 3):
        return None
    return parts
