"""scripts/save_value_head.py: the round trip, and nothing lost on the way."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import huggingface_hub
import pytest
import torch
from tiny_models import Reference, make_checkpoint

from mcts_math.engine.checkpoint import inspect
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.value_head import load_value_head
from mcts_math.errors import CheckpointError, ConfigError
from mcts_math.requests import Evaluate

SCRIPT = Path(__file__).parents[2] / "scripts" / "save_value_head.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("save_value_head", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "bare", "llama", head=False, initializer_range=0.3)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("form", ["pth", "safetensors", "both"])
@pytest.mark.parametrize("link", [[], ["--link"]])
def test_save_load_serve(script: ModuleType, bare: Path, tmp_path: Path, form: str, link: list[str]) -> None:
    before, out = contents(bare), tmp_path / "deep" / "out"
    assert script.main([str(bare), "--out", str(out), "--seed", "3", "--format", form, *link]) == 0
    assert contents(bare) == before
    for name, content in before.items():
        assert (out / name).read_bytes() == content or name == "config.json"
    config = json.loads((out / "config.json").read_text())
    assert config == {**json.loads(before["config.json"]), "value_model": True}
    checkpoint = inspect(out, need_value=True)
    assert len(checkpoint.head_files) == (2 if form == "both" else 1)
    head = load_value_head(checkpoint)
    assert head.weight.std().item() == pytest.approx(0.3, rel=0.4)
    assert head.bias.item() == 0
    if form != "safetensors":
        engine = HFEngine.load(out, need_value=True, device="cpu")
        value = asyncio.run(engine.evaluate(Evaluate("1 + 1 ="))).value
        asyncio.run(engine.close())
        assert value == pytest.approx(Reference(out).value("1 + 1 ="), abs=1e-5)


def test_the_published_layout(script: ModuleType, bare: Path) -> None:
    assert script.main([str(bare), "--in_place"]) == 0
    content = torch.load(bare / "value_head.pth", weights_only=True)
    assert {name: tuple(tensor.shape) for name, tensor in content.items()} == {
        "v_head.summary.weight": (1, 32),
        "v_head.summary.bias": (1,),
    }


def test_in_place_and_not_twice(script: ModuleType, bare: Path) -> None:
    assert script.main([str(bare), "--in_place", "--seed", "1"]) == 0
    first = contents(bare)
    with pytest.raises(CheckpointError, match="--force"):
        script.main([str(bare), "--in_place", "--seed", "2"])
    assert contents(bare) == first
    assert script.main([str(bare), "--in_place", "--seed", "2", "--force", "--format", "safetensors"]) == 0
    assert not (bare / "value_head.pth").exists()  # no stale head beside the new one
    assert not [name for name in contents(bare) if name.endswith((".part", ".tmp"))]


def test_the_seed_decides(script: ModuleType, bare: Path) -> None:
    heads = []
    for seed in ("5", "5", "6"):
        assert script.main([str(bare), "--in_place", "--seed", seed, "--force"]) == 0
        heads.append(load_value_head(inspect(bare)).weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_refusals(script: ModuleType, bare: Path, tmp_path: Path) -> None:
    for arguments, says in [
        ([str(tmp_path / "nothing"), "--in_place"], "does not exist"),
        (["someone/model", "--in_place"], "--out FOLDER"),
        ([str(bare), "--out", str(bare)], "own folder"),
    ]:
        with pytest.raises(CheckpointError, match=says):
            script.main(arguments)
    other = make_checkpoint(tmp_path / "other", "qwen3", head=False)
    with pytest.raises(CheckpointError, match="holds a model already"):
        script.main([str(bare), "--out", str(other)])
    with pytest.raises(CheckpointError, match=r"config.json can't be written: .* Make room, or choose another folder"):
        script.main([str(bare), "--out", str(bare / "config.json")])


def test_a_fit_is_not_begun_where_it_has_no_place(script: ModuleType, bare: Path, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path / "other", "qwen3", head=False)
    with pytest.raises(CheckpointError, match="holds a model already"):  # not: that there is no such file
        script.main([str(bare), "--out", str(other), "--examples", str(tmp_path / "none.jsonl")])
    with pytest.raises(ConfigError, match="max_length"):
        script.main([str(bare), "--out", str(tmp_path / "new"), "--examples", "e.jsonl", "--max_length", "3"])


@pytest.mark.parametrize(
    "options",
    [
        ["--link", "--in_place"],
        ["--out", "o", "--dtype", "bfloat16"],
        ["--in_place", "--num_threads", "2"],
        [],
        ["--out", "o", "--in_place"],
    ],
)
def test_options_that_would_do_nothing(script: ModuleType, bare: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit):
        script.main([str(bare), *options])


def test_a_model_of_the_hub(script: ModuleType, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **patterns: str(bare))
    before = contents(bare)
    assert script.main(["someone/model", "--out", str(tmp_path / "out")]) == 0
    assert inspect(tmp_path / "out", need_value=True).head_files
    assert contents(bare) == before
