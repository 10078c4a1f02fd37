"""What `HFEngine` and `Lockstep` have in common: requests become jobs, and done jobs become replies."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from mcts_math.engine.checks import NO_HEAD, check_request, encode_prompt
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.sequence import Job
from mcts_math.errors import EngineError
from mcts_math.messages import Prompt
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation


class JobEngine(Protocol):
    """Policy and value model over a loaded model, for whoever can run a job."""

    model: CausalModel

    @abstractmethod
    async def _run(self, job: Job, task_id: str) -> None:
        """Returns when the job is done."""

    async def _encode(self, prompt: Prompt) -> tuple[int, ...] | int:
        """Tokens of a prompt, or their number where they are too many."""
        return await encode_prompt(self.model.codec, prompt, self.model.context_length)

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same forward pass where wanted. Raises EngineError
        where the request makes no sense, or the engine is closed or broke down; FloatingPointError where the adapter's
        weights overflow (other sessions go on)."""
        check_request(request)
        prompt = await self._encode(request.prompt)
        if isinstance(prompt, int):
            return Generation((), too_long=True, num_prompt_tokens=prompt)
        want_value = request.want_value and self.model.head is not None
        job = Job(prompt, request.num_samples, request.sampling, request.seed, want_value, request.adapter)
        job.opening = self.model.codec.opening(request.prompt)
        await self._run(job, request.task_id)
        return job.generation()

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value of a prompt. Raises EngineError as `generate` does, and where there is no value head."""
        if self.model.head is None:
            raise EngineError(NO_HEAD)
        prompt = await self._encode(request.prompt)
        if isinstance(prompt, int):
            return Evaluation(None, too_long=True, num_prompt_tokens=prompt)
        job = Job(prompt, want_value=True)
        await self._run(job, request.task_id)
        return Evaluation(job.value, num_prompt_tokens=len(prompt), num_cached_tokens=job.num_cached)
