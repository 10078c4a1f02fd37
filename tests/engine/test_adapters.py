"""Adapters that learn at test time: the step against a gradient made by hand, and sessions that don't meet."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import character_tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.lessons import make_lesson
from mcts_math.engine.spec import AdapterOptions
from mcts_math.errors import EngineError, EngineLostError, RefusedError
from mcts_math.messages import Conversation, Message, Sample, Sampling
from mcts_math.requests import Adapt, Adaptation, Generate, LossTerm

pytest.importorskip("peft", reason="learning at test time needs peft")

OPTIONS = AdapterOptions(dropout=0.0, lr=0.02, gradient="full")
SAMPLING = Sampling(1.0, max_tokens=16)


def load(folder: Path, options: AdapterOptions = OPTIONS, **limits: Any) -> HFEngine:
    return HFEngine.load(folder, device="cpu", adapter=options, **limits)


@pytest.fixture
def engine(checkpoint: Callable[[str], Path]) -> Iterator[HFEngine]:
    loaded = load(checkpoint("llama"))
    yield loaded
    asyncio.run(loaded.close())


def adapt(session: str, completion: str = "no", prompt: str = "1+1=3.", seed: int = 0, weight: float = 1.0) -> Adapt:
    return Adapt(session, (LossTerm(prompt, completion, weight),), seed)


def ask(prompt: str, adapter: str = "", seed: int = 0, num_samples: int = 1) -> Generate:
    return Generate(prompt, num_samples, SAMPLING, seed, adapter=adapter)


def weights(engine: HFEngine, session: str) -> list[Tensor]:
    assert engine.adapters is not None
    return [parameter.detach().clone() for parameter in engine.adapters._sessions[session].parameters]


def texts(samples: tuple[Sample, ...]) -> list[str]:
    return [sample.text for sample in samples]


# The step.


def plain_gradients(
    folder: Path, layers: list[str], tokens: list[int], start: int, deltas: list[Tensor]
) -> list[Tensor]:
    """dL/dW of some weights W + delta of the plain model, without peft or adapters, in float64."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
    chosen = [model.get_submodule(name).weight for name in layers]
    with torch.no_grad():
        for weight, delta in zip(chosen, deltas, strict=True):
            weight += delta.double()
    loss = cross_entropy(model(torch.tensor([tokens])).logits[0, start - 1 : -1], torch.tensor(tokens[start:]))
    return list(torch.autograd.grad(loss, chosen))


def test_a_step_is_adamw_on_the_gradient_made_by_hand(checkpoint: Callable[[str], Path]) -> None:
    """W' = W + s·B·A, so dL/dB = s·(dL/dW')·Aᵀ and dL/dA = s·Bᵀ·(dL/dW'); then two steps of AdamW written out."""
    folder = checkpoint("llama")
    engine = load(folder, OPTIONS, dtype="float64")
    assert engine.adapters is not None
    prompt, completion = "<question> 1+1 </question>\n3\n<question>", " Your answer is incorrect."
    tokens = list(character_tokenizer()(prompt + completion)["input_ids"])
    start = len(tokens) - len(completion)
    names = [f"model.layers.{i}.self_attn.{name}" for i in (0, 1) for name in ("q_proj", "v_proj")]
    scale, lr, beta1, beta2, eps = 4.0, 0.02, 0.9, 0.999, 1e-8

    request = Adapt("t", (LossTerm(prompt, completion),), seed=3)
    engine.adapters._open("t", 3)
    values = weights(engine, "t")
    first, second = [torch.zeros_like(v) for v in values], [torch.zeros_like(v) for v in values]
    for step in (1, 2, 3):
        pairs = list(zip(values[::2], values[1::2], strict=True))
        slopes = plain_gradients(folder, names, tokens, start, [scale * b @ a for a, b in pairs])
        by_hand = []
        for slope, (a, b) in zip(slopes, pairs, strict=True):
            by_hand += [scale * b.T @ slope, scale * slope @ a.T]
        asyncio.run(engine.adapt(request))
        for i, gradient in enumerate(by_hand):
            first[i] = beta1 * first[i] + (1 - beta1) * gradient
            second[i] = beta2 * second[i] + (1 - beta2) * gradient**2
            rate = first[i] / (1 - beta1**step) / ((second[i] / (1 - beta2**step)).sqrt() + eps)
            values[i] = values[i] - lr * rate
        for mine, theirs in zip(values, weights(engine, "t"), strict=True):
            assert torch.allclose(mine, theirs, rtol=0, atol=1e-9), step
    assert all(bool(value.abs().sum()) for value in values)
    asyncio.run(engine.close())


