"""A reward model of transformers in this process, on a CPU or a GPU, and the heads that make probabilities of its
hidden states, in float32 whatever the model's dtype."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModel

from mcts_math.engine.checkpoint import HEAD_BIAS, HEAD_WEIGHT, WEIGHT_FILES, Checkpoint, find_weights
from mcts_math.engine.hf.model import choose_device, choose_dtype, load_weights, place, sees_later_tokens
from mcts_math.engine.value_head import read_tensors
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.values.batches import Batches
from mcts_math.values.families import ModelOptions
from mcts_math.values.layouts import Encoded, Layout
from mcts_math.values.rewards import Scores

_NUM_LABELS: Final = {"labels": 2, "logit": 1}
_MOST: Final = 256  # solutions that are encoded and scored before the first of them is answered
_Solution: TypeAlias = tuple[str, tuple[str, ...]]


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


class LocalScorer:
    """Scores solutions that wait together in one padded pass of `max_batch_tokens` at most, but where one alone has
    more. The backbone gives last hidden states [B, T, H]."""

    def __init__(self, backbone: Any, head: Head, layout: Layout, context_length: int, max_batch_tokens: int) -> None:
        self._backbone, self._head, self._layout = backbone, head, layout
        self._context_length, self._max_batch_tokens = context_length, max_batch_tokens
        self._batches: Batches[_Solution, Scores] = Batches(
            lambda some: asyncio.to_thread(self._score, some), _MOST, at_once=1
        )

    async def score(self, question: str, steps: tuple[str, ...]) -> Scores:
        """Scores by the model. Raises RefusedError where it can't read the solution."""
        return await self._batches.ask((question, steps))

    async def close(self) -> None:
        await self._batches.close()

    def _score(self, solutions: Sequence[_Solution]) -> list[Scores | Exception]:
        """Scores of some solutions, in order; the errors of those that can't be read."""
        results: dict[int, Scores | Exception] = {}
        encoded: dict[int, Encoded] = {}
        for i, (question, steps) in enumerate(solutions):
            try:
                encoded[i] = self._layout.encode(question, steps)
            except EngineError as error:
                results[i] = error
        results |= {i: Scores(None) for i, one in encoded.items() if len(one.ids) > self._context_length}
        for batch in self._split({i: one for i, one in encoded.items() if i not in results}):
            rows = self._run([encoded[i] for i in batch])
            results |= {i: Scores(row, len(encoded[i].ids)) for i, row in zip(batch, rows, strict=True)}
        return [results[i] for i in range(len(solutions))]

    def _split(self, encoded: dict[int, Encoded]) -> list[list[int]]:
        """Passes of solutions of about the same length, the longest first."""
        passes: list[list[int]] = []
        longest = 0
        for i in sorted(encoded, key=lambda i: -len(encoded[i].ids)):
            if not passes or longest * (len(passes[-1]) + 1) > self._max_batch_tokens:
                passes.append([])
                longest = len(encoded[i].ids)
            passes[-1].append(i)
        return passes

    @torch.inference_mode()
    def _run(self, batch: Sequence[Encoded]) -> list[tuple[float, ...]]:
        """One pass, padded on the right: no token attends to padding, which stands behind all of them."""
        ids = pad_sequence([torch.tensor(one.ids) for one in batch], batch_first=True)
        mask = pad_sequence([torch.ones(len(one.ids), dtype=torch.long) for one in batch], batch_first=True)
        device = self._backbone.device
        try:
            output = self._backbone(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
        except torch.OutOfMemoryError as error:
            remedy = f"lower max_batch_tokens in value_args, or choose another device or dtype ({error})"
            raise EngineError(f"the reward model has no memory for {ids.numel()} tokens at a time; {remedy}") from error
        rows = torch.tensor([row for row, one in enumerate(batch) for _ in one.places])
        places = torch.tensor([place for one in batch for place in one.places])
        scores: Tensor = self._head(output.last_hidden_state[rows.to(device), places.to(device)])
        told = iter(scores.tolist())
        return [tuple(next(told) for _ in one.places) for one in batch]


def load_local(checkpoint: Checkpoint, layout: Layout, options: ModelOptions) -> LocalScorer:
    """Loads a reward model. Raises CheckpointError: it can't be loaded, or lacks weights; EngineError: no such
    device or dtype."""
    folder, chosen = checkpoint.folder, choose_device(options.device)
    backbone, head = _load(folder, layout, choose_dtype(options.dtype, chosen))
    if sees_later_tokens(lambda ids: backbone(input_ids=ids, use_cache=False).last_hidden_state, backbone.device):
        raise CheckpointError(f"{folder} attends to later tokens; reward models here are decoders, which don't")
    backbone = place(backbone, chosen, f"the reward model {folder}")
    return LocalScorer(
        backbone, head.to(chosen), layout, checkpoint.context_length or 1 << 30, options.max_batch_tokens
    )


def _load(folder: Path, layout: Layout, dtype: torch.dtype | str) -> tuple[Any, Head]:
    """What gives last hidden states, and the head: that is read first, as it is small and may be missing."""
    if layout.head == "words":
        model = load_weights(folder, dtype).eval()
        return model.base_model, make_word_head(model, layout.words)
    head = read_value_head(folder) if layout.head == "value" else read_score_head(folder, _NUM_LABELS[layout.head])
    return load_weights(folder, dtype, kind=AutoModel).eval(), head


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
