"""Draws the figures of a folder of rounds: Q on training data, values on test data, accuracy by round and by cost.

python scripts/plot_rounds.py outputs/rounds_mini [--output docs]

Needs matplotlib: pip install -e ".[plots]"
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from mcts_math.errors import RecordError
from mcts_math.run.cli import run_program
from mcts_math.train.summary import read_summaries


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="output_dir of scripts/self_train.py")
    parser.add_argument("--output", type=Path, help="also copy the pictures here, as rounds_NAME.png")
    args = parser.parse_args(argv)
    last = max((int(path.name.removeprefix("round_")) for path in args.folder.glob("round_*")), default=-1)
    summaries = read_summaries(args.folder, last)
    if not summaries:
        raise RecordError(f"{args.folder}: no round_*/summary.json. Is it the output_dir of scripts/self_train.py?")
    from mcts_math.train.plots import draw_rounds

    for path in draw_rounds(args.folder, summaries):
        if args.output is not None:
            args.output.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copyfile(path, args.output / f"rounds_{path.name}"))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
