"""What every engine must do, checked from outside: through `requests` alone and against a plain forward pass."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from engines import Kept, close_while_busy
from tiny_models import CONTEXT, Served

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.errors import EngineError
from mcts_math.messages import Sample, Sampling
from mcts_math.requests import Evaluate, Generate, Generation, Policy, ValueModel

T = TypeVar("T")
PROMPTS = ["1 + 1 = ", "Tom has 3 apples.\n", "x", " a leading space, and a rather longer prompt than the others "]
WARM = Sampling(temperature=0.8, max_tokens=24)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


async def ask(served: Served, *requests: Generate) -> list[Generation]:
    return list(await asyncio.gather(*map(served.engine.generate, requests)))


def test_engine_meets_both_protocols(served: Served) -> None:
    assert isinstance(served.engine, Policy)
    assert isinstance(served.engine, ValueModel)


def test_samples_have_the_log_probability_of_a_plain_forward_pass(served: Served) -> None:
    ways = [
        Sampling(0.0, max_tokens=20),
        Sampling(1.0, max_tokens=20),
        Sampling(0.6, top_p=0.8, max_tokens=20),
        Sampling(1.3, top_k=5, max_tokens=20),
    ]
    requests = [Generate(prompt, 3, way, seed=5) for prompt in PROMPTS for way in ways]
    for request, reply in zip(requests, run(ask(served, *requests)), strict=True):
        assert len(reply.samples) == 3
        assert reply.num_prompt_tokens == len(served.reference.encode(request.prompt))
        for sample in reply.samples:
            written = sample.text + ("</s>" if sample.finish == "stop" else "")
            assert sample.num_tokens == served.reference.count(written)
            assert sample.logprob == pytest.approx(served.reference.logprob(request.prompt, written), abs=2e-4)


def test_values_are_those_of_a_plain_forward_pass(served: Served) -> None:
    async def both() -> list[tuple[float | None, float | None]]:
        generations = await ask(served, *(Generate(prompt, 2, WARM, 0, want_value=True) for prompt in PROMPTS))
        evaluations = await asyncio.gather(*(served.engine.evaluate(Evaluate(prompt)) for prompt in PROMPTS))
        return [(g.value, e.value) for g, e in zip(generations, evaluations, strict=True)]

    for prompt, (with_samples, alone) in zip(PROMPTS, run(both()), strict=True):
        assert with_samples == pytest.approx(served.reference.value(prompt), abs=1e-5)
        assert alone == pytest.approx(served.reference.value(prompt), abs=1e-5)


def test_no_value_where_none_is_wanted(llama: Served) -> None:
    assert run(ask(llama, Generate("x", 1, WARM, 0)))[0].value is None


def test_greedy_is_what_generate_writes(served: Served) -> None:
    replies = run(ask(served, *(Generate(prompt, 2, Sampling(0.0, max_tokens=20), 0) for prompt in PROMPTS)))
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        assert [sample.text for sample in reply.samples] == [served.reference.greedy(prompt, 20, served.never)] * 2


def test_a_sample_is_the_same_alone_and_in_company(served: Served) -> None:
    requests = [Generate(prompt, 3, WARM, seed) for prompt in PROMPTS for seed in (1, 2)]
    together = run(ask(served, *requests))
    for request, reply in list(zip(requests, together, strict=True))[::3]:
        alone = run(ask(served, request))[0]
        assert [s.text for s in alone.samples] == [s.text for s in reply.samples]
        assert [s.logprob for s in alone.samples] == pytest.approx([s.logprob for s in reply.samples], abs=2e-4)


def test_samples_differ_by_their_seeds_alone(llama: Served) -> None:
    three, second, other = run(
        ask(llama, Generate("x", 3, WARM, 7), Generate("x", 1, WARM, 8), Generate("x", 3, WARM, 1 << 70))
    )
    texts = [sample.text for sample in three.samples]
    assert len(set(texts)) == 3
    assert second.samples[0].text == texts[1]
    assert other.samples[0].text not in texts


STOPS: list[tuple[str, ...]] = [(), ("e",), ("a", "th", "1"), ("\n", " "), ("never, ever",)]


def test_stop_strings_end_a_sample_and_are_not_part_of_it(served: Served) -> None:
    """All at once: rows in one batch, each with stop strings of its own."""
    for prompt in PROMPTS[:2]:
        asked = (Generate(prompt, 6, Sampling(1.0, max_tokens=40, stop=stop), 3) for stop in STOPS)
        plain, *stopped = run(ask(served, *asked))
        for stop, reply in zip(STOPS[1:], stopped, strict=True):
            for whole, sample in zip(plain.samples, reply.samples, strict=True):
                require_stopped(served, prompt, stop, whole, sample)


def require_stopped(served: Served, prompt: str, stop: tuple[str, ...], whole: Sample, sample: Sample) -> None:
    """A sample is the one without stop strings up to the first of them."""
    at = min((whole.text.find(s) for s in stop if s in whole.text), default=None)
    if at is None:
        assert sample.text == whole.text
        return
    assert sample.text == whole.text[:at]
    assert sample.finish == "stop"
    which = next(s for s in stop if whole.text.startswith(s, at))
    assert sample.num_tokens == served.reference.count(sample.text + which)
    assert sample.logprob == pytest.approx(served.reference.logprob(prompt, sample.text + which), abs=2e-4)


def test_max_tokens_cuts(llama: Served) -> None:
    for most in (1, 2, 9):
        reply = run(ask(llama, Generate("1 + 1 = ", 8, Sampling(1.0, max_tokens=most), 0)))[0]
        for sample in reply.samples:
            assert sample.num_tokens <= most
            assert sample.finish == ("length" if llama.reference.count(sample.text) == most else "stop")


def test_the_end_of_sequence_ends_a_sample(llama: Served) -> None:
    reply = run(ask(llama, Generate("x", 40, Sampling(1.5, max_tokens=60), 0)))[0]
    ended = [sample for sample in reply.samples if sample.finish == "stop"]
    assert ended
    assert not any("</s>" in sample.text for sample in reply.samples)


def test_the_context_ends_a_sample(llama: Served) -> None:
    prompt = "y" * (CONTEXT - 5)  # and BOS
    reply = run(ask(llama, Generate(prompt, 4, Sampling(1.0, max_tokens=100), 0)))[0]
    for sample in reply.samples:
        assert (sample.num_tokens, sample.finish) == (4, "length") or sample.finish == "stop"
    assert any(sample.finish == "length" for sample in reply.samples)


def test_a_prompt_beyond_the_context_is_too_long(llama: Served) -> None:
    async def both(prompt: str) -> tuple[Generation, Any]:
        generate = Generate(prompt, 1, WARM, 0, want_value=True)
        return await llama.engine.generate(generate), await llama.engine.evaluate(Evaluate(prompt))

    for prompt in ("y" * (CONTEXT - 1), "y" * CONTEXT, "y" * 1_000_000):
        generation, evaluation = run(both(prompt))
        assert (generation.samples, generation.value, generation.too_long) == ((), None, True)
        assert generation.num_prompt_tokens >= CONTEXT
        assert (evaluation.value, evaluation.too_long) == (None, True)
    assert not run(both("y" * (CONTEXT - 2)))[0].too_long


@pytest.mark.parametrize(
    "prompt", ["", " ", "\x00\x01\x1b[2J\r\n\t\x7f", "</s></s><s>", "\u202eאבג\u200b🧮", "\n" * 50, "\ufffd\ufffe"]
)
def test_strange_prompts_are_prompts(llama: Served, prompt: str) -> None:
    reply = run(ask(llama, Generate(prompt, 2, WARM, 0, want_value=True)))[0]
    assert len(reply.samples) == 2
    assert reply.value == pytest.approx(llama.reference.value(prompt), abs=1e-5)
    assert all(math.isfinite(sample.logprob) for sample in reply.samples)


def test_half_a_surrogate_pair_is_an_error_that_says_where(llama: Served) -> None:
    with pytest.raises(EngineError, match="character 2 "):
        run(ask(llama, Generate("ab\ud800c", 1, WARM, 0)))


@pytest.mark.parametrize(
    ("num_samples", "sampling"),
    [
        (0, Sampling()),
        (1, Sampling(temperature=-0.1)),
        (1, Sampling(temperature=math.nan)),
        (1, Sampling(top_p=0.0)),
        (1, Sampling(top_p=1.1)),
        (1, Sampling(top_k=-7)),
        (1, Sampling(max_tokens=0)),
        (1, Sampling(stop=("a", ""))),
    ],
)
def test_a_request_without_sense_is_an_error(llama: Served, num_samples: int, sampling: Sampling) -> None:
    with pytest.raises(EngineError):
        run(ask(llama, Generate("x", num_samples, sampling, 0)))


def test_a_cancelled_request_frees_its_place(llama: Served) -> None:
    async def scene() -> None:
        engine = llama.load(max_batch_size=4)
        forever = Sampling(1.0, max_tokens=CONTEXT)
        tasks = [asyncio.ensure_future(engine.generate(Generate("x", 4, forever, seed))) for seed in range(300)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in results) > 100
        # Were the 1,200 samples still written, this would take minutes; on a busy machine it takes seconds.
        reply = await asyncio.wait_for(engine.generate(Generate("y", 4, WARM, 0)), timeout=30)
        assert len(reply.samples) == 4
        await engine.close()

    run(scene())


@pytest.mark.filterwarnings("ignore")  # of vLLM's imports
def test_what_is_asked_of_vllm_is_counted_and_its_cache_can_be_forgotten(kept: Kept) -> None:
    engine, prompt = kept("vllm").engine, "q" * 70  # 71 tokens with BOS, of which two blocks are kept

    async def scene(temperature: float, num_samples: int) -> tuple[int, int]:
        before = replace(engine.counters)
        sampling = Sampling(temperature, max_tokens=5)
        reply = await engine.generate(Generate(prompt, num_samples, sampling, 0))
        different = num_samples if temperature else 1  # equal samples are written once
        written = sum(sample.num_tokens for sample in reply.samples[:different])
        assert engine.counters.num_generated_tokens - before.num_generated_tokens == written
        asked = engine.counters.num_prompt_tokens - before.num_prompt_tokens
        return reply.num_cached_tokens, asked

    async def all_scenes() -> list[tuple[int, int]]:
        return [await scene(0.7, 2), await scene(0.0, 3), await engine.forget() or await scene(0.7, 2)]

    _, (kept_tokens, asked_once), (forgotten, asked_twice) = asyncio.run(all_scenes())
    assert (kept_tokens, forgotten) == (64, 0)
    assert (asked_once, asked_twice) == (71, 142)


@pytest.mark.parametrize("engine", ["hf", pytest.param("openai", marks=pytest.mark.slow)])
def test_close_fails_what_waits_and_what_comes_later(engine: str, kept: Kept) -> None:
    """vLLM takes half a minute to start again: it is closed so where its tests are over (`conftest.served`)."""
    run(close_while_busy(kept(engine).load()))


def test_more_samples_than_fit_at_a_time(llama: Served) -> None:
    async def scene() -> tuple[Generation, Generation]:
        engine = llama.load(max_batch_size=3)
        request = Generate("1 + 1 = ", 20, WARM, 0, want_value=True)
        reply = await engine.generate(request)
        await engine.close()
        return reply, await llama.engine.generate(request)

    narrow, wide = run(scene())
    assert [s.text for s in narrow.samples] == [s.text for s in wide.samples]
    assert narrow.value == pytest.approx(wide.value, abs=1e-5)


def test_a_longer_prompt_takes_up_where_the_shorter_one_ended(served: Served) -> None:
    async def grow(engine: Any) -> list[Generation]:
        prompt, replies = "Solve: 2x = 6.\n", []
        for seed in range(3):
            reply = await engine.generate(Generate(prompt, 3, WARM, seed, want_value=True))
            replies.append(reply)
            prompt += reply.samples[1].text[:9] + "\n= so\n"
        return replies

    async def without_cache() -> list[Generation]:
        fresh = served.load(prefix_cache_tokens=0)
        replies = await grow(fresh)
        await fresh.close()
        return replies

    prompt = "Solve: 2x = 6.\n"
    for number, reply in enumerate(cached := run(grow(served.engine))):
        assert reply.value == pytest.approx(served.reference.value(prompt), abs=1e-5)
        for sample in reply.samples:
            written = sample.text + ("</s>" if sample.finish == "stop" else "")
            assert sample.logprob == pytest.approx(served.reference.logprob(prompt, written), abs=2e-4)
        if number and served.cache_block:  # all but what was appended, and the token whose logits are wanted
            most = reply.num_prompt_tokens - 8 - (served.cache_block - 1)
            assert most <= reply.num_cached_tokens < reply.num_prompt_tokens
        prompt += reply.samples[1].text[:9] + "\n= so\n"
    if isinstance(served.engine, HFEngine):  # the one whose cache can be switched off
        for a, b in zip(cached, run(without_cache()), strict=True):
            assert [s.text for s in a.samples] == [s.text for s in b.samples]
            assert b.num_cached_tokens == 0
