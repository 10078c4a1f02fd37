"""Prompts to compute, a few at a time, all ending at a common column.

To take up cached prefixes of different lengths without holes (sliding windows count columns), every prompt of such a
group computes its last T tokens, T being the most that one of them needs; groups are formed of prompts with like needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mcts_math.engine.hf.kv_cache import KVBlock, Workspace
from mcts_math.engine.hf.model import CausalModel, ForwardResult
from mcts_math.engine.hf.prefix_cache import PrefixCache
from mcts_math.engine.hf.sequence import Job, Row

_PADDING_SHARE = 1.25  # a group may compute this many times the tokens that its prompts need one by one


@dataclass(eq=False, slots=True)
class Prefill:
    """Tokens to compute, for the sake of a row or of a value; those that a preempted row has written are among them."""

    job: Job
    tokens: tuple[int, ...]
    row: Row | None


def choose_group(units: list[Prefill], cache: PrefixCache, max_tokens: int, max_cells: int) -> tuple[int, int]:
    """Sorts prompts by what the cache lacks of them, so that the first ones can be computed together; returns how many
    these are, and how many last tokens of each are computed.

    `max_tokens`: most tokens of one forward pass; `max_cells`: most tokens, rows times the longest, that are kept.
    """
    needs = {id(unit): _num_needed(unit, cache) for unit in units}
    units.sort(key=lambda unit: needs[id(unit)])
    total = longest = size = 0
    for unit in units:
        need = needs[id(unit)]
        longest, columns = max(longest, len(unit.tokens)), (size + 1) * need
        if size and (columns > max_tokens or columns > (total + need) * _PADDING_SHARE + 16):
            break
        if size and (size + 1) * longest > max(max_cells, max_tokens):
            break
        total, size = total + need, size + 1
    return size, needs[id(units[size - 1])]


def _num_needed(unit: Prefill, cache: PrefixCache) -> int:
    """Tokens that must be computed, the last one in any case: its logits are wanted."""
    length = len(unit.tokens)
    return length - min(cache.match(unit.tokens, unit.job.namespace), length - 1)


def prepare(
    group: Sequence[Prefill], num_new: int, model: CausalModel, cache: PrefixCache, workspace: Workspace
) -> tuple[KVBlock, Tensor, list[int]]:
    """What computing the last `num_new` tokens of each prompt needs: a block with masks and cached keys and values, the
    new tokens [rows, num_new], and how many tokens of each prompt came from the cache."""
    end = max(len(unit.tokens) for unit in group)
    block = KVBlock(model.layout, model.device, len(group), end, workspace)
    block.num_rows, block.end = len(group), end - num_new
    ids = torch.zeros((len(group), num_new), dtype=torch.long)
    mask = torch.zeros((len(group), end), dtype=torch.long)
    reused = []
    for i, unit in enumerate(group):
        first = end - len(unit.tokens)
        reused.append(max(0, len(unit.tokens) - num_new))
        new = unit.tokens[reused[i] :]
        ids[i, num_new - len(new) :] = torch.tensor(new)
        mask[i, first:] = 1
        for a, b, segments in cache.fetch(unit.tokens, reused[i], unit.job.namespace) if reused[i] else ():
            block.write(i, slice(first + a, first + b), segments)
    block.mask.copy_(mask)
    return block, ids.to(model.device), reused


def compute(
    model: CausalModel, block: KVBlock, ids: Tensor, max_tokens: int, *, want_hidden: bool = False
) -> ForwardResult:
    """Computes the last tokens [rows, T >= 1] of prompts in a block, at most about `max_tokens` in one forward pass."""
    positions = (block.mask.cumsum(dim=1) - 1).clamp_(min=0)[:, -ids.shape[1] :]
    stride = max(1, max_tokens // len(ids))
    for a in range(0, ids.shape[1], stride):
        chunk = slice(a, a + stride)
        result = model.forward(block, ids[:, chunk], positions[:, chunk], want_hidden=want_hidden)
    return result
