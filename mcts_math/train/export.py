"""The finished checkpoint: a folder that the engines serve at once (SPEC A5), there whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from mcts_math.engine.checkpoint import Checkpoint, read_config, write_config
from mcts_math.engine.hf.model import load_weights, quiet
from mcts_math.engine.value_head import ValueHead, save_value_head
from mcts_math.errors import TrainingError
from mcts_math.files import new_folder, writing
from mcts_math.run.description import TOKENIZER
from mcts_math.tasks import JsonObject
from mcts_math.train.config import TrainConfig
from mcts_math.train.model import add_lora
from mcts_math.train.stages import RECIPE

_KEPT = (*TOKENIZER, "added_tokens.json", "spiece.model", "tekken.json", "*.py")
"""Files of the starting checkpoint that training does not change."""


def save_checkpoint(
    state: dict[str, Tensor],
    head: ValueHead,
    policy: Any,
    source: Checkpoint,
    config: TrainConfig,
    recipe: JsonObject,
    folder: Path,
) -> None:
    """Writes weights (by their names in the policy; adapters are merged into a fresh copy), head, tokenizer and
    recipe. An existing folder is replaced at the end. Raises TrainingError where it can't be written."""
    dtype = _save_dtype(source, config)
    if config.lora is not None:
        policy, state = _merge(state, source, config)
    sources: dict[str, str] = getattr(policy, "all_tied_weights_keys", None) or {}
    weights = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
        if sources.get(name) not in state  # what the model takes from another weight would be stored twice
    }
    with writing(folder, error=TrainingError), new_folder(folder) as scratch:
        save_policy(policy, source, scratch, weights)
        save_value_head(head, scratch)
        told = {"value_model": True, "dtype": str(dtype).removeprefix("torch.")}
        write_config(scratch, read_config(scratch) | told)
        (scratch / RECIPE).write_text(json.dumps(recipe, indent=2, ensure_ascii=False) + "\n", "utf-8")


def save_policy(policy: Any, source: Checkpoint, folder: Path, weights: dict[str, Tensor] | None = None) -> None:
    """Writes a policy, or `weights` in place of its own, with what training leaves alone of the source: tokenizer,
    code, …"""
    if (source.folder / "generation_config.json").exists():  # it is copied: transformers refuses to write some it reads
        policy.generation_config = GenerationConfig()
    with quiet():
        policy.save_pretrained(folder, state_dict=weights)
    for pattern in _KEPT:
        for file in source.folder.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, folder / file.name)


def _save_dtype(source: Checkpoint, config: TrainConfig) -> torch.dtype:
    name, settings = config.save_dtype, read_config(source.folder)
    if name == "auto":
        name = settings.get("dtype") or settings.get("torch_dtype") or config.dtype
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)


def _merge(state: dict[str, Tensor], source: Checkpoint, config: TrainConfig) -> tuple[Any, dict[str, Tensor]]:
    """A copy of the policy with the trained adapters merged in, and its weights."""
    assert config.lora is not None
    adapted = add_lora(load_weights(source.folder, getattr(torch, config.dtype), None), config.lora)
    trained = {name: tensor for name, tensor in state.items() if "lora_" in name}
    unknown = adapted.load_state_dict(trained, strict=False).unexpected_keys
    if unknown or not trained:
        raise TrainingError(f"the trained adapters don't fit the model ({unknown[:1] or 'there are none'})")
    merged = adapted.merge_and_unload()
    return merged, merged.state_dict()
