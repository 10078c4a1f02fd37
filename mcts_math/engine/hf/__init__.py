"""`engine: hf`: models of transformers in this process. Light: the engine itself is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcts_math.engine.hf.engine import HFEngine as HFEngine


def __getattr__(name: str) -> Any:
    if name == "HFEngine":
        from mcts_math.engine.hf.engine import HFEngine

        return HFEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
