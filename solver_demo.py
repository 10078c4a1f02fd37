"""Solves every question of a file with the solver that a config names, one tree per line.

python solver_demo.py --cfg configs/mini/sbs.yaml --qaf data/mini/test.jsonl
"""

import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.run.cli import solve_main, solve_parser


def main(argv: list[str]) -> int:
    parser = solve_parser("Solve every question of a file with the solver that the config names.", argv)
    return solve_main(parser, argv)


if __name__ == "__main__":
    sys.exit(run_program(main))
