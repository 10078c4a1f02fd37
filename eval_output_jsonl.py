"""Accuracy, majority votes and cost of results files.

python eval_output_jsonl.py --res_file outputs/mini_sbs.test.seed42.jsonl
"""

import argparse
import json
import sys

from mcts_math.cli import run_program
from mcts_math.evaluate import Report, Tally, evaluate_file, mean_over_files, vote_over_files
from mcts_math.grading import Grader
from mcts_math.table import interval, number, percent, render_table

HEADER = ("", "accuracy %", "95 % interval", "right", "of", "answered", "solutions", "steps", "seconds", "tokens",
          "prompt", "cached", "cells")  # fmt: skip


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Accuracy, majority votes and cost of results files.")
    parser.add_argument("--res_file", nargs="+", required=True, metavar="JSONL", help="results; several are voted over")
    parser.add_argument("--react", action="store_true", help="take the deepest node's answer, not the first solution")
    parser.add_argument("--maj", type=int, default=1, metavar="K", help="vote over the first K solutions of a line")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="answer checking processes; 0: all cores")
    return parser.parse_args(argv)


def tally_row(name: str, tally: Tally) -> list[str]:
    low_high = interval(tally.interval) if tally.total else "-"
    return [name, percent(tally.accuracy), low_high, str(tally.correct), str(tally.total)] + [""] * (len(HEADER) - 5)


def report_row(report: Report) -> list[str]:
    means = [number(report.mean_cost(key), digits) for key, digits in
             (("seconds", 3), ("tokens", 0), ("prompt_tokens", 0), ("cached_tokens", 0), ("cells", 1))]  # fmt: skip
    solutions = number(report.solutions / max(report.questions, 1))
    row = tally_row(report.path, report.top1)[:5]
    return [*row, str(report.answered), solutions, number(report.mean_steps), *means]


def show(reports: list[Report], votes: Tally | None, maj: int) -> None:
    rows = []
    for report in reports:
        rows.append(report_row(report))
        if maj > 1:
            rows.append(tally_row(f"  top-{maj} + Maj@{maj}", report.majority))
    if votes is not None:
        mean, bounds = mean_over_files(reports)
        rows.append([f"mean of {len(reports)}", percent(mean), interval(bounds)] + [""] * (len(HEADER) - 3))
        rows.append(tally_row(f"Maj@{len(reports)}", votes))
    print(render_table(HEADER, rows))
    print("steps: mean of answered questions; seconds (machine time), tokens and cells: mean per question")
    for report in reports:
        for key, group in report.breakdowns():
            print(f"\n{report.path} by {key}")
            print(render_table(HEADER[:5], [tally_row(name, tally)[:5] for name, tally in group.items()]))
        for count, what in ((report.errors, "failed; resume the run"), (report.stopped, "were cut by a limit")):
            if count:
                print(f"\n{report.path}: {count} questions {what}")


def main(argv: list[str]) -> int:
    args = parse(argv)
    several = len(args.res_file) > 1
    with Grader(args.workers or None) as grader:
        reports = [
            evaluate_file(path, grader, react=args.react, top_k=args.maj, keep=several) for path in args.res_file
        ]
        judged = several and all(report.top1.total for report in reports)
        votes = vote_over_files(args.res_file, reports, grader) if judged else None
    if not args.json:
        show(reports, votes, args.maj)
        return 0
    out = {"files": [r.to_json() | ({"majority": r.majority.to_json()} if args.maj > 1 else {}) for r in reports]}
    if votes is not None:
        out |= {"majority": votes.to_json(), "mean_accuracy": mean_over_files(reports)[0]}  # type: ignore[dict-item]
    print(json.dumps(out, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
