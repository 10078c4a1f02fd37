"""From the scores of steps to the value of a partial solution: arithmetic, and the form in which scorers answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from mcts_math.errors import EngineError, RefusedError

Aggregate: TypeAlias = Literal["last", "min", "product", "mean"]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a scorer says of a partial solution."""

    steps: tuple[float, ...] | None  # probabilities in [0, 1] that all is right so far; None: too long for the scorer
    num_tokens: int = 0  # that were read for it


class Scorer(Protocol):
    """Scores all steps of a partial solution at once."""

    async def score(self, question: str, steps: tuple[str, ...]) -> Scores: ...

    async def close(self) -> None: ...


def aggregate(scores: Sequence[float], how: Aggregate) -> float:
    """The score of a partial solution in [0, 1], of its steps' scores (at least one) in [0, 1].

    `product` and `min` are those of Lightman et al. (arXiv 2305.20050) and Math-Shepherd (arXiv 2312.08935), `last` is
    that of Snell et al. (arXiv 2408.03314).
    """
    if how == "last":
        return scores[-1]
    if how == "min":
        return min(scores)
    return math.prod(scores) if how == "product" else math.fsum(scores) / len(scores)


def check_scores(scores: Sequence[float], num_steps: int, source: str) -> tuple[float, ...]:
    """The scores, where there is one for each step. Raises EngineError naming `source`: another number, or one
    outside [0, 1]; RefusedError: one is NaN."""
    if len(scores) != num_steps:
        raise EngineError(f"{source} gave {len(scores)} scores for {num_steps} steps; it must give one for each")
    for score in scores:
        if math.isnan(score):
            raise RefusedError(
                f"{source} gave a score that is no number (NaN); a model in half precision may need dtype: float32"
            )
        if not 0 <= score <= 1:
            raise EngineError(f"{source} gave the score {score!r}; scores are probabilities in [0, 1]")
    return tuple(scores)