def test_the_gradient_is_the_slope_of_the_loss(checkpoint: Callable[[str], Path]) -> None:
    """Central differences in some entries of B, without autograd; Llama's norms round to float32."""
    engine = load(checkpoint("llama"), dtype="float64")
    assert engine.adapters is not None
    session = engine.adapters._open("t", 0)
    lesson = make_lesson(engine.model.codec, adapt("t"))
    engine.adapters._backward(session, lesson, [])
    assert session.parameters[3].grad is not None
    gradient = session.parameters[3].grad.clone()
    for place in ((0, 0), (7, 2), (15, 3)):
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                session.parameters[3][place] += sign * 2e-3
            losses.append(engine.adapters._backward(session, lesson, [])[0])
            with torch.no_grad():
                session.parameters[3][place] -= sign * 2e-3
        session.parameters[3].grad = None
        assert (losses[0] - losses[1]) / 4e-3 == pytest.approx(float(gradient[place]), rel=5e-3, abs=5e-4)
    asyncio.run(engine.close())


def test_the_loss_is_the_mean_cross_entropy_of_the_completion(engine: HFEngine, checkpoint: Any) -> None:
    model = AutoModelForCausalLM.from_pretrained(checkpoint("llama"), dtype=torch.float32).eval()
    ids = torch.tensor(character_tokenizer()("1+1=3.no")["input_ids"])
    with torch.no_grad():
        expected = cross_entropy(model(ids[None]).logits[0, -3:-1], ids[-2:])
    reply = asyncio.run(engine.adapt(adapt("t")))
    assert reply.loss == pytest.approx(float(expected), abs=1e-5)
    assert reply.num_tokens == len(ids)
    weighted = asyncio.run(engine.adapt(adapt("other", weight=0.25)))
    assert weighted.loss == pytest.approx(float(expected) / 4, abs=1e-5)


def test_steps_make_the_completion_likelier(engine: HFEngine) -> None:
    losses = [asyncio.run(engine.adapt(adapt("t"))).loss for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]


def test_several_terms_are_one_gradient(engine: HFEngine) -> None:
    one, other = LossTerm("ab", "cd"), LossTerm("abcdef", "gh", 0.5)
    assert engine.adapters is not None
    session = engine.adapters._open("t", 0)
    seen = []
    for terms in ((one, other), (one,), (other,)):
        for parameter in session.parameters:
            parameter.grad = None
        loss, tokens = engine.adapters._backward(session, make_lesson(engine.model.codec, Adapt("t", terms)), [])
        seen.append((loss, tokens, [p.grad.clone() for p in session.parameters if p.grad is not None]))
    both, first, second = seen
    assert both[0] == pytest.approx(first[0] + second[0], abs=1e-5)
    assert both[1] == first[1] + second[1] == len("abcd") + len("abcdefgh") + 2
    for mine, left, right in zip(both[2], first[2], second[2], strict=True):
        assert torch.allclose(mine, left + right, atol=3e-5)


# How far the gradient flows.


def feedback(session: str, sampled: str, text: str = "No.\n", seed: int = 0) -> Adapt:
    return Adapt(session, (LossTerm(sampled, text),), seed, sampled)


