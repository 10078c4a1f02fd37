"""Value heads that are fitted to a model's hidden states: the formula, the scale, the whole program."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from tiny_models import make_checkpoint

from mcts_math.engine.checkpoint import inspect
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.value_head import load_value_head
from mcts_math.errors import RecordError
from mcts_math.requests import Evaluate
from mcts_math.train.config import TrainConfig
from mcts_math.train.probe import Features, fit_head, read_features

SCRIPT = Path(__file__).parents[2] / "scripts" / "save_value_head.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("save_value_head_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def drawn(scale: float, noise: float = 1.0) -> Features:
    """600 steps of 150 questions; whether one is right is a logistic function of its hidden state."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(600, 24, generator=generator)
    logits = hidden @ torch.randn(24, generator=generator) / noise
    right = torch.rand(600, generator=generator) < torch.sigmoid(logits)
    return Features(scale * (hidden + 3), torch.where(right, 1.0, -1.0), [str(i // 4) for i in range(600)])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 200.0])
def test_the_head_tells_chances_whatever_the_scale_of_the_features(scale: float) -> None:
    features = drawn(scale)
    fit = fit_head(features)
    assert fit.loss < 0.8 * fit.constant_loss
    assert fit.area > 0.8
    values = fit.head(features.hidden).detach()
    assert values.abs().max() < 1
    for low, high in ((-1.0, -0.5), (-0.5, 0.5), (0.5, 1.0)):  # a value is 2p - 1
        within = (values > low) & (values <= high)
        assert float(features.targets[within].mean()) == pytest.approx(float(values[within].mean()), abs=0.15)


def test_noise_gets_the_chance_of_all() -> None:
    features = drawn(1.0, noise=1e6)
    fit = fit_head(features)
    assert fit.loss == pytest.approx(fit.constant_loss, abs=0.03)
    assert fit.head(features.hidden).abs().max() < 0.5


def test_too_little_to_learn_from_is_said() -> None:
    features = drawn(1.0)
    with pytest.raises(RecordError, match=r"at least 5 questions, not .* of 1"):
        fit_head(Features(features.hidden, features.targets, ["q"] * 600))
    with pytest.raises(RecordError, match="not 600 right and 0 wrong ones"):
        fit_head(Features(features.hidden, torch.ones(600), features.questions))


def write_examples(path: Path) -> Path:
    """Two steps of each of twelve questions. Their lines have no ids: a place in a file tells no question."""
    records = [
        {
            "question": f"What is {i} + 1?",
            "prompt": f"{i} + 1 = ",
            "steps": [{"text": f"{i} and one\n", "q": 1.0 if i % 2 else -1.0}, {"text": f"is {i + 1}\n", "q": 0.5}],
            "correct": bool(i % 2),
        }
        for i in range(12)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_the_program_gives_the_engine_what_was_fitted(script: ModuleType, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "bare", "llama", head=False, initializer_range=0.3)
    examples = write_examples(tmp_path / "examples.jsonl")
    out, few = tmp_path / "out", ["--examples", str(examples), "--max_length", "64"]
    assert script.main([str(folder), "--out", str(out), "--link", *few]) == 0
    head = load_value_head(inspect(out, need_value=True))
    features = read_features(
        inspect(folder), TrainConfig(examples=[str(examples)], max_length=64, fresh_value_head=True), lambda text: None
    )
    assert len(set(features.questions)) == 12
    engine = HFEngine.load(out, need_value=True, device="cpu")
    ends = {f"{i} + 1 = {i} and one\n": 1.0 if i % 2 else -1.0 for i in range(12)}
    told = [asyncio.run(engine.evaluate(Evaluate(prompt))).value for prompt in ends]
    asyncio.run(engine.close())
    fitted = head(features.hidden).tolist()
    for value, target in zip(told, ends.values(), strict=True):
        near = [(one, q) for one, q in zip(fitted, features.targets.tolist(), strict=True) if abs(one - value) < 1e-4]
        assert (pytest.approx(value, abs=1e-4), target) in near


def test_nothing_is_written_where_nothing_can_be_learnt(script: ModuleType, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "bare", "llama", head=False)
    examples = write_examples(tmp_path / "examples.jsonl")
    examples.write_text(examples.read_text().splitlines(keepends=True)[1])
    few = ["--examples", str(examples), "--max_length", "64"]
    with pytest.raises(RecordError, match="a head needs right and wrong steps"):
        script.main([str(folder), "--out", str(tmp_path / "out"), *few])
    assert not (tmp_path / "out").exists()
