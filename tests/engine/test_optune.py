"""OpTune in the engine: changes of many questions in one batch that don't meet, rules that belong to one model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import character_tokenizer
from transformers import AutoModelForCausalLM

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.optune.changes import WeightChanges, describe_rule
from mcts_math.engine.hf.optune.rule import UpdateRule
from mcts_math.engine.hf.optune.sites import find_sites, measure, shapes_of
from mcts_math.engine.hf.parts import save_parts
from mcts_math.engine.spec import RuleOptions
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.messages import Sampling
from mcts_math.requests import Adapt, Adaptation, Generate, LossTerm

NAMES = [f"s{i}" for i in range(8)]


def make_rule(base: Path, folder: Path, rate: float = 3e-3, **layers: Any) -> Path:
    """A rule that is anything but the identity."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).requires_grad_(False)
    sites = find_sites(model, layers.get("layers", 2), layers.get("targets", ["q_proj", "v_proj"]))
    torch.manual_seed(5)
    rule = UpdateRule(shapes_of(sites), rank=4)
    for start in (3, 30):
        rule.observe(rule.summarise(measure(model, sites, torch.arange(start, start + 40))[1]))
    with torch.no_grad():
        for parameter in rule.by_shape.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        rule.rates.fill_(-rate)
    save_parts(folder, "optune", rule.state_dict(), describe_rule(rule, model, sites, 4, str(base)))
    return folder


@pytest.fixture(scope="module")
def rule(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rule(checkpoint("llama"), tmp_path_factory.mktemp("rule"))


def load(folder: Path, rule: Path, **limits: Any) -> HFEngine:
    return HFEngine.load(folder, device="cpu", adapter=RuleOptions(str(rule)), **limits)


def adapt(session: str, attempt: str) -> Adapt:
    return Adapt(session, (LossTerm(attempt, "No.\n"),), 0, attempt)


def ask(prompt: str, adapter: str = "", seed: int = 0, num_samples: int = 1, **sampling: Any) -> Generate:
    return Generate(
        prompt, num_samples, Sampling(**{"temperature": 1.0, "max_tokens": 16, **sampling}), seed, adapter=adapter
    )


def weight_changes(engine: HFEngine) -> WeightChanges:
    assert isinstance(engine.adapters, WeightChanges)
    return engine.adapters


def matrices(engine: HFEngine, session: str) -> list[torch.Tensor]:
    return [change.matrix for change in weight_changes(engine)._sessions[session].changes.values()]


async def live(engine: HFEngine, session: str, rounds: int = 4) -> list[Any]:
    """A question as OpTune has it: every second attempt with the change made of the one before."""
    seen: list[Any] = []
    for trial in range(rounds):
        prompt = f"question {session * (1 + ord(session[1]) % 3)}: "
        reply = await engine.generate(ask(prompt, session if trial % 2 else "", seed=trial))
        seen.append(reply.samples[0].text)
        if trial % 2 == 0:
            seen.append((await engine.adapt(adapt(session, prompt + reply.samples[0].text))).loss)
    return seen


def test_samples_are_those_of_the_model_with_the_change_in_its_weights(
    checkpoint: Callable[[str], Path], rule: Path, tmp_path: Path
) -> None:
    """W + ΔW written into a checkpoint, and that one sampled from; long attempts are kept dense, short ones not."""
    folder = checkpoint("llama")
    for number, attempt in enumerate(("1+1=3.", "1+1=3, since one and one are not two. " * 3)):
        engine = load(folder, rule, dtype="float64")
        asyncio.run(engine.adapt(adapt("t", attempt)))
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
        changes = weight_changes(engine)._sessions["t"].changes
        assert {len(change.maps) == 2 for change in changes.values()} == {number == 0}
        with torch.no_grad():
            for name, change in changes.items():
                model.get_submodule(name).weight += change.matrix
        merged_folder = tmp_path / str(number)
        model.save_pretrained(merged_folder)
        character_tokenizer().save_pretrained(merged_folder)
        merged = HFEngine.load(merged_folder, device="cpu", dtype="float64")

        async def sample(served: HFEngine, adapter: str) -> list[tuple[str, float]]:
            asked = [served.generate(ask(prompt, adapter, seed, 3)) for seed, prompt in enumerate(("1+1=", "abc"))]
            return [(s.text, s.logprob) for reply in await asyncio.gather(*asked) for s in reply.samples]

        mine, theirs, plain = (asyncio.run(sample(*one)) for one in ((engine, "t"), (merged, ""), (engine, "")))
        assert [text for text, _ in mine] == [text for text, _ in theirs]
        assert [p for _, p in mine] == pytest.approx([p for _, p in theirs], abs=1e-4)
        assert mine != plain
        for each in (engine, merged):
            asyncio.run(each.close())


def test_a_change_replaces_the_one_before_and_is_made_at_the_base_weights(
    checkpoint: Callable[[str], Path], rule: Path
) -> None:
    engine = load(checkpoint("llama"), rule)

    async def run() -> tuple[list[Adaptation], list[list[torch.Tensor]]]:
        replies, made = [], []
        for text in ("ab.", "something else.", "ab."):
            replies.append(await engine.adapt(adapt("t", text)))
            made.append(matrices(engine, "t"))
            await engine.generate(ask("abc", "t"))
        return replies, made

    replies, (first, other, again) = asyncio.run(run())
    assert replies[0] == replies[2]
    assert replies[0].num_tokens == 1 + len("ab.No.\n")
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))
    asyncio.run(engine.close())


