"""`engine: openai` on a real llama.cpp server, with a tiny model whose numbers transformers knows."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from engines import free_port
from tiny_gguf import STOP, tiny_llama, write_gguf
from transformers import AutoTokenizer

from mcts_math.engine.gguf import convert
from mcts_math.engine.openai.engine import OpenAIEngine
from mcts_math.messages import Conversation, Message, Sampling, Tool
from mcts_math.requests import Generate, Generation

if any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "gguf")):
    pytest.skip("xllamacpp or gguf is not installed (bash scripts/test.sh installs them)", allow_module_level=True)

TALK = Conversation((Message("system", "Be brief."), Message("user", "What is 12 + 12?")))
PYTHON = Tool("python", "Runs code.", "code", "The code.")


@dataclass
class Setup:
    """A server, the folder of its model, and the model."""

    url: str
    folder: Path
    model: Any

    def ask(self, *requests: Generate, model: str | None = None) -> list[Generation]:
        async def scene() -> list[Generation]:
            name = str(self.folder) if model is None else model
            engine = await asyncio.to_thread(
                lambda: OpenAIEngine.connect(name, base_url=self.url, retries=60, pause_s=0.2)
            )
            try:
                return [await engine.generate(request) for request in requests]
            finally:
                await engine.close()

        return asyncio.run(scene())

    def logprob(self, prompt: tuple[int, ...], tokens: tuple[int, ...]) -> float:
        """What the model itself says."""
        with torch.inference_mode():
            logprobs = self.model(torch.tensor([[*prompt, *tokens]])).logits[0].log_softmax(-1)
        return float(sum(logprobs[len(prompt) - 1 + i, token] for i, token in enumerate(tokens)))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("llamacpp")
    file = write_gguf(folder / "tiny.gguf")
    port = free_port()
    command = [sys.executable, str(Path(__file__).parent / "llamacpp_server.py"), str(file), str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            converted = convert(file, folder / "tiny", dtype="float32")
            yield Setup(f"http://127.0.0.1:{port}/v1", converted, tiny_llama())
        finally:
            process.terminate()
            process.wait(30)


def encode(served: Setup, prompt: str | Conversation) -> tuple[int, ...]:
    tokenizer = AutoTokenizer.from_pretrained(served.folder)
    if isinstance(prompt, str):
        return tuple(tokenizer(prompt)["input_ids"])
    turns = [{"role": message.role, "content": message.content} for message in prompt.messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("prompt", ["1 + 1 = ", "list:\n\n1. one  12", TALK])
def test_tokens_and_log_probabilities_are_the_models_own(served: Setup, prompt: str | Conversation) -> None:
    (reply,) = served.ask(Generate(prompt, 3, Sampling(1.0, max_tokens=12), 7))
    ids = encode(served, prompt)
    assert reply.num_prompt_tokens == len(ids)
    for sample in reply.samples:
        (piece,) = sample.written
        assert len(piece.tokens) == sample.num_tokens
        assert sample.logprob == pytest.approx(served.logprob(ids, piece.tokens), abs=0.01 * sample.num_tokens)
    assert len({sample.text for sample in reply.samples}) == 3
    (again,) = served.ask(Generate(prompt, 3, Sampling(1.0, max_tokens=12), 7))
    assert [sample.text for sample in again.samples] == [sample.text for sample in reply.samples]


def test_greedy_is_what_transformers_writes(served: Setup) -> None:
    (reply,) = served.ask(Generate(TALK, 2, Sampling(0.0, max_tokens=20), 0))
    ids = torch.tensor([encode(served, TALK)])
    end = [STOP, STOP - 2]
    written = served.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=20, eos_token_id=end, pad_token_id=0
    )
    assert reply.samples[0].written[0].tokens == tuple(written[0, ids.shape[1] :].tolist())
    assert reply.samples[0] == reply.samples[1]


def test_samples_go_on_from_their_own_tokens(served: Setup) -> None:
    """A stop string ends a sample; what was written is continued as it is, and found in the cache."""
    (whole,) = served.ask(Generate(TALK, 1, Sampling(0.0, max_tokens=24), 0))
    stop = whole.samples[0].text[6:9]
    (first,) = served.ask(Generate(TALK, 1, Sampling(0.0, max_tokens=24, stop=(stop, "never")), 0))
    (sample,) = first.samples
    assert sample.text == whole.samples[0].text[: whole.samples[0].text.find(stop)]
    (piece,) = sample.written
    assert piece.text.startswith(sample.text + stop)
    assert piece.tokens == whole.samples[0].written[0].tokens[: len(piece.tokens)]
    (more,) = served.ask(Generate(TALK.going_on(sample.written), 1, Sampling(0.0, max_tokens=4), 0))
    rest = whole.samples[0].written[0].tokens[len(piece.tokens) :]
    assert more.samples[0].written[0].tokens == rest[:4]
    assert more.num_cached_tokens >= 0.9 * first.num_prompt_tokens


def test_all_tokens_can_be_sampled(served: Setup) -> None:
    """The server would keep 40 tokens if it were not told otherwise."""
    (reply,) = served.ask(Generate("a", 96, Sampling(5.0, max_tokens=1), 0))
    assert len({sample.written[0].tokens for sample in reply.samples}) > 50
    (few,) = served.ask(Generate("a", 40, Sampling(5.0, top_k=2, max_tokens=1), 0))
    assert len({sample.written[0].tokens for sample in few.samples}) == 2


def test_the_context_is_kept_to(served: Setup) -> None:
    replies = served.ask(
        *(Generate("a" * length, 1, Sampling(1.0, max_tokens=2000), 0) for length in (900, 1023, 1024, 9000))
    )
    assert [reply.too_long for reply in replies] == [False, False, True, True]
    assert replies[0].samples[0].num_tokens <= 124
    assert replies[1].samples[0].num_tokens == 1


def test_a_conversation_without_the_models_folder(served: Setup) -> None:
    """The server renders it, declares the tools and reads the reply."""
    talk = Conversation(TALK.messages, (PYTHON,))
    (reply,) = served.ask(Generate(talk, 2, Sampling(0.7, max_tokens=8), 0), model="tiny")
    for sample in reply.samples:
        assert sample.message is not None
        assert sample.text == sample.message.content
        assert sample.num_tokens > 0
        assert sample.logprob < 0
    assert reply.num_prompt_tokens > len(encode(served, TALK))  # the tools
    (plain,) = served.ask(Generate(TALK, 1, Sampling(0.7, max_tokens=8), 0), model="tiny")
    assert plain.num_prompt_tokens == len(encode(served, TALK))
