"""The processes of a training (`torchrun`, or one alone), and what those of a tuning tell each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def rank() -> int:
    """The number of this process among those of the training; the first one stands for all."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def processes(device: str) -> Iterator[None]:
    """Makes the processes know each other, by gloo where they compute on a CPU; on GPUs each takes one of its own."""
    if world() == 1:
        yield
        return
    on_gpu = torch.cuda.is_available() and not device.startswith("cpu")
    if on_gpu:  # NCCL sends objects by way of the current device too
        torch.cuda.set_device(own_device(device))
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def own_device(device: str) -> str:
    """The device of this process, of those that `auto` and `cuda` stand for."""
    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"


def gather(one: T) -> list[T]:
    """What all processes have, by rank; tensors must be on the CPU."""
    if world() == 1:
        return [one]
    found: list[Any] = [None] * world()
    torch.distributed.all_gather_object(found, one)
    return found
