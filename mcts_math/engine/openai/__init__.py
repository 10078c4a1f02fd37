"""`engine: openai`: any server with an OpenAI-compatible API. Light: the engine itself is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcts_math.engine.openai.engine import OpenAIEngine as OpenAIEngine


def __getattr__(name: str) -> Any:
    if name == "OpenAIEngine":
        from mcts_math.engine.openai.engine import OpenAIEngine

        return OpenAIEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
