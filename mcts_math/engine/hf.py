"""`engine: hf`: any causal language model of transformers as policy and value model, on CPU or GPU.

Requests come from any number of coroutines; one thread owns the model and runs them in one continuous batch (`batch`).

Why not the continuous batching that transformers has (looked at in 5.19, `ContinuousBatchingManager`): its
log-probabilities are taken after temperature, top-k and top-p; it hands out no hidden states, so no values; it draws
with `torch.multinomial` from the global generator, so no seed per request; it knows no stop strings. Its paged cache is
reached only through that manager, and without flash attention it computes every row against the keys of all rows. The
`DynamicCache` under `generate` copies all keys and values at every token and can't take rows in. So what is ours is the
loop, the buffers behind transformers' `Cache` interface (`kv`) and the drawing of tokens (`sampling`); models,
attention, masks and tokenizers are transformers' own.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine import model as models
from mcts_math.engine.adapters import Adapters, Term
from mcts_math.engine.asking import check_request, encode_prompt
from mcts_math.engine.batch import Batch
from mcts_math.engine.beam import beam_search
from mcts_math.engine.jobs import Counters, Job
from mcts_math.engine.loop import EngineLoop
from mcts_math.engine.lora import AdapterOptions
from mcts_math.engine.model import CausalModel
from mcts_math.engine.tickets import Alone, Cancel, Release, Ticket
from mcts_math.errors import EngineError
from mcts_math.requests import Adapt, Adaptation, Evaluate, Evaluation, Generate, Generation, Prompt, Sample

T = TypeVar("T")


class HFEngine:
    """Policy and value model on transformers. Make one with `HFEngine.load`; `close` it when done.

    A sample depends on (model, prompt, sampling, seed, its index) and not on what else is in the batch, as far as
    floating point allows: sums over other shapes round differently, which tips a draw now and then. The flatter the
    distribution the likelier (an untrained model with 4,096 tokens: once in some thousand tokens in float32), and far
    more often in half precision.
    """

    def __init__(self, model: CausalModel, batch: Batch, adapters: Adapters | None = None) -> None:
        self.model = model
        self.adapters = adapters
        self._batch = batch
        self._loop = EngineLoop(batch, adapters)

    @classmethod
    def load(
        cls,
        model_dir: str | Path,
        *,
        dtype: str = "auto",
        device: str = "auto",
        need_value: bool = False,
        attn: str | None = None,
        context_length: int | None = None,
        max_batch_size: int | None = None,
        max_batch_tokens: int | None = None,
        max_prefill_tokens: int | None = None,
        prefix_cache_tokens: int | None = None,
        num_threads: int | None = None,
        adapter: AdapterOptions | None = None,
    ) -> HFEngine:
        """Loads a checkpoint; this takes a while and blocks.

        Args:
            model_dir: a folder, or a name on the Hugging Face hub.
            dtype: float32, bfloat16, float16, float64, or auto: the checkpoint's own on a GPU, float32 on a CPU.
            device: cpu, cuda, cuda:N, or auto: the GPU if there is one.
            need_value: load the value head too.
            attn: transformers' name of an attention (sdpa, eager, flash_attention_2); None lets it choose.
            context_length: most tokens of prompt and continuation; None takes what the checkpoint says.
            max_batch_size: most rows that are computed at a time, samples of a prompt that agree so far being one row;
                None: 128 on a CPU, 256 on a GPU.
            max_batch_tokens: most tokens (rows times the longest) whose keys and values are kept for the running
                batch; None: half of the memory that is free after loading, at most 4 GiB on a CPU.
            max_prefill_tokens: most prompt tokens that are computed in one forward pass; None: 4096 on a CPU, 16384 on
                a GPU.
            prefix_cache_tokens: most tokens whose keys and values are kept for later requests that begin alike; 0
                keeps none; None: a fifth of the free memory, at most 2 GiB on a CPU.
            num_threads: threads that torch computes with on a CPU, in the whole process; None leaves it as it is. Each
                operation waits for the slowest of them: where other programs want the same cores, fewer are faster.
            adapter: how sessions learn at test time; None: they don't. Needs peft.

        Raises:
            CheckpointError: the checkpoint is missing, incomplete or wrong.
            EngineError: a device, dtype, limit or adapter target that can't be had.
        """
        if num_threads is not None:
            _require_positive("num_threads", num_threads)
            torch.set_num_threads(num_threads)
        checkpoint = checkpoints.inspect(model_dir, need_value=need_value)
        checkpoint = checkpoints.download(checkpoint, need_value=need_value)
        model = models.load(
            checkpoint, dtype=dtype, device=device, attn=attn, need_value=need_value, context_length=context_length
        )
        on_cpu = model.device.type == "cpu"
        limits = {
            "max_batch_size": max_batch_size if max_batch_size is not None else 128 if on_cpu else 256,
            "max_batch_tokens": max_batch_tokens if max_batch_tokens is not None else _tokens(model, 0.5, 4 << 30),
            "max_prefill_tokens": max_prefill_tokens if max_prefill_tokens is not None else 4096 if on_cpu else 16384,
        }
        for name, limit in limits.items():
            _require_positive(name, limit)
        kept = prefix_cache_tokens if prefix_cache_tokens is not None else _tokens(model, 0.2, 2 << 30)
        adapters = None if adapter is None else Adapters(model, adapter)
        return cls(model, Batch(model, **limits, prefix_cache_tokens=kept, adapters=adapters), adapters)

    @property
    def counters(self) -> Counters:
        """Totals since loading: tokens written, prompt tokens computed and found in the cache, forward passes."""
        return self._batch.counters

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same forward pass where wanted.

        Raises:
            EngineError: the request makes no sense, the engine is closed, or it broke down.
            FloatingPointError: the adapter's weights overflow; other sessions go on.
        """
        check_request(request)
        prompt = await self._encode(request.prompt)
        if isinstance(prompt, int):
            return Generation((), too_long=True, num_prompt_tokens=prompt)
        want_value = request.want_value and self.model.head is not None
        job = Job(prompt, request.num_samples, request.sampling, request.seed, want_value, request.adapter)
        if request.sampling.beam_width > 1:
            await self._search(job)
        else:
            await self._run(job)
        samples = tuple(sample for sample in job.samples if isinstance(sample, Sample))
        if request.adapter and not all(math.isfinite(sample.logprob) for sample in samples):
            raise FloatingPointError(
                f"the adapter of {request.adapter!r} has learnt weights that overflow; lower adapter_lr, or use dtype "
                "bfloat16 or float32"
            )
        return Generation(samples, job.value, num_prompt_tokens=len(prompt), num_cached_tokens=job.num_cached)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value of a prompt. Raises EngineError as `generate` does, and where there is no value head."""
        if self.model.head is None:
            raise EngineError("a value was asked of a model that was loaded without value head; load with need_value")
        prompt = await self._encode(request.prompt)
        if isinstance(prompt, int):
            return Evaluation(None, too_long=True, num_prompt_tokens=prompt)
        job = Job(prompt, want_value=True)
        await self._run(job)
        return Evaluation(job.value, num_prompt_tokens=len(prompt), num_cached_tokens=job.num_cached)

    async def adapt(self, request: Adapt) -> Adaptation:
        """One optimiser step of a session's adapter, computed by itself: the same bits whatever else is in flight.

        Raises:
            EngineError: the engine was loaded without `adapter`, a term can't be rendered or has no tokens, samples of
                the session are under way, or the engine is closed or broke down.
        """
        if self.adapters is None:
            raise EngineError("the engine was loaded to sample only; load it with adapter=AdapterOptions(...)")
        terms = [Term(*self.model.codec.encode_term(term), term.weight) for term in request.terms]
        if not terms:
            raise EngineError("an Adapt request needs at least one term")
        learn = partial(self._loop.learn, self.adapters, request.session, terms, request.seed)
        return await self._run_alone(learn)

    async def release(self, session: str) -> None:
        """Drops a session's adapter; unknown ones are ignored."""
        self._loop.put(Release(session))

    async def close(self) -> None:
        """Ends the thread; whoever still waits gets an EngineError. May be called again."""
        self._loop.put(None)
        await asyncio.to_thread(self._loop.join)

    async def _encode(self, prompt: Prompt) -> tuple[int, ...] | int:
        return await encode_prompt(self.model.codec, prompt, self.model.context_length)

    async def _run(self, job: Job) -> None:
        """Hands a job to the thread and waits until it is done."""
        loop = asyncio.get_running_loop()
        ticket = Ticket(job, loop, loop.create_future())
        self._loop.put(ticket)
        try:
            await ticket.future
        except asyncio.CancelledError:
            self._loop.put(Cancel(job))
            raise

    async def _search(self, job: Job) -> None:
        if job.adapter:
            raise EngineError("a beam search by an adapter is not to be had; leave out `adapter` or `beam_width`")

        def search() -> None:
            if self.adapters is not None:
                self.adapters.select([])
            beam_search(self.model, job)

        await self._run_alone(search)

    async def _run_alone(self, run: Callable[[], T]) -> T:
        """Has the thread do something between two steps of the batch; returns what it gives."""
        results: list[T] = []
        loop = asyncio.get_running_loop()
        ticket = Alone(lambda: results.append(run()), loop, loop.create_future())
        self._loop.put(ticket)
        await ticket.future
        return results[0]


def _require_positive(name: str, limit: int) -> None:
    if limit < 1:
        raise EngineError(f"{name} must be at least 1, not {limit}")


def _tokens(model: CausalModel, share: float, most_on_cpu: int) -> int:
    """How many tokens' keys and values fit into a share of the free memory."""
    if model.device.type == "cuda":
        free = torch.cuda.mem_get_info(model.device)[0]
        return max(1, int(free * share) // model.layout.bytes_per_token)
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not told on this system
        free = 4 << 30
    return max(1, min(int(free * share), most_on_cpu) // model.layout.bytes_per_token)
