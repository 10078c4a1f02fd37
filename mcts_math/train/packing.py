"""Rows of examples, and batches of rows. Packed sequences don't see each other: positions start at 0 in each, which
is how transformers tells them apart in every kind of attention. What fills a row up is one more such sequence."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from mcts_math.train.data import IGNORED, Item, TokenSequence

Rows: TypeAlias = list[list[Item]]
"""What transformers' Trainer shuffles and splits among processes."""


def pack(items: Sequence[Item], max_length: int, seed: int) -> Rows:
    """Fills rows of at most `max_length` tokens: the longest item first, in an order of its own for each seed, each
    into the fullest row that has room."""
    order = np.random.default_rng(seed).permutation(len(items))
    ordered = sorted((items[i] for i in order), key=lambda item: -item.length)
    rows: Rows = []
    free: list[tuple[int, int, int]] = []  # room of a row, its last item's number below 0, and which row; in order
    for number, item in enumerate(ordered):
        place = bisect_left(free, (item.length,))
        room, _, row = free.pop(place) if place < len(free) else (max_length, 0, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(item)
        insort(free, (room - item.length, -number, row))
    return rows


@dataclass(slots=True)
class Collator:
    """Rows -> a batch of tensors [B, T], T a multiple of `pad_multiple`, and the ids of the examples in it:
    input_ids, position_ids, labels (or IGNORED), value_targets with value_mask, and preference: +k at the last token
    of the better step of pair k, -k at the worse one's, 0 elsewhere; k from 1 on, over the whole batch."""

    pad_id: int
    pad_multiple: int = 64

    def __call__(self, rows: Sequence[list[Item]]) -> dict[str, Any]:
        longest = max(1, *(sum(item.length for item in row) for row in rows))
        width = math.ceil(longest / self.pad_multiple) * self.pad_multiple
        shape = (len(rows), width)
        batch: dict[str, Any] = {
            "input_ids": np.full(shape, self.pad_id, dtype=np.int64),
            "position_ids": np.zeros(shape, dtype=np.int64),
            "labels": np.full(shape, IGNORED, dtype=np.int64),
            "value_targets": np.zeros(shape, dtype=np.float32),
            "value_mask": np.zeros(shape, dtype=bool),
            "preference": np.zeros(shape, dtype=np.int64),
        }
        pairs = 0
        for r, row in enumerate(rows):
            at = 0
            for item in row:
                pairs += len(item.sequences) > 1
                for sequence in item.sequences:
                    at = _place(batch, r, at, sequence, pairs)
            batch["position_ids"][r, at:] = np.arange(width - at)
        tensors: dict[str, Any] = {key: torch.from_numpy(array) for key, array in batch.items()}
        return tensors | {"example_ids": [item.id for row in rows for item in row]}


def _place(batch: dict[str, Any], row: int, at: int, sequence: TokenSequence, pair: int) -> int:
    """Writes one sequence into a row; returns where the next one begins."""
    end = at + len(sequence.ids)
    batch["input_ids"][row, at:end] = sequence.ids
    batch["position_ids"][row, at:end] = np.arange(end - at)
    batch["labels"][row, at:end] = sequence.labels
    batch["labels"][row, at] = IGNORED  # no token before it predicts the first one
    for place, target in sequence.values.items():
        batch["value_targets"][row, at + place] = target
        batch["value_mask"][row, at + place] = True
    if sequence.preference:
        batch["preference"][row, end - 1] = sequence.preference * pair
    return end


def counts(batch: dict[str, Tensor]) -> Tensor:
    """What the losses are means over: policy tokens, values, pairs. [3] int64."""
    return torch.stack([(batch["labels"] != IGNORED).sum(), batch["value_mask"].sum(), (batch["preference"] > 0).sum()])
