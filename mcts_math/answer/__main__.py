"""Says whether two answers are equal, how they were read, and which rule decided.

python -m mcts_math.answer GOLD PRED      an answer that starts with a minus sign goes after `--`

Exit code: 0 equal, 1 different, 2 unparsed, timeout or wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.answer.reply.extract import extract_answer
from mcts_math.answer.rules.check import Gold
from mcts_math.answer.service.pool import CheckerPool
from mcts_math.answer.verdict import Policy, Status, Verdict
from mcts_math.errors import CheckerError

_EXIT_CODES = {Status.EQUAL: 0, Status.DIFFERENT: 1, Status.UNPARSED: 2, Status.TIMEOUT: 2}


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("gold", help="the accepted answer")
    parser.add_argument("pred", help="the answer to judge")
    parser.add_argument(
        "--or", dest="others", action="append", default=[], metavar="GOLD", help="another accepted answer"
    )
    parser.add_argument(
        "--extract", action="store_true", help="PRED is a whole model output: find its final answer first"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--limit_s", type=float, default=2.0, help="wall-clock limit in seconds (default 2)")
    policy = parser.add_argument_group("policy")
    policy.add_argument(
        "--percent", choices=("either", "number", "fraction"), default="either", help="10%% is 10, 0.1 or either"
    )
    policy.add_argument(
        "--no_rounding", dest="rounding", action="store_false", help="1.732 is not the square root of 3"
    )
    policy.add_argument(
        "--min_digits", type=int, default=3, help="significant digits that a rounded decimal needs (default 3)"
    )
    policy.add_argument("--letter_case", action="store_true", help="the case of words and choices counts")
    policy.add_argument("--no_equation_value", dest="equation_value", action="store_false", help="x = 5 is not 5")
    policy.add_argument("--list_order", action="store_true", help="the order of a list without brackets counts")
    policy.add_argument("--need_units", dest="units", action="store_false", help="a unit must be on both sides")
    return parser


def _table(verdict: Verdict, golds: Sequence[str], pred: str) -> str:
    lines = [
        ("verdict", verdict.status.value),
        ("rule", verdict.reason),
        ("gold", " | ".join(golds)),
        ("  read as", verdict.gold),
        ("answer", pred),
        ("  read as", verdict.pred),
    ]
    return "\n".join(f"{name:<10} {value}" for name, value in lines)


def main(argv: Sequence[str]) -> int:
    arguments = parse_words(_parser(), argv)
    pred: str | None = extract_answer(arguments.pred) if arguments.extract else arguments.pred
    golds = (arguments.gold, *arguments.others)
    gold: Gold = golds if arguments.others else arguments.gold
    try:
        if pred is None:
            verdict = Verdict(Status.UNPARSED, "no final answer is marked in the text", arguments.gold, "")
        else:
            policy = Policy(**{field.name: getattr(arguments, field.name) for field in fields(Policy)})
            with CheckerPool(num_workers=1, limit_s=arguments.limit_s, policy=policy) as pool:
                verdict = pool.check(gold, pred)
    except (CheckerError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(asdict(verdict), ensure_ascii=False))
    else:
        print(_table(verdict, golds, pred or ""))
    return _EXIT_CODES[verdict.status]


if __name__ == "__main__":
    sys.exit(run_program(main))
