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
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

_SPARE_COLUMNS = 64
_SPARE_LEFT = 32


class WindowLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """One layer's view of a `KVBlock`, in the form in which transformers' attention asks for its cache."""

    def __init__(self, block: KVBlock, key_plane: int, value_plane: int) -> None:
        super().__init__()
        self.block = block
        self.key_plane = key_plane
        self.value_plane = value_plane
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Writes the new keys and values [B, H, T, D] behind the window and returns window and new ones together."""
        block = self.block
        start, end, rows = block.start, block.end, block.num_rows
        new_end = end + key_states.shape[2]
        keys, values = block.planes[self.key_plane], block.planes[self.value_plane]
        keys[:rows, :, end:new_end] = key_states
        values[:rows, :, end:new_end] = value_states
        return keys[:rows, :, start:new_end], values[:rows, :, start:new_end]

    def get_seq_length(self) -> int:
        """Columns before the tokens that are being computed, padding included."""
        return self.block.end - self.block.start


class KVLayout:
    """Which keys and values a model keeps: one plane for the keys and one for the values of every layer that has any.

    Attributes:
        shapes: (heads, width) of each plane.
        dtypes, devices: of each plane.
        layers: for every layer the numbers of its two planes, or None where it keeps nothing (it shares another's).
        bytes_per_token: bytes that one token of one row takes in all planes together.
    """

    def __init__(self, probed: DynamicCache) -> None:
        """Args:
        probed: the cache that a forward pass over a few tokens has filled.
        """
        self.shapes: list[tuple[int, int]] = []
        self.dtypes: list[torch.dtype] = []
        self.devices: list[torch.device] = []
        self.layers: list[tuple[int, int] | None] = []
        for layer in probed.layers:
            if layer.keys is None or layer.keys.numel() == 0:
                self.layers.append(None)
                continue
            self.layers.append((len(self.shapes), len(self.shapes) + 1))
            for tensor in (layer.keys, layer.values):
                self.shapes.append((tensor.shape[1], tensor.shape[3]))
                self.dtypes.append(tensor.dtype)
                self.devices.append(tensor.device)
        sizes = zip(self.shapes, self.dtypes, strict=True)
        self.bytes_per_token = sum(heads * width * dtype.itemsize for (heads, width), dtype in sizes)

    def allocate(self, rows: int, columns: int) -> list[Tensor]:
        """Planes [rows, heads, columns, width] of zeros: masked columns are multiplied by zero, so must be finite."""
        return [
            torch.zeros((rows, heads, columns, width), dtype=dtype, device=device)
            for (heads, width), dtype, device in zip(self.shapes, self.dtypes, self.devices, strict=True)
        ]


class Workspace:
    """Memory for the planes of short-lived blocks, one after another.

    Fresh pages cost a CPU more than their zeros do, most of all where many processes share the machine: allocating
    blocks of a few hundred prompts anew took half of the time of a search with thousands of sandboxes (py-spy, once).
    """

    def __init__(self, layout: KVLayout) -> None:
        self._layout = layout
        self._memory: list[Tensor] = []

    def planes(self, rows: int, columns: int) -> list[Tensor]:
        """Planes of zeros as of `KVLayout.allocate`, in the memory of the planes that were handed out before."""
        cells = rows * columns
        if not self._memory or any(
            flat.numel() < cells * heads * width
            for flat, (heads, width) in zip(self._memory, self._layout.shapes, strict=True)
        ):
            self._memory.clear()  # freed first: both together may not fit
            self._memory = [plane.flatten() for plane in self._layout.allocate(1, cells)]
        return [
            flat[: cells * heads * width].view(rows, heads, columns, width).zero_()
            for flat, (heads, width) in zip(self._memory, self._layout.shapes, strict=True)
        ]


class KVBlock:
    """Keys, values and mask of up to `rows` sequences that end at a common column.

    Attributes:
        planes: [row capacity, heads, column capacity, width] each.
        mask: [row capacity, column capacity], int64: 1 where a column holds a token of the row.
        num_rows: rows in use, the first ones.
        start, end: the window of columns in use.
        cache: the `Cache` to pass to the model.
    """

    def __init__(
        self, layout: KVLayout, device: torch.device, rows: int, columns: int, workspace: Workspace | None = None
    ) -> None:
        """Args:
        workspace: where the planes come from; the block must not outlive the next one that is made from it.
        """
        self.layout = layout
        self.device = device
        self.planes = layout.allocate(rows, columns) if workspace is None else workspace.planes(rows, columns)
        self.mask = torch.zeros((rows, columns), dtype=torch.long, device=device)
        self.num_rows = 0
        self.start = 0
        self.end = 0
        # A layer without planes of its own is never asked to update; it gets an ordinary, empty one.
        self.cache = Cache(layers=[WindowLayer(self, *p) if p is not None else DynamicLayer() for p in layout.layers])

    @property
    def width(self) -> int:
        """Columns of the window: the length of its longest row."""
        return self.end - self.start

    def advance(self, num_tokens: int) -> None:
        """The model has written `num_tokens` columns behind the window."""
        self.end += num_tokens

    def window_mask(self, num_new: int) -> Tensor:
        """Mask [num_rows, width + num_new] of window and new columns, for the model."""
        return self.mask[: self.num_rows, self.start : self.end + num_new]

    def reserve(self, rows: int, end: int, room: int) -> None:
        """Makes room for `rows` rows and `room` more columns, behind a window that ends at column `end` or later.

        Contents keep their place relative to the end of the window.
        """
        have_rows, have_columns = self.mask.shape
        if rows <= have_rows and end <= self.end and self.end + room <= have_columns:
            return
        new_end = max(end, self.width)  # as far left as the longest row allows
        if self.num_rows and end > self.end:
            new_end += _SPARE_LEFT  # a longer row joins others: it may not be the last one
        wanted = new_end + max(room, _SPARE_COLUMNS)  # a move must last for a while
        if rows > have_rows or wanted > have_columns:
            columns = max(have_columns, wanted + new_end // 4)
            self._move(new_end, self.layout.allocate(max(rows, have_rows), columns))
        else:
            self._move(new_end, None)

    def _move(self, new_end: int, into: list[Tensor] | None) -> None:
        """Moves the window so that it ends at `new_end`, into new planes or within the present ones."""
        rows, old = self.num_rows, slice(self.start, self.end)
        new = slice(new_end - self.width, new_end)
        mask = self.mask[:rows, old].clone()
        if into is None:
            self.mask.zero_()
        else:
            self.mask = torch.zeros((into[0].shape[0], into[0].shape[2]), dtype=torch.long, device=self.device)
        self.mask[:rows, new] = mask
        for number, plane in enumerate(self.planes):
            if into is None:
                plane[:rows, :, new] = plane[:rows, :, old].clone()  # source and target may overlap
            else:
                into[number][:rows, :, new] = plane[:rows, :, old]
                self.planes[number] = into[number]  # plane by plane, so that the old one is freed at once
        self.start, self.end = new.start, new.stop

    def trim(self, width: int) -> None:
        """The longest row has become `width` tokens: columns left of it are of no use."""
        self.start = self.end - width

    def write(self, row: int, columns: slice, segments: Sequence[Tensor]) -> None:
        """Writes the keys and values [H, T, D] of one row into some columns."""
        for plane, segment in zip(self.planes, segments, strict=True):
            plane[row, :, columns] = segment

    def read(self, row: int, first: int, last: int, length: int) -> list[Tensor]:
        """Copies of the keys and values [H, last - first, D] of tokens first..last-1 of a row of `length` tokens."""
        offset = self.end - length
        return [plane[row, :, offset + first : offset + last].clone() for plane in self.planes]

    def join(self, rows: slice, source: KVBlock, source_row: int, length: int) -> None:
        """Copies a row of another block, of `length` tokens, into each of `rows`."""
        mine, theirs = slice(self.end - length, self.end), slice(source.end - length, source.end)
        for plane, other in zip(self.planes, source.planes, strict=True):
            plane[rows, :, mine] = other[source_row : source_row + 1, :, theirs]
        self.mask[rows] = 0
        self.mask[rows, mine] = 1
        self.start = min(self.start, mine.start)

    def copy_rows(self, sources: Sequence[int]) -> None:
        """Adds a copy of each of some rows behind the rows in use, for which there must be room (`reserve`)."""
        window, last = slice(self.start, self.end), self.num_rows + len(sources)
        targets, index = slice(self.num_rows, last), torch.tensor(sources, dtype=torch.long, device=self.device)
        for plane in self.planes:
            plane[targets, :, window] = plane[index, :, window]
        self.mask[targets] = self.mask[index]
        self.num_rows = last

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was; all rows in use are of one length."""
        window = slice(self.start, self.end)
        for plane in self.planes:
            plane[: len(rows), :, window] = plane[rows, :, window]

    def wipe(self, row: int) -> None:
        """Zeros a row: what it leaves behind must be finite."""
        for plane in self.planes:
            plane[row] = 0

    def move_row(self, source: int, target: int) -> None:
        """Copies one row over another."""
        window = slice(self.start, self.end)
        for plane in self.planes:
            plane[target, :, window] = plane[source, :, window]
        self.mask[target] = self.mask[source]
