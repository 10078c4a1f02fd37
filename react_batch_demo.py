"""Batched greedy ReAct: one chain of steps per question.

python react_batch_demo.py --cfg configs/mini/greedy.yaml --qaf data/mini/test.jsonl
"""

import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.run.cli import solve_main, solve_parser


def main(argv: list[str]) -> int:
    text = "Greedy ReAct, one chain per question, all questions batched. The config's mode is ignored."
    parser = solve_parser(text, argv)
    return solve_main(parser, argv, mode="react")


if __name__ == "__main__":
    sys.exit(run_program(main))
