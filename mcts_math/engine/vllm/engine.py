"""`engine: vllm`: an unmodified vLLM as policy and value model in one, on an event loop and a thread of its own; its
continuous batching and prefix cache do the rest.

1. Sample i of a request is a vLLM request of its own with seed + i; the first of them brings the value (`value_head`).
Samples at temperature 0 are equal, so one is asked for.

2. Tokens are made and read by our own codec: seams, special tokens and stop strings are as everywhere.

3. On a CPU, vLLM 0.32 dies when a request with a seed has its prompt computed in chunks ("CPU Generator does not use
offset"), so asking for chunks is an error there. Other defaults of ours there: blocks of 32 tokens (128 would cache
next to nothing of short steps) and at most 4 GiB for the cache.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from mcts_math.concurrency import gather
from mcts_math.engine import checks
from mcts_math.engine.checkpoint import obtain
from mcts_math.engine.loop_thread import LoopThread, Work
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.engine.value_head import load_value_head
from mcts_math.engine.value_token import decode_value, value_token
from mcts_math.engine.vllm.arguments import complete_args, quiet
from mcts_math.errors import EngineError, EngineLostError, RefusedError, boundary
from mcts_math.messages import Sample, Sampling
from mcts_math.requests import SEED_MASK, Evaluate, Evaluation, Generate, Generation

T = TypeVar("T")

_ROOM = "gpu_memory_utilization or max_model_len in engine_args, or raise tensor_parallel_size"


@dataclass(slots=True)
class VLLMCounters:
    """What was asked of vLLM and answered. A request with n samples is n sequences, whose prompts count each."""

    num_prompt_tokens: int = 0  # of their prompts
    num_cached_tokens: int = 0  # those of `num_prompt_tokens` that vLLM's prefix cache held
    num_generated_tokens: int = 0  # written


class VLLMEngine:
    """Policy and value model on vLLM. Make one with `VLLMEngine.load`; `close` it when done."""

    def __init__(self, settings: dict[str, Any], codec: Codec, value_token: int | None) -> None:
        self.codec = codec
        self.value_token = value_token  # carries values; None where there is no value head
        self.counters = VLLMCounters()
        self._numbers = count()
        self._thread = LoopThread("vllm-engine")
        try:
            self._llm: Any = self._thread.call(lambda: _start(settings))  # an AsyncLLM, used on that thread only
        except BaseException:
            self._thread.close()
            raise
        self.context_length: int = self._llm.model_config.max_model_len  # of prompt and continuation together

    @classmethod
    def load(cls, model_dir: str | Path, *, need_value: bool = False, **engine_args: Any) -> VLLMEngine:
        """Starts vLLM, under arguments of its `AsyncEngineArgs`, on a checkpoint, a folder or a name on the hub; this
        takes half a minute or more and blocks.

        Raises CheckpointError where the checkpoint or its head is missing, incomplete or wrong, and EngineError where
        vLLM is not installed, refuses an argument or does not start.
        """
        checkpoint = obtain(model_dir, need_value=need_value)
        codec, token = load_codec(checkpoint.folder), None
        if need_value:
            load_value_head(checkpoint)  # a wrong head is told now, not by a dying worker
            token = value_token(checkpoint.folder)
        quiet()
        settings = complete_args(checkpoint, engine_args, need_value=need_value)
        return cls(settings, codec, token)

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same vLLM request where wanted. Raises EngineError
        where the request makes no sense, or the engine is closed or broke down."""
        checks.check_request(request)
        checks.refuse_undeclared(request, "vllm")
        prompt = await checks.encode_prompt(self.codec, request.prompt, self.context_length)
        if isinstance(prompt, int):
            return Generation((), too_long=True, num_prompt_tokens=prompt)
        opening = self.codec.opening(request.prompt)
        sampling, want_value = request.sampling, request.want_value and self.value_token is not None
        different = request.num_samples if sampling.temperature > 0 else 1

        def write(index: int) -> Coroutine[Any, Any, tuple[Sample, float | None, int]]:
            return self._write(prompt, opening, sampling, request.seed + index, want_value and not index)

        written = await self._run(lambda: gather(map(write, range(different))))
        samples = tuple(sample for sample, _, _ in written) * (request.num_samples // different)
        _, value, num_cached = written[0]
        return Generation(samples, value, False, len(prompt), num_cached)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value of a prompt, for one token. Raises EngineError as `generate` does, and where there is no head."""
        if self.value_token is None:
            raise EngineError(checks.NO_HEAD)
        return await checks.evaluate_by_generating(self, request)

    async def forget(self) -> None:
        """Empties the prefix cache, for measurements."""
        await self._run(lambda: self._llm.reset_prefix_cache())

    async def close(self) -> None:
        """Ends vLLM; whoever still waits gets an EngineError. May be called again."""
        await asyncio.to_thread(self._thread.close, self._shut_down)

    async def _write(
        self, prompt: tuple[int, ...], opening: str, sampling: Sampling, seed: int, want_value: bool
    ) -> tuple[Sample, float | None, int]:
        """One sequence, with its value, and how many tokens of the prompt were cached. Runs on vLLM's event loop; being
        cancelled there ends the request."""
        from vllm.inputs import tokens_input

        params = self._params(sampling, len(prompt), seed, want_value)
        replies = self._llm.generate(tokens_input(list(prompt)), params, str(next(self._numbers)))
        (result,) = [reply async for reply in replies]  # one, since only the finished sequence was asked for
        output, cached = result.outputs[0], result.num_cached_tokens or 0
        self.counters.num_prompt_tokens += len(prompt)
        self.counters.num_cached_tokens += cached
        self.counters.num_generated_tokens += len(output.token_ids)
        return self._sample(prompt, output, sampling.stop, opening), self._value(output, want_value), cached

    def _params(self, sampling: Sampling, num_prompt_tokens: int, seed: int, want_value: bool) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=max(sampling.top_k, 0),
            max_tokens=min(sampling.max_tokens, self.context_length - num_prompt_tokens),
            stop=list(sampling.stop),
            stop_token_ids=sorted(self.codec.eos_ids),
            seed=seed & SEED_MASK if sampling.temperature > 0 else None,
            logprobs=1 if want_value else 0,
            logprob_token_ids=[self.value_token] if want_value and self.value_token is not None else None,
            detokenize=bool(sampling.stop),
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            flat_logprobs=True,
            skip_clone=True,
        )

    def _sample(self, prompt: tuple[int, ...], output: Any, stop: tuple[str, ...], opening: str) -> Sample:
        ids, logprob = list(output.token_ids), output.cumulative_logprob
        if output.finish_reason not in ("stop", "length"):
            raise RefusedError(f"vLLM gave up on a request ({output.finish_reason}); its log says why")
        if logprob is None or not math.isfinite(logprob):
            raise EngineError(f"vLLM computed a log-probability of {logprob}: the model's weights are broken")
        end, stopped_by = output.finish_reason, output.stop_reason
        text, written = checks.cut_sample(
            self.codec, prompt, ids, end, stopped_by=stopped_by, stop=stop, fallback=output.text
        )
        return Sample(text, logprob, len(ids), end, written, opening)

    def _value(self, output: Any, wanted: bool) -> float | None:
        if not wanted:
            return None
        first = output.logprobs[0][self.value_token].logprob
        if not math.isfinite(first):
            raise EngineError("the value head answered NaN: its weights, or the model's, are broken")
        return decode_value(first)

    async def _run(self, work: Work[T]) -> T:
        """Runs a coroutine on vLLM's loop and waits for it; being cancelled cancels it there. Raises RefusedError where
        vLLM won't take this request (others may be fine), EngineError where it is closed, or died."""
        return await self._thread.run(lambda: self._translate(work))

    async def _translate(self, work: Work[T]) -> T:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            return await work()
        except EngineError:
            raise
        except EngineDeadError as error:
            if self._thread.is_closed:
                raise EngineError("the engine is closed") from None
            raise EngineLostError(
                "vLLM's engine process died; its own message is further up. If it was out of memory, lower "
                f"max_num_seqs, max_num_batched_tokens, kv_cache_memory_bytes (CPU), {_ROOM}. Finished questions are "
                "safe: go on with --resume"
            ) from error
        except (VLLMClientError, ValueError) as error:  # vLLM's words for a request that it won't take
            raise RefusedError(f"vLLM refuses the request: {error}") from error
        except Exception as error:  # a boundary: whatever it is, who waits must hear of it in one line
            cause = error.__cause__ or error
            raise EngineError(f"vLLM broke down: {type(cause).__name__}: {cause}") from error

    async def _shut_down(self) -> None:
        self._llm.shutdown()
        del self._llm  # with the sockets that it holds


async def _start(settings: dict[str, Any]) -> Any:
    """Runs on the loop that vLLM will use."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    remedy = f"if its own message further up speaks of memory, lower {_ROOM}"
    with boundary(f"vLLM did not start ({remedy})", EngineError):
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings))
