"""Attention on a CPU where several query heads share a head of keys and values, without copies of these.

Wherever there is a mask, transformers' `sdpa` copies keys and values for every query head, which suits the kernels of
GPUs (since some version before 5.24 no longer for single tokens). The kernel of a CPU reads shared heads in place:
benchmarks/limits.py measures what a decode step gains.
"""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME: Final = "sdpa_with_shared_heads"


def share_heads(model: Any) -> None:
    """Has a model of transformers attend so, where it is on a CPU and would use `sdpa`; others stay as they are."""
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa" and model._supports_attention_backend:
        AttentionInterface.register(NAME, attend)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """What transformers' `sdpa` computes of query [B, query heads, T, D], key [B, heads, S, D] and value [B, heads, S,
    E]: [B, T, query heads, E], and no weights. Where there is nothing to gain, its own function does it."""
    special = any(kwargs.get(name) is not None for name in ("position_bias", "softcap"))
    is_plain = dropout == 0.0 and not special and not query.requires_grad
    if attention_mask is None or query.shape[1] == key.shape[1] or not is_plain:
        result: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return result
    rows, heads, length, size = query.shape
    if length == 1 and attention_mask.shape[1] == 1:  # those that share keys as rows of one product
        query = query.view(rows, key.shape[1], heads // key.shape[1], size)
        attention_mask = attention_mask.expand(-1, -1, query.shape[2], -1)
        output = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
        return output.reshape(rows, 1, heads, value.shape[-1]), None
    output = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=True)
    return output.transpose(1, 2).contiguous(), None
