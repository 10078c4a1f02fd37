"""What is vLLM's alone: heads in every layout, wrong ones, the token that carries values, a dying engine."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from engines import start_vllm
from safetensors.torch import load_file, save_file
from tiny_models import Reference, character_tokenizer, make_checkpoint

from mcts_math.engine import serve
from mcts_math.engine.checkpoint import HEAD_BIAS, HEAD_WEIGHT, inspect
from mcts_math.engine.load import load_policy
from mcts_math.engine.spec import EngineOptions
from mcts_math.engine.value_head import load_value_head
from mcts_math.engine.value_token import decode_value, encode_value, value_token
from mcts_math.errors import CheckpointError, ConfigError, EngineError, EngineLostError, RefusedError
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate, Generation

needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")


@needs_vllm
@pytest.mark.slow
def test_a_head_among_the_weights_is_served_until_the_engine_dies(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", "llama")
    reference = Reference(folder)
    head = load_value_head(inspect(folder))
    (folder / "value_head.pth").unlink()
    weights = load_file(folder / "model.safetensors") | head.published_tensors()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    before = set(psutil.Process().children(recursive=True))
    engine = start_vllm(folder)
    mine = set(psutil.Process().children(recursive=True)) - before

    async def scene() -> None:
        value = (await engine.evaluate(Evaluate("1 + 1 = "))).value
        assert value == pytest.approx(reference.value("1 + 1 = "), abs=1e-5)
        for refused in (Generate("x", 1, Sampling(), 0, adapter="a"), Generate("x", 1, Sampling(0.0, beam_width=2), 0)):
            with pytest.raises(EngineError, match="use engine: hf"):
                await engine.generate(refused)
        # What our own checks let through and vLLM refuses costs its question alone.
        with pytest.raises(RefusedError, match=r"vLLM refuses the request.*vocabulary"):
            await engine._run(lambda: engine._write((10**6,), "", Sampling(), 0, False))
        assert (await engine.generate(Generate("x", 1, Sampling(), 0))).samples
        long = Sampling(1.0, max_tokens=100)
        tasks = [asyncio.ensure_future(engine.generate(Generate("x", 2, long, seed))) for seed in range(200)]
        await asyncio.sleep(0.2)
        for process in mine:
            if process.is_running():
                os.kill(process.pid, signal.SIGKILL)
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        lost = [result for result in results if isinstance(result, EngineLostError)]
        assert lost
        assert "go on with --resume" in str(lost[0])
        assert all(isinstance(result, Generation | EngineLostError) for result in results)
        with pytest.raises(EngineLostError):
            await engine.generate(Generate("x", 1, long, 0))
        await asyncio.wait_for(engine.close(), 60)

    asyncio.run(scene())


@needs_vllm
@pytest.mark.filterwarnings("ignore")  # of vLLM's imports
def test_what_concerns_one_request_is_told_apart() -> None:
    from vllm.exceptions import VLLMValidationError

    from mcts_math.engine.vllm.engine import VLLMEngine

    engine = object.__new__(VLLMEngine)
    for error, of_the_request in ((ValueError("no"), True), (VLLMValidationError("no"), True), (KeyError("no"), False)):

        async def work(error: Exception = error) -> None:
            raise error

        with pytest.raises(EngineError) as caught:
            asyncio.run(engine._translate(work))
        assert isinstance(caught.value, RefusedError) == of_the_request


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"weight": torch.ones(1, 32), HEAD_BIAS: torch.zeros(1)}, "no tensor 'v_head.summary.weight'"),
        ({HEAD_WEIGHT: torch.ones(1, 31), HEAD_BIAS: torch.zeros(1)}, "must be of shape"),
        ({HEAD_WEIGHT: torch.full((1, 32), torch.nan), HEAD_BIAS: torch.zeros(1)}, "NaN or infinity"),
        (None, "no value head"),
    ],
)
def test_a_wrong_head_is_told_before_vllm_starts(tmp_path: Path, content: Any, says: str) -> None:
    from mcts_math.engine.vllm.engine import VLLMEngine

    folder = make_checkpoint(tmp_path / "model", "llama")
    if content is None:
        (folder / "value_head.pth").unlink()
    else:
        torch.save(content, folder / "value_head.pth")
    with pytest.raises(CheckpointError, match=says):
        VLLMEngine.load(folder, need_value=True)


@needs_vllm
@pytest.mark.filterwarnings("ignore")  # of vLLM's imports
def test_arguments_that_vllm_does_not_have_or_would_die_of(tmp_path: Path) -> None:
    options = EngineOptions("vllm", str(make_checkpoint(tmp_path / "model", "llama")), need_value=True)
    for args, error, says in [
        ({"max_model_length": 9}, ConfigError, "has no argument 'max_model_length'. Did you mean 'max_model_len'"),
        ({"enable_chunked_prefill": True}, EngineError, "crashes vLLM on a CPU"),
        ({"logprobs_mode": "raw_logprobs"}, EngineError, "set by the value head"),
        ({"dtype": "float33"}, ConfigError, "dtype must be .*'float32'.* not 'float33'"),
        ({"max_num_seqs": "many"}, ConfigError, "max_num_seqs must be int or null, not 'many'"),
        ({"quantization": "no such thing"}, EngineError, "vLLM did not start"),
    ]:
        with pytest.raises(error, match=says):
            load_policy(replace(options, arguments=args))


def test_the_token_that_carries_values(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()

    def chosen(vocab_size: int, eos: Any = 1, **tokens: Any) -> int:
        tokenizer = character_tokenizer()
        tokenizer.add_special_tokens(tokens)
        tokenizer.save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps({"vocab_size": vocab_size, "eos_token_id": eos}))
        return value_token(folder)

    size = len(character_tokenizer())
    assert chosen(size + 5) == size + 4
    assert chosen(size) == 0
    assert chosen(size, eos=[0, 1]) == 2
    with pytest.raises(CheckpointError, match="this model has none"):
        chosen(size, eos=[0, 1, 2])


def test_arguments_of_a_server_are_shown_as_a_shell_takes_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", "my model", "--model-class-overrides", '{"A": "b:c"}']
    monkeypatch.setattr(serve, "server_arguments", lambda model_dir: arguments)
    assert serve.main(["my model", "--print", "--port", "9"]) == 0
    assert shlex.split(capsys.readouterr().out) == [*arguments, "--port", "9"]


def test_values_survive_their_disguise() -> None:
    values = torch.linspace(-1, 1, 1001)
    back = torch.tensor([decode_value(float(score)) for score in encode_value(values)])
    assert float((back - values).abs().max()) < 3e-7
    for score in (0.0, -5.0, -990.0, -3010.0, float("nan"), float("-inf")):
        with pytest.raises(EngineError, match="where a value should be"):
            decode_value(score)
