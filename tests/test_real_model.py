"""The chat formats on a real pretrained model: SmolLM2-135M-Instruct, which comes as a Python package."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from stand_ins import EqualChecker, EqualVerifier
from transformers import AutoModelForCausalLM

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.errors import CheckpointError
from mcts_math.messages import Conversation, Message, Sampling, text_of
from mcts_math.requests import Generate
from mcts_math.solver import solve

pytestmark = pytest.mark.slow  # the model is downloaded and converted: most of a minute

TASKS = [
    {"id": "a", "question": "Tom has 3 apples and buys 4 more. How many apples has he?", "answer": "7"},
    {"id": "b", "question": "What is 12 times 5?", "answer": "60"},
]

WARM = {"temperature": 0.7}


@pytest.fixture(scope="module")
def folder(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "smollm2"
    program = [sys.executable, repo / "scripts/get_model.py", "smollm2", out]
    made = subprocess.run(program, capture_output=True, text=True, check=False)
    if "pip can't download" in made.stderr or "gguf" in made.stderr:
        pytest.skip(f"the model can't be had here: {made.stderr.strip()}")
    assert made.returncode == 0, made.stderr
    return out


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[HFEngine]:
    engine = HFEngine.load(folder, dtype="float32")
    yield engine
    asyncio.run(engine.close())


def run(engine: HFEngine, **keys: Any) -> list[Any]:
    config = {"mode": "react", "temperature": 0, "max_tokens": 16, "max_depth": 3, "max_total_time": 0, **keys}
    return solve(config, TASKS, policy=engine, checker=EqualChecker(), verifier=EqualVerifier())


def test_greedy_replies_are_those_of_transformers(engine: HFEngine, folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for task in TASKS[:1]:
        talk = Conversation((Message("user", task["question"]),))
        ids = torch.tensor([engine.model.codec.encode_prompt(talk)])
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False)
        reply = asyncio.run(engine.generate(Generate(talk, 1, Sampling(0.0, max_tokens=16), 0)))
        assert reply.samples[0].written[0].tokens == tuple(out[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize(("mode", "form", "keys"), [
    ("react", "chat_code", {}),
    ("react", "chat", {}),
    ("sbs", "chat_steps", WARM | {"step_beam_width": 2, "n_generate_sample": 2}),
    ("mcts", "chat_code", WARM | {"iterations": 2, "n_generate_sample": 2}),
    ("revision", "chat", {"trials": 2}),
])  # fmt: skip
def test_every_format_and_kind_of_search_runs(engine: HFEngine, mode: str, form: str, keys: dict[str, Any]) -> None:
    for solved in run(engine, mode=mode, prompt_wrap=form, **keys):
        assert solved.error == ""
        assert len(solved.tree.nodes) > 1
        for node in solved.tree.nodes[1:]:
            message = node.step.message
            if message is None:  # what the user says
                continue
            sampled = [piece for piece in message.written if not piece.given]
            assert sum(len(piece.tokens) for piece in sampled) == node.step.num_tokens
            assert message.content in text_of(message.written) or not message.content


def test_a_template_without_tools_is_refused_before_the_model_loads(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="chat_code"):
        solve({"mode": "react", "prompt_wrap": "chat_tools", "model_dir": str(folder)}, TASKS)
