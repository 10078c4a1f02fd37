"""Sampling the next token of many samples at once, each by its own stream of random numbers.

The t-th token of a sample uses one number in [0, 1) that is a hash of (seed of the sample, t): it is the token at which
the cumulative distribution passes it. So a sample depends on its seed alone, not on its neighbours in the batch or on
how often it was interrupted, and sampling costs one number where `torch.multinomial` would need a generator a sample.

Order of the filters as in transformers' `generate` and vLLM: temperature, top-k, top-p. Log-probabilities are of the
model's own distribution, before all three, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from mcts_math.messages import Sampling

_MASK = (1 << 64) - 1
_STRIDE = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio
_NUCLEUS = 64  # tokens that nearly every nucleus fits into
_COLDEST = 1e-30  # the least temperature that is divided by: a float32 ends at 1e-38
_MOST = 1 << 31  # more tokens than any vocabulary has
_CACHED = 1 << 18  # logits: with what is made of them this stays near the cache of one core


class UniformStream:
    """Numbers in [0, 1) that are a pure function of a seed and a position."""

    def __init__(self, seed: int) -> None:
        """`seed`: any integer; of those beyond 64 bits the low 64 count."""
        self._key = _mix(seed & _MASK)

    def at(self, position: int) -> float:
        """The number at a position >= 0, with the 24 bits that a float32 keeps exactly."""
        bits = _mix((self._key + (position + 1) * _STRIDE) & _MASK)
        return (bits >> 40) * 2.0**-24


def _mix(bits: int) -> int:
    """64 well mixed bits of 64 bits (SplitMix64; Steele, Lea and Flood 2014)."""
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31


class BatchSampling:
    """How the rows of a batch are sampled; made anew whenever rows join or leave."""

    def __init__(self, rows: Sequence[Sampling], device: torch.device) -> None:
        kinds: dict[_Pick, list[int]] = {}
        for i, row in enumerate(rows):
            kinds.setdefault(_way(row), []).append(i)
        self._kinds = [(pick, torch.tensor(indices, device=device)) for pick, indices in kinds.items()]
        self.wants_certainty = any(row.want_certainty for row in rows)
        self._temperature = torch.tensor([[max(row.temperature, _COLDEST)] for row in rows], device=device)
        self._top_p = torch.tensor([[row.top_p] for row in rows], device=device)
        self._top_k = torch.tensor([[min(row.top_k, _MOST)] for row in rows], device=device)

    def sample(self, logits: Tensor, uniforms: Sequence[Sequence[float]]) -> tuple[Tensor, Tensor]:
        """Samples K tokens a row, each by a number of its own in [0, 1): `uniforms` [B][K]. Logits [B, V] of any
        floating dtype.

        Returns tokens [B, K] int64 and their log-probabilities [B, K] float32, in nats, before temperature, top-k and
        top-p. A row whose logits are not finite gets some tokens, and log-probabilities that are not finite either.
        """
        numbers = torch.tensor(uniforms, device=logits.device)
        tokens, logprobs = torch.empty_like(numbers, dtype=torch.long), torch.empty_like(numbers)
        for pick, members in self._kinds:
            for rows in torch.split(members, _rows_at_once(logits)):
                part = logits.index_select(0, rows).float()
                how = RowSampling(numbers[rows], self._temperature[rows], self._top_p[rows], self._top_k[rows])
                tokens[rows] = picked = pick(part, how)
                # Not log_softmax, whose sum over a large vocabulary is right to 4e-5 only.
                logprobs[rows] = part.gather(1, picked) - part.logsumexp(dim=-1, keepdim=True)
        return tokens, logprobs


def certainty_of(logits: Tensor) -> list[float]:
    """How far each row's distribution is from the uniform one, nats; see `Sample.certainty`. Logits are [B, V]."""
    logits = logits.float()
    return (logits.logsumexp(dim=-1) - logits.mean(dim=-1) - math.log(logits.shape[1])).tolist()


class RowSampling(NamedTuple):
    """How F rows are sampled: K numbers each [F, K], and what limits their distributions [F, 1]."""

    numbers: Tensor
    temperature: Tensor
    top_p: Tensor
    top_k: Tensor


