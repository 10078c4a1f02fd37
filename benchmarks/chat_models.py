"""Methods and step formats on a pretrained chat model, at one budget of attempts, beside transformers' own `generate`.

    python benchmarks/chat_models.py FOLDER gsm8k:test.jsonl --num 40
    python benchmarks/chat_models.py FOLDER humaneval:HumanEval.jsonl --num 40 --rows greedy:chat best_of_n:chat

A row is METHOD:FORMAT. Tokens are means of a question. `plain` is `generate` of transformers, greedily, one question
after another, with the prompts of `greedy:chat`: the last columns say how many of the replies of `greedy:chat` are the
same text, and for how many characters the others agree. So few questions show little: read the intervals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM

from mcts_math import load_tasks, solve
from mcts_math.engine.load import load_policy
from mcts_math.engine.spec import EngineOptions
from mcts_math.engine.tokenizer import load_codec
from mcts_math.errors import MctsMathError
from mcts_math.evaluate.intervals import wilson_interval
from mcts_math.evaluate.table import interval, percent, render_table
from mcts_math.messages import Sample
from mcts_math.requests import Generate, Generation, Policy
from mcts_math.run.program import run_script
from mcts_math.tasks import Task

METHODS: Final[dict[str, dict[str, Any]]] = {
    "greedy": {"mode": "react", "temperature": 0},
    "maj4": {"mode": "self_consistency", "trials": 4, "n_generate_sample": 4},
    "best_of_4": {"mode": "best_of_n", "trials": 4, "n_generate_sample": 4, "stop_at_success": False},
    "sbs22": {"mode": "sbs", "step_beam_width": 2, "n_generate_sample": 2},
    "sbs22deep": {"mode": "sbs", "step_beam_width": 2, "n_generate_sample": 2, "max_depth": 20},
    "mcts8": {"mode": "mcts", "iterations": 8, "n_generate_sample": 2},
    "plain": {"mode": "react", "temperature": 0},
}
ROWS: Final = (
    "greedy:chat", "plain:chat", "greedy:chat_tools", "greedy:chat_code", "maj4:chat_code", "best_of_4:chat_code",
    "sbs22:chat_code", "mcts8:chat_code",
)  # fmt: skip
HEADER: Final = ("method, format", "right", "%", "95 %", "tokens", "prompt tokens", "cached %", "seconds", "same",
                 "agree")  # fmt: skip


class Plain:
    """transformers' own `generate` as a policy: greedy, one prompt after another."""

    def __init__(self, folder: str, dtype: str) -> None:
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
        self._codec = load_codec(Path(folder))

    async def generate(self, request: Generate) -> Generation:
        ids = torch.tensor([self._codec.encode_prompt(request.prompt)])
        limits = {"max_new_tokens": request.sampling.max_tokens, "do_sample": False, "repetition_penalty": 1.0}
        with torch.inference_mode():
            out = self._model.generate(ids, attention_mask=torch.ones_like(ids), **limits)
        written = out[0, ids.shape[1] :].tolist()
        text = self._codec.decode([token for token in written if token not in self._codec.eos_ids])
        return Generation((Sample(text, -1.0, len(written)),), num_prompt_tokens=ids.shape[1])

    async def close(self) -> None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="checkpoint folder")
    parser.add_argument("questions", help="as --qaf of solver_demo.py")
    parser.add_argument("--num", type=int, default=40, help="questions, drawn with seed 0")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), metavar="METHOD:FORMAT")
    parser.add_argument("--max-tokens", type=int, default=400, help="of one step")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--engine", choices=("hf", "vllm"), default="hf")
    parser.add_argument("--engine-args", type=json.loads, default={}, metavar="JSON")
    given = parser.parse_args()
    if unknown := [row for row in given.rows if row.partition(":")[0] not in METHODS]:
        parser.error(f"--rows: no method in {unknown[0]!r}; methods: {', '.join(METHODS)}")
    tasks = load_tasks(given.questions)
    tasks = random.Random(0).sample(tasks, min(given.num, len(tasks)))
    rows: list[list[str]] = []
    replies: dict[str, dict[str, str]] = {}
    for name in given.rows:
        method, _, form = name.partition(":")
        policy: Any = Plain(given.model, given.dtype) if method == "plain" else load(given)
        try:
            row, replies[name] = run(name, policy, tasks, METHODS[method], form, given.max_tokens)
        except MctsMathError as error:  # a format that this model can't write
            print(f"{name}: {error}")
            continue
        finally:
            asyncio.run(policy.close())
        if method == "plain" and "greedy:chat" in replies:
            row += compare(replies["greedy:chat"], replies[name])
        rows.append(row + [""] * (len(HEADER) - len(row)))
        print(render_table(HEADER, rows), flush=True)


def load(given: argparse.Namespace) -> Policy:
    """A fresh engine: nothing of an earlier row is in its prefix cache."""
    threads = {"num_threads": os.cpu_count()} if given.engine == "hf" else {}
    arguments = {"dtype": given.dtype, **threads, **given.engine_args}
    return load_policy(EngineOptions(given.engine, given.model, arguments))


def run(
    name: str, policy: Any, tasks: Sequence[Task], method: dict[str, Any], form: str, max_tokens: int
) -> tuple[list[str], dict[str, str]]:
    """A row of the table, and the last step's text for each question."""
    config = {
        "prompt_wrap": form, "max_tokens": max_tokens, "max_depth": 6, "max_total_time": 0, "temperature": 0.7,
        "seed": 0, **method,
    }  # fmt: skip
    begun = time.monotonic()
    solved = solve(config, tasks, policy=policy)
    seconds, count = time.monotonic() - begun, len(tasks)
    for one in solved:
        if one.error:
            print(f"{name}: question {one.tree.task.id}: {one.error}")
    right = sum(one.tree.correct is True for one in solved)
    prompt, cached, tokens = (
        sum(getattr(one.cost, key) for one in solved) for key in ("prompt_tokens", "cached_tokens", "tokens")
    )
    row = [
        name, f"{right}/{count}", percent(right / count), interval(wilson_interval(right, count)),
        f"{tokens / count:.0f}", f"{prompt / count:.0f}", percent(cached / max(prompt, 1)), f"{seconds:.0f}",
    ]  # fmt: skip
    texts = {one.tree.task.id: "" if (step := one.tree.nodes[-1].step) is None else step.text for one in solved}
    return row, texts


def compare(ours: dict[str, str], plain: dict[str, str]) -> list[str]:
    """How many replies are the same, and for how many characters the others agree."""
    others = [_agreement(ours[key], text) for key, text in plain.items() if ours[key] != text]
    return [f"{len(plain) - len(others)}/{len(plain)}", f"{statistics.mean(others):.0f}" if others else "-"]


def _agreement(one: str, other: str) -> int:
    """Characters until two texts differ."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


if __name__ == "__main__":
    run_script(main)
