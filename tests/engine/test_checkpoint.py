"""Checkpoints that are missing, incomplete or wrong are told apart before a model is loaded."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import make_checkpoint

from mcts_math.engine.checkpoint import HEAD_BIAS, HEAD_WEIGHT, download, download_tokenizer, inspect
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.load import check_engine
from mcts_math.engine.spec import EngineOptions
from mcts_math.engine.value_head import fresh_value_head, load_value_head, save_value_head
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.messages import Conversation, Message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "model", "llama")


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_a_complete_checkpoint(folder: Path) -> None:
    checkpoint = inspect(folder, need_value=True)
    assert (checkpoint.architecture, checkpoint.context_length, checkpoint.hidden_size) == ("LlamaForCausalLM", 128, 32)
    assert checkpoint.head_files == (folder / "value_head.pth",)


def test_a_name_of_the_hub_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect("someone/some-model", need_value=True).path is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("models/mini", "no-such-folder", "/no/such/folder", "./a/b", "a/b/c"):
        with pytest.raises(CheckpointError, match="does not exist"):
            inspect(name)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            OSError("[Errno -2] Name or service not known\nmore"),
            r"can't be reached \(\[Errno -2\] Name .*`hf download o/m ",
        ),
        ("RepositoryNotFoundError", "no model of that name.*hf auth login"),
        ("GatedRepoError", "wants its licence accepted.*hf auth login"),
        ("HfHubHTTPError", r"can't be reached \(503"),
    ],
)
@pytest.mark.parametrize("fetch", [lambda: download(inspect("o/m")), lambda: download_tokenizer("o/m")])
def test_a_hub_that_does_not_give_a_model_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, fetch: Callable[[], Any], error: Any, says: str
) -> None:
    raised = error
    if isinstance(error, str):
        response = httpx2.Response(503, request=httpx2.Request("GET", "http://hub"))
        raised = getattr(huggingface_hub.errors, error)("503 Server Error", response=response)

    def snapshot_download(name: str, **patterns: Any) -> str:
        raise raised

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(CheckpointError, match=f"model_dir 'o/m'.*{says}") as caught:
        fetch()
    assert "\n" not in str(caught.value)


def test_a_model_on_the_hub_is_used_as_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []

    def snapshot_download(name: str, **patterns: Any) -> str:
        asked.append((name, patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert download(inspect("o/m", need_value=True), need_value=True).head_files == (folder / "value_head.pth",)
    assert download_tokenizer("o/m") == folder
    assert [name for name, _ in asked] == ["o/m"] * 2
    assert "*.safetensors" not in asked[1][1]["allow_patterns"]
    engine = HFEngine.load("o/m", need_value=True, device="cpu")  # no file of it is sought elsewhere
    asyncio.run(engine.close())
    (folder / "value_head.pth").unlink()
    with pytest.raises(CheckpointError, match="no value head"):
        download(inspect("o/m", need_value=True), need_value=True)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.json", None, "config.json: no such file. Is .* a complete model folder"),
        ("config.json", "{", "config.json is not JSON"),
        ("config.json", "[]", "must hold a JSON object"),
        ("config.json", '{"max_position_embeddings": "many"}', "max_position_embeddings must be a positive integer"),
        ("config.json", '{"initializer_range": "wide"}', "initializer_range must be a number: ValueError: .*'wide'"),
        ("model.safetensors", None, "no weights"),
        ("model.safetensors", "", "no weights"),
        ("tokenizer.json", None, "no tokenizer"),
        ("value_head.pth", None, "no value head"),
    ],
)
def test_what_is_missing_is_named(folder: Path, file: str, content: str | None, says: str) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(CheckpointError, match=says):
        inspect(folder, need_value=True)


def test_a_chat_template_that_is_no_text(folder: Path) -> None:
    (folder / "chat_template.jinja").write_bytes("é".encode("latin-1"))
    example = Conversation((Message("user", "?"),))
    with pytest.raises(CheckpointError, match=r"the chat template in .* can't be read: UnicodeDecodeError"):
        check_engine(EngineOptions("hf", str(folder), example=example))


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"model-2.safetensors"):
        inspect(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    with pytest.raises(CheckpointError, match="weight_map"):
        inspect(folder)


def test_a_head_that_the_config_does_not_know(folder: Path) -> None:
    edit(folder, value_model=False)
    inspect(folder)
    with pytest.raises(CheckpointError, match='"value_model": true'):
        inspect(folder, need_value=True)


WEIGHT, BIAS = torch.ones(1, 32), torch.zeros(1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"weight": WEIGHT, HEAD_BIAS: BIAS}, "no tensor 'v_head.summary.weight'"),
        ({HEAD_WEIGHT: WEIGHT}, "no tensor 'v_head.summary.bias'"),
        ({HEAD_WEIGHT: torch.ones(1, 31), HEAD_BIAS: BIAS}, r"must be of shape \[1, 32\]"),
        ({HEAD_WEIGHT: torch.ones(32), HEAD_BIAS: BIAS}, "must be of shape"),
        ({HEAD_WEIGHT: WEIGHT, HEAD_BIAS: torch.zeros(2)}, "must be of shape"),
        ({HEAD_WEIGHT: WEIGHT * torch.nan, HEAD_BIAS: BIAS}, "NaN or infinity"),
        ({HEAD_WEIGHT: WEIGHT, HEAD_BIAS: BIAS / 0 + torch.inf}, "NaN or infinity"),
        ({HEAD_WEIGHT: WEIGHT.long(), HEAD_BIAS: BIAS}, "floating point"),
        ([WEIGHT, BIAS], "dictionary of tensors"),
        ({HEAD_WEIGHT: "text", HEAD_BIAS: BIAS}, "dictionary of tensors"),
        (Path("a class"), "can't be read"),
        (b"no torch file", "can't be read"),
        (b"hello", "can't be read .*is it whole"),  # which leads the unpickler to a KeyError
    ],
)
def test_a_wrong_head_is_an_error_never_random_numbers(folder: Path, content: Any, says: str) -> None:
    if isinstance(content, bytes):
        (folder / "value_head.pth").write_bytes(content)
    else:
        torch.save(content, folder / "value_head.pth")
    with pytest.raises(CheckpointError, match=says):
        HFEngine.load(folder, need_value=True, device="cpu")


def test_a_head_among_the_weights(folder: Path) -> None:
    head = load_value_head(inspect(folder))
    (folder / "value_head.pth").unlink()
    tensors = load_file(folder / "model.safetensors") | head.published_tensors()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    checkpoint = inspect(folder, need_value=True)
    assert checkpoint.head_files == (folder / "model.safetensors",)
    assert torch.equal(load_value_head(checkpoint).weight, head.weight)


def test_two_heads_must_agree(folder: Path) -> None:
    head = load_value_head(inspect(folder))
    save_value_head(head, folder, pth=False, safetensors=True)
    assert torch.equal(load_value_head(inspect(folder)).weight, head.weight)
    save_value_head(fresh_value_head(32, seed=99), folder, pth=False, safetensors=True)
    with pytest.raises(CheckpointError, match="hold different heads; remove the stale one"):
        load_value_head(inspect(folder))


def test_a_broken_safetensors_head(folder: Path) -> None:
    (folder / "value_head.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(CheckpointError, match="can't be read"):
        load_value_head(inspect(folder, need_value=True))


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"layers.1.mlp.up_proj"):
        HFEngine.load(folder, device="cpu")


def test_cut_off_weights(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        HFEngine.load(folder, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "abacus"}, "abacus"),
        ({"dtype": "float7"}, "float7"),
        ({"max_batch_size": 0}, "max_batch_size must be at least 1"),
        ({"attn": "no such thing"}, "no such thing"),
    ],
)
def test_wrong_arguments(checkpoint: Callable[[str], Path], arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        HFEngine.load(checkpoint("llama"), **({"device": "cpu"} | arguments))


@pytest.mark.parametrize("module", ["checkpoint", "table"])
def test_light_modules_do_not_import_torch(module: str) -> None:
    code = f"import sys, mcts_math.engine.{module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
