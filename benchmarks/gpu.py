"""What a GPU makes of it, in minutes and without a network: exactness, searches, training, learning at test time.

    bash benchmarks/gpu.sh                        # on the machine with the GPU; writes gpu.json, prints a table
    python benchmarks/gpu.py --device cpu --tiny  # the very same path on a CPU, in seconds

1. `hf` on the device against a plain float32 forward pass on the CPU, for a small model.
2. For random models of 1.5 and 7 billion parameters: tokens a second of one flat batch; of SBS(3,5), MCTS(40) and
   best-of-n, and of the same requests sent as one flat batch to the same engine, emptied; the share is their quotient.
3. Training of the 1.5B model with the value head, against a plain Trainer, on the same rows.
4. Learning at test time: steps a second of adapters, with 1 and 32 questions in flight.

Weights are random and made on the device. A random model writes noise and never ends, so its samples have made-up
lengths and the search is shown made-up steps in their place; the model computes all that real ones would cost.
What would begin after `--seconds`, or can't be had on this machine, is listed as not run, with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from driving import Recorder, questions, run_flat, run_search
from sides import median_seconds
from transformers import AutoConfig, AutoModelForCausalLM

from mcts_math.config import load_config
from mcts_math.engine.hf.arguments import HFArguments
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.model import CausalModel, choose_device
from mcts_math.engine.spec import AdapterOptions
from mcts_math.engine.tokenizer import load_codec
from mcts_math.engine.value_head import fresh_value_head
from mcts_math.evaluate.table import render_table
from mcts_math.messages import Sampling
from mcts_math.requests import Generate
from mcts_math.run.program import run_script
from mcts_math.settings import make_settings
from mcts_math.tasks import load_tasks

ROOT = Path(__file__).parent.parent
MINI = ROOT / "models/mini"  # its tokenizer
CONTEXT = 4096
SHAPES: dict[str, dict[str, Any]] = {  # of Qwen2.5
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": 4608, "tie_word_embeddings": True},
    "1.5B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12,
             "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
    "7B": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
           "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False},
}  # fmt: skip
SOLVERS = {
    "SBS(3,5)": ("mini/sbs.yaml", []),
    "MCTS(40)": ("mini/mcts.yaml", []),
    "best-of-8": ("mini/best_of_n.yaml", ["trials=8"]),
}
TINY = {"MCTS(40)": ["iterations=4"], "best-of-8": ["trials=2"]}
TOLERANCE = 2e-3  # of log-probabilities a token and of values, float32 on both sides


@dataclass
class Report:
    """What was found.

    Attributes:
        until: when the time is up, by the monotonic clock.
        rows: (what, figure) for the table.
        data: everything, for the JSON.
    """

    until: float
    rows: list[list[str]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def note(self, what: str, text: str, **data: Any) -> None:
        self.rows.append([what, text])
        self.data[what] = data or text
        print(f"{what}: {text}", file=sys.stderr, flush=True)

    def run(self, name: str, part: Callable[[], None]) -> None:
        """Runs a part that the others can do without: what keeps it from running is noted."""
        try:
            if time.monotonic() > self.until:
                raise TimeoutError("the time is up")
            part()
        except (TimeoutError, ImportError, torch.OutOfMemoryError) as reason:
            self.note(name, f"NOT RUN: {' '.join(str(reason).split())[:160]}")


def make_weights(size: str, device: torch.device, dtype: torch.dtype) -> Any:
    """A random model, made on the device."""
    config = AutoConfig.for_model("qwen2", **SHAPES[size], max_position_embeddings=CONTEXT, eos_token_id=2)
    torch.manual_seed(0)
    with device:
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def wrap(weights: Any) -> CausalModel:
    """Weights as the engine takes them, with mini's tokenizer and a random value head."""
    head = fresh_value_head(weights.config.hidden_size, seed=1).to(weights.device).requires_grad_(False)
    return CausalModel(weights, load_codec(MINI, weights.config.vocab_size), CONTEXT, head)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def conformance(device: torch.device, report: Report) -> bool:
    """Largest differences to a plain forward pass on the CPU; whether they are as small as float32 has them."""
    weights = make_weights("tiny", torch.device("cpu"), torch.float32)
    engine = HFEngine.over(wrap(make_weights("tiny", torch.device("cpu"), torch.float32).to(device)), HFArguments())
    head = fresh_value_head(weights.config.hidden_size, seed=1)
    worst = {"logprob": 0.0, "value": 0.0}
    asked = [Generate(text, 3, Sampling(1.0, max_tokens=40), i, want_value=True) for i, text in enumerate(questions(8))]

    async def ask() -> list[Any]:
        try:
            return list(await asyncio.gather(*map(engine.generate, asked)))
        finally:
            await engine.close()

    for request, reply in zip(asked, asyncio.run(ask()), strict=True):
        prompt = engine.model.codec.encode_prompt(request.prompt)
        with torch.inference_mode():
            state = weights(torch.tensor([prompt]), output_hidden_states=True).hidden_states[-1][0, -1]
            worst["value"] = max(worst["value"], abs(float(head(state)) - reply.value))
            for sample in reply.samples:
                tokens = [token for piece in sample.written for token in piece.tokens]
                logits = weights(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1]
                exact = logits.log_softmax(-1).gather(1, torch.tensor(tokens)[:, None]).sum()
                worst["logprob"] = max(worst["logprob"], abs(float(exact) - sample.logprob) / len(tokens))
    passed = max(worst.values()) <= TOLERANCE
    verdict = "" if passed else f"; FAILED, more than {TOLERANCE}"
    found = ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
    report.note("largest error against float32 on the CPU", found + verdict, **worst, passed=passed)
    return passed


