"""Draws the figures of a folder of rounds: Q on training data, values on test data, accuracy by round and by cost.

python scripts/plot_rounds.py outputs/rounds_mini [--output docs]

Needs matplotlib: pip install -e ".[plots]"
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from mcts_math.run.cli import run_program
from mcts_math.errors import RecordError


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit code."""
    description, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=f"{description}\n\n{details}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="output_dir of scripts/self_train.py")
    parser.add_argument("--output", type=Path, help="also copy the pictures here, as rounds_NAME.png")
    args = parser.parse_args(argv)
    numbered = {int(path.parent.name.removeprefix("round_")): path for path in args.folder.glob("round_*/summary.json")}
    if not numbered:
        raise RecordError(f"{args.folder}: no round_*/summary.json. Is it the output_dir of scripts/self_train.py?")
    from mcts_math.train.plots import draw_rounds

    summaries = {number: json.loads(path.read_text("utf-8")) for number, path in sorted(numbered.items())}
    for path in draw_rounds(args.folder, summaries):
        if args.output is not None:
            args.output.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copyfile(path, args.output / f"rounds_{path.name}"))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
