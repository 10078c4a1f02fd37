"""Sampling the next token of many samples at once, each by its own stream of random numbers.

The t-th token of a sample uses one number in [0, 1) that is a hash of (seed of the sample, t): it is the token at which
the cumulative distribution passes it. So a sample depends on its seed alone, not on its neighbours in the batch or on
how often it was interrupted, and sampling costs one number where `torch.multinomial` would need a generator a sample.

Order of the filters as in transformers' `generate` and vLLM: temperature, top-k, top-p. Log-probabilities are of the
model's own distribution, before all three, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mcts_math.engine.splitmix import MASK, STRIDE, mix
from mcts_math.requests import Sampling

_BLOCK = 64
_NUCLEUS = 64  # tokens that nearly every nucleus fits into


class UniformStream:
    """Numbers in [0, 1) that are a pure function of a seed and a position."""

    def __init__(self, seed: int) -> None:
        """Args:
        seed: any integer; of those beyond 64 bits the low 64 count.
        """
        self._key = mix(np.array([seed & MASK], dtype=np.uint64))
        self._numbers: list[float] = []
        self._first = 0

    def at(self, position: int) -> float:
        """The number at a position >= 0, with the 24 bits that a float32 keeps exactly."""
        index = position - self._first
        if not 0 <= index < len(self._numbers):
            self._first, index = position, 0
            counters = np.arange(position + 1, position + 1 + _BLOCK, dtype=np.uint64) * np.uint64(STRIDE)
            self._numbers = ((mix(self._key + counters) >> np.uint64(40)) * 2.0**-24).tolist()
        return self._numbers[index]


class BatchSampling:
    """How the rows of a batch are sampled; made anew whenever rows join or leave."""

    def __init__(self, rows: Sequence[Sampling], device: torch.device) -> None:
        """Args:
        rows: one a row, in the order of the batch.
        device: where the logits will be.
        """
        greedy = [row.temperature == 0 for row in rows]
        self.wants_certainty = any(row.want_certainty for row in rows)
        self._all_greedy = all(greedy)
        self._greedy = torch.tensor(greedy, device=device) if any(greedy) and not self._all_greedy else None
        self._temperature: Tensor | None = None
        if any(row.temperature not in (0.0, 1.0) for row in rows):
            self._temperature = torch.tensor([[row.temperature or 1.0] for row in rows], device=device)
        # Two kinds of filter, each over its own rows, so that no row is computed otherwise for the sake of another.
        warm = [i for i, row in enumerate(rows) if row.temperature]
        self._nucleus_rows = _indices([i for i in warm if rows[i].top_p < 1 and rows[i].top_k <= 0], device)
        self._top_k_rows = _indices([i for i in warm if rows[i].top_k > 0], device)
        self._top_p = torch.tensor([[row.top_p] for row in rows], device=device)
        self._top_k = torch.tensor([[row.top_k] for row in rows], device=device)

    def sample(self, logits: Tensor, uniforms: Sequence[Sequence[float]]) -> tuple[Tensor, Tensor]:
        """Samples K tokens a row, each by a number of its own.

        Args:
            logits: [B, V], of any floating dtype.
            uniforms: [B][K], numbers in [0, 1); what a greedy row's are does not matter.

        Returns:
            Tokens [B, K] int64 and their log-probabilities [B, K] float32, in nats, before temperature, top-k and
            top-p. A row whose logits are not finite gets some tokens, and log-probabilities that are not finite either.
        """
        logits = logits.float()
        numbers = torch.tensor(uniforms, device=logits.device)
        if self._all_greedy:
            tokens = logits.argmax(dim=-1, keepdim=True).expand_as(numbers)
        else:
            tokens = self._search(logits, numbers)
            if self._greedy is not None:
                tokens = torch.where(self._greedy.unsqueeze(1), logits.argmax(dim=-1, keepdim=True), tokens)
        return tokens, logits.gather(1, tokens) - logits.logsumexp(dim=-1, keepdim=True)

    @staticmethod
    def certainty(logits: Tensor) -> list[float]:
        """How far each row's distribution is from the uniform one, nats; see `Sample.certainty`. Logits are [B, V]."""
        logits = logits.float()
        return (logits.logsumexp(dim=-1) - logits.mean(dim=-1) - math.log(logits.shape[1])).tolist()

    def _search(self, logits: Tensor, numbers: Tensor) -> Tensor:
        scaled = logits if self._temperature is None else logits / self._temperature
        if (rows := self._nucleus_rows) is not None:
            scaled = scaled.index_copy(0, rows, _nucleus(scaled[rows], self._top_p[rows]))
        if (rows := self._top_k_rows) is not None:
            scaled = scaled.index_copy(0, rows, _top_k_top_p(scaled[rows], self._top_k[rows], self._top_p[rows]))
        cumulative = scaled.softmax(dim=-1).cumsum(dim=-1)
        # Scaling the number, not the distribution, makes up for the rounding of the sum. A token of probability zero
        # is never the first to pass a number; the clamp is for NaN, which would index beyond the vocabulary.
        targets = numbers * cumulative[:, -1:]
        return torch.searchsorted(cumulative, targets, right=True).clamp_(max=logits.shape[1] - 1)


def _indices(rows: list[int], device: torch.device) -> Tensor | None:
    return torch.tensor(rows, device=device) if rows else None


def _top_k_top_p(scaled: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Rows [F, V] with tokens outside top-k and top-p [F, 1] at minus infinity; the likeliest one always stays."""
    ordered, order = scaled.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(scaled.shape[1], device=scaled.device)
    ordered = ordered.masked_fill(rank >= top_k, -torch.inf)
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    ordered = ordered.masked_fill((before >= top_p) & (rank > 0), -torch.inf)
    return torch.empty_like(scaled).scatter_(1, order, ordered)


def _nucleus(scaled: Tensor, top_p: Tensor) -> Tensor:
    """The same for top-p alone.

    Of each row only as many tokens are put in order as its nucleus needs: to sort all, or as many in every row as the
    flattest one needs, costs more than everything else in a small model's step.
    """
    kept, size = torch.full_like(scaled, -torch.inf), scaled.shape[1]
    total = scaled.logsumexp(dim=-1, keepdim=True)
    rows, count = list(range(len(scaled))), _NUCLEUS
    while rows:
        flat = torch.tensor(rows, device=scaled.device)
        ordered, order = scaled[flat].topk(min(count, size), dim=-1)
        probabilities = (ordered - total[flat]).exp()
        up_to = probabilities.cumsum(dim=-1)
        outside = up_to - probabilities >= top_p[flat]
        outside[:, 0] = False
        kept[flat.unsqueeze(1), order] = ordered.masked_fill(outside, -torch.inf)
        needs_more = (up_to[:, -1] < top_p[flat, 0]).tolist()
        rows = [row for row, more in zip(rows, needs_more, strict=True) if more] if count < size else []
        count *= 8
    return kept
