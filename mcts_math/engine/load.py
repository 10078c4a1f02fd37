"""From a config to the engine that it names. Nothing heavy is imported before an engine is really loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from inspect import signature
from typing import TYPE_CHECKING

from mcts_math.config import Config
from mcts_math.engine.checkpoint import inspect
from mcts_math.errors import ConfigError
from mcts_math.requests import Policy

if TYPE_CHECKING:
    from mcts_math.engine.lora import AdapterOptions


def check_model(config: Config) -> None:
    """Looks at the checkpoint's files, without loading any. Raises ConfigError or CheckpointError."""
    if not config.model_dir:
        raise ConfigError("model_dir is not set. Give a checkpoint folder, e.g. model_dir=models/mini.")
    if config.engine == "openai":
        _require_url(config)  # the server has the model; here it may be a mere name
        return
    inspect(config.model_dir, need_value=config.need_value_func)


def load_policy(config: Config) -> Policy:
    """Loads the engine that the config names.

    Raises:
        ConfigError: an argument that the engine does not have.
        EngineError, CheckpointError: it can't be loaded.
    """
    if config.num_replicas > 1:
        from mcts_math.engine.replicas import ReplicatedEngine

        return ReplicatedEngine.start(config)
    return {"hf": _load_hf, "vllm": _load_vllm, "openai": _connect}[config.engine](config)


def _load_hf(config: Config) -> Policy:
    from mcts_math.engine.hf import HFEngine

    known = [name for name in signature(HFEngine.load).parameters if name not in ("model_dir", "need_value", "adapter")]
    _check_arguments(config, known)
    adapter = _adapter_options(config) if config.mode == "fttt" else None
    return HFEngine.load(config.model_dir, need_value=_wants_head(config), adapter=adapter, **config.engine_args)


def _load_vllm(config: Config) -> Policy:
    from mcts_math.engine.vllm import VLLMEngine, argument_names

    _check_arguments(config, argument_names())
    return VLLMEngine.load(config.model_dir, need_value=_wants_head(config), **config.engine_args)


def _connect(config: Config) -> Policy:
    from mcts_math.engine.openai import OpenAIEngine

    known = [name for name in signature(OpenAIEngine.connect).parameters if name not in ("model", "need_value")]
    _check_arguments(config, known)
    _require_url(config)
    return OpenAIEngine.connect(config.model_dir, need_value=config.need_value_func, **config.engine_args)


def _wants_head(config: Config) -> bool:
    """A head is read wherever there is one: published MCTS backs values up whether or not they are needed."""
    return config.need_value_func or (config.mode == "mcts" and bool(inspect(config.model_dir).head_files))


def _check_arguments(config: Config, known: Iterable[str]) -> None:
    known = sorted(known)
    for key in config.engine_args:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, 0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(known)}."
            raise ConfigError(f"engine_args: the engine {config.engine} has no argument {key!r}. {hint}")


def _require_url(config: Config) -> None:
    if not isinstance(config.engine_args.get("base_url"), str):
        raise ConfigError(
            "engine: openai needs the server's address. Give it as engine_args={base_url: http://HOST:8000/v1}."
        )


def _adapter_options(config: Config) -> AdapterOptions:
    from mcts_math.engine.lora import AdapterOptions

    return AdapterOptions(
        rank=config.adapter_rank,
        alpha=config.adapter_alpha,
        dropout=config.adapter_dropout,
        targets=tuple(config.adapter_targets),
        lr=config.adapter_lr,
    )
