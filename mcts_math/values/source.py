"""A policy whose values come from another object than the engine that writes the steps."""

from __future__ import annotations

from dataclasses import replace

from mcts_math.concurrency import gather
from mcts_math.cost import require_value
from mcts_math.errors import EngineError
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, Policy, ValueModel


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
