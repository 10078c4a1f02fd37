"""The value head on an unmodified vLLM: a model class made on the fly from whichever class vLLM serves.

vLLM hands out scores of tokens, and nothing else that is computed per position. So the class puts the value in the
place of one token that is never written (`value_token`): every sampled position then tells, in the same
request, the true log-probability of its token and, if asked for that one token, the value of the state before it.

    vllm serve MODEL --logprobs-mode raw_logits --model-class-overrides
        '{"Qwen2ForCausalLM": "mcts_math.engine.vllm.value_head:vllm.model_executor.models.qwen2.Qwen2ForCausalLM"}'

`overrides` finds vLLM's own class and names it as one of this module; `__getattr__` makes that in whichever process
asks for it. All this travels in the engine's own arguments: no plugin has to be found, no other model of the
environment is touched, and the architecture keeps its name, by which vLLM does this and that for some of them.

1. Scores are log-probabilities in float32 (log_softmax of the logits); with `logprobs_mode: raw_logits` they are
   returned as they are. Sampling does not change, softmax being blind to shifts.
2. With tensor parallelism the head is replicated: hidden states are whole on each rank, and where logits are gathered
   on one rank only, the others return nothing, as the base class does.
3. A head that is missing or wrong ends loading with an error; one that was never loaded is NaN, never random.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.value_head import load_value_head
from mcts_math.engine.value_token import encode_value, value_token
from mcts_math.errors import EngineError

_MODULE = "mcts_math.engine.vllm.value_head"
_FALLBACK = "TransformersForCausalLM"  # how vLLM serves architectures that it has no class for


def overrides(architecture: str) -> dict[str, str]:
    """vLLM's `model_class_overrides` that give an architecture its value head. Raises EngineError where vLLM does not
    serve the architecture."""
    from vllm import ModelRegistry

    entry = ModelRegistry.models.get(architecture) or ModelRegistry.models.get(_FALLBACK)
    if entry is None:
        raise EngineError(f"vLLM does not serve {architecture}, the architecture in config.json")
    if isinstance(cls := getattr(entry, "model_cls", None), type):  # registered by another package, and loaded
        path = f"{cls.__module__}.{cls.__qualname__}"
    elif entry.module_name == _MODULE:  # an engine with a value head was started in this process before
        path = entry.class_name
    else:
        path = f"{entry.module_name}.{entry.class_name}"
    return {architecture: f"{_MODULE}:{path}"}


def __getattr__(name: str) -> Any:
    """The class at a dotted path, with a value head."""
    module, dot, base = name.rpartition(".")
    if not dot:
        raise AttributeError(f"module {_MODULE!r} has no attribute {name!r}")
    return value_class(getattr(importlib.import_module(module), base))


@cache
def value_class(base: Any) -> Any:
    """Derives from a vLLM model class one that gives values."""

    def __init__(self: Any, *, vllm_config: Any, prefix: str = "") -> None:  # noqa: N807
        base.__init__(self, vllm_config=vllm_config, prefix=prefix)
        model_config = vllm_config.model_config
        self.value_model_dir = model_config.model
        # Buffers, since vLLM wants every parameter to be among the checkpoint's own weights.
        width = model_config.get_hidden_size()
        self.register_buffer("value_weight", torch.full((width,), torch.nan, dtype=torch.float32), persistent=False)
        self.register_buffer("value_bias", torch.full((), torch.nan, dtype=torch.float32), persistent=False)
        self.value_token = value_token(checkpoints.obtain(self.value_model_dir).folder)

    def load_weights(self: Any, weights: Iterable[tuple[str, Tensor]]) -> Any:
        loaded = base.load_weights(self, _without_head(weights))
        head = load_value_head(checkpoints.obtain(self.value_model_dir))
        self.value_weight.copy_(head.weight)
        self.value_bias.copy_(head.bias)
        return loaded

    def compute_logits(self: Any, hidden_states: Tensor, *args: Any, **more: Any) -> Tensor | None:
        logits = base.compute_logits(self, hidden_states, *args, **more)
        if logits is None:
            return None
        scores = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
        scores[..., self.value_token] = encode_value(
            torch.tanh(hidden_states.float() @ self.value_weight + self.value_bias)
        )
        return scores

    methods = {"__init__": __init__, "load_weights": load_weights, "compute_logits": compute_logits}
    return type(base.__name__, (base,), {**methods, "__module__": _MODULE, "__doc__": f"{base.__name__} with values."})


def _without_head(weights: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """The model's own weights: a head in the shards, or in a file beside them, is not for the base class."""
    return ((name, tensor) for name, tensor in weights if name not in (checkpoints.HEAD_WEIGHT, checkpoints.HEAD_BIAS))
