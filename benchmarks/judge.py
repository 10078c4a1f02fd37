"""Judges the reference solutions of HumanEval and MBPP, as they are and with their last return removed.

    python benchmarks/judge.py [DATA]

DATA holds humaneval/HumanEval.jsonl, mbpp/mbpp.jsonl and mbpp/sanitized-mbpp.json; default: $MCTS_MATH_DATA.
Every reference must pass, and none without its last return but those of `UNTESTED`. Run it on a quiet machine. Then
what a call costs, and what big arguments cost beside the program that reads them, as ratios of one run.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import sys
import time
import timeit
import warnings
from pathlib import Path

from mcts_math.judge import Judge, Judgement, Problem, judge_all
from mcts_math.tasks import load_tasks

FILES = {
    "HumanEval": "humaneval/HumanEval.jsonl",
    "MBPP": "mbpp/mbpp.jsonl",
    "MBPP sanitized": "mbpp/sanitized-mbpp.json",
}
UNTESTED = {
    "HumanEval": frozenset[int](),
    "MBPP": frozenset(
        (9, 20, 29, 34, 177, 189, 351, 382, 395, 404, 452, 485, 617, 627, 631, 802, 823, 838, 842, 916, 928, 954)
    ),
    "MBPP sanitized": frozenset((9, 20, 160, 395, 404, 617, 627, 803, 804)),
}
"""Task numbers whose tests do not notice that the last return is gone: run with the tests in a plain Python process,
they pass too."""


def references(path: Path) -> list[tuple[str, Problem, str]]:
    """(id, problem, reference solution) of a published file."""
    text = path.read_text(encoding="utf-8")
    records = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    cases = []
    for task, record in zip(load_tasks(path), records, strict=True):
        code = record["code"] if "code" in record else record["prompt"] + record["canonical_solution"]
        cases.append((task.id, Problem.from_record(task.record), code.replace("\r\n", "\n")))
    return cases


def number(case: tuple[str, Problem, str]) -> int:
    return int(case[0].split("/")[1])


def without_last_return(code: str, entry_point: str) -> str:
    """The code with the last return of the entry point (its last yield, where it returns nothing) made `pass`."""
    module = ast.parse(code)
    function = [n for n in module.body if getattr(n, "name", None) == entry_point][-1]
    found = [n for n in ast.walk(function) if isinstance(n, ast.Return)]
    if not found:
        found = [n for n in ast.walk(function) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Yield)]
    last = max(found, key=lambda node: (node.lineno, node.col_offset))
    lines = code.encode().split(b"\n")
    end = lines[last.end_lineno - 1][last.end_col_offset :]
    lines[last.lineno - 1 : last.end_lineno] = [lines[last.lineno - 1][: last.col_offset] + b"pass" + end]
    return b"\n".join(lines).decode()


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


async def judge_set(judge: Judge, cases: list[tuple[str, Problem, str]]) -> tuple[list[Judgement], float]:
    begun = time.monotonic()
    judgements = await judge_all(judge, [(problem, fenced(code)) for _, problem, code in cases])
    return judgements, time.monotonic() - begun


PAIRS = "[(i, str(i)) for i in range(200_000)]"
READ = "def f(xs):\n    return sum(len(b) + a for a, b in xs)"


async def seconds_of(judge: Judge, test: str, code: str) -> float:
    """Seconds of one judgement, the best of five."""
    best = float("inf")
    for _ in range(5):
        begun = time.monotonic()
        judgement = await judge.judge(Problem("", test, "f"), fenced(code))
        assert judgement.passed, judgement
        best = min(best, time.monotonic() - begun)
    return best


async def print_costs(judge: Judge) -> None:
    nothing = await seconds_of(judge, "assert f([]) == 0", READ)
    calls = await seconds_of(judge, "for _ in range(20_000):\n    assert f([]) == 0", READ)
    made = await seconds_of(judge, f"xs = {PAIRS}\nassert f([]) == 0", READ)
    handed = await seconds_of(judge, f"xs = {PAIRS}\nassert f(xs) > 0", READ)
    begun = time.process_time()
    names: dict[str, object] = {"xs": [(i, str(i)) for i in range(200_000)]}
    program = min(timeit.repeat(lambda: sum(len(b) + a for a, b in names["xs"]), number=1, repeat=5))  # type: ignore[attr-defined]
    print(f"a judgement: {1000 * nothing:.1f} ms; a call: {1000 * (calls - nothing) / 20_000:.3f} ms")
    print(
        f"200,000 pairs: {1000 * (handed - made - program):.0f} ms to hand over, {1000 * program:.0f} ms to read, "
        f"{1000 * (made - nothing):.0f} ms for the tests to make ({time.process_time() - begun:.1f} s CPU)"
    )


async def main(data: Path) -> int:
    """Prints a line a set, and what is not as it must be.

    Returns:
        The number of surprises.
    """
    surprises = 0
    async with Judge() as judge:
        print(judge.level)
        for name, file in FILES.items():
            cases = references(data / file)
            spoiled = [(i, p, without_last_return(code, p.entry_point)) for i, p, code in cases]
            good, seconds = await judge_set(judge, cases)
            bad, bad_seconds = await judge_set(judge, spoiled)
            print(
                f"{name}: {sum(j.passed for j in good)} of {len(cases)} references pass in {seconds:.1f} s; "
                f"{sum(j.passed for j in bad)} pass without their last return ({bad_seconds:.1f} s)"
            )
            wrong = [(c, j) for c, j in zip(cases, good, strict=True) if not j.passed]
            wrong += [(c, j) for c, j in zip(spoiled, bad, strict=True) if j.passed != (number(c) in UNTESTED[name])]
            surprises += len(wrong)
            for (task_id, _, code), judgement in wrong:
                print(f"  {task_id}: {judgement.result}\n{code}")
        await print_costs(judge)
    return surprises


if __name__ == "__main__":
    warnings.simplefilter("ignore", SyntaxWarning)  # of the references' own
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MCTS_MATH_DATA", "")
    sys.exit(min(asyncio.run(main(Path(folder))), 1))