def flat_rate(engine: HFEngine, rows: int, tokens: int) -> float:
    """Tokens a second of one flat batch: `rows` samples of `tokens` tokens, 5 a prompt."""
    texts = questions(max(1, rows // 5))
    asked = [Generate(text, 5, Sampling(1.0, max_tokens=tokens), 10 * i) for i, text in enumerate(texts)]
    run_flat(asked[:2], engine)  # warms up
    engine._thread._batch.forget("")
    before = engine.counters.num_generated_tokens
    seconds = run_flat(asked, engine)
    return (engine.counters.num_generated_tokens - before) / seconds


def search_share(
    engine: HFEngine, file: str, changes: Sequence[str], most: int, slot_s: float, rate: float
) -> dict[str, Any]:
    """A search, and its requests as one flat batch; of as many questions as a slot has room for, at a known rate."""
    config = load_config(ROOT / "configs" / file, changes)
    tasks, counters = load_tasks(ROOT / "data/mini/test.jsonl"), engine.counters
    before = counters.num_generated_tokens
    run_search(config, tasks[:1], Recorder(engine, str))
    each = max(1, counters.num_generated_tokens - before)
    count = max(1, min(most, int(slot_s * rate / each)))
    recorder = Recorder(engine, str)
    engine._thread._batch.forget("")
    before, cached, prompts = counters.num_generated_tokens, counters.num_cached_tokens, counters.num_prompt_tokens
    search = run_search(config, tasks[:count], recorder)
    tokens = counters.num_generated_tokens - before
    share = (counters.num_cached_tokens - cached) / max(1, counters.num_prompt_tokens - prompts)
    engine._thread._batch.forget("")
    flat = run_flat(recorder.asked, engine)
    return {
        "questions": count, "requests": len(recorder.asked), "tokens": tokens, "search_s": search, "flat_s": flat,
        "tokens_per_s": tokens / search, "share_of_flat": flat / search, "cached": share,
    }  # fmt: skip


def search_part(
    engine: HFEngine, size: str, solver: str, rate: float, options: argparse.Namespace, report: Report
) -> None:
    file, changes = SOLVERS[solver]
    changes = [*changes, *(TINY.get(solver, ()) if options.tiny else ())]
    found = search_share(engine, file, changes, options.questions, options.slot_s, rate)
    text = (f"{found['tokens_per_s']:,.0f} tokens/s, {found['share_of_flat']:.2f} of the flat batch; "
            f"{found['questions']} questions, {found['cached']:.0%} of the prompts cached")  # fmt: skip
    report.note(f"{size}, {solver}", text, **found)


def engine_part(size: str, options: argparse.Namespace, report: Report) -> None:
    engine = HFEngine.over(wrap(make_weights(size, options.at, options.dtype)), HFArguments())
    try:
        rate = flat_rate(engine, options.rows, options.tokens)
        report.note(f"{size}, flat batch of {options.rows} rows", f"{rate:,.0f} tokens/s", tokens_per_s=rate)
        for solver in SOLVERS:
            report.run(f"{size}, {solver}", partial(search_part, engine, size, solver, rate, options, report))
    finally:
        asyncio.run(engine.close())


def training_part(size: str, options: argparse.Namespace, report: Report) -> None:
    """Tokens a second of a few optimiser steps, ours and a plain Trainer's, in turns."""
    from training import run_ours, run_plain

    from mcts_math.engine.checkpoint import inspect
    from mcts_math.train.config import TrainConfig
    from mcts_math.train.model import PolicyWithValue
    from mcts_math.train.training import load_rows

    length, batch = (64, 2) if options.tiny else (1024, 8)
    with tempfile.TemporaryDirectory() as folder:
        examples = Path(folder) / "examples.jsonl"
        examples.write_text("".join(json.dumps(made_up(i, length)) + "\n" for i in range(8 * batch)), encoding="utf-8")
        settings = {
            "model_dir": str(MINI), "examples": [str(examples)], "output_dir": "unused", "max_steps": 3,
            "batch_size": batch, "micro_batch_size": batch, "max_length": length, "observation_loss": False,
            "log_steps": 10**9,
            "trainer": {"save_strategy": "no"},
        }  # fmt: skip
        config = make_settings(TrainConfig, settings)
        rows, collator, _ = load_rows(config, inspect(MINI))
        rate = {}
        for name in ("ours", "plain"):  # one after the other: both with their optimiser need not fit
            policy = make_weights(size, options.at, torch.float32)
            head = fresh_value_head(policy.config.hidden_size, seed=1)
            run = (
                run_ours(config, PolicyWithValue(policy, head).to(options.at), rows, collator, Path(folder))
                if name == "ours"
                else run_plain(config, policy, rows, collator, Path(folder))
            )
            taken = median_seconds({name: run}, 1, time.monotonic, warm_up=True)[name]
            rate[name] = 3 * batch * length / taken
            del policy, run
            empty(options.at)
    text = f"{rate['ours']:,.0f} tokens/s, {rate['ours'] / rate['plain']:.2f} of a plain Trainer"
    report.note(f"{size}, training", text, **rate, length=length, batch=batch)


def made_up(number: int, length: int) -> dict[str, Any]:
    """A line of a file of examples, of roughly a quarter of a row."""
    draw = random.Random(number)
    sums = [f"{draw.randrange(99)} + {draw.randrange(99)}" for _ in range(max(1, length // 48))]
    steps = [{"text": f"<step>\n<p>\nNow {each}.\n</p>\n</step>\n", "q": draw.uniform(-1, 1)} for each in sums]
    question = f"Add {number} numbers."
    prompt = f"<question> {question} </question>\n"
    return {"id": str(number), "question": question, "prompt": prompt, "steps": steps, "correct": number % 2 == 0}


def learning_part(size: str, options: argparse.Namespace, report: Report) -> None:
    """Attempts of 64 tokens with a step of the question's own adapter after each."""
    from fttt import chains

    engine = HFEngine.over(wrap(make_weights(size, options.at, options.dtype)), HFArguments(), AdapterOptions())
    try:
        trials, tokens = (2, 8) if options.tiny else (3, 64)
        asyncio.run(chains(engine, questions(1), 1, tokens, 1))  # warms up
        for count, flight in ((2, 1), (4, 4)) if options.tiny else ((2, 1), (64, 32)):
            synchronise(options.at)
            begun = time.monotonic()
            asyncio.run(chains(engine, questions(count), trials, tokens, flight))
            rate = count * trials / (time.monotonic() - begun)
            report.note(f"{size}, FTTT with {flight} in flight", f"{rate:.2f} steps/s", steps_per_s=rate)
    finally:
        asyncio.run(engine.close())


def empty(device: torch.device) -> None:
    """Gives the memory of what is not used any more back."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--sizes", nargs="+", choices=[*SHAPES], default=["1.5B", "7B"])
    parser.add_argument("--questions", type=int, default=256, help="most questions of a search")
    parser.add_argument("--seconds", type=float, default=450.0, help="after these no further part begins")
    parser.add_argument("--tiny", action="store_true", help="a tiny model and few questions: a trial of this program")
    parser.add_argument("--output", default="gpu.json", metavar="JSON")
    options = parser.parse_args(arguments)
    options.at = choose_device(options.device)
    options.dtype = torch.float32 if options.at.type == "cpu" else torch.bfloat16
    options.rows, options.tokens, options.slot_s = 256, 128, 22.0
    if options.tiny:
        options.sizes, options.questions, options.rows, options.tokens, options.slot_s = ["tiny"], 1, 10, 8, 1.0
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    begun = time.monotonic()
    report = Report(begun + options.seconds)
    name = torch.cuda.get_device_name(options.at) if options.at.type == "cuda" else platform.processor() or "CPU"
    versions = f"{name}, torch {torch.__version__}, transformers {transformers.__version__}"
    report.note("machine", versions)
    passed = conformance(options.at, report)
    parts: list[tuple[str, str, Callable[[str, argparse.Namespace, Report], None]]] = [
        (f"{options.sizes[0]}, searches", options.sizes[0], engine_part),
        (f"{options.sizes[0]}, training", options.sizes[0], training_part),
        (f"{options.sizes[0]}, FTTT", options.sizes[0], learning_part),
        *((f"{size}, searches", size, engine_part) for size in options.sizes[1:]),
    ]
    for title, size, part in parts:
        report.run(title, partial(part, size, options, report))
        empty(options.at)
    report.note("seconds", f"{time.monotonic() - begun:.0f}")
    Path(options.output).write_text(json.dumps(report.data, indent=2) + "\n", encoding="utf-8")
    print(render_table(["what", "figure"], report.rows))
    return 0 if passed else 1


if __name__ == "__main__":
    run_script(main)
