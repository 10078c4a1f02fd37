"""Accuracy, majority votes and cost of results files.

python eval_output_jsonl.py outputs/demo/sbs.jsonl
python eval_output_jsonl.py sbs1.jsonl sbs2.jsonl --than greedy.jsonl     how much better, with an interval
"""

import argparse
import json
import sys
from collections.abc import Sequence

from mcts_math.run.program import add_workers, make_parser, parse_words, run_program

# isort: split
from mcts_math.evaluate.accuracy import (
    Report,
    Tally,
    evaluate_file,
    paired_difference,
    require_same_answers,
    scores_by_id,
    votes_by_id,
)
from mcts_math.evaluate.budgets import attempt_curves
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.report import COLUMNS, Summary
from mcts_math.evaluate.table import screen_width
from mcts_math.run.description import compare_descriptions, read_description
from mcts_math.run.results import ResultsFile


def parse(argv: list[str]) -> argparse.Namespace:
    columns = "\n".join(f"  {column:<15}{what}" for column, what in COLUMNS.items())
    parser = make_parser("Accuracy, majority votes and cost of results files.", f"columns of the table:\n{columns}")
    parser.add_argument("files", nargs="*", metavar="JSONL", help="one or several results files")
    parser.add_argument("--res_file", nargs="+", default=[], metavar="JSONL", help="the same, as published")
    parser.add_argument("--react", action="store_true", help="take the deepest node's answer, not the first solution")
    parser.add_argument("--top", type=int, default=1, metavar="K", help="Maj@K over the first K solutions of a line")
    parser.add_argument("--vote", action="store_true", help="Maj@k over the k files, which are runs of one method")
    parser.add_argument(
        "--than",
        nargs="+",
        metavar="JSONL",
        help="runs of another method over the same questions: how much better the files before are (mean, or vote)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_workers(parser)
    args = parse_words(parser, argv)
    args.res_file = [*args.files, *args.res_file]
    if not args.res_file:
        parser.error("give a results file")
    if args.top < 1:
        parser.error("--top must be at least 1")
    if args.vote and len(args.res_file) < 2:
        parser.error("--vote needs several files; to vote over the solutions within one, use --top K")
    return args


def warn_of_others(paths: Sequence[str]) -> None:
    """Tells of files that were not made as the first one was, but for their seed, as far as what stands beside says."""
    first, *others = ((path, read_description(ResultsFile(path).meta_path)) for path in paths)
    for path, meta in others:
        changes = compare_descriptions(first[1], meta) if meta else []
        if differ := [change for change in changes if not change.startswith("seed:")]:
            told = ", ".join(differ[:3]) + (", …" if len(differ) > 3 else "")
            print(f"note: {first[0]} and {path} are not runs of one method ({told})", file=sys.stderr)


def main(argv: list[str]) -> int:
    args = parse(argv)
    with Grader(args.workers or None) as grader:

        def evaluate(paths: list[str]) -> list[Report]:
            return [evaluate_file(path, grader, react=args.react, top_k=args.top) for path in paths]

        reports, others = evaluate(args.res_file), evaluate(args.than or [])
        votes = votes_by_id(reports, grader) if args.vote else {}
        curves = {path: attempt_curves(path, grader) for path in [*args.res_file, *(args.than or [])]}
    better = None
    if others:
        require_same_answers(reports[0], others[0])
        names = (args.res_file[0], args.than[0])
        better = paired_difference(votes or scores_by_id(reports), scores_by_id(others), names)
    if args.vote or others:
        for paths in filter(None, (args.res_file, args.than)):
            warn_of_others(paths)
    summary = Summary(
        reports,
        args.top,
        votes=Tally.of(votes.values()) if votes else None,
        curves=curves,
        others=others,
        better=better,
    )
    print(json.dumps(summary.to_json(), indent=2) if args.json else summary.render(screen_width()))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
