"""Training throughput with the value head, side by side with plain transformers Trainer on the same tokens.

    python benchmarks/training.py models/mini examples.jsonl
    python benchmarks/training.py models/mini examples.jsonl --num-threads 1 --clock cpu --json

1. ours / plain: the same packed rows in the same batches; plain Trainer trains the causal language model alone, with
   the model's own loss on the same labels. Both run the same number of optimiser steps.
2. packed / one example a row: tokens of examples (padding not counted) per second, in batches of as many rows' tokens.

The two sides of a comparison alternate, so that other load hits them alike; ratios of medians are reported. The first
run of each side is not counted. On a CPU that other programs use too, `--num-threads 1 --clock cpu` counts the seconds
that the process really computed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sides import CLOCKS, median_seconds
from transformers import Trainer
from transformers.utils import logging as transformers_logging

from mcts_math.engine.checkpoint import inspect
from mcts_math.engine.hf.model import load_weights
from mcts_math.run.program import run_script
from mcts_math.settings import make_settings
from mcts_math.train.config import TrainConfig
from mcts_math.train.model import PolicyWithValue, load_model
from mcts_math.train.packing import Rows
from mcts_math.train.trainer import ValueTrainer
from mcts_math.train.training import load_rows, make_arguments

KEPT = ("input_ids", "position_ids", "labels")


class PlainCollator:
    """The same batch without what only our losses read."""

    def __init__(self, collator: Any) -> None:
        self.collator = collator

    def __call__(self, rows: Any) -> dict[str, Any]:
        batch = self.collator(rows)
        return {key: batch[key] for key in KEPT}


def run_ours(config: TrainConfig, model: PolicyWithValue, rows: Rows, collator: Any, work: Path) -> Callable[[], None]:
    """One training of `max_steps` steps with our losses."""
    trainer = ValueTrainer(model, make_arguments(config, work), rows, collator, config, lambda text: None)
    return lambda: trainer.train()


def run_plain(config: TrainConfig, policy: Any, rows: Rows, collator: Any, work: Path) -> Callable[[], None]:
    """The same with transformers' Trainer and the causal language model's own loss."""
    arguments = make_arguments(config, work)
    trainer = Trainer(model=policy, args=arguments, train_dataset=rows, data_collator=PlainCollator(collator))
    trainer.callback_handler.callbacks = trainer.callback_handler.callbacks[:1]
    return lambda: trainer.train()


def parse() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", help="checkpoint to train")
    parser.add_argument("examples", help="file of scripts/make_examples.py")
    parser.add_argument("--steps", type=int, default=4, help="optimiser steps of a run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side")
    parser.add_argument("--batch-size", type=int, default=12, help="packed rows of a step")
    parser.add_argument("--max-length", type=int, default=512, help="tokens of a packed row")
    parser.add_argument("--num-threads", type=int, default=0, help="threads of torch; 0 leaves them as they are")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="which seconds count")
    parser.add_argument("--json", action="store_true", help="print data instead of text")
    return parser.parse_args()


def settings_of(args: argparse.Namespace, **changes: Any) -> TrainConfig:
    """Training of so many steps, with nothing saved."""
    settings: dict[str, Any] = {
        "model_dir": args.model_dir,
        "examples": [args.examples],
        "output_dir": "unused",
        "max_steps": args.steps,
        "batch_size": args.batch_size,
        "micro_batch_size": args.batch_size,
        "max_length": args.max_length,
        "observation_loss": False,
        "log_steps": 10**9,
        "trainer": {"save_strategy": "no"},
    }
    return make_settings(TrainConfig, settings | changes)


def measure(args: argparse.Namespace, work: Path) -> dict[str, float]:
    """Rates and ratios of both comparisons."""
    packed, source, clock = settings_of(args), inspect(args.model_dir), CLOCKS[args.clock]
    plain = load_weights(Path(args.model_dir), getattr(torch, packed.dtype), packed.attn)
    rows, collator, data = load_rows(packed, source)
    sides = {
        "ours": run_ours(packed, load_model(source, packed), rows, collator, work),
        "plain": run_plain(packed, plain, rows, collator, work),
    }
    ours = median_seconds(sides, args.repeats, clock, warm_up=True)
    fill = data.tokens / (len(rows) * args.max_length)
    mean = data.tokens / (data.examples + data.pairs)
    single_rows = max(1, round(args.batch_size * args.max_length * fill / mean))
    single = settings_of(args, packing=False, batch_size=single_rows, micro_batch_size=single_rows)
    lone_rows, lone_collator, _ = load_rows(single, source)
    sides = {
        "packed": run_ours(packed, load_model(source, packed), rows, collator, work),
        "single": run_ours(single, load_model(source, single), lone_rows, lone_collator, work),
    }
    packing = median_seconds(sides, args.repeats, clock, warm_up=True)
    tokens = args.steps * args.batch_size * args.max_length
    packed_rate = tokens * fill / packing["packed"]
    single_rate = args.steps * single_rows * mean / packing["single"]
    return {
        "ours_tokens_per_s": tokens / ours["ours"],
        "plain_tokens_per_s": tokens / ours["plain"],
        "ours_over_plain": ours["plain"] / ours["ours"],
        "packed_example_tokens_per_s": packed_rate,
        "single_example_tokens_per_s": single_rate,
        "fill_of_packed_rows": fill,
        "packed_over_single": packed_rate / single_rate,
    }


def main() -> None:
    """Runs both comparisons and prints them."""
    args = parse()
    if args.num_threads:
        torch.set_num_threads(args.num_threads)
    transformers_logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(args, Path(folder))
    if args.json:
        print(json.dumps(rates))
        return
    for name, value in rates.items():
        print(f"{name:<30} {value:,.2f}")


if __name__ == "__main__":
    run_script(main)
