"""Token-level beam search against transformers' `generate`, and what is the engine's own about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_models import Reference

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.errors import EngineError
from mcts_math.requests import Generate, Generation, Sampling


def beams(engine: HFEngine, prompt: str, width: int, max_tokens: int, stop: tuple[str, ...] = ()) -> Generation:
    sampling = Sampling(0.0, max_tokens=max_tokens, stop=stop, beam_width=width)
    return asyncio.run(engine.generate(Generate(prompt, width, sampling, 0)))


@pytest.mark.parametrize("family", ["llama", "qwen3", "mistral", "gemma2"])
def test_the_hypotheses_are_those_of_generate(family: str, checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(family)
    engine, reference = HFEngine.load(folder, device="cpu"), Reference(folder)
    for prompt, width, most in (("1+1=", 4, 12), ("a much longer prompt, of many characters: ", 7, 20), ("x", 2, 1)):
        ids = torch.tensor([reference.encode(prompt)])
        theirs = reference.model.generate(
            ids, attention_mask=torch.ones_like(ids), num_beams=width, num_return_sequences=width, do_sample=False,
            max_new_tokens=most, early_stopping=False, length_penalty=1.0, return_dict_in_generate=True,
            output_scores=True,
        )  # fmt: skip
        wanted = []
        for sequence in theirs.sequences[:, ids.shape[1] :].tolist():
            wanted.append(reference.tokenizer.decode([t for t in sequence if t != reference.tokenizer.eos_token_id]))
        mine = beams(engine, prompt, width, most).samples
        assert [sample.text for sample in mine] == wanted
        scores = [sample.logprob / sample.num_tokens for sample in mine]
        assert scores == pytest.approx(theirs.sequences_scores.tolist(), abs=1e-4)
    asyncio.run(engine.close())


def test_a_stop_string_ends_a_hypothesis(checkpoint: Callable[[str], Path]) -> None:
    engine, reference = HFEngine.load(checkpoint("llama"), device="cpu"), Reference(checkpoint("llama"))
    free = beams(engine, "1+1=", 4, 10).samples
    stop = free[0].text[2:4]
    for sample in beams(engine, "1+1=", 4, 10, (stop,)).samples:
        assert stop not in sample.text
        whole = sample.text + (stop if sample.finish == "stop" and sample.num_tokens > len(sample.text) + 1 else "")
        if whole != sample.text:
            assert sample.logprob == pytest.approx(reference.logprob("1+1=", whole), abs=1e-3)
    asyncio.run(engine.close())


def test_beams_and_samples_share_an_engine(checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), device="cpu")
    alone = beams(engine, "abc", 5, 8)

    async def both() -> None:
        wide = Sampling(0.0, max_tokens=8, beam_width=5)
        sampled = [engine.generate(Generate("abc", 2, Sampling(1.0, max_tokens=30), i)) for i in range(4)]
        found = await asyncio.gather(engine.generate(Generate("abc", 5, wide, 0)), *sampled)
        assert found[0].samples == alone.samples
        assert all(len(reply.samples) == 2 for reply in found[1:])

    asyncio.run(both())
    asyncio.run(engine.close())


def test_the_context_ends_a_hypothesis(checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), device="cpu")
    prompt = "x" * 120
    for sample in beams(engine, prompt, 3, 50).samples:
        assert sample.num_tokens <= 128 - 121
        assert sample.finish == "length" or sample.num_tokens < 7
    asyncio.run(engine.close())


@pytest.mark.parametrize(
    "request_",
    [
        Generate("x", 5, Sampling(0.0, beam_width=4), 0),
        Generate("x", 2, Sampling(0.7, beam_width=4), 0),
        Generate("x", 2, Sampling(0.0, beam_width=4), 0, want_value=True),
    ],
)
def test_requests_that_make_no_sense(request_: Generate, checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), device="cpu", need_value=True)
    with pytest.raises(EngineError, match="beam search"):
        asyncio.run(engine.generate(request_))
    assert asyncio.run(engine.generate(Generate("x", 1, Sampling(0.0, max_tokens=2), 0))).samples
    asyncio.run(engine.close())
