"""Rounds of self-training: search, examples, training, evaluation, and over again.

python scripts/self_train.py --cfg configs/mini/rounds.yaml

Give the same command again to go on after a stop, at whatever moment; other settings are refused then. Tables and
figures: OUTPUT_DIR/summary.md, *.png.
"""

from __future__ import annotations

import sys
import time

from mcts_math.run.program import add_overrides, make_parser, parse_words, run_program, terminable

# isort: split
from mcts_math.evaluate.experiments import MethodConfig
from mcts_math.settings import describe_keys, load_settings
from mcts_math.train.config import ExamplesConfig, RoundsConfig


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit code."""
    keys = [
        describe_keys(RoundsConfig),
        describe_keys(ExamplesConfig, "keys of examples:"),
        describe_keys(MethodConfig, "keys of each entry of methods:"),
    ]
    parser = make_parser(__doc__, *keys)
    parser.add_argument("--cfg", required=True, metavar="YAML", help="config file, such as configs/mini/rounds.yaml")
    parser.add_argument(
        "--overwrite", action="store_true", help="take other settings: what they change is kept as .bak and made anew"
    )
    add_overrides(parser)
    args = parse_words(parser, argv)
    config = load_settings(RoundsConfig, args.cfg, args.overrides)
    from mcts_math.train.rounds import Rounds  # late: --help and bad settings need no torch

    begun = time.monotonic()
    with terminable():
        rounds = Rounds(config, report=lambda text: print(text, flush=True), overwrite=args.overwrite)
        checkpoint = rounds.run()
    print(f"done in {(time.monotonic() - begun) / 60:.1f} minutes; the last checkpoint: {checkpoint}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main, "The same command goes on with what is not done yet."))
