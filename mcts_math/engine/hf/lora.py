"""A second model on the same weights, with peft's LoRA layers in it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.spec import AdapterOptions
from mcts_math.errors import EngineError, require_package

SLOT = "session"
"""peft's name of the adapter in the model; its weights are those of the session that learns."""


def copy_with_lora(model: CausalModel, options: AdapterOptions) -> Any:
    """A copy of the model's modules that shares every weight, and has peft's layers at the targets: the model itself
    can sample while the copy computes a gradient. Raises EngineError where peft is not installed, or the model has no
    such targets."""
    peft = require_package("peft", "learning at test time", "ttt", EngineError)
    _check_targets(model.raw, options.targets)
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.raw.parameters(), *model.raw.buffers())}
    shared[id(model)] = model  # hooks of the model belong to it
    learner = copy.deepcopy(model.raw, shared)
    for module in learner.modules():
        module._forward_hooks.clear()
    config = peft.LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules=list(options.targets)
    )
    try:
        peft.inject_adapter_in_model(config, learner, adapter_name=SLOT)
    except ValueError as error:  # peft's word for a module type that it can't adapt
        raise EngineError(f"peft can't adapt {', '.join(options.targets)}: {error}") from error
    return learner.eval()


def lora_layers(learner: Any) -> dict[str, Any]:
    """peft's layers by the names of the modules that they stand for, in the model's order."""
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in learner.named_modules() if isinstance(module, LoraLayer)}


def _check_targets(model: Any, targets: Sequence[str]) -> None:
    names = [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            ends = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
            raise EngineError(
                f"adapter_targets: {type(model).__name__} has no module {target!r}; it has {', '.join(ends)}"
            )
