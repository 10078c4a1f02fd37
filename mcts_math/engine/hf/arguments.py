"""What `engine: hf` may be told when it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from mcts_math.errors import EngineError


@dataclass(frozen=True, slots=True)
class HFArguments:
    """Arguments of `HFEngine.load`. Raises EngineError: a number that is too small."""

    dtype: str = "auto"  # float32, bfloat16, float16, float64, or auto: the checkpoint's own on a GPU, float32 on a CPU
    device: str = "auto"  # cpu, cuda, cuda:N, or auto: the GPU if there is one
    attn: str | None = None  # sdpa, eager, flash_attention_2, …; None lets transformers choose, see `attention`
    context_length: int | None = None  # most tokens of prompt and continuation; None takes what the checkpoint says
    max_batch_size: int | None = None  # rows at a time, like samples being one row; None: 128 on a CPU, 256 on a GPU
    # most tokens (rows times the longest) whose keys and values are kept for the running batch; None: a quarter of
    # the memory that is free after loading, at most 4 GiB on a CPU
    max_batch_tokens: int | None = None
    max_prefill_tokens: int | None = None  # of prompts in one forward pass; None: 4096 on a CPU, 16384 on a GPU
    # most tokens whose keys and values are kept for later requests that begin alike; 0 keeps none; None: a fifth of
    # the free memory, at most 2 GiB on a CPU
    prefix_cache_tokens: int | None = None
    # threads that torch computes with on a CPU, in the whole process; None leaves it as it is. Each operation waits
    # for the slowest of them: where other programs want the same cores, fewer are faster.
    num_threads: int | None = None
    # of scripts/train_optune.py: a bottleneck adapter, LoReFT or prefix to put on the model
    tuned_dir: str | None = None

    def __post_init__(self) -> None:
        counts = ("context_length", "max_batch_size", "max_batch_tokens", "max_prefill_tokens", "num_threads")
        for name, least in (*((name, 1) for name in counts), ("prefix_cache_tokens", 0)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise EngineError(f"{name} must be at least {least}, not {number}")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much is computed at once, as in `HFArguments`. The defaults are for whoever needs fixed numbers."""

    max_batch_size: int = 256
    max_batch_tokens: int = 1 << 17
    max_prefill_tokens: int = 4096
    prefix_cache_tokens: int = 1 << 17
