"""Chooses solutions from complete saved trees, without a model, and reports their accuracy.

python offline_inference.py outputs/demo/mcts.jsonl --cfg configs/offline_inference.yaml
"""

import argparse
import json
import re
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from mcts_math.run.program import add_workers, make_parser, parse_words, run_program, several

# isort: split
from mcts_math.config import load_config
from mcts_math.evaluate.accuracy import Tally
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.table import interval, percent
from mcts_math.run.offline import CHOOSING, Rescored, rescore_file
from mcts_math.run.record import with_verdict
from mcts_math.run.results import ResultsFile, require_other_file
from mcts_math.search.mcts import MctsOptions
from mcts_math.settings import describe_keys
from mcts_math.tasks import JsonObject


def parse(argv: list[str]) -> argparse.Namespace:
    keys = describe_keys(MctsOptions, "config keys that choose; others of a config are passed over:", CHOOSING)
    parser = make_parser("Choose solutions from complete saved trees, without a model.", keys)
    parser.add_argument("--cfg", "--custom_cfg", required=True, metavar="YAML", help="config file, see configs/")
    parser.add_argument("--tree_jsonl", metavar="JSONL", help="the results, as published")
    parser.add_argument("--output", metavar="JSONL", help="also write the lines with the solutions chosen")
    parser.add_argument("--overwrite", action="store_true", help="start an existing output anew; the old one is kept")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line of text")
    add_workers(parser)
    words = "results of solver_demo.py, and config keys to change"
    parser.add_argument("overrides", nargs="*", metavar="JSONL|key=value", help=words)
    args = parse_words(parser, argv)
    if args.tree_jsonl is None:
        files = [word for word in args.overrides if not re.match(r"[\w.]+=", word)]
        if len(files) != 1:
            parser.error(f"give one results file, not {len(files)}")
        (args.tree_jsonl,) = files
        args.overrides.remove(args.tree_jsonl)
    return args


def to_judge(line: Rescored) -> tuple[Sequence[str], str] | None:
    """Accepted answers and the chosen one."""
    return (line.golds, line.answer) if line.golds and line.answer is not None else None


def main(argv: list[str]) -> int:
    args = parse(argv)
    config = load_config(args.cfg, args.overrides)
    if obsolete := config.obsolete_given():
        print(f"note: obsolete keys are ignored: {', '.join(obsolete)}", file=sys.stderr)
    tally, total, answered = Tally(), 0, 0
    strategies = Counter[str]()
    with ExitStack() as stack:
        grader = stack.enter_context(Grader(args.workers or None))

        def records() -> Iterator[JsonObject]:
            nonlocal total, answered
            for line, verdict in grader.judged(rescore_file(args.tree_jsonl, config), to_judge):
                total += 1
                answered += line.answer is not None
                strategies[line.strategy] += 1
                if line.golds:
                    tally.add(bool(verdict))
                yield with_verdict(line.record, bool(verdict)) if line.golds else line.record

        if args.output:
            require_other_file(args.output, args.tree_jsonl)
            meta = {"config": config.resolved(), "trees": args.tree_jsonl}
            output = ResultsFile(args.output).open(meta, resume=None, overwrite=args.overwrite)
            stack.enter_context(output).begin(meta, records())
        else:
            deque(records(), maxlen=0)
    asked = config.options.model_dump()["mcts_infer_strategy"]
    strategy = " and ".join(sorted(filter(None, strategies))) or (None if total else asked)
    if kept := strategies[""]:
        note = f"note: own solutions are kept in {kept} of {several(total, 'tree')}: without Q, or of code"
        print(note, file=sys.stderr)
    if strategies["value"] and asked != "value":
        by_value = f"{strategies['value']} of {several(total, 'tree')}"
        print(f"note: without Q, chosen by value, not by {asked}: {by_value}", file=sys.stderr)
    report = {"total": total, "answered": answered, "kept": kept, "strategy": strategy, **tally.to_json()}
    found = f"an answer in {answered} of {several(total, 'tree')}"
    if args.json:
        print(json.dumps(report))
    elif tally.total:
        print(f"{tally.correct}/{tally.total} = {percent(tally.accuracy)}% (95 %: {interval(tally.interval)}), "
              f"{found}, chosen by {strategy or 'the trees themselves'}")  # fmt: skip
    else:
        print(f"{found}; no ground truth to compare with")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
