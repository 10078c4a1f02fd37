"""The engine on another device than the CPU, where there is no GPU: tensors with a device and a shape, no numbers.

Meta tensors refuse operands on two devices, shapes and dtypes that do not fit. What they can't show is what a GPU's
kernels compute. Where the engine reads numbers back, zeros stand for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES

from mcts_math.engine.hf import model as loading
from mcts_math.engine.hf.adapters import Adapters
from mcts_math.engine.hf.arguments import BatchLimits, HFArguments
from mcts_math.engine.hf.batch import Batch
from mcts_math.engine.hf.lessons import Lesson, Term
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.sequence import Job
from mcts_math.engine.spec import AdapterOptions
from mcts_math.messages import Sampling

TIGHT = BatchLimits(max_batch_size=5, max_batch_tokens=200, max_prefill_tokens=23, prefix_cache_tokens=300)
GREEDY, WARM = Sampling(0.0, max_tokens=9), Sampling(0.8, top_p=0.9, max_tokens=12, want_certainty=True)


def zeros(tensor: torch.Tensor) -> Any:
    """What a meta tensor is read as."""
    return torch.zeros(tensor.shape, dtype=tensor.dtype).tolist()


@pytest.fixture
def load(checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], CausalModel]:
    """Loads a model of a family onto a device that computes nothing, in half precision as on a GPU."""
    read, truth = torch.Tensor.tolist, torch.Tensor.__bool__
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: zeros(self) if self.is_meta else read(self))
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: float(self.tolist()))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda self: self.is_meta or truth(self))
    monkeypatch.setattr(loading, "choose_device", lambda device: torch.device("meta"))
    arguments = HFArguments(device="cuda", dtype="bfloat16")
    return lambda family: loading.load_model(checkpoint(family), arguments, need_value=True)


def work_off(batch: Batch, jobs: list[Job]) -> list[Job]:
    for job in jobs:
        batch.add(job)
    done: list[Job] = []
    while not batch.is_idle:
        done += batch.step()
    return done


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_never_mixes_devices(load: Callable[[str], CausalModel], family: str) -> None:
    """Admission, prompts in parts, cached prefixes, rows that fork, wait and leave, values: all on one device."""
    model = load(family)
    with pytest.raises(RuntimeError, match="meta"):  # what would be left on the CPU is noticed
        torch.ones(2) + torch.ones(2, device=model.device)
    assert model.device.type == "meta"
    stem = tuple(range(3, 30))
    jobs = [Job((0, *stem[: 3 * i]), i % 4, (GREEDY, WARM)[i % 2], i, want_value=True) for i in range(9)]
    done = work_off(Batch(model, TIGHT), jobs)
    assert len(done) == 9
    assert all(len(job.samples) == job.num_samples for job in done)


def test_adapters_learn_and_sample_there(load: Callable[[str], CausalModel]) -> None:
    model = load("llama")
    adapters = Adapters(model, AdapterOptions())
    batch = Batch(model, TIGHT, adapters)
    lesson = Lesson((Term((0, 5, 6, 7, 8, 9), 4, 1.0),), seed=1)
    adapters.step("a", lesson, lambda tokens: batch.recall(tokens, "a"))
    work_off(batch, [Job((0, 5, 6), 2, WARM, 1, adapter="a"), Job((0, 7), 1, GREEDY, 2)])
    adapters.release("a")
