"""Unites results files, such as the shards of one run.

python scripts/merge.py outputs/shard0.jsonl outputs/shard1.jsonl --output outputs/all.jsonl
"""

import sys

from mcts_math.run.program import make_parser, parse_words, run_program, several

# isort: split
from mcts_math.run.description import num_asked, read_description
from mcts_math.run.merge import merge_files
from mcts_math.run.results import ResultsFile


def main(argv: list[str]) -> int:
    parser = make_parser("Unite results files; a failed question gives way to a solved one.")
    parser.add_argument("inputs", nargs="+", metavar="JSONL", help="results files over different questions")
    parser.add_argument("--output", required=True, metavar="JSONL", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier merge, which is kept as .bak")
    args = parse_words(parser, argv)
    count = merge_files(args.inputs, args.output, overwrite=args.overwrite)
    asked = num_asked(read_description(ResultsFile(args.output).meta_path)) or count
    missing = f"{count:,} of " if count < asked else ""
    print(f"{missing}{several(max(count, asked), 'question')} -> {args.output}")
    if missing:
        print("note: others have no line: is a shard missing or not finished, or were they excluded?", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
