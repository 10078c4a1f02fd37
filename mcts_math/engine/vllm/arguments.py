"""What vLLM is told when it starts: the user's arguments, what a value head needs, and our defaults."""

from __future__ import annotations

import os
from typing import Any

from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.engine.checks import free_bytes
from mcts_math.engine.vllm.value_head import overrides
from mcts_math.errors import EngineError, require_package


def complete_args(checkpoint: Checkpoint, given: dict[str, Any], *, need_value: bool) -> dict[str, Any]:
    """The arguments for vLLM: the user's, what a value head needs, and our defaults. Raises EngineError where vLLM is
    not installed, or for an argument that would break a run later."""
    platforms = _require("vllm.platforms")
    settings: dict[str, Any] = {"model": str(checkpoint.path), "enable_prefix_caching": True, "disable_log_stats": True}
    if need_value:
        settings |= {"logprobs_mode": "raw_logits", "model_class_overrides": overrides(checkpoint.architecture)}
        clash = sorted({"logprobs_mode", "model_class_overrides"} & set(given))
        if clash:
            raise EngineError(f"engine_args: {', '.join(clash)} is set by the value head; leave it out")
    if platforms.current_platform.is_cpu():
        if given.get("enable_chunked_prefill"):
            raise EngineError("engine_args: enable_chunked_prefill with seeds crashes vLLM on a CPU; leave it out")
        settings |= {"dtype": "float32", "block_size": 32, "enable_chunked_prefill": False}
        length = given.get("max_model_len") or checkpoint.context_length or 0
        settings["max_num_batched_tokens"] = max(8192, length if isinstance(length, int) else 0)
        if "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
            settings["kv_cache_memory_bytes"] = min(4 << 30, free_bytes() // 2)
    return settings | given


def engine_args_class() -> type[Any]:
    """vLLM's dataclass of arguments. Raises EngineError where vLLM is not installed."""
    quiet()
    return _require("vllm.engine.arg_utils").AsyncEngineArgs  # type: ignore[no-any-return]


def _require(module: str) -> Any:
    return require_package(module, "engine: vllm", "vllm", EngineError, "Or use engine: hf")


def quiet() -> None:
    """Before vLLM is imported: its processes inherit these."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
