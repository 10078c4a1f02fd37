"""Keys and values of a running batch, in buffers that rows join and leave.

transformers' `DynamicCache` copies all keys and values at every token (`torch.cat`) and has no way to add a row to a
running batch. `KVBlock` keeps the same contents in buffers with room to spare: sequences end at a common column, as in
a left-padded batch, so that any architecture that `generate` can run on left-padded prompts runs on it unchanged, with
the masks that transformers itself makes; a new token is written in place, and a row is joined by one copy a layer.

    column      0 1 2 3 4 5 6 7 8 9        A row's tokens are the last columns of the window [start, end). Columns to
    row 0       . . . a b c d e | .        their left hold leftovers or zeros: finite, and masked. `end` moves right by
    row 1       . . . . . x y z | .        one a token; where it reaches the end of the buffer the window is moved back.
                      ^start    ^end
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

Segments = list[Tensor]
"""Keys and values [1, H, T, D] of a layer; empty where it keeps none."""

_SPARE_COLUMNS = 64
_SPARE_LEFT = 32


@dataclass(frozen=True, slots=True)
class HeadSlice:
    buffer: int
    heads: slice


class WindowLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """One layer's view of a `KVBlock`, in the form in which transformers' attention asks for its cache."""

    def __init__(self, block: KVBlock, keys_at: HeadSlice, values_at: HeadSlice, ahead: Segments) -> None:
        super().__init__()
        self.block = block
        self.keys_at = keys_at
        self.values_at = values_at
        self.ahead = ahead
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Writes the new keys and values [B, H, T, D] behind the window and returns window and new ones together."""
        both = self._extend(self.keys_at, key_states), self._extend(self.values_at, value_states)
        if not self.ahead:
            return both
        keys, values = (
            torch.cat((first.expand(len(states), -1, -1, -1), states), dim=2)
            for first, states in zip(self.ahead, both, strict=True)
        )
        return keys, values

    def _extend(self, heads_at: HeadSlice, states: Tensor) -> Tensor:
        block = self.block
        new_end = block.end + states.shape[2]
        kept = block.buffers[heads_at.buffer][: block.num_rows, heads_at.heads]
        kept[:, :, block.end : new_end] = states
        return kept[:, :, block.start : new_end]

    def get_seq_length(self) -> int:
        """Columns before the tokens that are being computed, padding and prefix included."""
        return self.block.layout.num_ahead + self.block.end - self.block.start


class KVLayout:
    """Which keys and values a model keeps, and where.

    Keys and values of all layers lie side by side, as heads of one buffer: a row is then copied at one go, not layer by
    layer. There are several buffers where layers differ in width, dtype or device.
    """

    def __init__(self, probed: DynamicCache, prefix: Sequence[Segments] = ()) -> None:
        """`probed`: the cache that a forward pass over a few tokens has filled; `prefix`: see `ahead`."""
        # keys and values of a prefix that stands in front of every row, a pair a layer; empty where there is none
        self.ahead = list(prefix)
        self.num_ahead = self.ahead[0][0].shape[2] if self.ahead else 0  # its columns
        # heads of each buffer, by its width, dtype and device
        self.heads: dict[tuple[int, torch.dtype, torch.device], int] = {}
        # for every layer the slices of its keys and values, or None where it keeps nothing (it shares another's)
        self.layers: list[tuple[HeadSlice, HeadSlice] | None] = []
        for layer in probed.layers:
            if layer.keys is None or layer.keys.numel() == 0:
                self.layers.append(None)
            else:
                self.layers.append((self._add(layer.keys), self._add(layer.values)))
        # of one row, in all buffers together
        self.bytes_per_token = sum(heads * width * dtype.itemsize for (width, dtype, _), heads in self.heads.items())

    def _add(self, states: Tensor) -> HeadSlice:
        """Heads for states [B, H, T, D] like these."""
        kind = (states.shape[3], states.dtype, states.device)
        first = self.heads.get(kind, 0)
        self.heads[kind] = first + states.shape[1]
        return HeadSlice(list(self.heads).index(kind), slice(first, self.heads[kind]))

    @property
    def slices(self) -> list[HeadSlice]:
        return [heads_at for slices in self.layers if slices is not None for heads_at in slices]

    def allocate(self, rows: int, columns: int) -> list[Tensor]:
        """Buffers [rows, heads, columns, width] of zeros: masked columns are multiplied by zero, so must be finite."""
        return [
            torch.zeros((rows, heads, columns, width), dtype=dtype, device=device)
            for (width, dtype, device), heads in self.heads.items()
        ]


