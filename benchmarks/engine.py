"""Tokens per second of the transformers engine, side by side with one flat `model.generate` call of the same shape.

    python benchmarks/engine.py models/mini
    python benchmarks/engine.py models/mini --num-threads 1 --repeats 5 --json
    python benchmarks/engine.py CKPT --shape 16 5 100 64 --num-threads 2 --repeats 1

First table: the same prompts, samples and lengths for both; the engine also returns log-probabilities and values,
checks stop strings and draws from a seed per sample, `generate` does none of that; `in turn` is `generate` of one
prompt after another, all samples of a prompt at once. Values where the checkpoint has a head. Second table: trees whose
prompts grow step by step, with and without the prefix cache. Both sides alternate within one run, so that other load
hits them alike; ratios of medians are reported. The end of sequence is off on both sides, so that lengths are equal.
On a CPU that other programs use too, `--num-threads 1 --clock cpu` counts the seconds that the process really computed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from sides import CLOCKS, Clock

from mcts_math.engine.checkpoint import HEAD_FILES
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate
from mcts_math.run.program import run_script

# Prompts, samples of each, tokens of a prompt, tokens of a sample.
SHAPES = ((1, 1, 100, 64), (4, 5, 100, 64), (25, 5, 100, 64), (8, 5, 400, 64))
TREES, STEPS, WIDTH = 12, 6, 5
STOP = ("\n</code>", "</code>", "</step>")
# Looked for after the same tokens as the real ones, but never found: a sample that stops early is another shape.
NEVER = ("<never></code>", "<never></step>")


class Prompts:
    """Random texts of a wanted number of tokens, never the same twice."""

    def __init__(self, engine: HFEngine) -> None:
        self.encode = engine.model.codec.encode
        pieces = engine.model.codec.pieces()
        self.words = [piece for piece in pieces if piece.strip().isalpha() and piece.isascii()]
        self.random = random.Random(0)

    def text(self, num_tokens: int) -> str:
        """A text of at least `num_tokens` tokens, and hardly more."""
        text = ""
        while len(self.encode(text)) < num_tokens:
            text += " " + self.random.choice(self.words)
        return text


def flat_generate(engine: HFEngine, texts: Sequence[str], num_samples: int, num_tokens: int, top_p: float) -> int:
    """One `generate` call over left-padded prompts; returns the number of tokens written."""
    rows = [engine.model.codec.encode(text) for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    device = engine.model.device
    with torch.inference_mode():
        output = engine.model.raw.generate(
            ids.to(device), attention_mask=mask.to(device), do_sample=True, temperature=0.7, top_k=0, top_p=top_p,
            num_return_sequences=num_samples, max_new_tokens=num_tokens, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
    return (output.shape[1] - width) * int(output.shape[0])


def generate_in_turn(engine: HFEngine, texts: Sequence[str], num_samples: int, num_tokens: int, top_p: float) -> int:
    """The same with a call a prompt."""
    return sum(flat_generate(engine, [text], num_samples, num_tokens, top_p) for text in texts)


async def engine_generate(
    engine: HFEngine, texts: Sequence[str], num_samples: int, num_tokens: int, top_p: float, want_value: bool
) -> int:
    """The same by the engine."""
    sampling = Sampling(0.7, top_p=top_p, max_tokens=num_tokens, stop=NEVER)
    asked = [engine.generate(Generate(text, num_samples, sampling, 0, want_value=want_value)) for text in texts]
    return sum(sample.num_tokens for reply in await asyncio.gather(*asked) for sample in reply.samples)


async def grow_trees(engine: HFEngine, texts: Sequence[str]) -> int:
    """Step-level search as the engine sees it: sample from a prompt, value each child, go on from the best one."""

    async def grow(prompt: str) -> int:
        written = 0
        for step in range(STEPS):
            reply = await engine.generate(Generate(prompt, WIDTH, Sampling(0.7, max_tokens=40, stop=STOP), step))
            written += sum(sample.num_tokens for sample in reply.samples)
            children = [
                f"{prompt}{sample.text}\n</code>\n<output>\n{step}\n</output>\n</step>\n" for sample in reply.samples
            ]
            values = await asyncio.gather(*(engine.evaluate(Evaluate(child)) for child in children))
            best = max(range(WIDTH), key=lambda i: (values[i].value or -1.0, -i))
            if values[best].too_long:
                break
            prompt = children[best]
        return written

    return sum(await asyncio.gather(*map(grow, texts)))


def speeds(
    prepare: Callable[[], list[str]],
    sides: dict[str, Callable[[list[str]], int]],
    repeats: int,
    clock: Clock,
) -> dict[str, float]:
    """Median tokens per second of each side, on the same texts and in turns, after one text each that warms up."""
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side(prepare()[:1])
    for _ in range(repeats):
        texts = prepare()
        for name, side in sides.items():
            start = clock()
            tokens = side(texts)
            seen[name].append(tokens / (clock() - start))
    return {name: statistics.median(each) for name, each in seen.items()}


def compare_shapes(
    engine: HFEngine, repeats: int, clock: Clock, loop: asyncio.AbstractEventLoop,
    shapes: Sequence[Sequence[int]], top_p: float, want_value: bool,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """One row a shape."""
    prompts = Prompts(engine)
    for count, samples, length, new in shapes:
        found = speeds(
            lambda count=count, length=length: [prompts.text(length) for _ in range(count)],  # type: ignore[misc]
            {
                "generate": partial(flat_generate, engine, num_samples=samples, num_tokens=new, top_p=top_p),
                "in_turn": partial(generate_in_turn, engine, num_samples=samples, num_tokens=new, top_p=top_p),
                "engine": lambda texts, n=samples, t=new: loop.run_until_complete(  # type: ignore[misc]
                    engine_generate(engine, texts, n, t, top_p, want_value)
                ),
            },
            repeats,
            clock,
        )
        shape = {"prompts": count, "samples": samples, "prompt_tokens": length, "new_tokens": new}
        ratios = {"ratio": found["engine"] / found["generate"], "ratio_in_turn": found["engine"] / found["in_turn"]}
        yield shape | found | ratios


def compare_caches(
    with_cache: HFEngine, without: HFEngine, repeats: int, clock: Clock, loop: asyncio.AbstractEventLoop
) -> dict[str, Any]:
    """Trees with and without the prefix cache; both grow from the same prompts."""
    prompts = Prompts(without)
    found = speeds(
        lambda: [prompts.text(60) for _ in range(TREES)],
        {
            "cached": lambda texts: loop.run_until_complete(grow_trees(with_cache, texts)),
            "plain": lambda texts: loop.run_until_complete(grow_trees(without, texts)),
        },
        repeats,
        clock,
    )
    counters = with_cache.counters
    share = counters.num_cached_tokens / counters.num_prompt_tokens
    return found | {"ratio": found["cached"] / found["plain"], "prompt_tokens_cached": share}


def parse() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", nargs="?", default="models/mini", help="a checkpoint with value head")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--num-threads", type=int)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="seconds that passed, or computed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--shape",
        type=int,
        nargs=4,
        action="append",
        metavar=("PROMPTS", "SAMPLES", "PROMPT_TOKENS", "NEW_TOKENS"),
        help="measure this shape, and no trees; may be repeated",
    )
    parser.add_argument("--top-p", type=float, default=1.0, help="of the samples of the first table")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> None:
    """Runs both comparisons and prints them."""
    options = parse()
    want_value = any((Path(options.model_dir) / name).is_file() for name in HEAD_FILES)

    def load(**limits: int) -> HFEngine:
        engine = HFEngine.load(
            options.model_dir, need_value=want_value, device=options.device, dtype=options.dtype,
            num_threads=options.num_threads, **limits,
        )  # fmt: skip
        engine.model.codec.eos_ids = frozenset()
        return engine

    plain = load(prefix_cache_tokens=0)
    clock = CLOCKS[options.clock]
    loop = asyncio.new_event_loop()
    try:
        shapes, trees = [], None
        shapes_wanted = options.shape or SHAPES
        for row in compare_shapes(plain, options.repeats, clock, loop, shapes_wanted, options.top_p, want_value):
            shapes.append(row)
            if not options.json:
                print_shape(row, first=len(shapes) == 1)
        if not options.shape:
            cached = load()
            trees = compare_caches(cached, plain, options.repeats, clock, loop)
            loop.run_until_complete(cached.close())
        loop.run_until_complete(plain.close())
    finally:
        loop.close()
    if options.json:
        print(
            json.dumps({"model": options.model_dir, "threads": torch.get_num_threads(), "flat": shapes, "trees": trees})
        )
        return
    if trees is None:
        return
    print(
        f"{TREES} trees of {STEPS} steps, {WIDTH} samples each: {trees['plain']:.0f} without prefix cache, "
        f"{trees['cached']:.0f} with it, ratio {trees['ratio']:.2f}; "
        f"{trees['prompt_tokens_cached']:.0%} of the prompt tokens came from it"
    )


def print_shape(row: dict[str, Any], *, first: bool) -> None:
    """One line of the first table, tokens per second; the head before the first."""
    if first:
        heads = (("prompts", 8), ("samples", 8), ("prompt", 8), ("new", 6), ("generate", 10), ("in turn", 10))
        print("".join(f"{head:>{width}}" for head, width in (*heads, ("engine", 10), ("ratio", 8), ("in turn", 8))))
    print(
        f"{row['prompts']:8}{row['samples']:8}{row['prompt_tokens']:8}{row['new_tokens']:6}"
        f"{row['generate']:10.1f}{row['in_turn']:10.1f}{row['engine']:10.1f}{row['ratio']:8.2f}"
        f"{row['ratio_in_turn']:8.2f}",
        flush=True,
    )


if __name__ == "__main__":
    run_script(main)
