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
import os
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine import model as models
from mcts_math.engine.batch import Batch
from mcts_math.engine.jobs import Counters, Job
from mcts_math.engine.model import CausalModel
from mcts_math.errors import EngineError
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, Sample, Sampling

_LONG_TEXT = 20_000  # characters from which on a prompt is tokenised off the event loop
# A text that would be this many times too long, were all its tokens the longest ones, is not even tokenised. The factor
# is for tokenizers that shorten the text first.
_ABSURD = 16


@dataclass(eq=False, slots=True)
class _Ticket:
    """A job and the coroutine that waits for it."""

    job: Job
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Cancel:
    job: Job


_Message: TypeAlias = "_Ticket | _Cancel | None"  # None: close


class HFEngine:
    """Policy and value model on transformers. Make one with `HFEngine.load`; `close` it when done.

    A sample depends on (model, prompt, sampling, seed, its index) and not on what else is in the batch, as far as
    floating point allows: sums over other shapes round differently, which tips a draw now and then. The flatter the
    distribution the likelier (an untrained model with 4,096 tokens: once in some thousand tokens in float32), and far
    more often in half precision.
    """

    def __init__(self, model: CausalModel, batch: Batch) -> None:
        self.model = model
        self._batch = batch
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._open: dict[Job, _Ticket] = {}
        self._lock = threading.Lock()  # guards _ended together with the last look into the inbox
        self._ended: EngineError | None = None
        self._thread = threading.Thread(target=self._work, name="hf-engine", daemon=True)
        self._thread.start()

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
    ) -> HFEngine:
        """Loads a checkpoint; this takes a while and blocks.

        Args:
            model_dir: a folder, or a name on the Hugging Face hub.
            dtype: float32, bfloat16, float16, or auto: the checkpoint's own on a GPU, float32 on a CPU.
            device: cpu, cuda, cuda:N, or auto: the GPU if there is one.
            need_value: load the value head too.
            attn: transformers' name of an attention (sdpa, eager, flash_attention_2); None lets it choose.
            context_length: most tokens of prompt and continuation; None takes what the checkpoint says.
            max_batch_size: most samples that run at a time; None: 128 on a CPU, 256 on a GPU.
            max_batch_tokens: most tokens (samples times the longest) whose keys and values are kept for the running
                batch; None: half of the memory that is free after loading, at most 4 GiB on a CPU.
            max_prefill_tokens: most prompt tokens that are computed in one forward pass; None: 4096 on a CPU, 16384 on
                a GPU.
            prefix_cache_tokens: most tokens whose keys and values are kept for later requests that begin alike; 0
                keeps none; None: a fifth of the free memory, at most 2 GiB on a CPU.
            num_threads: threads that torch computes with on a CPU, in the whole process; None leaves it as it is. Each
                operation waits for the slowest of them: where other programs want the same cores, fewer are faster.

        Raises:
            CheckpointError: the checkpoint is missing, incomplete or wrong.
            EngineError: a device, dtype or limit that can't be had.
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
        return cls(model, Batch(model, **limits, prefix_cache_tokens=kept))

    @property
    def counters(self) -> Counters:
        """Totals since loading: tokens written, prompt tokens computed and found in the cache, forward passes."""
        return self._batch.counters

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same forward pass where wanted.

        Raises:
            EngineError: the request makes no sense, the engine is closed, or it broke down.
        """
        _check(request.sampling, request.num_samples)
        prompt = await self._encode(request.prompt)
        if isinstance(prompt, int):
            return Generation((), too_long=True, num_prompt_tokens=prompt)
        want_value = request.want_value and self.model.head is not None
        job = Job(prompt, request.num_samples, request.sampling, request.seed, want_value)
        await self._run(job)
        samples = tuple(sample for sample in job.samples if isinstance(sample, Sample))
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

    async def close(self) -> None:
        """Ends the thread; whoever still waits gets an EngineError. May be called again."""
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _encode(self, text: str) -> tuple[int, ...] | int:
        """Tokens of a prompt, or their number (for absurd texts a lower bound) where they do not fit the context."""
        codec, most = self.model.codec, self.model.context_length
        fewest = len(text) // codec.longest_token
        if fewest > _ABSURD * most:
            return fewest
        prompt = await asyncio.to_thread(codec.encode, text) if len(text) > _LONG_TEXT else codec.encode(text)
        return prompt if len(prompt) < most else len(prompt)

    async def _run(self, job: Job) -> None:
        """Hands a job to the thread and waits until it is done."""
        loop = asyncio.get_running_loop()
        ticket = _Ticket(job, loop, loop.create_future())
        with self._lock:
            if self._ended is not None:
                raise EngineError(str(self._ended)) from self._ended
            self._inbox.put(ticket)
        try:
            await ticket.future
        except asyncio.CancelledError:
            self._inbox.put(_Cancel(job))
            raise

    def _work(self) -> None:
        """The thread: takes messages and steps the batch until it is told to close or something breaks."""
        try:
            while self._read_inbox():
                if not self._batch.is_idle:
                    self._deliver(self._batch.step())
        except EngineError as error:
            self._end(error)
        except torch.OutOfMemoryError as error:
            self._end(
                EngineError(
                    "the GPU is out of memory; lower max_batch_tokens, prefix_cache_tokens or max_prefill_tokens "
                    f"({error})"
                )
            )
        except Exception as error:  # whatever it is, those who wait must hear of it
            failure = EngineError(f"the model broke down: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)
        else:
            self._end(EngineError("the engine is closed"))

    def _read_inbox(self) -> bool:
        """Takes all messages, waiting for one where there is nothing else to do; False when told to close."""
        block = self._batch.is_idle
        while True:
            try:
                message = self._inbox.get(block)
            except queue.Empty:
                return True
            block = False
            if message is None:
                return False
            if isinstance(message, _Cancel):
                if self._open.pop(message.job, None) is not None:
                    self._batch.cancel(message.job)
            else:
                self._open[message.job] = message
                self._batch.add(message.job)

    def _deliver(self, jobs: Iterable[Job]) -> None:
        self._wake([self._open.pop(job) for job in jobs], None)

    def _wake(self, tickets: Iterable[_Ticket], error: EngineError | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Ticket]] = {}
        for ticket in tickets:
            by_loop.setdefault(ticket.loop, []).append(ticket)
        for loop, mine in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, mine, error)
            except RuntimeError:
                if not loop.is_closed():
                    raise
                # The loop ended without waiting for its coroutines: nobody is left to be told.

    def _end(self, error: EngineError) -> None:
        """Fails what waits and what is still in the inbox; later requests fail at the door."""
        with self._lock:
            self._ended = error
        while not self._inbox.empty():
            message = self._inbox.get()
            if isinstance(message, _Ticket):
                self._open[message.job] = message
        self._wake(self._open.values(), error)
        self._open.clear()


def _resolve(tickets: list[_Ticket], error: EngineError | None) -> None:
    """Runs in the event loop of the coroutines that wait."""
    for ticket in tickets:
        if ticket.future.done():
            continue  # cancelled meanwhile
        if error is None:
            ticket.future.set_result(None)
        else:
            failure = EngineError(str(error))  # one each: a traceback grows on an exception that is raised twice
            failure.__cause__ = error
            ticket.future.set_exception(failure)


def _check(sampling: Sampling, num_samples: int) -> None:
    """Raises EngineError for a request that makes no sense."""
    wrong = (
        ("num_samples must be at least 1", num_samples < 1),
        ("temperature must be 0 or more", not sampling.temperature >= 0),
        ("top_p must be above 0 and at most 1", not 0 < sampling.top_p <= 1),
        ("top_k must be at least 1, or -1 for no limit", sampling.top_k < 1 and sampling.top_k not in (-1, 0)),
        ("max_tokens must be at least 1", sampling.max_tokens < 1),
        ("a stop string must not be empty", "" in sampling.stop),
    )
    for rule, broken in wrong:
        if broken:
            raise EngineError(f"{rule} (num_samples={num_samples}, {sampling})")


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