class Workspace:
    """Memory for the buffers of short-lived blocks, one after another. Fresh pages cost a CPU more than their zeros do:
    allocating blocks of a few hundred prompts anew took half of the time of a search with thousands of sandboxes."""

    def __init__(self, layout: KVLayout, max_cells: int) -> None:
        """`max_cells`: rows times columns that it grows to ahead of need; a block that needs more gets more."""
        self._layout = layout
        self._max_cells = max_cells
        self._memory: list[Tensor] = []
        self._cells = -1  # rows times columns of the memory

    def buffers(self, rows: int, columns: int) -> list[Tensor]:
        """Buffers of zeros as of `KVLayout.allocate`, in the memory of the buffers that were handed out before."""
        cells = rows * columns
        if self._cells < cells:
            self._cells = -1
            self._memory.clear()  # freed first: both together may not fit
            ahead = max(cells, min(2 * cells, self._max_cells))
            self._memory = [buffer.flatten() for buffer in self._layout.allocate(1, ahead)]
            self._cells = ahead
        return [
            flat[: cells * heads * width].view(rows, heads, columns, width).zero_()
            for flat, ((width, _, _), heads) in zip(self._memory, self._layout.heads.items(), strict=True)
        ]


class KVBlock:
    """Keys, values and mask of up to `rows` sequences that end at a common column."""

    def __init__(
        self, layout: KVLayout, device: torch.device, rows: int, columns: int, workspace: Workspace | None = None
    ) -> None:
        """A block must not outlive the next one that is made from its `workspace`, where the buffers come from."""
        self.layout = layout
        self.device = device
        # [row capacity, heads, column capacity, width] each
        self.buffers = layout.allocate(rows, columns) if workspace is None else workspace.buffers(rows, columns)
        # [row capacity, column capacity], int64: 1 where a column holds a token of the row
        self.mask = torch.zeros((rows, columns), dtype=torch.long, device=device)
        self.num_rows = 0  # rows in use, the first ones
        self.start = 0  # the window of columns in use
        self.end = 0
        # A layer without buffers of its own is never asked to update; it gets an ordinary, empty one.
        ahead: Sequence[Segments] = layout.ahead or [[]] * len(layout.layers)
        # the `Cache` to pass to the model
        self.cache = Cache(
            layers=[
                WindowLayer(self, *at, first) if at is not None else DynamicLayer()
                for at, first in zip(layout.layers, ahead, strict=True)
            ]
        )

    @property
    def width(self) -> int:
        return self.end - self.start

    def window_mask(self, num_new: int) -> Tensor:
        """Mask [num_rows, prefix + width + num_new] of prefix, window and new columns, for the model."""
        mask = self.mask[: self.num_rows, self.start : self.end + num_new]
        ahead = self.layout.num_ahead
        return torch.cat((mask.new_ones((len(mask), ahead)), mask), dim=1) if ahead else mask

    def reserve(self, rows: int, end: int, room: int, most_rows: int = 0, most_cells: int = 0) -> None:
        """Makes room for `rows` rows and `room` more columns, behind a window that ends at column `end` or later.

        Contents keep their place relative to the end of the window. More room is made than was asked for, since each
        move is a copy of everything: up to `most_rows` rows, and up to `most_cells` (rows times columns; 0: no bound).
        """
        have_rows, have_columns = self.mask.shape
        if rows <= have_rows and end <= self.end and self.end + room <= have_columns:
            return
        new_end = max(end, self.width)  # as far left as the longest row allows
        if self.num_rows and end > self.end:
            new_end += _SPARE_LEFT  # a longer row joins others: it may not be the last one
        wanted = new_end + max(room, _SPARE_COLUMNS)  # a move must last for a while
        if rows > have_rows or wanted > have_columns:
            ahead = have_rows if rows <= have_rows else max(rows, min(2 * have_rows, most_rows))
            columns = max(have_columns, wanted + new_end // 4)
            if most_cells:  # room for rows that have left is not kept
                columns = max(wanted, min(columns, most_cells // max(rows, 1)))
                ahead = max(rows, min(ahead, most_cells // columns))
            self._move(new_end, self.layout.allocate(ahead, columns))
        else:
            self._move(new_end, None)

    def _move(self, new_end: int, into: list[Tensor] | None) -> None:
        """Moves the window so that it ends at `new_end`, into new buffers or within the present ones."""
        rows, old = self.num_rows, slice(self.start, self.end)
        new = slice(new_end - self.width, new_end)
        mask = self.mask[:rows, old].clone()
        if into is None:
            self.mask.zero_()
        else:
            self.mask = torch.zeros((into[0].shape[0], into[0].shape[2]), dtype=torch.long, device=self.device)
        self.mask[:rows, new] = mask
        if into is None:
            for heads_at in self.layout.slices:  # not all at once: a copy is made, since source and target may overlap
                kept = self.buffers[heads_at.buffer][:rows, heads_at.heads]
                kept[:, :, new] = kept[:, :, old].clone()
        else:
            for number, buffer in enumerate(self.buffers):
                into[number][:rows, :, new] = buffer[:rows, :, old]
                self.buffers[number] = into[number]
        self.start, self.end = new.start, new.stop

    def write(self, row: int, columns: slice, segments: Sequence[Tensor]) -> None:
        """Writes the keys and values [H, T, D] of one row into some columns."""
        for buffer, segment in zip(self.buffers, segments, strict=True):
            buffer[row, :, columns] = segment

    def read(self, row: int, first: int, last: int, length: int) -> list[Tensor]:
        """Copies of the keys and values [H, last - first, D] of tokens first..last-1 of a row of `length` tokens."""
        offset = self.end - length
        return [buffer[row, :, offset + first : offset + last].clone() for buffer in self.buffers]

    def join(self, rows: slice, source: KVBlock, source_row: int, length: int) -> None:
        """Copies a row of another block, of `length` tokens, into each of `rows`."""
        mine, theirs = slice(self.end - length, self.end), slice(source.end - length, source.end)
        for buffer, other in zip(self.buffers, source.buffers, strict=True):
            buffer[rows, :, mine] = other[source_row : source_row + 1, :, theirs]
        self.mask[rows] = 0
        self.mask[rows, mine] = 1
        self.start = min(self.start, mine.start)

    def copy_row(self, source: int, target: int, length: int) -> None:
        """Copies a row of `length` tokens over another, which may be one behind the rows in use."""
        columns = slice(self.end - length, self.end)
        for buffer in self.buffers:
            buffer[target, :, columns] = buffer[source, :, columns]
        self.mask[target] = self.mask[source]

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was; all rows in use are of one length."""
        window = slice(self.start, self.end)
        for heads_at in self.layout.slices:  # not all at once: a copy is made
            kept = self.buffers[heads_at.buffer][:, heads_at.heads, window]
            kept[: len(rows)] = kept[rows]

    def wipe(self, row: int) -> None:
        """Zeros a row: what it leaves behind must be finite."""
        for buffer in self.buffers:
            buffer[row] = 0