def test_a_question_is_the_same_alone_and_in_company(checkpoint: Callable[[str], Path], rule: Path) -> None:
    """Texts, losses and changes, bit by bit; in float64, where rounding tips no draw."""
    folder = checkpoint("llama")
    alone = {}
    for name in NAMES:
        engine = load(folder, rule, dtype="float64")
        alone[name] = (asyncio.run(live(engine, name)), matrices(engine, name))
        asyncio.run(engine.close())
    engine = load(folder, rule, dtype="float64")

    async def together() -> list[list[Any]]:
        return await asyncio.gather(*(live(engine, name) for name in NAMES))

    for name, seen in zip(NAMES, asyncio.run(together()), strict=True):
        assert seen == alone[name][0]
        assert all(map(torch.equal, matrices(engine, name), alone[name][1]))
    assert len({seen[2] for seen, _ in alone.values()}) > 1
    asyncio.run(engine.close())


def test_neighbours_with_any_change_alter_no_bit(checkpoint: Callable[[str], Path], rule: Path) -> None:
    """In float32 and a batch of a given shape: log-probabilities are the same bits whatever the neighbours have."""
    seen = []
    for attempt in ("x", "another attempt altogether, and a longer one", "z" * 90):
        engine = load(checkpoint("llama"), rule)

        async def run(engine: HFEngine = engine, attempt: str = attempt) -> list[tuple[str, float]]:
            await engine.adapt(adapt("mine", "1+1=3."))
            for i in range(5):
                await engine.adapt(adapt(f"other{i}", f"{i}{attempt}"))
            asked = [engine.generate(ask("abcdef", "mine", temperature=0.0, max_tokens=12))]
            asked += [engine.generate(ask("abcdef", f"other{i}", temperature=0.0, max_tokens=1)) for i in range(5)]
            return [(s.text, s.logprob) for s in (await asyncio.gather(*asked))[0].samples]

        seen.append(asyncio.run(run()))
        asyncio.run(engine.close())
    assert seen[0] == seen[1] == seen[2]


def held(changes: WeightChanges) -> int:
    """Bytes of all changes."""
    made = (change for session in changes._sessions.values() for change in session.changes.values())
    return sum(matrix.nbytes for change in made for matrix in change.maps)


def test_memory_is_given_back(checkpoint: Callable[[str], Path], rule: Path) -> None:
    engine = load(checkpoint("llama"), rule)
    changes = weight_changes(engine)

    async def run() -> None:
        await engine.adapt(adapt("short", "ab."))
        short = held(changes)
        sites = shapes_of(changes._sites).values()
        num_tokens = len("ab.No.\n")  # and the one in front, without the last, which predicts nothing
        assert short == sum(4 * num_tokens * (shape.inputs + shape.outputs) for shape in sites)
        await engine.adapt(adapt("long", "ab" * 50))
        assert held(changes) - short == sum(4 * shape.inputs * shape.outputs for shape in sites)
        for name in ("short", "long", "never seen"):
            await engine.release(name)
        await engine.generate(ask("abc"))
        assert held(changes) == len(changes._sessions) == 0
        with pytest.raises(EngineError, match="no adapter 'short'"):
            await engine.generate(ask("abc", "short"))

    asyncio.run(run())
    asyncio.run(engine.close())


def test_a_change_that_is_not_finite_leaves_the_model_as_it_was(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    engine = load(checkpoint("llama"), make_rule(checkpoint("llama"), tmp_path, rate=3e38))

    async def run() -> None:
        assert (await engine.adapt(adapt("t", "1+1=3."))).reset
        plain, mine = [await engine.generate(ask("abc", name, num_samples=3)) for name in ("", "t")]
        assert plain.samples == mine.samples
        assert (await engine.adapt(adapt("u", "x" * 200))).too_long
        with pytest.raises(EngineError, match="no adapter 'u'"):
            await engine.generate(ask("abc", "u"))

    asyncio.run(run())
    asyncio.run(engine.close())


def test_a_rule_belongs_to_one_model(checkpoint: Callable[[str], Path], rule: Path, tmp_path: Path) -> None:
    base = checkpoint("llama")
    with pytest.raises(CheckpointError, match="trained for a LlamaForCausalLM with other layers than this Mistral"):
        load(checkpoint("mistral"), rule)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        model.model.layers[1].self_attn.v_proj.weight[0, 0] += 0.5
    model.save_pretrained(tmp_path / "other")
    character_tokenizer().save_pretrained(tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"another base model; give the model_dir of then \(/"):
        load(tmp_path / "other", rule)
    half = load(base, rule, dtype="bfloat16")  # the same model in another type is the same model
    assert asyncio.run(half.adapt(adapt("t", "1+1=3."))).loss > 0
    asyncio.run(half.close())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "optune.json").unlink(), r"optune.json: no such file. Train it with"),
        (lambda folder: (folder / "optune.json").write_text("{}"), "is not the settings of a trained part"),
        (lambda folder: (folder / "optune.safetensors").write_bytes(b"x"), "does not hold the weights"),
        (
            lambda folder: (folder / "optune.json").write_text(
                json.dumps(json.loads((folder / "optune.json").read_text()) | {"rank": 3})
            ),
            "does not hold the weights",
        ),
    ],
)
def test_a_folder_that_is_no_rule(
    checkpoint: Callable[[str], Path], tmp_path: Path, spoil: Callable[[Path], Any], said: str
) -> None:
    folder = make_rule(checkpoint("llama"), tmp_path)
    spoil(folder)
    with pytest.raises(CheckpointError, match=said):
        load(checkpoint("llama"), folder)
