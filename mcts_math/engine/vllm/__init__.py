"""`engine: vllm`: vLLM, which runs in processes of its own. Light: the engine itself is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcts_math.engine.vllm.engine import VLLMEngine as VLLMEngine


def __getattr__(name: str) -> Any:
    if name == "VLLMEngine":
        from mcts_math.engine.vllm.engine import VLLMEngine

        return VLLMEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
