"""Unites results files, such as the shards of one run.

python scripts/merge.py outputs/all.jsonl outputs/shard0.jsonl outputs/shard1.jsonl
"""

import sys

from mcts_math.run.program import make_parser, run_program

# isort: split
from mcts_math.run.merge import merge_files


def main(argv: list[str]) -> int:
    parser = make_parser("Unite results files; a failed question gives way to a solved one.")
    parser.add_argument("output", help="the file to write")
    parser.add_argument("inputs", nargs="+", help="results files over different questions")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    args = parser.parse_args(argv)
    print(f"{merge_files(args.inputs, args.output, overwrite=args.overwrite)} questions -> {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
