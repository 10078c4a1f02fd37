"""Whether guessing tokens from the prompt (prompt lookup) would pay in the transformers engine, by measurement.

    python benchmarks/speculation.py CKPT results.jsonl [--rows 1 4 8 16 32] [--guesses 2 4 8] [--num-threads 1]

`results.jsonl` holds what the model wrote in real runs, with its tokens (any chat format). Samples are fixed by their
seeds, so what a guess would have to hit is known: the tokens that were written. Where the last `--ngram` tokens stand
earlier in prompt or sample, those that follow there are guessed, up to `--guesses`; a pass over a row yields those that
are right and one more. All rows of a pass are as wide as its widest, so a pass takes `1 + guesses` tokens of every row
where any of them has a guess, and one otherwise. What it costs is measured here, as a decode step with as many rows as
it has tokens (attention over long prompts is left out). The product says how many times the tokens a second the engine
would make.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from limits import step_seconds

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.evaluate.table import percent, render_table
from mcts_math.files import read_records
from mcts_math.run.program import run_script
from mcts_math.run.record import record_to_tree
from mcts_math.train.config import ExamplesConfig
from mcts_math.train.examples import format_of

Passes = tuple[float, float]
"""The share of passes over a row that have a guess, and the mean tokens that a pass yields."""


def conversations(path: str, codec: Codec) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt and sample of each step that a model wrote."""
    for where, record in read_records(path):
        tree = record_to_tree(record, where)
        form = format_of(record, tree, ExamplesConfig(), where)
        for node in tree.nodes:
            message = None if node.step is None else node.step.message
            if message is None:
                continue
            parent = tree.nodes[node.parent]
            sampled = [token for piece in message.written if not piece.given for token in piece.tokens]
            if sampled:
                yield list(codec.encode_prompt(form.prompt(tree.task, tree.steps(parent)))), sampled


def passes(prompt: Sequence[int], sampled: Sequence[int], ngram: int, guesses: int) -> tuple[int, int, int]:
    """Passes over a row, those of them with guesses from what stands before, and the tokens that all yield."""
    written, done, count, guessing = list(prompt), 0, 0, 0
    places: dict[tuple[int, ...], int] = {}
    known = ngram
    while done < len(sampled):
        for end in range(known, len(written)):  # where each n-gram stands last, but for the one at the end
            places[tuple(written[end - ngram : end])] = end
        known = max(known, len(written))
        at = places.get(tuple(written[-ngram:]))
        guessed = [] if at is None else written[at : at + guesses]
        right = 0
        while right < min(len(guessed), len(sampled) - done - 1) and guessed[right] == sampled[done + right]:
            right += 1
        count, guessing = count + 1, guessing + bool(guessed)
        written += sampled[done : done + right + 1]
        done += right + 1
    return count, guessing, done


def mean_pass(found: Sequence[tuple[list[int], list[int]]], ngram: int, guesses: int) -> Passes:
    """Over all steps."""
    sums = [sum(column) for column in zip(*(passes(*step, ngram, guesses) for step in found), strict=True)]
    return sums[1] / sums[0], sums[2] / sums[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="checkpoint folder")
    parser.add_argument("results", help="what it wrote")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 8, 16, 32])
    parser.add_argument("--guesses", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--ngram", type=int, default=3)
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--dtype", default="float32")
    given = parser.parse_args()
    found = list(conversations(given.results, load_codec(Path(given.model))))
    if not found:
        raise SystemExit(f"{given.results} holds no tokens: use a chat format and engine: hf or vllm")
    print(f"{len(found)} samples of {sum(len(sampled) for _, sampled in found):,} tokens")
    engine = HFEngine.load(given.model, dtype=given.dtype, num_threads=given.num_threads)
    rows = []
    for guesses in given.guesses:
        share, yielded = mean_pass(found, given.ngram, guesses)
        for count in given.rows:
            plain, wide = (
                step_seconds(engine, size, given.num_threads, given.repeats) for size in (count, count * (1 + guesses))
            )
            wider = 1 - (1 - share) ** count  # the share of passes in which some row has a guess
            cost = 1 + wider * (wide / plain - 1)
            rows.append([
                f"{guesses}", f"{count}", percent(wider), f"{yielded:.2f}", f"{cost:.2f}", f"{yielded / cost:.2f}",
            ])  # fmt: skip
            print(render_table(("guesses", "rows", "wide", "yielded", "cost", "speed"), rows), flush=True)
    asyncio.run(engine.close())


if __name__ == "__main__":
    run_script(main)
