"""Starting the engines of the conformance suite. Another engine joins by one more entry in ENGINES."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tiny_models import FAMILIES, PADDED, Reference, Served

from mcts_math.engine.checkpoint import inspect
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.value_head import load_value_head, save_value_head
from mcts_math.errors import EngineError
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate, Generation

VLLM_ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine computes itself: no worker that spins
    "VLLM_CPU_CI_ENV": "1",  # no warm-up
    "TORCHDYNAMO_DISABLE": "1",  # else a kernel that ranks log-probabilities is compiled, which takes half a minute
}


async def pids_of(engine: Any) -> list[int]:
    """Processes of the replicas that are up."""
    return [await slot.actor.pid.remote() for slot in engine._slots if slot.is_up]


def load_hf(folder: Path, **limits: int) -> Served:
    def load(**limits: int) -> HFEngine:
        return HFEngine.load(folder, need_value=True, device="cpu", **limits)

    return Served(folder, load(**limits), Reference(folder), load)


def load_vllm(folder: Path) -> Served:
    """The real vLLM, on a CPU. It takes half a minute to start, so few places are for all tests and no second one."""

    def load(**limits: int) -> Any:
        return Shared(engine) if set(limits) == {"max_batch_size"} else start_vllm(folder)

    reference = Reference(folder)
    if reference.model.config.model_type == "mistral":  # this one with its head in a safetensors file too
        save_value_head(load_value_head(inspect(folder)), folder, pth=False, safetensors=True)
    engine = start_vllm(folder)
    # vLLM caches prompts by blocks, and with windows as small as these not at all.
    block = 0 if getattr(reference.model.config, "sliding_window", None) else 32
    return Served(folder, engine, reference, load, (engine.value_token,), block)


def start_vllm(folder: Path, **more: Any) -> Any:
    from mcts_math.engine.vllm.engine import VLLMEngine

    os.environ |= VLLM_ENVIRONMENT
    small = {"enforce_eager": True, "max_num_seqs": 16, "kv_cache_memory_bytes": 64 << 20}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of vLLM's imports
        return VLLMEngine.load(folder, need_value=True, **{**small, **more})


def load_openai(folder: Path) -> Served:
    """vLLM's own server with the value head, and a client that knows the model's folder."""
    from mcts_math.engine.openai.engine import OpenAIEngine

    port = free_port()
    command = [sys.executable, "-m", "mcts_math.engine.serve", str(folder), "--port", str(port), "--host", "127.0.0.1"]
    command += ["--enforce-eager", "--max-num-seqs", "16", "--kv-cache-memory-bytes", str(64 << 20)]
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(command, env=os.environ | VLLM_ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT)

    def load(**limits: int) -> OpenAIEngine:
        return OpenAIEngine.connect(
            str(folder), base_url=f"http://127.0.0.1:{port}/v1", need_value=True, retries=60, pause_s=0.1
        )

    try:
        engine = load()
    except BaseException:
        process.kill()
        raise

    async def close() -> None:
        await OpenAIEngine.close(engine)
        process.terminate()
        process.wait(30)
        log.close()

    engine.close = close  # type: ignore[method-assign]
    return Served(folder, engine, Reference(folder), load, (engine.served.value_token or 0,), 32)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


class Shared:
    """An engine that outlives whoever closes it."""

    def __init__(self, engine: Any) -> None:
        self.generate, self.evaluate = engine.generate, engine.evaluate

    async def close(self) -> None:
        pass


async def close_while_busy(engine: Any) -> None:
    """What waits fails, and what comes later; a second close does nothing."""
    long = Sampling(1.0, max_tokens=100)
    tasks = [asyncio.ensure_future(engine.generate(Generate("x", 2, long, seed))) for seed in range(200)]
    await asyncio.sleep(0.02)
    await engine.close()
    await engine.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, Generation | EngineError) for result in results)
    assert any(isinstance(result, EngineError) for result in results)
    with pytest.raises(EngineError, match="closed"):
        await engine.generate(Generate("x", 1, long, 0))
    with pytest.raises(EngineError, match="closed"):
        await engine.evaluate(Evaluate("x"))


ENGINES: dict[str, Callable[[Path], Served]] = {"hf": load_hf, "vllm": load_vllm, "openai": load_openai}
Kept: TypeAlias = Callable[[str], Served]
"""Engine -> the one that serves llama, kept until all tests are over."""
# Gemma 2 runs on vLLM too, but less exactly on a CPU: values are off by 4e-4, a sample's log-probability by 2e-3.
SERVES = {"hf": [*FAMILIES, *PADDED], "vllm": ["llama", "qwen3", "mistral", "granite"], "openai": ["llama"]}
# A minute each, for what others show nearly as well.
SLOW = {"vllm-qwen3", "vllm-mistral", "vllm-granite", "openai-llama"}
