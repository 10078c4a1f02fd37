"""Draws more questions like the bundled model's test questions, none of which is in `data/mini`.

python recipes/mini/draw.py --times 2 --output outputs/more.jsonl

Five hundred questions leave an interval of four points; these narrow it.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from build import ROOT, write_questions
from questions import FAMILIES, Question, draw

SEED = 1_700_000


def more_questions(seed: int, times: int) -> list[Question]:
    """`times` 500 questions in the mix of the test questions, in a fixed order; no text of `data/mini` among them."""
    files = [ROOT / "data" / "mini" / f"{name}.jsonl" for name in ("train", "test")]
    known = frozenset(json.loads(line)["question"] for file in files for line in file.read_text("utf-8").splitlines())
    drawn = [
        question
        for family in FAMILIES
        for question in draw(family, seed, times * (80 if family == "gsm_symbolic" else 30), known)
    ]
    random.Random(seed).shuffle(drawn)
    return drawn


def main() -> None:
    """Arguments."""
    description, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=f"{description}\n\n{details}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=2, help="how many times 500 questions")
    parser.add_argument("--seed", type=int, default=SEED, help="of the generators; away from 100,000 to 900,000")
    parser.add_argument("--output", type=Path, required=True, help="question file, .jsonl")
    arguments = parser.parse_args()
    if arguments.times < 1:
        parser.error(f"--times must be 1 or more, not {arguments.times}")
    if arguments.output.exists():
        parser.error(f"{arguments.output} exists. Choose another --output.")
    drawn = more_questions(arguments.seed, arguments.times)
    write_questions(drawn, arguments.output, f"mini-{arguments.seed}")
    print(f"{len(drawn):,} questions: {arguments.output}")


if __name__ == "__main__":
    main()