def cut_gradients(folder: Path, values: list[Tensor], tokens: Sequence[int], cut: int) -> list[Tensor]:
    """Gradients of B and A by the plain model: keys and values of the first `cut` tokens are constants, in float64."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval().requires_grad_(False)
    names = [f"model.layers.{i}.self_attn.{name}" for i in (0, 1) for name in ("q_proj", "v_proj")]
    deltas = [(4.0 * b @ a).double() for a, b in zip(values[::2], values[1::2], strict=True)]
    with torch.no_grad():
        for name, delta in zip(names, deltas, strict=True):
            model.get_submodule(name).weight += delta
        read = model(torch.tensor([tokens[:cut]]), use_cache=True)
    chosen = [model.get_submodule(name).weight.requires_grad_(True) for name in names]
    cache = "cache" if "cache" in read else "past_key_values"  # its name before transformers 5.24
    logits = model(torch.tensor([tokens[cut:]]), use_cache=True, **{cache: read[cache]}).logits[0]
    slopes = torch.autograd.grad(cross_entropy(logits[:-1], torch.tensor(tokens[cut + 1 :])), chosen)
    pairs = zip(slopes, values[::2], values[1::2], strict=True)
    return [part for slope, a, b in pairs for part in (4.0 * b.T @ slope, 4.0 * slope @ a.T)]


def test_the_published_gradient_flows_through_the_feedback_alone(checkpoint: Callable[[str], Path]) -> None:
    """Against the plain model with a cache of constants, after steps that took A and B away from their start."""
    folder = checkpoint("llama")
    engine = load(folder, replace(OPTIONS, gradient="feedback"), dtype="float64")
    assert engine.adapters is not None
    sampled = "1+1=3. And more."
    tokens = [*engine.model.codec.encode(sampled + "No.\n")]
    cut = len(engine.model.codec.encode(sampled))
    for seed in range(3):
        before = [p.detach().clone() for p in weights(engine, "t")] if seed else []
        reply = asyncio.run(engine.adapt(feedback("t", sampled, seed=seed)))
        assert reply.num_tokens == len(tokens)  # nothing had been sampled, so it was computed, without gradient
        if seed:
            expected = cut_gradients(folder, before, tokens, cut)
            for mine, by_hand in zip(engine.adapters._sessions["t"].parameters, expected, strict=True):
                assert mine.grad is not None
                assert torch.allclose(mine.grad.double(), by_hand, atol=1e-8)
    asyncio.run(engine.close())


def test_a_step_costs_the_feedback_where_sampling_left_keys_and_values(checkpoint: Callable[[str], Path]) -> None:
    """Both gradients have one loss; what is computed differs. With and without adapter, and after a release."""
    costs: dict[str, list[int]] = {}
    losses: dict[str, list[float]] = {}
    for gradient in ("feedback", "full"):
        engine = load(checkpoint("llama"), AdapterOptions(dropout=0.0, lr=1e-4, gradient=gradient), dtype="float64")

        async def run(engine: HFEngine = engine) -> list[Adaptation]:
            replies, sampled = [], ""
            for trial in range(3):
                (sample,) = (await engine.generate(ask("1+1=", "t" if trial else "", trial))).samples
                sampled = f"1+1={sample.text}"
                replies.append(await engine.adapt(feedback("t", sampled)))
            await engine.release("t")
            replies.append(await engine.adapt(feedback("t", sampled)))  # those of the adapter are gone
            return replies

        replies = asyncio.run(run())
        costs[gradient] = [reply.num_tokens for reply in replies]
        losses[gradient] = [reply.loss for reply in replies]
        asyncio.run(engine.close())
    assert costs["full"] == [1 + len("1+1=") + 16 + len("No.\n")] * 4
    assert costs["feedback"][:3] == [len("No.\n") + 1] * 3  # and the last token of the sample, which ran nowhere
    assert costs["feedback"][3] > costs["feedback"][0]
    assert losses["feedback"][0] == pytest.approx(losses["full"][0], abs=1e-9)
    assert losses["feedback"] == pytest.approx(losses["full"], abs=1e-2)  # the steps differ, and are small


@pytest.mark.parametrize("family", ["qwen3", "mistral", "gemma2"])
def test_the_published_gradient_on_other_families(family: str, checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint(family), replace(OPTIONS, gradient="feedback"))
    full = load(checkpoint(family))
    losses = [asyncio.run(engine.adapt(feedback("t", "a prompt that is long enough"))).loss for _ in range(8)]
    assert losses[-1] < losses[0]
    assert losses[0] == pytest.approx(
        asyncio.run(full.adapt(feedback("t", "a prompt that is long enough"))).loss, abs=1e-4
    )
    for each in (engine, full):
        asyncio.run(each.close())


def test_dropout_acts_in_the_step_only_and_follows_the_seed(checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint("llama"), AdapterOptions(dropout=0.5, lr=0.02))

    async def learn(session: str, seeds: tuple[int, ...]) -> None:
        for seed in seeds:
            await engine.adapt(adapt(session, seed=seed))

    for session, seeds in (("a", (1, 2, 3)), ("b", (1, 2, 3)), ("c", (1, 2, 4))):
        asyncio.run(learn(session, seeds))
    same = [torch.equal(x, y) for x, y in zip(weights(engine, "a"), weights(engine, "b"), strict=True)]
    other = [torch.equal(x, y) for x, y in zip(weights(engine, "a"), weights(engine, "c"), strict=True)]
    assert all(same)
    assert not all(other)
    drawn = [texts(asyncio.run(engine.generate(ask("1+1=", "a"))).samples) for _ in range(2)]
    assert drawn[0] == drawn[1]
    asyncio.run(engine.close())


# Sampling with an adapter.


def test_samples_are_those_of_the_merged_model(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """peft's way: W + s·B·A written into a checkpoint, and that one sampled from."""
    folder = checkpoint("llama")
    engine = load(folder, dtype="float64")
    for _ in range(4):
        asyncio.run(engine.adapt(adapt("t")))
    values = weights(engine, "t")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    names = [f"model.layers.{i}.self_attn.{name}" for i in (0, 1) for name in ("q_proj", "v_proj")]
    with torch.no_grad():
        for name, a, b in zip(names, values[::2], values[1::2], strict=True):
            model.get_submodule(name).weight += 4.0 * b @ a
    model.save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    merged = HFEngine.load(tmp_path, device="cpu", dtype="float64")

    async def sample(served: HFEngine, adapter: str) -> list[tuple[str, float]]:
        asked = [served.generate(ask(prompt, adapter, seed, 3)) for seed, prompt in enumerate(("1+1=", "abc", "x"))]
        return [(s.text, s.logprob) for reply in await asyncio.gather(*asked) for s in reply.samples]

    mine, theirs = asyncio.run(sample(engine, "t")), asyncio.run(sample(merged, ""))
    assert [text for text, _ in mine] == [text for text, _ in theirs]
    assert [p for _, p in mine] == pytest.approx([p for _, p in theirs], abs=1e-4)
    assert texts(asyncio.run(engine.generate(ask("1+1=", "", 0, 3))).samples) != [text for text, _ in mine][:3]
    asyncio.run(engine.close())
    asyncio.run(merged.close())


