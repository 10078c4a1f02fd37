"""A key by which equal answers are found without comparing all pairs."""

from __future__ import annotations

from collections.abc import Hashable

from mcts_math.answer.parse.read import read
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.nodes import Quantity, walk
from mcts_math.answer.values.shapes import unwrap


def canonical_key(answer: str) -> Hashable | None:
    """What an answer was read as: answers with equal keys are equal under every policy.

    Answers with different keys may still be equal (`0.333` and `1/3`, `x+1` and `1+x`): compare one of each key.

    Returns:
        The key; None for an empty answer, which equals nothing.
    """
    reading = read(answer)
    if reading.node is None:
        return ("text", reading.figures, reading.text) if reading.text else None
    node = unwrap(reading.node)
    if not any(isinstance(part, Quantity) for part in walk(node)):
        value = exact(node)
        if value is not None:
            return ("value", reading.figures, value)
    return ("node", reading.figures, node)
