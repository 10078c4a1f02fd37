"""Shows the trees of a results file in the browser: one HTML file, or a page that follows a run.

python view_trees.py outputs/demo/mcts.jsonl -o trees.html
python view_trees.py outputs/demo/mcts.jsonl --than outputs/demo/sbs.jsonl -o differences.html
python view_trees.py outputs/demo/mcts.jsonl --serve
"""

import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.view.program import main

if __name__ == "__main__":
    sys.exit(run_program(main))
