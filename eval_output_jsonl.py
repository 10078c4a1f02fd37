"""Accuracy, majority votes and cost of results files.

python eval_output_jsonl.py --res_file outputs/mini_sbs.test.seed42.jsonl
"""

import argparse
import json
import sys

from mcts_math.cli import run_program
from mcts_math.evaluate import evaluate_file, vote_over_files
from mcts_math.grading import Grader
from mcts_math.report import render_reports, reports_to_json
from mcts_math.trials import attempt_curves


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Accuracy, majority votes and cost of results files.")
    parser.add_argument("--res_file", nargs="+", required=True, metavar="JSONL", help="one or several results files")
    parser.add_argument("--react", action="store_true", help="take the deepest node's answer, not the first solution")
    parser.add_argument("--top", type=int, default=1, metavar="K", help="Maj@K over the first K solutions of a line")
    parser.add_argument("--vote", action="store_true", help="Maj@k over the k files, which are runs of one method")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="answer checking processes; 0: all cores")
    args = parser.parse_args(argv)
    if args.top < 1 or args.workers < 0:
        parser.error("--top must be at least 1 and --workers at least 0")
    if args.vote and len(args.res_file) < 2:
        parser.error("--vote needs several files; to vote over the solutions within one, use --top K")
    return args


def main(argv: list[str]) -> int:
    args = parse(argv)
    with Grader(args.workers or None) as grader:
        reports = [
            evaluate_file(path, grader, react=args.react, top_k=args.top, keep=args.vote) for path in args.res_file
        ]
        votes = vote_over_files(reports, grader) if args.vote else None
        curves = {path: attempt_curves(path, grader) for path in args.res_file}
    if args.json:
        print(json.dumps(reports_to_json(reports, args.top, votes, curves), indent=2))
    else:
        print(render_reports(reports, args.top, votes, curves))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
