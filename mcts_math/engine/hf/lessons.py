"""What sessions learn from, as tokens, and what keeps the weights that they have learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from torch import Tensor

from mcts_math.engine.hf.kv_cache import KVBlock
from mcts_math.engine.tokenizer import Codec, common_prefix
from mcts_math.errors import EngineError
from mcts_math.requests import Adapt, Adaptation

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Term:
    """Tokens to run through the model, and from which one on they count."""

    tokens: tuple[int, ...]
    start: int
    weight: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """An `Adapt` request as tokens."""

    terms: tuple[Term, ...]  # at least one; none counts before `sampled + 1`
    seed: int = 0
    sampled: int = 0  # number of tokens that all terms begin with and that sampling has run through the model

    @property
    def longest(self) -> int:
        return max(len(term.tokens) for term in self.terms)


Recall: TypeAlias = Callable[[tuple[int, ...]], tuple[KVBlock, int]]
"""Gives keys and values of some tokens under a session's weights, and how many of them had to be computed for it."""


class SessionWeights(Protocol):
    """Weights of their own for sessions, all on one base model: what the batch samples with."""

    def __contains__(self, session: str) -> bool: ...

    def namespace(self, session: str) -> str:
        """What keys and values depend on beside the tokens: the session and its number of steps; "" is none."""

    def select(self, sessions: Sequence[str]) -> None:
        """The forward passes to come are over rows of these sessions, "" being the model as it was loaded."""

    def step(self, name: str, lesson: Lesson, recall: Recall) -> Adaptation:
        """One step of a session, which is made where there is none."""

    def release(self, name: str) -> None:
        """Drops a session; an unknown one is ignored."""


def adding(
    add: Callable[[Place, Tensor, Tensor], Tensor], place: Place
) -> Callable[[Any, tuple[Tensor, ...], Tensor], Tensor]:
    """A hook that a module calls after itself: what `add` makes of its place, its inputs and its output."""
    return lambda module, inputs, output: add(place, inputs[0], output)


def make_lesson(codec: Codec, request: Adapt) -> Lesson:
    """The tokens of a request. Raises EngineError where it has no terms, or a term has no tokens behind those that were
    sampled; RefusedError where a term has no tokens at all, or can't be rendered."""
    if not request.terms:
        raise EngineError("an Adapt request needs at least one term")
    encoded = [(*codec.encode_term(term), term.weight) for term in request.terms]
    sampled = 0
    if request.sampled is not None:
        given = codec.encode_prompt(request.sampled)
        sampled = min(common_prefix(given, tokens) for tokens, _, _ in encoded)
    # What follows the sampled tokens is not predicted: nothing that learns comes before it.
    terms = [Term(tokens, max(start, sampled + 1), weight) for tokens, start, weight in encoded]
    if any(term.start >= len(term.tokens) for term in terms):
        raise EngineError("a term of an Adapt request has no token to learn behind what was sampled")
    return Lesson(tuple(terms), request.seed, sampled)