def test_the_model_that_samples_stays_as_it_was(engine: HFEngine, checkpoint: Callable[[str], Path]) -> None:
    plain = AutoModelForCausalLM.from_pretrained(checkpoint("llama"), dtype=torch.float32)
    asyncio.run(teach(engine, "t", 5))
    mine, theirs = dict(engine.model.raw.named_parameters()), dict(plain.named_parameters())
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert engine.adapters is not None
    shared = {parameter.data_ptr() for parameter in engine.model.raw.parameters()}
    own = [p for name, p in engine.adapters._learner.named_parameters() if "lora" not in name]
    assert all(parameter.data_ptr() in shared for parameter in own)  # no weight is held twice


async def teach(engine: HFEngine, session: str, steps: int) -> list[Adaptation]:
    return [await engine.adapt(adapt(session, completion=f"no {session}", seed=i)) for i in range(steps)]


async def live(engine: HFEngine, session: str, rounds: int = 4) -> list[Any]:
    """A session as FTTT has it: sample, learn from the sample, sample again."""
    seen: list[Any] = []
    for i in range(rounds):
        reply = await engine.generate(ask(f"question {session}: ", session if i else "", seed=i))
        adaptation = await engine.adapt(adapt(session, prompt=f"{session} {reply.samples[0].text}", seed=i))
        seen.append((reply.samples[0].text, adaptation.loss))
    return seen


def test_what_a_session_learns_and_draws_does_not_depend_on_company(checkpoint: Callable[[str], Path]) -> None:
    """In float64, where rounding does not tip draws: text by text, and weights and losses bit by bit."""
    folder = checkpoint("llama")
    names = [f"s{i}" for i in range(8)]
    alone: dict[str, tuple[list[Any], list[Tensor]]] = {}
    for name in names:
        engine = load(folder, dtype="float64")
        alone[name] = (asyncio.run(live(engine, name)), weights(engine, name))
        asyncio.run(engine.close())
    engine = load(folder, dtype="float64")

    async def together() -> list[list[Any]]:
        return await asyncio.gather(*(live(engine, name) for name in names))

    for name, seen in zip(names, asyncio.run(together()), strict=True):
        assert seen == alone[name][0]
        assert all(map(torch.equal, weights(engine, name), alone[name][1]))
    asyncio.run(engine.close())


