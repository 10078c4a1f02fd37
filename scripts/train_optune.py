"""Trains a learned optimiser (OpTune), or a baseline of it, on the feedback of scripts/make_feedback.py.

python scripts/train_optune.py --cfg configs/optune/rule.yaml model_dir=CKPT 'feedback=[f.jsonl]' output_dir=RULE
python scripts/train_optune.py --cfg configs/optune/lora.yaml model_dir=CKPT 'feedback=[f.jsonl]' output_dir=CKPT2
torchrun --nproc-per-node 8 scripts/train_optune.py --cfg …          in several processes

A stopped training goes on from its last state when the same command is given again. kind: rule makes a folder for
`optune_dir` (mode: optune); full, lora, ia3 and layernorm a checkpoint that any engine serves; bottleneck, reft and
prefix a folder for engine_args={tuned_dir: FOLDER} of engine: hf.
"""

from __future__ import annotations

import sys

from mcts_math.run.program import add_overrides, make_parser, parse_words, run_program

# isort: split
from mcts_math.evaluate.plots import require_picture
from mcts_math.settings import describe_keys, load_settings
from mcts_math.train.config import TuningConfig


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = make_parser(__doc__, describe_keys(TuningConfig))
    parser.add_argument("--cfg", metavar="YAML", help="config file, see configs/optune/")
    parser.add_argument("--overwrite", action="store_true", help="start anew; a finished result is kept as .bak")
    parser.add_argument("--plot", metavar="PNG", help="also draw the figures by epoch")
    add_overrides(parser)
    args = parse_words(parser, argv)
    config = load_settings(TuningConfig, args.cfg, args.overrides)
    if args.plot:
        require_picture(args.plot)
    from mcts_math.train.tuning import tune  # late: --help and bad settings need no torch

    output = tune(config, overwrite=args.overwrite, report=lambda text: print(text, flush=True))
    from mcts_math.train.processes import rank

    if args.plot and rank() == 0:
        from mcts_math.train.plots import draw_training

        print(f"picture: {draw_training(output, args.plot)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main, "The same command goes on from the last state; with --overwrite it starts anew."))
