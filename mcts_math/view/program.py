"""The command line of `view_trees.py`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mcts_math.evaluate.grading import Grader
from mcts_math.files import reading
from mcts_math.run.program import add_workers, make_parser, parse_words, several
from mcts_math.view.build import build_page
from mcts_math.view.follow import Follower
from mcts_math.view.serve import PORT, PageServer


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = make_parser("Show the trees of a results file in the browser.")
    parser.add_argument("results", metavar="JSONL", help="a results file, of any mode, ours or a published one")
    parser.add_argument("--than", metavar="JSONL", help="another one over the same questions, to compare with")
    parser.add_argument("--output", "-o", metavar="HTML", help="the page, one file; default: NAME.html beside JSONL")
    parser.add_argument(
        "--serve",
        nargs="?",
        const=PORT,
        type=int,
        metavar="PORT",
        help=f"write no file: serve the page on this machine (port {PORT} if none is given) and follow a growing file",
    )
    add_workers(parser)
    args = parse_words(parser, argv)
    if args.serve is not None and args.output:
        parser.error("--serve writes no file: leave out --output")
    return args


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if args.serve is not None:
        return _serve(args)
    output = Path(args.output or Path(args.results).with_suffix(".html"))
    made = build_page(args.results, args.than, output, workers=args.workers)
    questions = " and ".join(several(count, "question") for count in dict.fromkeys(made["questions"]))
    print(f"{output}: {questions}, {made['nodes']:,} nodes, {made['bytes'] / 1e6:.1f} MB")
    return 0


def _serve(args: argparse.Namespace) -> int:
    paths = [Path(path) for path in (args.results, args.than) if path]
    for path in filter(Path.exists, paths):
        with reading(path), path.open("rb"):
            pass  # else the page alone would tell
    with Grader(args.workers or None) as grader, PageServer([Follower(p, grader) for p in paths], args.serve) as server:
        missing = "".join(f"; {path} is not there yet" for path in paths if not path.exists())
        print(f"{server.url} (Ctrl-C ends it){missing}", file=sys.stderr, flush=True)
        try:
            server.run()
        except KeyboardInterrupt:
            return 0
    return 0
