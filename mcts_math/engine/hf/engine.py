"""`engine: hf`: any causal language model of transformers as policy and value model, on CPU or GPU.

Requests come from any number of coroutines; one thread owns the model and runs them in one continuous batch (`batch`).

Why not transformers' own continuous batching (looked at in 5.24, `ContinuousBatchingManager`): its log-probabilities
are taken after temperature, top-k and top-p; it hands out no hidden states, so no values; it has no seed per request
and no stop strings; without flash attention it computes every row against the keys of all rows. The `DynamicCache`
under `generate` copies all keys and values at every token and can't take rows in. What is ours is the loop, the buffers
behind the `Cache` interface (`kv_cache`) and the sampling of tokens (`sampling`).
"""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from mcts_math.engine.checks import NO_HEAD, check_request, encode_prompt, free_bytes
from mcts_math.engine.hf.adapters import Adapters
from mcts_math.engine.hf.arguments import BatchLimits, HFArguments
from mcts_math.engine.hf.batch import Batch
from mcts_math.engine.hf.lessons import SessionWeights, make_lesson
from mcts_math.engine.hf.model import CausalModel, load_model
from mcts_math.engine.hf.optune.changes import WeightChanges
from mcts_math.engine.hf.packing import can_pack, pack
from mcts_math.engine.hf.sequence import Job
from mcts_math.engine.hf.token_beam import beam_search
from mcts_math.engine.hf.worker import EngineThread
from mcts_math.engine.spec import AdapterOptions, RuleOptions
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Prompt
from mcts_math.requests import Adapt, Adaptation, Evaluate, Evaluation, Generate, Generation


class JobEngine(Protocol):
    """Policy and value model over a loaded model, for whoever can run a job: requests become jobs, and done jobs become
    replies."""

    model: CausalModel

    @abstractmethod
    async def _run(self, job: Job, task_id: str) -> None:
        """Returns when the job is done."""

    async def _encode(self, prompt: Prompt) -> tuple[int, ...] | int:
        """Tokens of a prompt, or their number where they are too many."""
        return await encode_prompt(self.model.codec, prompt, self.model.context_length)

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same forward pass where wanted. Raises EngineError
        where the request makes no sense, or the engine is closed or broke down; RefusedError where the adapter's
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


class HFEngine(JobEngine):
    """Policy and value model on transformers. Make one with `HFEngine.load`; `close` it when done.

    A sample depends on (model, prompt, sampling, seed, its index) and not on what else is in the batch, as far as
    floating point allows: sums over other shapes round differently, which tips a sample now and then (an untrained
    model with 4,096 tokens: once in some thousand tokens in float32), and far more often in half precision.
    """

    def __init__(self, model: CausalModel, batch: Batch, adapters: SessionWeights | None = None) -> None:
        self.model = model
        self.adapters = adapters
        self.counters = batch.counters  # totals since loading
        self._thread = EngineThread(batch, adapters)

    @classmethod
    def load(
        cls,
        model_dir: str | Path,
        *,
        need_value: bool = False,
        adapter: AdapterOptions | RuleOptions | None = None,
        **arguments: Any,
    ) -> HFEngine:
        """Loads a checkpoint, a folder or a name on the hub, under `HFArguments`; this takes a while and blocks. Raises
        CheckpointError where it, or a learned rule, is missing, incomplete or wrong, and EngineError for a device,
        dtype, limit or adapter target that can't be had."""
        chosen = HFArguments(**arguments)
        if chosen.num_threads is not None:
            torch.set_num_threads(chosen.num_threads)
        if adapter is not None and chosen.tuned_dir:
            raise EngineError("tuned_dir and learning at test time don't go together: leave one of them out")
        return cls.over(load_model(model_dir, chosen, need_value=need_value), chosen, adapter)

    @classmethod
    def over(
        cls, model: CausalModel, arguments: HFArguments, adapter: AdapterOptions | RuleOptions | None = None
    ) -> HFEngine:
        """An engine on a loaded model, whose weights it may lay out anew. Of the arguments, the batch's count."""
        if adapter is None and can_pack(model.raw):
            pack(model.raw)
        on_cpu = model.device.type == "cpu"
        batch_tokens, cache_tokens = arguments.max_batch_tokens, arguments.prefix_cache_tokens
        limits = BatchLimits(
            max_batch_size=arguments.max_batch_size or (128 if on_cpu else 256),
            # Twice while the batch moves into larger buffers, and prompts may take as much again.
            max_batch_tokens=batch_tokens or _tokens(model, 0.25, 4 << 30),
            max_prefill_tokens=arguments.max_prefill_tokens or (4096 if on_cpu else 16384),
            prefix_cache_tokens=_tokens(model, 0.2, 2 << 30) if cache_tokens is None else cache_tokens,
        )
        adapters: SessionWeights | None = None
        if isinstance(adapter, RuleOptions):
            adapters = WeightChanges(model, adapter.folder)
        elif adapter is not None:
            adapters = Adapters(model, adapter)
        return cls(model, Batch(model, limits, adapters), adapters)

    async def generate(self, request: Generate) -> Generation:
        reply = await super().generate(request)
        if request.adapter and not all(math.isfinite(sample.logprob) for sample in reply.samples):
            remedy = "lower adapter_lr, or use dtype bfloat16 or float32"
            raise RefusedError(f"what {request.adapter!r} has learnt makes the model overflow; {remedy}")
        return reply

    async def adapt(self, request: Adapt) -> Adaptation:
        """One step of a session, computed by itself (see `adapters` and `optune.changes`). Raises EngineError where the
        engine was loaded without `adapter`, a term can't be rendered or has no tokens, samples of the session are under
        way, or the engine is closed or broke down."""
        if self.adapters is None:
            raise EngineError("the engine was loaded to sample only; load it with adapter=AdapterOptions(...)")
        return await self._thread.learn(request.session, make_lesson(self.model.codec, request))

    async def release(self, session: str) -> None:
        """Drops a session's adapter; unknown ones are ignored."""
        self._thread.release(session)

    async def close(self) -> None:
        """Ends the thread; whoever still waits gets an EngineError. May be called again."""
        await asyncio.to_thread(self._thread.close)

    async def _run(self, job: Job, task_id: str) -> None:
        if job.sampling.beam_width > 1:
            await self._thread.run_exclusive(partial(self._search_beams, job))
        else:
            await self._thread.run(job)

    def _search_beams(self, job: Job) -> None:
        if self.adapters is not None:
            self.adapters.select([])
        beam_search(self.model, job)


def _tokens(model: CausalModel, share: float, most_on_cpu: int) -> int:
    """How many tokens' keys and values fit into a share of the free memory."""
    if model.device.type == "cuda":
        free = torch.cuda.mem_get_info(model.device)[0]
        return max(1, int(free * share) // model.layout.bytes_per_token)
    return max(1, min(int(free_bytes() * share), most_on_cpu) // model.layout.bytes_per_token)
