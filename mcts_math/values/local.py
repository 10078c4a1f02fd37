"""A reward model of transformers in this process, on a CPU or a GPU."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModel

from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.engine.hf.model import choose_device, choose_dtype, load_weights, place, sees_later_tokens
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.values.batches import Batches
from mcts_math.values.families import ModelOptions
from mcts_math.values.heads import Head, make_word_head, read_score_head, read_value_head
from mcts_math.values.layouts import Encoded, Layout
from mcts_math.values.rewards import Scores

_NUM_LABELS: Final = {"labels": 2, "logit": 1}
_MOST: Final = 256  # solutions that are encoded and scored before the first of them is answered
_Solution: TypeAlias = tuple[str, tuple[str, ...]]


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