def test_neighbours_of_any_weights_change_no_bit(checkpoint: Callable[[str], Path]) -> None:
    """In float32 and a batch of a given shape: log-probabilities are the same bits whatever the neighbours learnt."""
    seen = []
    for steps in (0, 1, 25):
        engine = load(checkpoint("llama"), AdapterOptions(dropout=0.0, lr=0.3))

        async def run(engine: HFEngine = engine, steps: int = steps) -> list[tuple[str, float]]:
            await teach(engine, "mine", 3)
            for i in range(5):
                await teach(engine, f"other{i}", 1 + steps)
            # Neighbours are forced to the same length, so that the shapes are the same at every token.
            quiet = Sampling(1.0, max_tokens=1)
            await asyncio.gather(
                *(engine.generate(Generate("abc", 1, quiet, i, adapter=f"other{i}")) for i in range(5))
            )
            asked = [engine.generate(Generate("abcdef", 1, Sampling(0.0, max_tokens=12), 1, adapter="mine"))]
            asked += [
                engine.generate(Generate("abcdef", 1, Sampling(0.0, max_tokens=1), 1, adapter=f"other{i}"))
                for i in range(5)
            ]
            return [(s.text, s.logprob) for s in (await asyncio.gather(*asked))[0].samples]

        seen.append(asyncio.run(run()))
        asyncio.run(engine.close())
    assert seen[0] == seen[1] == seen[2]


def test_the_prefix_cache_keeps_sessions_and_steps_apart(checkpoint: Callable[[str], Path]) -> None:
    with_cache = load(checkpoint("llama"), dtype="float64")
    without = load(checkpoint("llama"), dtype="float64", prefix_cache_tokens=0)
    prompt = "a long prompt that many requests begin with: "

    async def run(engine: HFEngine) -> tuple[list[str], list[int]]:
        drawn, cached = [], []
        for step in range(3):
            for session in ("", "a", "b"):
                if session:
                    await teach(engine, session, 1)
                for _ in range(2):
                    reply = await engine.generate(ask(prompt, session, step))
                    drawn += texts(reply.samples)
                    cached.append(reply.num_cached_tokens)
        await engine.release("a")
        await teach(engine, "a", 1)
        reply = await engine.generate(ask(prompt, "a"))
        return drawn + texts(reply.samples), [*cached, reply.num_cached_tokens]

    (mine, hits), (theirs, none) = asyncio.run(run(with_cache)), asyncio.run(run(without))
    assert mine == theirs
    assert not any(none)
    assert [bool(hit) for hit in hits] == [False, True, False, True, False, True] + [
        True, True, False, True, False, True,
    ] * 2 + [False]  # fmt: skip
    for engine in (with_cache, without):
        asyncio.run(engine.close())


def test_released_sessions_leave_nothing(engine: HFEngine) -> None:
    async def run() -> None:
        for i in range(20):
            await teach(engine, f"s{i}", 1)
            await engine.generate(ask("abc", f"s{i}"))
        assert engine.adapters is not None
        held = engine._thread._batch._cache.num_tokens
        assert len(engine.adapters._sessions) == 20
        for i in range(20):
            await engine.release(f"s{i}")
        await engine.release("never seen")
        await engine.generate(ask("abc"))
        assert len(engine.adapters._sessions) == 0
        assert engine._thread._batch._cache.num_tokens < held
        assert set(engine._thread._batch._cache._roots) == {""}
        slots = engine.adapters._down[0].shape[0]
        for i in range(20):
            await teach(engine, f"t{i}", 1)
        assert engine.adapters._down[0].shape[0] == slots  # places are taken again

    asyncio.run(run())


def test_a_session_made_anew_starts_fresh(engine: HFEngine) -> None:
    async def run() -> None:
        first = await teach(engine, "a", 3)
        await engine.release("a")
        again = await teach(engine, "a", 3)
        assert [reply.loss for reply in first] == [reply.loss for reply in again]

    asyncio.run(run())


