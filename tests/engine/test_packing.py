"""Matrices that are laid out ahead of time compute what they did before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_models import Reference
from torch import nn

from mcts_math.engine.hf import packing
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.packing import PackedLinear, pack
from mcts_math.engine.spec import AdapterOptions
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_large_layers_are_packed_and_compute_the_same(bias: bool, dtype: torch.dtype) -> None:
    if dtype == torch.bfloat16 and not packing._has_bfloat16():
        pytest.skip("this CPU has no instructions for bfloat16")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(192, 8192, bias=bias), nn.Linear(8192, 2, bias=bias)).to(dtype)
    inputs = [torch.randn(*shape, 192, dtype=dtype) for shape in ((1,), (3,), (2, 5), (70,))]
    with torch.inference_mode():
        before = [model(some) for some in inputs]
        pack(model)
        assert [type(layer) for layer in model] == [PackedLinear, nn.Linear]
        assert model[0].weight.dtype == dtype  # which models look at before they compute
        for some, expected in zip(inputs, before, strict=True):
            torch.testing.assert_close(model(some), expected)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_samples_and_values_of_a_packed_model(
    checkpoint: Callable[[str], Path], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_SMALLEST", dict.fromkeys(packing._SMALLEST, 0))
    engine, reference = HFEngine.load(checkpoint(family), need_value=True), Reference(checkpoint(family))
    assert any(isinstance(layer, PackedLinear) for layer in engine.model.raw.modules())

    async def ask() -> None:
        reply = await engine.generate(Generate("1 + 1 = ", 4, Sampling(1.0, max_tokens=20), 5))
        for sample in reply.samples:
            written = sample.text + ("</s>" if sample.finish == "stop" else "")
            assert sample.logprob == pytest.approx(reference.logprob("1 + 1 = ", written), abs=2e-4)
        value = (await engine.evaluate(Evaluate("1 + 1 = "))).value
        assert value == pytest.approx(reference.value("1 + 1 = "), abs=1e-5)
        await engine.close()

    asyncio.run(ask())


def test_a_model_that_learns_is_left_as_it_is(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_SMALLEST", dict.fromkeys(packing._SMALLEST, 0))
    engine = HFEngine.load(checkpoint("llama"), adapter=AdapterOptions())
    assert not any(isinstance(layer, PackedLinear) for layer in engine.model.raw.modules())
    asyncio.run(engine.close())


@pytest.mark.parametrize("supported", [True, False])
def test_bfloat16_is_packed_where_the_cpu_has_it(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    if supported and not packing._has_bfloat16():
        pytest.skip("this CPU has no instructions for bfloat16")
    monkeypatch.setattr(packing, "_SMALLEST", dict.fromkeys(packing._SMALLEST, 0))
    monkeypatch.setattr(packing, "_has_bfloat16", lambda: supported)
    engine = HFEngine.load(checkpoint("llama"), dtype="bfloat16")
    assert any(isinstance(layer, PackedLinear) for layer in engine.model.raw.modules()) == supported
    asyncio.run(engine.close())
