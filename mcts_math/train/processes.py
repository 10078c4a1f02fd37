"""What the processes of a tuning tell each other (`torchrun`, or one alone)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mcts_math.train.resume import world


@contextmanager
def processes(device: str) -> Iterator[None]:
    """Makes the processes know each other, by gloo where they compute on a CPU."""
    if world() == 1:
        yield
        return
    on_gpu = torch.cuda.is_available() and not device.startswith("cpu")
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def gather(tensor: Tensor) -> Sequence[Tensor]:
    """The tensors of all processes, by rank."""
    if world() == 1:
        return [tensor]
    found = [torch.empty_like(tensor) for _ in range(world())]
    torch.distributed.all_gather(found, tensor)
    return found


def gather_figures(one: dict[str, float]) -> list[dict[str, float]]:
    """The figures of all processes, by rank."""
    found: list[Any] = [one]
    if world() > 1:
        found = [None] * world()
        torch.distributed.all_gather_object(found, one)
    return found


def add_up(tensors: Sequence[Tensor]) -> None:
    """Makes each the sum over all processes."""
    if world() > 1:
        for tensor in tensors:
            torch.distributed.all_reduce(tensor)
