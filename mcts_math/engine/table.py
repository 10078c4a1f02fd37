"""The table of engines. Config, help and every question "can this engine …?" read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, get_type_hints

from mcts_math.engine.hf.arguments import HFArguments
from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.engine.spec import EngineOptions, EngineSpec
from mcts_math.requests import Checker, Interpreter, Policy


def _load_hf(options: EngineOptions) -> Policy:
    from mcts_math.engine.hf.engine import HFEngine

    return HFEngine.load(options.model_dir, need_value=options.need_value, adapter=options.adapter, **options.arguments)


def _load_hf_lockstep(options: EngineOptions, interpreter: Interpreter, checker: Checker) -> Any:
    from mcts_math.engine.hf.lockstep import Lockstep, load_model

    return Lockstep(load_model(options), interpreter, checker)


def _load_vllm(options: EngineOptions) -> Policy:
    from mcts_math.engine.vllm.engine import VLLMEngine

    return VLLMEngine.load(options.model_dir, need_value=options.need_value, **options.arguments)


def _vllm_arguments() -> Mapping[str, Any]:
    from mcts_math.engine.vllm.arguments import engine_args_class

    types = _field_types(engine_args_class())
    return {name: kind for name, kind in types.items() if name != "model"}


def _connect_openai(options: EngineOptions) -> Policy:
    from mcts_math.engine.openai.engine import OpenAIEngine

    return OpenAIEngine.connect(options.model_dir, need_value=options.need_value, **options.arguments)


def _field_types(arguments: type[Any]) -> dict[str, Any]:
    """Types of a dataclass's fields; `Any` stands for names that its module imports for type checkers alone."""
    unknown: dict[str, Any] = {}
    while True:
        try:
            hints = get_type_hints(arguments, localns=unknown)
        except NameError as error:
            if error.name is None or error.name in unknown:
                raise
            unknown[error.name] = Any
        else:
            return {field.name: hints[field.name] for field in fields(arguments) if field.init}


_VLLM_NEUTRAL: Final = frozenset(
    {"block_size", "disable_log_stats", "distributed_executor_backend", "enable_prefix_caching", "enforce_eager",
     "gpu_memory_utilization", "kv_cache_memory_bytes", "max_num_batched_tokens", "max_num_seqs",
     "max_parallel_loading_workers", "pipeline_parallel_size", "tensor_parallel_size"}
)  # fmt: skip

ENGINES: Final[Mapping[str, EngineSpec]] = {
    "hf": EngineSpec(
        summary="transformers, in this process",
        load=_load_hf,
        gives_values=True,
        adapts=True,
        token_beams=True,
        tells_certainty=True,
        needs_weights=True,
        argument_types=lambda: _field_types(HFArguments),
        required_arguments={},
        neutral_arguments=frozenset(
            {"max_batch_size", "max_batch_tokens", "max_prefill_tokens", "prefix_cache_tokens", "num_threads"}
        ),
        load_lockstep=_load_hf_lockstep,
    ),
    "vllm": EngineSpec(
        summary="vLLM, on this machine's GPUs",
        load=_load_vllm,
        gives_values=True,
        adapts=False,
        token_beams=False,
        needs_weights=True,
        argument_types=_vllm_arguments,
        required_arguments={},
        neutral_arguments=_VLLM_NEUTRAL,
    ),
    "openai": EngineSpec(
        summary="any server with an OpenAI-compatible API",
        load=_connect_openai,
        gives_values=True,  # on a vLLM server that was started for it, which `connect` tries
        adapts=False,
        token_beams=False,
        needs_weights=False,
        argument_types=lambda: _field_types(ServerArguments),
        required_arguments={"base_url": "http://HOST:8000/v1"},
        neutral_arguments=frozenset({"base_url", "api_key_env", "timeout_s", "retries", "pause_s", "max_connections"}),
    ),
}
"""Every engine, by the name that a config gives it."""


_CAPABILITIES: Final = {
    "gives_values": "values of partial solutions",
    "adapts": "adapters that learn at test time",
    "token_beams": "a beam search over tokens",
    "tells_certainty": "the certainty of a sample",
}


def find_lack(engine: str, **needed: bool) -> str:
    """What an engine lacks of some attributes of `EngineSpec`, and which engines have it; "" where it has them all."""
    for capability, is_needed in needed.items():
        what = _CAPABILITIES[capability]
        if is_needed and not getattr(ENGINES[engine], capability):
            able = [name for name, spec in ENGINES.items() if getattr(spec, capability)]
            return f"{what}, which engine: {engine} has not; use engine: {' or '.join(able)}"
    return ""
