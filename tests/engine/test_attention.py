"""Attention with shared heads: transformers' numbers. Its versions differ among each other in the last digits."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch
from tiny_models import make_checkpoint
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from mcts_math.engine.hf.attention import NAME, attend
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.messages import Sampling
from mcts_math.requests import Generate


class Grouped(torch.nn.Module):
    """What transformers' function reads of the module that it works for."""

    num_key_value_groups = 3
    is_causal = True


@pytest.mark.parametrize("value_width", [16, 10])
@pytest.mark.parametrize("num_new", [1, 5])
def test_it_is_what_transformers_computes(num_new: int, value_width: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(4, num_new, 6, 16).transpose(1, 2)
    buffer = torch.randn(4, 8, 40, 16)  # keys and values are a window of it
    keys, values = buffer[:, 2:4, 3:33], buffer[:, 4:6, 3:33, :value_width]
    mask = torch.rand(4, 1, num_new, 30) < 0.7
    mask[..., -1] = True
    arguments = (query, keys, values, mask)
    ours, theirs = (
        attend(Grouped(), *arguments, scaling=0.3),
        sdpa_attention_forward(Grouped(), *arguments, scaling=0.3),
    )
    torch.testing.assert_close(ours, theirs)
    query.requires_grad_()
    learning, _ = attend(Grouped(), *arguments, scaling=0.3)
    learning.sum().backward()
    assert query.grad is not None
    torch.testing.assert_close(learning, theirs[0])


def test_what_more_than_a_mask_says_is_left_to_transformers() -> None:
    query, keys = torch.randn(1, 6, 1, 16), torch.randn(1, 2, 8, 16)
    mask, bias = torch.ones(1, 1, 1, 8, dtype=torch.bool), torch.randn(1, 6, 1, 8)
    more = {"scaling": 0.3, "position_bias": bias}
    ours, theirs = (act(Grouped(), query, keys, keys, mask, **more) for act in (attend, sdpa_attention_forward))
    plain, _ = attend(Grouped(), query, keys, keys, mask, scaling=0.3)
    assert torch.equal(ours[0], theirs[0])
    assert not torch.allclose(ours[0], plain)


@pytest.mark.parametrize("family", ["llama", "qwen3", "mistral"])
def test_models_on_a_cpu_use_it_and_write_the_same(tmp_path: Path, family: str) -> None:
    folder = make_checkpoint(tmp_path / family, family)
    written = []
    for attn in (None, "sdpa"):
        engine = HFEngine.load(str(folder), need_value=True, device="cpu", attn=attn)
        assert (engine.model.raw.config._attn_implementation == NAME) == (attn is None)

        async def ask(engine: HFEngine = engine) -> list[tuple[float, list[str], list[float]]]:
            prompts = [Generate("some words" * n, 3, Sampling(1.0, max_tokens=20), n, want_value=True) for n in (1, 3)]
            replies = await asyncio.gather(*map(engine.generate, prompts))
            await engine.close()
            return [
                (reply.value or 0.0, [one.text for one in reply.samples], [one.logprob for one in reply.samples])
                for reply in replies
            ]

        written.append(asyncio.run(ask()))
    for (value, texts, logprobs), (their_value, their_texts, their_logprobs) in zip(*written, strict=True):
        assert texts == their_texts
        assert logprobs == pytest.approx(their_logprobs, abs=1e-4)
        assert value == pytest.approx(their_value, abs=1e-5)
