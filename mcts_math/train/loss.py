"""The losses, as sums; whoever calls divides by the counts of the whole optimiser step (SPEC A9).

policy      cross-entropy of the tokens of right solutions, nats
value       squared error of v = tanh(w·h + b) against Q, at the ends of the steps of right and wrong ones
preference  -log sigmoid(scale · (v(better) - v(worse))) of two steps after one prompt: the values are asked for the
            right order only, after Bradley and Terry (1952)
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

TERMS: Final = ("policy", "value", "preference")
"""The order in which every tensor [3] of sums, counts or weights holds them."""


def policy_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross-entropies, float32: logits [N, V] of any dtype, targets [N]."""
    if not len(targets):
        return logits.sum().float()  # 0, and keeps the graph: every process must take part in the backward pass
    return functional.cross_entropy(logits.float(), targets, reduction="sum")


def value_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Sum of the squared errors: values [N] and targets [N] in [-1, 1]."""
    return (values - targets.float()).square().sum()


def preference_loss(better: Tensor, worse: Tensor, scale: float) -> Tensor:
    """Sum over pairs: values [N] of the better and of the worse steps."""
    return -functional.logsigmoid(scale * (better - worse)).sum()


def pair_places(preference: Tensor) -> tuple[Tensor, Tensor]:
    """Places (in the flattened batch) of the better and the worse step of every pair, in the order of the pairs."""
    flat = preference.flatten()
    better, worse = (flat > 0).nonzero().flatten(), (flat < 0).nonzero().flatten()
    return better[flat[better].argsort()], worse[(-flat[worse]).argsort()]


def total(sums: Tensor, counts: Tensor, weights: Tensor) -> Tensor:
    """The loss: each sum [3] over its count (0 where there is nothing to count), times its weight."""
    return torch.dot(sums / counts.clamp(min=1).to(sums.dtype), weights.to(sums.dtype))