# What goes wrong.


def test_a_loss_that_is_not_finite_makes_the_adapter_afresh(checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint("llama"), AdapterOptions(dropout=0.0, lr=3e37, gradient="full"))
    assert engine.adapters is not None

    async def run() -> tuple[list[Adaptation], list[str], list[str]]:
        plain = await engine.generate(ask("abc", num_samples=3))
        replies = [await engine.adapt(adapt("t")) for _ in range(2)]
        drawn = await engine.generate(ask("abc", "t", num_samples=3))
        return replies, texts(plain.samples), texts(drawn.samples)

    (first, second), plain, drawn = asyncio.run(run())
    assert not first.reset
    assert second.reset
    assert not math.isfinite(second.loss)
    assert drawn == plain  # B is zero again
    assert all(bool(torch.isfinite(value).all()) for value in weights(engine, "t"))
    asyncio.run(engine.close())


def test_weights_that_overflow_cost_their_own_session_only(checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint("llama"), AdapterOptions(dropout=0.0, lr=3e37, gradient="full"))

    async def run() -> None:
        plain = (await engine.generate(ask("abcdef", num_samples=3))).samples
        assert not (await engine.adapt(adapt("t"))).reset
        asked = [engine.generate(ask("abc", "t", num_samples=3)), engine.generate(ask("abcdef", num_samples=3))]
        broken, other = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(broken, RefusedError)
        assert "lower adapter_lr" in str(broken)
        assert not isinstance(other, BaseException)
        assert texts(other.samples) == texts(plain)
        assert (await engine.adapt(adapt("t"))).reset
        assert (await engine.generate(ask("abc", "t"))).samples
        await engine.close()

    asyncio.run(run())


def test_a_step_to_infinite_weights_makes_the_adapter_afresh(checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint("llama"), AdapterOptions(dropout=0.0, lr=3e37, gradient="full", alpha=1e3))
    assert asyncio.run(engine.adapt(adapt("t"))).reset
    asyncio.run(engine.close())


def test_a_term_beyond_the_context_changes_nothing(engine: HFEngine) -> None:
    async def run() -> None:
        reply = await engine.adapt(adapt("t", prompt="x" * 200))
        assert reply.too_long
        plain, mine = [await engine.generate(ask("abc", name, num_samples=3)) for name in ("", "t")]
        assert plain.samples == mine.samples

    asyncio.run(run())


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (("q_proj", "c_attn"), r"LlamaForCausalLM has no module 'c_attn'; it has .*q_proj"),
        (("nothing",), "has no module 'nothing'"),
        (("input_layernorm",), "can't adapt input_layernorm"),
    ],
)
def test_a_target_that_the_model_lacks_is_named(checkpoint: Any, targets: tuple[str, ...], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        load(checkpoint("llama"), AdapterOptions(targets=targets))


def test_an_unknown_adapter_and_an_engine_without_any(engine: HFEngine, checkpoint: Any) -> None:
    with pytest.raises(EngineError, match="no adapter 'x'"):
        asyncio.run(engine.generate(ask("abc", "x")))
    with pytest.raises(EngineError, match="no tokens"):
        asyncio.run(engine.adapt(adapt("t", completion="")))
    with pytest.raises(EngineError, match="at least one term"):
        asyncio.run(engine.adapt(Adapt("t", ())))
    assert asyncio.run(engine.generate(ask("abc"))).samples  # the engine lives on
    plain = HFEngine.load(checkpoint("llama"), device="cpu")
    with pytest.raises(EngineError, match="sample only"):
        asyncio.run(plain.adapt(adapt("t")))
    asyncio.run(plain.close())


def test_learning_while_samples_are_drawn_is_refused(engine: HFEngine) -> None:
    async def run() -> None:
        await teach(engine, "t", 1)
        drawing = asyncio.create_task(
            engine.generate(Generate("abc", 4, Sampling(1.0, max_tokens=100), 0, adapter="t"))
        )
        await asyncio.sleep(0)
        with pytest.raises(EngineError, match="can't learn while"):
            await engine.adapt(adapt("t"))
        assert len((await drawing).samples) == 4
        drawing = asyncio.create_task(
            engine.generate(Generate("abc", 4, Sampling(1.0, max_tokens=100), 0, adapter="t"))
        )
        await asyncio.sleep(0)
        await engine.release("t")
        with pytest.raises(EngineError, match="released while"):
            await drawing
        await teach(engine, "u", 1)
        await engine.release("u")
        with pytest.raises(EngineError, match="no adapter 'u'"):
            await engine.generate(ask("abc", "u"))
        assert (await engine.generate(ask("abc"))).samples

    asyncio.run(run())


def test_closing_fails_those_who_wait_to_learn(checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint("llama"))

    async def run() -> None:
        waiting = [asyncio.create_task(engine.adapt(adapt(f"s{i}"))) for i in range(50)]
        await asyncio.sleep(0)
        await engine.close()
        replies = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(reply, (Adaptation, EngineError)) for reply in replies)
        with pytest.raises(EngineError, match="closed"):
            await engine.adapt(adapt("late"))
        await engine.release("late")

    asyncio.run(run())


