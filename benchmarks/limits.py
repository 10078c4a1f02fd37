"""How near the transformers engine comes to what this machine can do: bytes a second for one row, products for many.

    python benchmarks/limits.py CKPT
    python benchmarks/limits.py CKPT --num-threads 1 --rows 1 8 32
    python benchmarks/limits.py CKPT --rows 32 --prompt-words 400 --attn sdpa     # transformers' attention

The limits are measured in the same run: how fast a large array is read, how fast it is copied, and a product of two
large matrices. A decode step reads every weight that takes part once, and multiplies it by each row; keys and values,
few where prompts are short, are left out of account. A step's time is that of long samples less that of short ones, so
prompts cost nothing. The clock is the CPU seconds of the process over its threads: other programs disturb little.
Medians over repeats.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

import torch

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.packing import PackedLinear
from mcts_math.evaluate.table import percent, render_table
from mcts_math.messages import Sampling
from mcts_math.requests import Generate
from mcts_math.run.program import run_script

SHORT, LONG = 4, 16  # tokens of a sample
HEADER = ("rows", "ms a step", "tokens/s", "GB/s", "% of reading", "% of a copy", "GFLOP/s", "% of products")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="checkpoint folder")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 8, 32, 64])
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--top-p", type=float, default=1.0, help="of the samples")
    parser.add_argument("--attn", help="as in engine_args; absent: ours")
    parser.add_argument("--prompt-words", type=int, default=0, help="in front of each prompt")
    given = parser.parse_args()
    torch.set_num_threads(given.num_threads)
    threads = given.num_threads
    reading, copying = reading_limit(threads), copy_limit(threads)
    products = product_limit(threads, getattr(torch, given.dtype))
    print(
        f"limits of {threads} threads: {reading / 1e9:.1f} GB/s read, "
        f"{copying / 1e9:.1f} GB/s read and written by a copy, {products / 1e9:.0f} GFLOP/s"
    )
    engine = HFEngine.load(given.model, dtype=given.dtype, num_threads=threads, attn=given.attn)
    weights = num_weights(engine)
    rows = []
    for count in given.rows:
        seconds = step_seconds(
            engine, count, threads, given.repeats, top_p=given.top_p, prompt_words=given.prompt_words
        )
        read, done = weights * engine.model.raw.dtype.itemsize / seconds, 2 * weights * count / seconds
        rows.append([
            f"{count}", f"{1e3 * seconds:.0f}", f"{count / seconds:.1f}", f"{read / 1e9:.1f}", percent(read / reading),
            percent(read / copying), f"{done / 1e9:.0f}", percent(done / products),
        ])  # fmt: skip
        print(render_table(HEADER, rows), flush=True)
    asyncio.run(engine.close())


def num_weights(engine: HFEngine) -> int:
    """Weights that take part in a step: all but an embedding that is only looked up."""
    model = engine.model.raw
    embedding = model.get_input_embeddings()
    return sum(weight.numel() for module in model.modules() if module is not embedding for weight in _weights(module))


def _weights(module: torch.nn.Module) -> list[torch.Tensor]:
    """Its own ones; of a packed layer one of the shape that it had."""
    own = list(module.parameters(recurse=False))
    if isinstance(module, PackedLinear):
        own.append(torch.empty((module.out_features, module.in_features), device="meta"))
    return own


def reading_limit(num_threads: int) -> float:
    """Bytes a second that a sum over a large array reads."""
    array = torch.ones(1 << 27)
    return array.nbytes / best(array.sum, num_threads)


def copy_limit(num_threads: int) -> float:
    """Bytes a second that a copy of a large array reads and writes, both counted."""
    array = torch.ones(1 << 27)
    other = torch.empty_like(array)
    return 2 * array.nbytes / best(lambda: other.copy_(array), num_threads)


def product_limit(num_threads: int, dtype: torch.dtype) -> float:
    """Operations a second of a product of two large matrices, in the model's type."""
    first, second = torch.randn(1024, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
    return 2 * 1024 * 2048 * 2048 / best(lambda: first @ second, num_threads)


def best(work: Callable[[], object], num_threads: int) -> float:
    """The shortest time of some tries: a limit is what the machine can do at best."""
    work()
    return min(clocked(work, num_threads) for _ in range(5))


def clocked(work: Callable[[], object], num_threads: int) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / num_threads


def step_seconds(
    engine: HFEngine, rows: int, num_threads: int, repeats: int, *, top_p: float = 1.0, prompt_words: int = 0
) -> float:
    """CPU seconds of one decode step of so many different rows."""

    async def write(num_tokens: int, first: int) -> None:
        sampling = Sampling(1.0, max_tokens=num_tokens, top_p=top_p)
        prompts = (f"{'apples ' * prompt_words}{first + i} apples and" for i in range(rows))
        await asyncio.gather(*(engine.generate(Generate(prompt, 1, sampling, i)) for i, prompt in enumerate(prompts)))

    times = []
    for repeat in range(repeats + 1):  # the first one warms up
        first = (repeat + 1) * 10_000 + rows * 100
        short, long = (
            clocked(lambda n=n, at=at: asyncio.run(write(n, at)), num_threads)  # type: ignore[misc]
            for n, at in ((SHORT, first), (LONG, first + 5000))
        )
        times.append((long - short) / (LONG - SHORT))
    return statistics.median(times[1:])


if __name__ == "__main__":
    run_script(main)
