"""A small batched sampler in plain torch: what makes the outcomes.

What it is not: the project's engine. It knows this one architecture, stops at token ids rather than at strings, and
keeps no queue. Its model is a copy of the trained one with the same mathematics (a test compares the two).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from network import ValueHead
from torch.nn import functional
from transformers import LlamaForCausalLM


@dataclass
class _Layer:
    """The weights of one layer; the three attention projections in one matrix, and gate and up in one."""

    norm1: torch.Tensor
    qkv: torch.Tensor
    out: torch.Tensor
    norm2: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


def _norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, (x.shape[-1],), weight, 1e-6)


class Sampler:
    """Samples from, and values with, one model."""

    def __init__(self, model: LlamaForCausalLM, head: ValueHead | None, dtype: torch.dtype = torch.bfloat16) -> None:
        config = model.config
        self.heads, self.dim = config.num_attention_heads, config.head_dim
        self.dtype = dtype
        with torch.no_grad():
            self.layers = [
                _Layer(
                    layer.input_layernorm.weight.to(dtype),
                    torch.cat([getattr(layer.self_attn, n).weight for n in ("q_proj", "k_proj", "v_proj")]).to(dtype),
                    layer.self_attn.o_proj.weight.to(dtype),
                    layer.post_attention_layernorm.weight.to(dtype),
                    torch.cat([layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight]).to(dtype),
                    layer.mlp.down_proj.weight.to(dtype),
                )
                for layer in model.model.layers
            ]
            self.embed = model.model.embed_tokens.weight.detach().to(dtype)
            self.norm = model.model.norm.weight.detach().to(dtype)
            inverse = model.model.rotary_emb.inv_freq.float()
            angles = torch.outer(torch.arange(config.max_position_embeddings).float(), inverse)
            angles = torch.cat([angles, angles], dim=-1)
            self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)
        self.head = head

    def _turn(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-b, a], dim=-1) * sin

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, cache: list[torch.Tensor], start: int, mask: torch.Tensor
    ) -> torch.Tensor:
        """Hidden states after the last norm [B, T, width]; keys and values go to `cache` from column `start` on."""
        batch, width = ids.shape
        x = self.embed[ids]
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        for layer, kept in zip(self.layers, cache, strict=True):
            qkv = functional.linear(_norm(x, layer.norm1), layer.qkv)
            q, k, v = qkv.view(batch, width, 3, self.heads, self.dim).permute(2, 0, 3, 1, 4)
            kept[0, :, :, start : start + width] = self._turn(k, cos, sin)
            kept[1, :, :, start : start + width] = v
            seen = functional.scaled_dot_product_attention(
                self._turn(q, cos, sin), kept[0, :, :, : start + width], kept[1, :, :, : start + width], attn_mask=mask
            )
            x = x + functional.linear(seen.transpose(1, 2).reshape(batch, width, -1), layer.out)
            gate, up = functional.linear(_norm(x, layer.norm2), layer.gate_up).chunk(2, dim=-1)
            x = x + functional.linear(functional.silu(gate) * up, layer.down)
        return _norm(x, self.norm)

    def _prefill(
        self, prompts: Sequence[Sequence[int]], room: int
    ) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """Last hidden states [B, width], the cache with `room` free columns, and the left padding of each row [B]."""
        width = max(len(prompt) for prompt in prompts)
        padding = torch.tensor([width - len(prompt) for prompt in prompts])
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        shape = (2, len(prompts), self.heads, width + room, self.dim)
        cache = [torch.zeros(shape, dtype=self.dtype) for _ in self.layers]
        columns = torch.arange(width)
        mask = (columns[None, :] <= columns[:, None]) & (columns[None, None, :] >= padding[:, None, None])
        mask |= torch.eye(width, dtype=torch.bool)  # a padding row must see something
        positions = (columns - padding[:, None]).clamp(min=0)
        hidden = self._forward(ids, positions, cache, 0, mask[:, None])
        return hidden[:, -1], cache, padding

    @torch.inference_mode()
    def values(self, prompts: Sequence[Sequence[int]], batch: int = 128) -> list[float]:
        """v of every prompt."""
        assert self.head is not None
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        found = [0.0] * len(prompts)
        for begin in range(0, len(order), batch):
            some = order[begin : begin + batch]
            hidden, _, _ = self._prefill([prompts[i] for i in some], 0)
            for i, value in zip(some, self.head(hidden).tolist(), strict=True):
                found[i] = value
        return found

    @torch.inference_mode()
    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        copies: int,
        temperature: float,
        stops: Sequence[int],
        generator: torch.Generator,
        max_tokens: int = 150,
        batch: int = 160,
    ) -> list[list[list[int]]]:
        """`copies` continuations of every prompt, each with the stop token that ended it; temperature 0 is greedy."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        found: list[list[list[int]]] = [[] for _ in prompts]
        size = max(1, batch // copies)
        for begin in range(0, len(order), size):
            some = order[begin : begin + size]
            rows = self._sample_batch(
                [prompts[i] for i in some], copies, temperature, set(stops), generator, max_tokens
            )
            for place, i in enumerate(some):
                found[i] = rows[place * copies : (place + 1) * copies]
        return found

    def _sample_batch(
        self,
        prompts: Sequence[Sequence[int]],
        copies: int,
        temperature: float,
        stops: set[int],
        generator: torch.Generator,
        max_tokens: int,
    ) -> list[list[int]]:
        hidden, cache, padding = self._prefill(prompts, max_tokens)
        hidden, padding = hidden.repeat_interleave(copies, 0), padding.repeat_interleave(copies, 0)
        cache = [kept.repeat_interleave(copies, 1) for kept in cache]
        column = max(len(prompt) for prompt in prompts)
        live = list(range(len(hidden)))
        rows: list[list[int]] = [[] for _ in live]
        for _ in range(max_tokens):
            chosen = self._choose(hidden, temperature, generator)
            for row, token in zip(live, chosen.tolist(), strict=True):
                rows[row].append(token)
            going = [place for place, row in enumerate(live) if rows[row][-1] not in stops]
            if not going:
                break
            if len(going) < 0.75 * len(live):  # else finished rows run on, and what they write is cut off below
                live = [live[place] for place in going]
                chosen, padding = chosen[going], padding[going]
                cache = [kept[:, going] for kept in cache]
            columns = torch.arange(column + 1)
            mask = (columns[None, :] >= padding[:, None])[:, None, None]
            hidden = self._forward(chosen[:, None], (column - padding)[:, None], cache, column, mask)[:, -1]
            column += 1
        return [_cut(row, stops) for row in rows]

    def _choose(self, hidden: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
        logits = functional.linear(hidden, self.embed).float()
        if temperature == 0:
            return logits.argmax(-1)
        return torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator).squeeze(-1)


def _cut(row: list[int], stops: set[int]) -> list[int]:
    for place, token in enumerate(row):
        if token in stops:
            return row[: place + 1]
    return row
