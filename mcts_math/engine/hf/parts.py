"""Small trained parts as a folder: their weights, and settings that say for which base model they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mcts_math.errors import CheckpointError, boundary
from mcts_math.files import replace_file


def save_parts(folder: Path, name: str, state: Mapping[str, Tensor], settings: Mapping[str, Any]) -> None:
    """Writes `NAME.safetensors` and `NAME.json`, the settings last: a folder that holds them is complete. Raises
    OSError."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    replace_file(folder / f"{name}.safetensors", save(tensors))
    replace_file(folder / f"{name}.json", json.dumps(dict(settings), indent=1, ensure_ascii=False) + "\n")


def load_parts(folder: str | Path, name: str, module: nn.Module | None = None) -> dict[str, Tensor]:
    """The weights in a folder, which a module gets that they are for. Raises CheckpointError where they are not its."""
    file = Path(folder).expanduser() / f"{name}.safetensors"
    with boundary(f"{file} does not hold the weights that its settings speak of", CheckpointError):
        state: dict[str, Tensor] = load_file(file)
        if module is not None:
            module.load_state_dict(state)
    return state


def fingerprint(weights: Iterable[tuple[str, Tensor]]) -> str:
    """What tells a base model from others: a digest of some of its weights with their names, as bfloat16."""
    digest = hashlib.sha256()
    for name, weight in weights:
        raw = weight.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        digest.update(name.encode() + raw)
    return digest.hexdigest()
