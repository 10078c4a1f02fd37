"""Trains policy and value in one model: `python -m mcts_math.train`, which says more."""

import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.train.__main__ import INTERRUPTED, main

if __name__ == "__main__":
    sys.exit(run_program(main, INTERRUPTED))
