"""Values from another object than the engine that writes the steps, and a reward model as a value model: scores of
steps, kept, aggregated, and put on the scale of values."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, TypeAlias
from weakref import WeakValueDictionary

from mcts_math.concurrency import gather
from mcts_math.cost import require_value
from mcts_math.errors import EngineError, RefusedError
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, PartialSolution, Policy, ValueModel


class ValuedPolicy:
    """Policy and value model in one, as searches see them. Whoever made these two closes them."""

    def __init__(self, policy: Policy, value_model: ValueModel) -> None:
        self._policy, self._value_model = policy, value_model

    @property
    def counters(self) -> object:
        """What the engine counts, which a run shows while it goes on; None where it counts nothing."""
        return getattr(self._policy, "counters", None)

    async def generate(self, request: Generate) -> Generation:
        """The policy's samples and, where wanted, the value model's value at the same time; what is too long for
        either is too long."""
        if not request.want_value:
            return await self._policy.generate(request)
        samples = self._policy.generate(replace(request, want_value=False))
        value = self.evaluate(Evaluate(request.prompt, request.task_id, request.partial))
        generation, evaluation = await gather([samples, value])
        if not isinstance(generation, Generation):
            raise EngineError(f"the policy answered a {type(generation).__name__}, not a Generation: see requests.py.")
        assert isinstance(evaluation, Evaluation)
        require_value(evaluation)
        return replace(
            generation,
            value=evaluation.value,
            too_long=generation.too_long or evaluation.too_long,
            num_value_tokens=evaluation.num_value_tokens,
        )

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value model's answer; the tokens of its prompt are no tokens of the policy's."""
        evaluation = await self._value_model.evaluate(request)
        if not isinstance(evaluation, Evaluation):
            raise EngineError(f"the value model answered a {type(evaluation).__name__}, not an Evaluation.")
        tokens = evaluation.num_value_tokens + evaluation.num_prompt_tokens - evaluation.num_cached_tokens
        return replace(evaluation, num_prompt_tokens=0, num_cached_tokens=0, num_value_tokens=tokens)

    async def close(self) -> None:
        """Nothing of its own to close."""


Aggregate: TypeAlias = Literal["last", "min", "product", "mean"]

_MOST_KEPT: Final = 1 << 16  # steps whose scores are kept, in the order of their last use
_Key = tuple[str, tuple[str, ...]]  # a question, and steps to and with the scored one


@dataclass(frozen=True, slots=True)
class Scores:
    steps: tuple[float, ...] | None  # probabilities in [0, 1] that all is right so far; None: too long for the scorer
    num_tokens: int = 0  # that were read for it


class Scorer(Protocol):
    """Scores all steps of a partial solution at once."""

    async def score(self, question: str, steps: tuple[str, ...]) -> Scores: ...

    async def close(self) -> None: ...


class RewardModel:
    """Values of partial solutions by a scorer, which is closed with this: v = 2p - 1, where p aggregates the scores
    of the steps; 0 without steps. A step's score depends on what stands before it alone, so it is kept. To a scorer
    of `whole` solutions all steps together are one."""

    def __init__(self, scorer: Scorer, how: Aggregate, name: str, *, whole: bool = False) -> None:
        self._scorer, self._how, self._name, self._whole = scorer, how, name, whole
        self._kept: OrderedDict[_Key, float] = OrderedDict()
        self._turns: WeakValueDictionary[PartialSolution, asyncio.Lock] = WeakValueDictionary()

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value of a partial solution; None where it is too long for the scorer. Raises RefusedError: this
        solution alone can't be scored; EngineError: none can."""
        if request.partial is None:
            raise EngineError("a reward model was asked for a value without `partial`, the question and its steps")
        partial = request.partial
        if not partial.steps:
            return Evaluation(0.0)
        if self._whole:
            partial = PartialSolution(partial.question, ("\n".join(partial.steps),))
        async with self._turns.setdefault(partial, asyncio.Lock()):
            scores, num_tokens = self._find(partial), 0
            if scores is None:
                found = await self._scorer.score(partial.question, partial.steps)
                num_tokens = found.num_tokens
                if found.steps is None:
                    return Evaluation(None, too_long=True, num_prompt_tokens=num_tokens)
                scores = self._keep(partial, check_scores(found.steps, len(partial.steps), self._name))
        return Evaluation(2.0 * aggregate(scores, self._how) - 1.0, num_prompt_tokens=num_tokens)

    async def close(self) -> None:
        await self._scorer.close()

    def _find(self, partial: PartialSolution) -> tuple[float, ...] | None:
        """The scores of all steps, where all are kept."""
        keys = _keys(partial)
        if any(key not in self._kept for key in keys):
            return None
        for key in keys:
            self._kept.move_to_end(key)
        return tuple(self._kept[key] for key in keys)

    def _keep(self, partial: PartialSolution, scores: tuple[float, ...]) -> tuple[float, ...]:
        """Notes scores; those that were there before stand, so that a step has one score in all solutions."""
        kept = tuple(self._kept.setdefault(key, score) for key, score in zip(_keys(partial), scores, strict=True))
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return kept


def _keys(partial: PartialSolution) -> list[_Key]:
    return [(partial.question, partial.steps[:i]) for i in range(1, len(partial.steps) + 1)]


def aggregate(scores: Sequence[float], how: Aggregate) -> float:
    """The score of a partial solution, of its steps' scores in [0, 1]: `product` and `min` as Lightman et al. (arXiv
    2305.20050) and Math-Shepherd (arXiv 2312.08935), `last` as Snell et al. (arXiv 2408.03314)."""
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
            raise RefusedError(f"{source} gave NaN for a score; a model in half precision may need dtype: float32")
        if not 0 <= score <= 1:
            raise EngineError(f"{source} gave the score {score!r}; scores are probabilities in [0, 1]")
    return tuple(scores)
