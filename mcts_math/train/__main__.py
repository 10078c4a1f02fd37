"""Trains policy and value in one model, on the examples of scripts/make_examples.py.

python -m mcts_math.train --cfg configs/train/round2.yaml model_dir=… 'examples=[examples.jsonl]' output_dir=…
torchrun --nproc-per-node 8 -m mcts_math.train --cfg …          on several GPUs

A stopped training goes on from its last state when the same command is given again. The result is a checkpoint folder
that solver_demo.py serves. scripts/train.py is the same program.
"""

from __future__ import annotations

import sys

from mcts_math.run.program import add_overrides, make_parser, parse_words, run_program

# isort: split
from mcts_math.settings import describe_keys, load_settings
from mcts_math.train.config import TrainConfig

INTERRUPTED = "The same command goes on from the last state; with --overwrite it starts anew."


def main(argv: list[str]) -> int:
    parser = make_parser(__doc__, describe_keys(TrainConfig))
    parser.add_argument("--cfg", metavar="YAML", help="config file, see configs/train/")
    parser.add_argument("--overwrite", action="store_true", help="start anew; a finished checkpoint is kept as .bak")
    parser.add_argument(
        "--restart_changed", action="store_true", help="start anew if a stopped training had other settings or data"
    )
    add_overrides(parser)
    args = parse_words(parser, argv)
    config = load_settings(TrainConfig, args.cfg, args.overrides)
    from mcts_math.train.training import train  # late: --help and bad settings need no torch

    train(
        config,
        overwrite=args.overwrite,
        restart_changed=args.restart_changed,
        report=lambda text: print(text, flush=True),
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main, INTERRUPTED))
