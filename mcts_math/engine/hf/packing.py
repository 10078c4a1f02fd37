"""Weights laid out for a CPU's cache ahead of time: a product of few rows with a large matrix, as each token of a
search needs, else spends much of its time on bringing the matrix into the layout that oneDNN's kernel wants."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

# Bytes of a matrix below which the plain kernel is as fast; that for bfloat16 is much slower on small ones.
_SMALLEST: Final = {torch.float32: 1 << 20, torch.bfloat16: 1 << 16}
# For so many rows the layout is chosen, and fewer are filled up to them: a product with four rows takes less time than
# one with a single row, and in float32 the layout for one row costs 4 rows 1.7 times as much (docs/results.md).
_ROWS: Final = 4


class PackedLinear(nn.Module):
    """`nn.Linear` without gradient, on a CPU."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._bias = linear.bias
        self.weight = linear.weight.detach().to("meta")  # some models look at its dtype
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)

    def forward(self, inputs: Tensor) -> Tensor:
        rows = inputs.reshape(-1, self.in_features)
        count = len(rows)
        filled = pad(rows, (0, 0, 0, _ROWS - count)) if count < _ROWS else rows
        output: Tensor = torch.ops.mkldnn._linear_pointwise(filled, self._packed, self._bias, "none", [], "")
        return output[:count].view(*inputs.shape[:-1], self.out_features)


def can_pack(model: Any) -> bool:
    """Whether oneDNN has kernels for the model: on a CPU, in float32, or in bfloat16 where the CPU has that."""
    if model.device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    return model.dtype == torch.float32 or (model.dtype == torch.bfloat16 and _has_bfloat16())


def _has_bfloat16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@torch.inference_mode()
def pack(model: nn.Module) -> None:
    """Replaces the large linear layers of a model. Nobody may compute with their `weight`, or learn, afterwards."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child.weight.nbytes >= _SMALLEST.get(child.weight.dtype, math.inf):
                setattr(parent, name, PackedLinear(child))
