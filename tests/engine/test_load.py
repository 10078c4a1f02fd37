"""What engines declare, and which options are refused before anything is loaded."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mcts_math.engine.checks import free_bytes
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.load import check_arguments, check_engine, load_policy, require
from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.engine.spec import AdapterOptions, EngineOptions
from mcts_math.engine.table import ENGINES
from mcts_math.errors import CheckpointError, ConfigError, EngineError


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"max_batch": 3}, "the engine hf has no argument 'max_batch'. Did you mean 'max_batch_size'"),
        ({"zzz": 3}, "It takes: attn, context_length, device, dtype, max_batch_size"),
        ({"max_batch_size": "8"}, "max_batch_size must be int or null, not '8'"),
        ({"max_batch_size": 8.0}, "max_batch_size must be int or null, not 8.0"),
        ({"num_threads": True}, "num_threads must be int or null, not True"),
        ({"dtype": 16}, "dtype must be str, not 16"),
        ({"dtype": None}, "dtype must be str, not None"),
        ({"device": ["cpu"]}, r"device must be str, not \['cpu'\]"),
        ({"attn": {"a": 1}}, r"attn must be str or null, not \{'a': 1\}"),
        ({3: 4}, "has no argument 3"),
    ],
)
def test_arguments_of_a_wrong_name_or_type(arguments: Any, says: str) -> None:
    options = EngineOptions("hf", "nowhere", arguments)
    for refuse in (check_arguments, load_policy):  # before the folder is looked at
        with pytest.raises(ConfigError, match=says):
            refuse(options)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "engine: openai needs base_url. Give it as engine_args={base_url: http://HOST:8000/v1}"),
        ({"base_url": 8000}, "base_url must be str, not 8000"),
        ({"base_url": "http://a/v1", "timeout_s": "1 m"}, "timeout_s must be float, not '1 m'"),
        ({"base_url": "http://a/v1", "retries": 1.5}, "retries must be int, not 1.5"),
    ],
)
def test_arguments_of_a_server(arguments: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_policy(EngineOptions("openai", "m", arguments))


def test_arguments_that_are_right() -> None:
    check_arguments(EngineOptions("hf", "m", {"dtype": "float32", "attn": None, "max_batch_size": 3}))
    check_arguments(EngineOptions("openai", "m", {"base_url": "http://a/v1", "timeout_s": 60, "retries": 0}))


@pytest.mark.parametrize("arguments", [{"retries": -1}, {"max_connections": 0}, {"timeout_s": 0}, {"pause_s": -1.0}])
def test_numbers_out_of_range(arguments: dict[str, Any], checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(EngineError, match=next(iter(arguments))):
        ServerArguments("http://a/v1", **arguments)
    with pytest.raises(EngineError, match="extra_body must be a mapping"):
        ServerArguments("http://a/v1", extra_body="low")  # type: ignore[arg-type]
    for name, number in (("context_length", 0), ("num_threads", -1), ("prefix_cache_tokens", -1)):
        with pytest.raises(EngineError, match=f"{name} must be at least"):
            HFEngine.load(checkpoint("llama"), **{name: number})


def test_what_an_engine_does_not_declare_is_refused() -> None:
    for needs in ({"adapts": True}, {"token_beams": True}):
        require("hf", "this", **needs)
        for other in ("vllm", "openai"):
            with pytest.raises(ConfigError, match=rf"this needs .* which engine: {other} has not; use engine: hf\."):
                require(other, "this", **needs)
    with pytest.raises(ConfigError, match="needs adapters"):
        load_policy(EngineOptions("openai", "m", {"base_url": "http://a/v1"}, adapter=AdapterOptions()))


def test_a_new_engine_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks what engines can do, or loads one, asks the table."""
    loaded: list[EngineOptions] = []
    toy = replace(
        ENGINES["openai"],
        load=lambda options: (loaded.append(options), "policy")[1],  # type: ignore[arg-type,return-value,func-returns-value]
        token_beams=True,
        gives_values=False,
        argument_types=lambda: {"size": int},
        required_arguments={},
    )
    table = dict(ENGINES) | {"toy": toy}
    for module in ("table", "load"):
        monkeypatch.setattr(f"mcts_math.engine.{module}.ENGINES", table)
    options = EngineOptions("toy", "m", {"size": 3})
    check_engine(options)
    assert load_policy(options) == "policy"
    assert loaded == [options]
    require("toy", "this", token_beams=True)
    with pytest.raises(ConfigError, match="which engine: vllm has not; use engine: hf or toy"):
        require("vllm", "this", token_beams=True)
    with pytest.raises(ConfigError, match="need_value needs values"):
        load_policy(replace(options, need_value=True))
    with pytest.raises(ConfigError, match="size must be int"):
        load_policy(replace(options, arguments={"size": "3"}))


def test_weights_are_looked_for_where_they_are_needed() -> None:
    server = {"base_url": "http://localhost:1/v1"}
    check_engine(EngineOptions("openai", "any name", server))
    with pytest.raises(CheckpointError, match="does not exist"):
        check_engine(EngineOptions("hf", "no such folder"))
    with pytest.raises(ConfigError, match="model_dir is not set"):
        check_engine(EngineOptions("openai", "", server))


def test_a_head_is_loaded_where_values_are_wanted_and_nowhere_else(checkpoint: Callable[[str], Path]) -> None:
    for need_value in (False, True):
        options = EngineOptions("hf", str(checkpoint("llama")), {"device": "cpu"}, need_value=need_value)
        engine: Any = load_policy(options)
        assert (engine.model.head is not None) == need_value


def test_copies_of_files_count_as_free_memory() -> None:
    """What a system keeps of files that were read, as checkpoints are, it gives back at once."""
    assert free_bytes() == pytest.approx(psutil.virtual_memory().available, abs=1 << 30)


def test_which_arguments_may_change_results() -> None:
    given = {"max_batch_size": 3, "dtype": "float32", "attn": "eager", "num_threads": 2}
    assert ENGINES["hf"].result_arguments(given) == {"attn": "eager", "dtype": "float32"}
    assert ENGINES["openai"].result_arguments({"base_url": "x", "served_name": "m"}) == {"served_name": "m"}
    assert ENGINES["vllm"].result_arguments({"quantization": "fp8", "max_num_seqs": 9}) == {"quantization": "fp8"}
    for spec in (ENGINES["hf"], ENGINES["openai"]):
        assert spec.neutral_arguments <= set(spec.argument_types())


def test_options_can_be_sent_to_another_process() -> None:
    options = EngineOptions("hf", "m", {"dtype": "float32"}, adapter=AdapterOptions(rank=2), num_replicas=2)
    assert pickle.loads(pickle.dumps(options)) == options


def test_nothing_heavy_is_imported_before_an_engine_is_loaded() -> None:
    code = (
        "import sys; from mcts_math.engine.load import *; from mcts_math.engine.spec import EngineOptions as O;"
        "check_arguments(O('hf', 'm', {'dtype': 'float32'}));"
        "check_arguments(O('openai', 'm', {'base_url': 'x'}));"
        "sys.exit(bool({'torch', 'transformers', 'vllm', 'httpx2', 'mcts_math.config'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
