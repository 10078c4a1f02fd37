"""Makes training examples (and preference pairs) from search trees.

python scripts/make_examples.py outputs/trees.jsonl --output examples.jsonl
python scripts/make_examples.py a.jsonl b.jsonl --output examples.jsonl --pairs pairs.jsonl choose=random

The trees are results files of `mode: mcts` (with is_sampling: true), ours or those of the published system, or of any
search with values (`value: prm`, …), whose steps have their values for Q. A line of the output is {id, question,
prompt, steps: [{text, q}], correct, value_source}; one of pairs is {prompt, chosen, rejected, margin, …}, which TRL's
DPOTrainer reads. Steps are rendered by the format that the tree was made with; where a line does not tell it, the
published formats are recognised, and `format=NAME` says any other. Outputs that are there already are kept as .bak.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.errors import RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.settings import describe_keys, load_settings
from mcts_math.train.collect import write_examples
from mcts_math.train.config import ExamplesConfig


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = make_parser(__doc__, describe_keys(ExamplesConfig))
    parser.add_argument("trees", nargs="+", metavar="TREES|key=value", help="results files, and keys to change")
    parser.add_argument("--cfg", metavar="YAML", help="config file with these keys")
    parser.add_argument("--output", required=True, metavar="JSONL", help="the examples")
    parser.add_argument("--pairs", metavar="JSONL", help="also write preference pairs of sibling steps (SVPO)")
    args = parse_words(parser, argv)
    overrides = [word for word in args.trees if "=" in word and not Path(word).exists()]
    trees = [word for word in args.trees if word not in overrides]
    if not trees:
        raise RecordError("no trees: name one or more results files.")
    config = load_settings(ExamplesConfig, args.cfg, overrides)
    with Grader() as grader:
        statistics = write_examples(trees, args.output, config, grader, pairs=args.pairs)
    print(statistics.render())
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
