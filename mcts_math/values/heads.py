"""What makes probabilities of the hidden states of a reward model, in float32 whatever the model's dtype."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mcts_math.engine.checkpoint import HEAD_BIAS, HEAD_WEIGHT, WEIGHT_FILES, find_weights
from mcts_math.engine.value_head import read_tensors
from mcts_math.errors import CheckpointError


class Head(nn.Module):
    """Linear layers, (weight [out, in], bias [out] or None), with ReLU between them, and what makes a probability of
    their result: two labels of which `good` is the good one, or one logit (None)."""

    def __init__(self, layers: Sequence[tuple[Tensor, Tensor | None]], good: int | None) -> None:
        super().__init__()
        self._layers = nn.ModuleList(_linear(weight, bias) for weight, bias in layers)
        self._good = good

    def forward(self, hidden: Tensor) -> Tensor:
        """Probabilities [...], float32, of last hidden states [..., hidden]: softmax of two logits, sigmoid of one."""
        logits = hidden.float()
        for i, layer in enumerate(self._layers):
            logits = layer(torch.relu(logits) if i else logits)
        return logits[..., 0].sigmoid() if self._good is None else logits.softmax(-1)[..., self._good]


def read_score_head(folder: Path, num_labels: int) -> Head:
    """The layer `score`, or layers `score.0` and `score.2`, of a classification model. Raises CheckpointError."""
    tensors = _read_tensors(folder, "score.")
    names = ["score"] if "score.weight" in tensors else ["score.0", "score.2"]
    layers = [(_get(tensors, f"{name}.weight", folder), tensors.get(f"{name}.bias")) for name in names]
    found = layers[-1][0].shape[0]
    if found != num_labels:
        told = f"has {found} labels, not {num_labels}; set another layout in value_args"
        raise CheckpointError(f"the layer {names[-1]} of {folder} {told}")
    return Head(layers, 1 if num_labels == 2 else None)


def read_value_head(folder: Path) -> Head:
    """The layer `v_head.summary` among a model's weights. Raises CheckpointError where there is none."""
    tensors = _read_tensors(folder, "v_head.")
    return Head(
        [(_get(tensors, HEAD_WEIGHT, folder).reshape(1, -1), _get(tensors, HEAD_BIAS, folder).reshape(1))], None
    )


def make_word_head(model: Any, words: Sequence[int]) -> Head:
    """The rows of a causal language model's output layer for a good and a bad word, in this order."""
    output = model.get_output_embeddings()
    chosen = list(words)
    bias = None if output.bias is None else output.bias.detach()[chosen]
    return Head([(output.weight.detach()[chosen], bias)], 0)


def _read_tensors(folder: Path, prefix: str) -> dict[str, Tensor]:
    """The weights that begin so, on the CPU."""
    found, tensors = find_weights(folder, prefix), dict[str, Tensor]()
    pickled = folder / WEIGHT_FILES[1]
    for file in set(found.values()) or {pickled} & {*folder.iterdir()}:
        there = read_tensors(file, lambda name: name.startswith(prefix))
        tensors |= {name: tensor for name, tensor in there.items() if found.get(name, file) == file}
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _get(tensors: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in tensors:
        raise CheckpointError(
            f"{folder} has no weights {name!r}; set another layout in value_args, if it is a reward model"
        )
    return tensors[name]


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
    return layer.requires_grad_(False)
