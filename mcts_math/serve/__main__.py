"""`python -m mcts_math.serve --cfg CONFIG … [key=value …]`: see docs/serve.md."""

from __future__ import annotations

import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.serve.program import main

if __name__ == "__main__":
    sys.exit(run_program(main))
