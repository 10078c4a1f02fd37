"""Runs of letters: names written together, products of variables, or words of a language."""

from __future__ import annotations

from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import CONSTRUCTORS, FUNCTIONS, GREEK, NAMES, SHORT_WORDS

_PIECES = (FUNCTIONS.keys() | GREEK | {"pi"}) - {"re", "im", "Re", "Im", "pow"}  # these are parts of words: area, time


def is_word(run: str) -> bool:
    """Whether a run of letters is a word of a language, not a name or a product of variables."""
    if len(run) < 3 or run in NAMES or run in CONSTRUCTORS or run.lower() in ("and", "base"):
        return False
    return run.lower() in SHORT_WORDS or (len(run) > 3 and (run in UNITS or segment(run) is None))


def segment(run: str) -> list[str] | None:
    """`xsinx` as x, sin, x; `abc` as a, b, c; None where the letters look like a word."""
    parts: list[str] = []
    position = 0
    while position < len(run):
        pieces = (run[position : position + length] for length in range(7, 1, -1))
        parts.append(next((piece for piece in pieces if piece in _PIECES), run[position]))
        position += len(parts[-1])
    if len(run) > 3 and parts[-1] == "s" and len(parts[0]) > 1:  # pies, logs, chips
        return None
    loose = sum(len(part) == 1 for part in parts)
    if loose > 3 or (loose < len(parts) and loose > 2) or (run.isupper() and len(run) > 3):
        return None
    return parts
