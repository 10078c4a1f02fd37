"""Training a rule and its baselines on tiny models, from feedback to what an engine serves."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engines import free_port
from safetensors.torch import load_file
from tiny_models import CHARACTERS, character_tokenizer, make_checkpoint
from transformers import AutoConfig, AutoModelForCausalLM

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.spec import RuleOptions
from mcts_math.errors import CheckpointError, ConfigError, EngineError, MctsMathError, RecordError, TrainingError
from mcts_math.evaluate.plots import require_picture
from mcts_math.messages import Sampling
from mcts_math.requests import Adapt, Generate, LossTerm
from mcts_math.settings import make_settings
from mcts_math.train.config import TuningConfig
from mcts_math.train.learners import RuleLearner
from mcts_math.train.plots import draw_training
from mcts_math.train.tuning import tune

Write = Callable[[str, list[dict[str, Any]]], str]
Settings = Callable[..., TuningConfig]


def line(number: int, **changes: Any) -> dict[str, Any]:
    question = f"{number}+1="
    return {
        "id": f"q{number}/0", "question": question, "solution": f"It is {number + 1}.", "verdict": "incorrect",
        "attempt": f"{question}{number * 7}. " + "x" * (number % 3), "feedback": "No.\n",
    } | changes  # fmt: skip


@pytest.fixture
def settings(tiny: Path, tmp_path: Path, write: Write) -> Settings:
    """A training of a rule on ten attempts; keywords change it."""
    path = write("feedback.jsonl", [line(n) for n in range(10)])

    def settings(**changes: Any) -> TuningConfig:
        values: dict[str, Any] = {
            "model_dir": str(tiny), "feedback": [path], "output_dir": str(tmp_path / "out"), "learning_rate": 1e-2,
            "batch_size": 4, "epochs": 2, "max_length": 128, "log_steps": 1, "save_steps": 2, "device": "cpu",
            "options": {"rank": 4} if changes.get("kind", "rule") == "rule" else {},
        }  # fmt: skip
        return make_settings(TuningConfig, values | changes)

    return settings


def quiet(text: str) -> None:
    """Takes the lines of a training."""


def recipe(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "training.json").read_text()))


def same(one: Path, other: Path, **tolerance: float) -> bool:
    mine, theirs = load_file(one / "optune.safetensors"), load_file(other / "optune.safetensors")
    assert mine.keys() == theirs.keys()
    return all(torch.allclose(mine[name], theirs[name], **tolerance) for name in mine)


# The rule.


def test_a_rule_is_trained_saved_and_sampled_with(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines: list[str] = []
    folder = tune(settings(epochs=6), report=lines.append)
    epochs = recipe(folder)["epochs"]
    assert len(epochs) == 6
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert epochs[0]["inner"] == pytest.approx(epochs[-1]["inner"], rel=1e-5)  # the base does not change
    assert epochs[-1]["change_norm"] > 0
    assert not Path(f"{folder}.training").exists()
    assert any("step 18/18" in text for text in lines)
    state = load_file(folder / "optune.safetensors")
    assert all(float(tensor) > 1000 for name, tensor in state.items() if name.endswith("count"))
    assert all(bool(tensor.any()) for name, tensor in state.items() if "network.up" in name)
    assert draw_training(folder, tmp_path / "epochs.png").read_bytes().startswith(b"\x89PNG")
    for name, match in (("epochs.bmp", "must end in .png or"), ("epochs.png/x.png", "can't be written")):
        with pytest.raises(RecordError, match=match):
            require_picture(tmp_path / name)
    engine = HFEngine.load(tiny, device="cpu", adapter=RuleOptions(str(folder)))
    asyncio.run(engine.adapt(Adapt("t", (LossTerm("3+1=21. ", "No.\n"),), 0, "3+1=21. ")))
    sample = Generate("3+1=", 4, Sampling(1.0, max_tokens=8), 0, adapter="t")
    assert len(asyncio.run(engine.generate(sample)).samples) == 4
    asyncio.run(engine.close())


def test_the_base_model_stays_as_it_was(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    before = (tiny / "model.safetensors").read_bytes()
    first = tune(settings(output_dir=str(tmp_path / "one")), report=quiet)
    again = tune(settings(output_dir=str(tmp_path / "two")), report=quiet)
    assert (tiny / "model.safetensors").read_bytes() == before
    assert same(first, again, rtol=0, atol=0)


class KilledError(Exception):
    """In place of a signal."""


def test_a_killed_training_goes_on_from_its_last_state(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tune(settings(output_dir=str(tmp_path / "whole")), report=quiet)
    original, seen = RuleLearner.loss, []

    def killed(self: RuleLearner, example: Any) -> Any:
        seen.append(example)
        if len(seen) == 15:  # in the fifth of six steps; the state is that of the fourth
            raise KilledError
        return original(self, example)

    monkeypatch.setattr(RuleLearner, "loss", killed)
    with pytest.raises(KilledError):
        tune(settings(), report=quiet)
    with pytest.raises(ConfigError, match=r"other settings .learning_rate: 0.01 -> 0.02"):
        tune(settings(learning_rate=0.02), report=quiet)
    state = Path(settings().output_dir + ".training") / "checkpoint-4" / "state.pt"
    content = state.read_bytes()
    for torn in (b"", b"PK", content[:-9]):
        state.write_bytes(torn)
        with pytest.raises(TrainingError, match="can't be written or read"):
            tune(settings(), report=quiet)
    state.write_bytes(content)
    lines: list[str] = []
    resumed = tune(settings(), report=lines.append)
    assert any("going on from" in text and "checkpoint-4" in text for text in lines)
    assert len(seen) == 15 + 6  # the examples of two steps, the second of which is the rest of its epoch
    assert same(whole, resumed, rtol=0, atol=0)
    assert recipe(whole)["epochs"] == recipe(resumed)["epochs"]


def test_numbers_that_are_not_finite_drop_their_step(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    outer = RuleLearner._outer

    def broken(self: RuleLearner, example: Any, factors: Any) -> Any:
        seen.append(example)
        loss = outer(self, example, factors)
        return loss * float("nan") if len(seen) == 3 else loss

    monkeypatch.setattr(RuleLearner, "_outer", broken)
    folder = tune(settings(), report=quiet)
    assert recipe(folder)["dropped"] == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in load_file(folder / "optune.safetensors").values())


def test_an_epoch_without_a_step_is_a_gap_in_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def draw(*epochs: dict[str, float]) -> Path:
        (tmp_path / "training.json").write_text(json.dumps({"epochs": epochs}))
        return draw_training(tmp_path, tmp_path / "epochs.png")

    assert draw({"loss": 1.0}, {}, {"loss": 0.5, "inner": 1.0}).exists()
    with pytest.raises(RecordError, match="every step was dropped"):
        draw({}, {})


def test_a_line_that_the_model_can_not_be_shown_is_named(settings: Settings, write: Write) -> None:
    path = write("torn.jsonl", [line(0), line(1, attempt="1+1=\ud800")])
    with pytest.raises(RecordError, match=r"'q1/0' can't be trained on: .*surrogate"):
        tune(settings(feedback=[path]), report=quiet)


def test_gradients_that_are_not_finite_do_not_reach_the_moments(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mcts_math.train.learners as learners

    measure, seen = learners.measure, []

    def broken(model: Any, sites: Any, ids: Any) -> Any:
        seen.append(ids)
        loss, factors = measure(model, sites, ids)
        if len(seen) == 2:
            next(iter(factors.values())).slopes[0, 0] = float("inf")
        return loss, factors

    monkeypatch.setattr(learners, "measure", broken)
    folder = tune(settings(epochs=1), report=quiet)
    assert recipe(folder)["dropped"] == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in load_file(folder / "optune.safetensors").values())


def run_processes(count: int, config: TuningConfig, repo: Path) -> Path:
    words = [f"{key}={json.dumps(value)}" for key, value in config.model_dump(exclude_unset=True).items()]
    common = os.environ | {
        "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(repo),
    }  # fmt: skip
    command = [sys.executable, str(repo / "scripts/train_optune.py"), *words]
    running = [subprocess.Popen(command, env=common | {"RANK": str(rank)}, cwd=repo) for rank in range(count)]
    assert [process.wait(300) for process in running] == [0] * count
    return Path(config.output_dir)


@pytest.mark.slow
def test_several_processes_see_the_statistics_of_one(settings: Settings, repo: Path, tmp_path: Path) -> None:
    """Moments bit by bit, with a last step that does not fill all processes; networks to rounding."""
    more = {"num_threads": 1, "batch_size": 4, "epochs": 1}
    alone = tune(settings(output_dir=str(tmp_path / "alone"), **more), report=quiet)
    together = run_processes(2, settings(output_dir=str(tmp_path / "together"), **more), repo)
    mine, theirs = (load_file(folder / "optune.safetensors") for folder in (alone, together))
    moments = [name for name in mine if name.endswith(("count", "mean", "squares"))]
    assert len(moments) == 12
    assert all(torch.equal(mine[name], theirs[name]) for name in moments)
    assert same(alone, together, rtol=1e-4, atol=1e-6)
    assert recipe(alone)["epochs"][0] == pytest.approx(recipe(together)["epochs"][0], rel=1e-5)


def test_a_base_in_bfloat16_has_factors_in_float32(settings: Settings) -> None:
    folder = tune(settings(dtype="bfloat16", epochs=4), report=quiet)
    epochs = recipe(folder)["epochs"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert {tensor.dtype for name, tensor in load_file(folder / "optune.safetensors").items() if "network" in name} == {
        torch.float32
    }


# Architectures.


ARCHITECTURES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "llama": ({}, ["q_proj", "v_proj"]),
    "qwen2": ({"num_key_value_heads": 2}, ["q_proj", "v_proj"]),  # with biases
    "mistral": ({"num_key_value_heads": 2, "sliding_window": None}, ["q_proj", "o_proj", "down_proj"]),
    "gpt_neox": ({}, ["query_key_value"]),  # q, k and v in one
}


def make_base(folder: Path, family: str, **more: Any) -> Path:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family, vocab_size=len(CHARACTERS) + 3, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=128, initializer_range=0.1, bos_token_id=0, eos_token_id=1,
        pad_token_id=1, **more,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_any_architecture_with_linear_projections(family: str, settings: Settings, tmp_path: Path) -> None:
    """A few steps, saved, loaded, sampled; the trained change does something."""
    more, targets = ARCHITECTURES[family]
    base = make_base(tmp_path / "base", family, **more)
    chosen = {"options": {"rank": 4, "targets": targets}, "model_dir": str(base), "epochs": 5}
    folder = tune(settings(**chosen), report=quiet)
    epochs = recipe(folder)["epochs"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    engine = HFEngine.load(base, device="cpu", adapter=RuleOptions(str(folder)))

    async def run() -> None:
        for name in ("a", "b"):
            attempt = f"3+1=2{name}. "
            await engine.adapt(Adapt(name, (LossTerm(attempt, "No.\n"),), 0, attempt))
        asked = [
            engine.generate(Generate("3+1=", 8, Sampling(1.0, max_tokens=12), 0, adapter=name))
            for name in ("", "a", "b")
        ]
        plain, one, other = [reply.samples for reply in await asyncio.gather(*asked)]
        assert plain != one != other

    asyncio.run(run())
    asyncio.run(engine.close())


# Baselines.


BASELINES: dict[str, dict[str, Any]] = {
    "full": {"learning_rate": 1e-3},
    "lora": {"options": {"r": 4, "lora_alpha": 4, "lora_dropout": 0.05, "layers_to_transform": [1, 2]}},
    "ia3": {"learning_rate": 3e-2},
    "layernorm": {},
    "prefix": {"options": {"num_virtual_tokens": 5}, "learning_rate": 3e-2},
    "bottleneck": {"options": {"reduction": 4}},
    "reft": {"options": {"rank": 2, "positions": 3}, "learning_rate": 3e-2},
}


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")  # peft 0.21 gives a prefix so
@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
@pytest.mark.parametrize("kind", BASELINES)
@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings.*")
def test_a_baseline_learns_the_gold_solutions_and_is_served(
    kind: str, family: str, settings: Settings, tmp_path: Path
) -> None:
    """Its loss falls, and what the engine samples from has the loss that the training ended with."""
    pytest.importorskip("peft", reason="baselines need peft")
    if (kind, family) == ("layernorm", "gpt_neox"):
        BASELINES[kind]["options"] = {"target_modules": ["input_layernorm", "post_attention_layernorm"]}
    base = make_base(tmp_path / "base", family)
    odd = '{"do_sample": false, "temperature": 0.6}'  # transformers reads it, and would not write it
    (base / "generation_config.json").write_text(odd)
    chosen = {"kind": kind, "model_dir": str(base), "schedule": "cosine", "epochs": 4, "dtype": "float32"}
    folder = tune(settings(**(chosen | BASELINES[kind])), report=quiet)
    BASELINES["layernorm"].pop("options", None)
    epochs = recipe(folder)["epochs"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    is_apart = (folder / "tuned.json").exists()
    assert is_apart == (kind in ("prefix", "bottleneck", "reft"))
    assert is_apart or (folder / "generation_config.json").read_text() == odd
    tuned = {"tuned_dir": str(folder)} if is_apart else {}
    engines = [HFEngine.load(base, device="cpu"), HFEngine.load(base if is_apart else folder, device="cpu", **tuned)]

    async def logprobs(engine: HFEngine) -> list[float]:
        """Of greedy samples of prompts of several lengths, beside each other."""
        asked = [engine.generate(Generate(f"{n}+1=", 1, Sampling(0.0, max_tokens=12), 0)) for n in (3, 777, 4444444)]
        return [sample.logprob for reply in await asyncio.gather(*asked) for sample in reply.samples]

    plain, mine = [asyncio.run(logprobs(engine)) for engine in engines]
    assert plain != mine
    for engine in engines:
        asyncio.run(engine.close())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lora", {"target_modules": ["lm_head"]}),
        ("lora", {"target_modules": ["embed_tokens"]}),
        ("ia3", {"target_modules": ["lm_head"], "feedforward_modules": []}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings.*")
def test_a_tied_weight_can_not_be_tuned_alone(
    kind: str, options: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="baselines need peft")
    base = make_checkpoint(tmp_path / "tied", "qwen3", max_position_embeddings=512)
    with pytest.raises(ConfigError, match=r"options: .* shares its weight with another layer"):
        tune(settings(kind=kind, options=options, model_dir=str(base)), report=quiet)


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")  # peft 0.21 gives a prefix so
@pytest.mark.parametrize("kind", ["prefix", "bottleneck", "reft"])
def test_what_is_served_is_what_was_trained(kind: str, settings: Settings, tmp_path: Path) -> None:
    """Log-probabilities of the engine, in a batch and with a cache, against the trained module in one plain pass."""
    pytest.importorskip("peft", reason="baselines need peft")
    from mcts_math.train.learners import TunedLearner

    base = make_base(tmp_path / "base", "llama")
    kept: list[TunedLearner] = []
    original = TunedLearner.save

    def keep(self: TunedLearner, *arguments: Any) -> None:
        kept.append(self)
        original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TunedLearner, "save", keep)
        chosen = {"kind": kind, "model_dir": str(base), "epochs": 4}
        folder = tune(settings(**(chosen | BASELINES[kind])), report=quiet)
    engine = HFEngine.load(base, device="cpu", tuned_dir=str(folder))
    prompts = ("3+1=", "5555+1=", "1+1=2, so what is 7+1? It is ")

    async def ask() -> list[Any]:
        asked = [engine.generate(Generate(prompt, 2, Sampling(1.0, max_tokens=10), 7)) for prompt in prompts]
        return [(await one).samples for one in [asyncio.ensure_future(each) for each in asked]]

    module: Any = kept[0].module.eval()
    tokenizer = character_tokenizer()
    for _ in range(2):  # the second time prompts come from the cache
        for prompt, samples in zip(prompts, asyncio.run(ask()), strict=True):
            for sample in samples:
                ids = torch.tensor([tokenizer(prompt + sample.text)["input_ids"]])
                start = len(tokenizer(prompt)["input_ids"])
                if sample.finish == "stop" or ids.shape[1] - start != sample.num_tokens:
                    continue
                with torch.no_grad():
                    logprobs = module(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
                found = logprobs[start - 1 : -1].gather(1, ids[0, start:, None]).sum()
                assert sample.logprob == pytest.approx(float(found), abs=2e-3)
    asyncio.run(engine.close())
    with pytest.raises(EngineError, match="don't go together"):
        HFEngine.load(base, device="cpu", tuned_dir=str(folder), adapter=RuleOptions("x"))
    with pytest.raises(CheckpointError, match="another model_dir"):
        HFEngine.load(make_base(tmp_path / "other", "llama", rms_norm_eps=1e-5, mlp_bias=True), tuned_dir=str(folder))


# What goes wrong.


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"options": {"targets": ["input_layernorm"]}}, EngineError, "no linear module 'input_layernorm'"),
        ({"options": {"targets": ["c_attn"]}}, EngineError, "no linear module 'c_attn'"),
        ({"options": {"layers": 9}}, EngineError, "has 2 layers"),
        ({"options": {"layer": 1}}, ConfigError, "options: unknown key 'layer'. Did you mean 'layers'"),
        ({"kind": "lora", "options": {"rankk": 1}}, ConfigError, "kind: lora, options: peft refuses it for LoraConfig"),
        (
            {"kind": "lora", "options": {"target_modules": ["nope"]}},
            ConfigError,
            r"for LoraConfig: Target modules .* not found .*[^.]\.$",
        ),
        (
            {"kind": "lora", "options": {"target_modules": ["q_proj"], "inference_mode": True}},
            EngineError,
            "lora found nothing to train in a .*; set target_modules$",
        ),
        ({"kind": "bottleneck", "options": {"rankk": 1}}, ConfigError, "options: unknown key 'rankk'"),
        ({"kind": "bottleneck", "options": {"reduction": 0}}, ConfigError, "options: reduction: .* greater than"),
        ({"kind": "reft", "options": {"positions": -1}}, ConfigError, "options: positions: .* greater than"),
        ({"kind": "full", "options": {"rank": 1}}, ConfigError, "options: unknown key 'rank'"),
        ({"kind": "prefix", "options": {"num_virtual_tokens": 0}}, EngineError, "prefix found nothing to train"),
        ({"feedback": []}, ConfigError, "no training data"),
        ({"feedback": ["nowhere.jsonl"]}, ConfigError, "nowhere.jsonl: no such file"),
        ({"feedback": [__file__, __file__]}, RecordError, "is given twice"),
        ({"model_dir": ""}, ConfigError, "set model_dir"),
        ({"max_length": 12}, RecordError, "nothing to train on .*10 are too long"),
    ],
)
def test_what_is_refused(settings: Settings, changes: dict[str, Any], error: type[MctsMathError], said: str) -> None:
    with pytest.raises(error, match=said):
        tune(settings(**changes), report=quiet)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"solution": " "}, "feedback2.jsonl:1: not a line of feedback: solution"),
        ({"verdict": "perhaps"}, "not a line of feedback"),
        ({"question": 5}, "not a line of feedback"),
    ],
)
def test_lines_that_can_not_be_learnt_from(settings: Settings, write: Write, spoil: dict[str, Any], said: str) -> None:
    path = write("feedback2.jsonl", [line(1, **spoil)])
    with pytest.raises(RecordError, match=said):
        tune(settings(feedback=[path]), report=quiet)


def test_a_rule_needs_attempts_and_a_baseline_does_not(settings: Settings, write: Write) -> None:
    pytest.importorskip("peft", reason="baselines need peft")
    bare = {key: value for key, value in line(1).items() if key in ("id", "question", "solution")}
    path = write("gold.jsonl", [bare, bare | {"question": "9+1=", "id": "q9"}])
    with pytest.raises(RecordError, match="'q1/0' holds no attempt"):
        tune(settings(feedback=[path]), report=quiet)
    lines: list[str] = []
    tune(settings(feedback=[path], kind="lora"), report=lines.append)
    assert lines[0].startswith("2 examples")


def test_a_question_longer_than_the_context_is_left_out(settings: Settings, write: Write, tiny: Path) -> None:
    path = write("long.jsonl", [line(1), line(2, attempt="2+1=" + "9" * 600)])
    lines: list[str] = []
    tune(settings(feedback=[path], max_length=4096), report=lines.append)
    assert "1 examples" in lines[0]
    assert "1 are too long and left out (such as q2/0)" in lines[0]


def test_a_rate_that_breaks_the_networks_is_told_by_the_dropped_steps(settings: Settings) -> None:
    folder = tune(settings(learning_rate=1e37, epochs=1), report=quiet)
    assert recipe(folder)["dropped"] == 2  # of three: all after the first


def test_a_finished_result_is_not_overwritten(settings: Settings) -> None:
    folder = tune(settings(epochs=1), report=quiet)
    with pytest.raises(ConfigError, match=r"exists\. Choose another output_dir"):
        tune(settings(epochs=1), report=quiet)
    assert tune(settings(epochs=1), overwrite=True, report=quiet) == folder