def test_a_step_that_breaks_down_is_told(engine: HFEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the step that broke the engine hears of it, as do those behind it."""
    assert engine.adapters is not None

    def broken(*_: Any) -> Adaptation:
        raise MemoryError("no memory")

    monkeypatch.setattr(engine.adapters, "step", broken)

    async def run() -> None:
        waiting = [engine.adapt(adapt("a")), engine.adapt(adapt("b")), engine.generate(ask("abc"))]
        replies = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)
        assert all(isinstance(reply, EngineLostError) and "broke down" in str(reply) for reply in replies)

    asyncio.run(run())


# Other architectures, and conversations.


def test_other_architectures_learn_too(tmp_path: Path) -> None:
    """GPT-2's q, k and v are one Conv1D, of the transposed layout."""
    config = AutoConfig.for_model("gpt2", vocab_size=98, n_embd=32, n_layer=2, n_head=4, n_positions=128)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="fan_in_fan_out"):
        engine = load(tmp_path, AdapterOptions(dropout=0.0, lr=0.05, targets=("c_attn",)))

    async def run() -> None:
        losses = [(await engine.adapt(adapt("t"))).loss for _ in range(8)]
        assert losses[-1] < losses[0]
        plain, mine = [await engine.generate(ask("abc", name, num_samples=4)) for name in ("", "t")]
        assert plain.samples != mine.samples

    asyncio.run(run())
    asyncio.run(engine.close())


@pytest.mark.parametrize("family", ["qwen3", "mistral", "gemma2"])
def test_families(family: str, checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint(family))
    losses = [asyncio.run(engine.adapt(adapt("t"))).loss for _ in range(10)]
    assert losses[-1] < losses[0]
    asyncio.run(engine.close())


TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def test_feedback_is_the_users_next_message(checkpoint: Callable[[str], Path]) -> None:
    engine = load(checkpoint("llama"))
    codec = engine.model.codec
    codec._tokenizer.chat_template = TEMPLATE
    talk = Conversation((Message("user", "1+1?"), Message("assistant", "3")))
    tokens, start = codec.encode_term(LossTerm(talk, "No."))
    assert codec.decode(tokens[:start]).replace(" ", "") == "[user]1+1?\n[assistant]3"
    assert codec.decode(tokens[start:]).replace(" ", "") == "\n[user]No.\n"
    lesson = make_lesson(codec, Adapt("t", (LossTerm(talk, "No."),), sampled=talk))
    assert lesson.sampled == start
    assert lesson.terms[0].start == start + 1  # the end of the attempt is fed, and not predicted
    tokens, start = codec.encode_term(LossTerm(talk.followed_by(Message("user", "No. Why?")), "I erred."))
    assert codec.decode(tokens).replace(" ", "") == "[user]1+1?\n[assistant]3\n[user]No.Why?\n[assistant]Ierred."
    assert codec.decode(tokens[start:]).replace(" ", "") == "Ierred."
    codec._tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}{% if m.role != 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    )
    with pytest.raises(EngineError, match=r"does not show this user's message: 'Nope\.'"):
        codec.encode_term(LossTerm(talk, "Nope."))
    codec._tokenizer.chat_template = None
    with pytest.raises(EngineError, match="no chat template"):
        asyncio.run(engine.adapt(Adapt("t", (LossTerm(talk, "Never."),))))
    asyncio.run(engine.close())