_Pick: TypeAlias = Callable[[Tensor, RowSampling], Tensor]  # logits [F, V] -> tokens [F, K]


def _way(row: Sampling) -> _Pick:
    """Kinds of rows are sampled apart, so that none is computed otherwise for the sake of another."""
    if row.temperature == 0:
        return _likeliest
    if row.top_k > 0:
        return _from_top_k
    return _from_nucleus if row.top_p < 1 else _from_all


def _rows_at_once(logits: Tensor) -> int:
    """As many as a CPU's cache holds with what is made of them: beyond it each pass waits for memory, and for pages."""
    return max(1, _CACHED // logits.shape[1]) if logits.device.type == "cpu" else len(logits)


def _likeliest(logits: Tensor, how: RowSampling) -> Tensor:
    return logits.argmax(dim=-1, keepdim=True).expand_as(how.numbers)


def _from_all(logits: Tensor, how: RowSampling) -> Tensor:
    return _pick((logits / how.temperature).softmax(dim=-1), how.numbers)


def _from_top_k(logits: Tensor, how: RowSampling) -> Tensor:
    return _pick(_top_k_top_p(logits / how.temperature, how.top_k, how.top_p), how.numbers)


def _from_nucleus(logits: Tensor, how: RowSampling) -> Tensor:
    """By top-p alone, among the tokens of each row's own nucleus: to put all tokens in order, or as many in every row
    as the flattest one needs, costs more than everything else in a small model's step."""
    tokens, rows = torch.empty_like(how.numbers, dtype=torch.long), torch.arange(len(logits), device=logits.device)
    probabilities = (logits / how.temperature).softmax(dim=-1)
    numbers, top_p, count = how.numbers, how.top_p, _NUCLEUS
    while True:
        candidates, kept, is_cut = _nucleus(probabilities, top_p, count)
        tokens[rows] = candidates.gather(1, _pick(kept, numbers))
        cut = [place for place, more in enumerate(is_cut.tolist()) if more]
        if not cut:
            return tokens
        left = torch.tensor(cut, device=logits.device)
        rows, probabilities, numbers, top_p = (some[left] for some in (rows, probabilities, numbers, top_p))
        count *= 8


def _nucleus(probabilities: Tensor, top_p: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The nuclei of rows [F, V], looked for among their `count` likeliest tokens, C of them.

    Those tokens in the order of their ids [F, C]; their probabilities, 0 outside the nucleus; and whether the nucleus
    needs more than them [F]. The likeliest token always stays.
    """
    size = probabilities.shape[1]
    ordered, order = probabilities.topk(min(count, size), dim=-1)
    up_to = ordered.cumsum(dim=-1)
    outside = up_to - ordered >= top_p
    outside[:, 0] = False
    tokens, places = order.sort(dim=-1)
    return tokens, ordered.masked_fill(outside, 0.0).gather(1, places), (up_to[:, -1] < top_p[:, 0]) & (count < size)


def _top_k_top_p(scaled: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """The probabilities of logits [F, V], 0 outside top-k and top-p [F, 1]; the likeliest token always stays."""
    ordered, order = scaled.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(scaled.shape[1], device=scaled.device)
    probabilities = ordered.masked_fill(rank >= top_k, -torch.inf).softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    probabilities = probabilities.masked_fill((before >= top_p) & (rank > 0), 0.0)
    return torch.empty_like(scaled).scatter_(1, order, probabilities)


def _pick(probabilities: Tensor, numbers: Tensor) -> Tensor:
    """Where the cumulative distribution of each row [F, C] passes its numbers [F, K]; it need not sum to one."""
    cumulative = probabilities.cumsum(dim=-1)
    # Scaling the number, not the distribution, makes up for the sum. A token of probability zero is never the first to
    # pass a number; the clamp is for NaN, which would index beyond the vocabulary.
    targets = numbers * cumulative[:, -1:]
    return torch.searchsorted(cumulative, targets, right=True).clamp_(max=probabilities.shape[1] - 1)
