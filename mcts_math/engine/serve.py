"""`python -m mcts_math.engine.serve`: see `vllm.serve`."""

from __future__ import annotations

import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.engine.vllm.serve import main

if __name__ == "__main__":
    sys.exit(run_program(main))
