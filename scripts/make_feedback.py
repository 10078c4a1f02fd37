"""Makes what a learned optimiser (OpTune) and its baselines are trained on: attempts with verdict and gold solution.

python scripts/make_feedback.py --cfg configs/optune/attempts.yaml --qaf gsm8k:train.jsonl --output feedback.jsonl \\
    model_dir=CKPT [key=value ...]
python scripts/make_feedback.py --cfg configs/optune/attempts.yaml --qaf gsm8k:train.jsonl --output g.jsonl --gold_only

Attempts are made by any engine under the config, for at most --questions questions drawn at random, into
OUTPUT's name with .attempts.jsonl; a run that was stopped goes on when the same command is given again. Attempts that
did not end by themselves are left out; right ones stay in, with the same feedback, as published. A record's worked
solution stands under `solution`; the published data sets bring theirs along.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from mcts_math.run.program import add_overrides, make_parser, parse_words, run_program

# isort: split
from mcts_math.config import Config, load_config
from mcts_math.errors import RecordError
from mcts_math.files import dump_line, replace_file, require_writable, writing
from mcts_math.run.results import require_other_file
from mcts_math.run.run import solve_file
from mcts_math.tasks import load_tasks, parse_source
from mcts_math.tasks.cases import write_cases
from mcts_math.tasks.task import Task
from mcts_math.train.feedback import FEEDBACK, FeedbackCounts, feedback_of, gold_only, gold_solution


def parse(argv: list[str]) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--cfg", required=True, metavar="YAML", help="config of the attempts")
    parser.add_argument("--qaf", required=True, metavar="FILE", help="training questions, as for solver_demo.py")
    parser.add_argument("--output", required=True, metavar="JSONL", help="the feedback; an old one is kept as .bak")
    parser.add_argument("--questions", type=int, default=12_000, metavar="N", help="at most so many (published: 12000)")
    parser.add_argument("--own_solutions", action="store_true", help="right attempts where there is no gold solution")
    parser.add_argument("--gold_only", action="store_true", help="no attempts: questions and solutions for baselines")
    add_overrides(parser)
    args = parse_words(parser, argv)
    if args.questions < 1:
        parser.error("--questions must be at least 1")
    return args


def make_attempts(config: Config, args: argparse.Namespace, tasks: list[Task], chosen: set[str]) -> Path:
    """Has the attempts made, as far as they are not; returns their file."""
    stem = Path(args.output).with_suffix("")
    trees, left_out = stem.with_name(f"{stem.name}.attempts.jsonl"), stem.with_name(f"{stem.name}.left_out.json")
    write_cases(left_out, tasks, [task.id for task in tasks if task.id not in chosen])
    exclude = left_out if len(chosen) < len(tasks) else None
    solve_file(config, args.qaf, trees, resume=trees.exists(), exclude=exclude)
    return trees


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit code."""
    args = parse(argv)
    config = load_config(args.cfg, args.overrides)
    if not config.method.makes_attempts:
        raise RecordError(f"{args.cfg}: mode {config.mode} makes no attempts. Use best_of_n.")
    require_other_file(args.output, parse_source(args.qaf).path)
    require_writable(args.output, "Choose another --output.")
    tasks = load_tasks(args.qaf)
    chosen = random.Random(config.run_seed).sample(tasks, min(args.questions, len(tasks)))
    form = config.make_format()
    counts = FeedbackCounts()
    if args.gold_only:
        lines = list(gold_only(chosen, form, counts))
    else:
        if not args.own_solutions:  # before hours are spent on attempts
            for task in chosen:
                gold_solution(task, form, args.qaf)
        ids = {task.id for task in chosen}
        trees = make_attempts(config, args, tasks, ids)
        lines = list(feedback_of(trees, form, config.max_tokens, counts, own=args.own_solutions, chosen=ids))
    if not lines:
        print(counts.render(), file=sys.stderr)
        raise RecordError(
            f"{args.output} is not written: no attempt could be learned from. Raise max_tokens or trials."
        )
    with writing(args.output):
        replace_file(Path(args.output), b"".join(dump_line(FEEDBACK.dump(line)) for line in lines), keep=True)
    print(counts.render())
    print(json.dumps({"lines": len(lines), "output": args.output}))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main, "The same command goes on with the attempts that are not made yet."))
