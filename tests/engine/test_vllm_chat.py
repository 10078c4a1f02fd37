"""`engine: openai` on vLLM's chat endpoint, where the model's folder is not at hand: vLLM renders and parses."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from engines import free_port
from tiny_gguf import write_gguf

from mcts_math.engine.gguf import convert
from mcts_math.engine.openai.engine import OpenAIEngine
from mcts_math.messages import Tool
from mcts_math.requests import Conversation, Generate, Generation, Message, Sampling

if any(importlib.util.find_spec(name) is None for name in ("vllm", "gguf")):
    pytest.skip("vLLM or gguf is not installed (bash scripts/test.sh installs them)", allow_module_level=True)

pytestmark = pytest.mark.slow  # half a minute to start a server
SERVE = "import sys; from vllm.entrypoints.launchers.api_server.entry import main; sys.argv[0] = 'vllm'; main()"
USER = Message("user", "What is 12 + 12?")
PYTHON = Tool("python", "Runs code.", "code", "The code.")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("vllm")
    model = convert(write_gguf(folder / "tiny.gguf"), folder / "tiny", dtype="float32")
    port = str(free_port())
    command = [sys.executable, "-c", SERVE, "--model", str(model), "--port", port, "--host", "127.0.0.1"]
    command += ["--enforce-eager", "--max-num-seqs", "8", "--kv-cache-memory-bytes", str(64 << 20)]
    command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    quiet = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | quiet, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(60)


def ask(url: str, *requests: Generate) -> list[Generation]:
    async def scene() -> list[Generation]:
        engine = await asyncio.to_thread(lambda: OpenAIEngine.connect("tiny", base_url=url, retries=240, pause_s=0.5))
        try:
            return list(await asyncio.gather(*map(engine.generate, requests)))
        finally:
            await engine.close()

    return asyncio.run(scene())


def test_tools_stops_and_going_on(url: str) -> None:
    plain, talk = Conversation((USER,)), Conversation((USER,), (PYTHON,))
    sampling = Sampling(0.7, max_tokens=12)
    first, with_tools = ask(url, Generate(plain, 3, sampling, 5), Generate(talk, 3, sampling, 5))
    assert with_tools.num_prompt_tokens > first.num_prompt_tokens + 50  # the tool is declared
    for sample in (*first.samples, *with_tools.samples):
        assert sample.message is not None
        assert sample.text == sample.message.content
        assert 0 < sample.num_tokens <= 12
        assert sample.logprob < 0
    assert len({sample.text for sample in first.samples}) == 3
    (again,) = ask(url, Generate(plain, 3, sampling, 5))
    assert [sample.text for sample in again.samples] == [sample.text for sample in first.samples]

    (whole,) = ask(url, Generate(plain, 1, Sampling(0.0, max_tokens=12), 0))
    text = whole.samples[0].text
    (stopped,) = ask(url, Generate(plain, 1, Sampling(0.0, max_tokens=12, stop=(text[3],)), 0))
    (sample,) = stopped.samples
    assert sample.text == text[: text.find(text[3])]
    assert sample.written[0].text == sample.text + text[3]
    (more,) = ask(url, Generate(plain.going_on(sample.written), 1, Sampling(0.0, max_tokens=4), 0))
    start = len(sample.written[0].text)
    assert more.samples[0].text == text[start : start + 4]
