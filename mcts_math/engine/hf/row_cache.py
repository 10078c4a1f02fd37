"""Keys and values of one sequence as constants, for learning on top of them."""

from __future__ import annotations

from collections.abc import Sequence

from transformers.cache_utils import Cache, DynamicLayer

from mcts_math.engine.hf.kv_cache import KVBlock, Segments


def read_row(block: KVBlock) -> list[Segments]:
    """Copies of keys and values of a block's only row, layer by layer."""
    window = slice(block.start, block.end)
    return [
        [block.buffers[at.buffer][:1, at.heads, window].clone() for at in slices or ()]
        for slices in block.layout.layers
    ]


def cache_of(layers: Sequence[Segments]) -> Cache:
    """A cache of transformers that begins with given keys and values, and leaves them as they are."""
    made = []
    for segments in layers:
        layer = DynamicLayer()
        if segments:
            layer.update(*segments)
        made.append(layer)
    return Cache(layers=made)
