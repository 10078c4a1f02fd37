"""Judges the reference solutions of HumanEval and MBPP, as they are and with their last return removed.

    python benchmarks/judge.py [DATA]

DATA holds humaneval/HumanEval.jsonl, mbpp/mbpp.jsonl and mbpp/sanitized-mbpp.json; default: $MCTS_MATH_DATA.
Every reference must pass. Without its last return it must fail, unless that makes no difference that its tests could
see: then it passes in a plain Python process too, and a probe in the place of the return says why (`PROBES`). Run it on
a quiet machine. Then what a call costs, and what big arguments cost beside the program that reads them, as ratios of
one run.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import subprocess
import sys
import time
import timeit
import warnings
from pathlib import Path
from typing import Any

from mcts_math.judge import Judge, Judgement, Problem, judge_all
from mcts_math.run.program import run_script
from mcts_math.tasks import load_tasks

FILES = {
    "HumanEval": "humaneval/HumanEval.jsonl",
    "MBPP": "mbpp/mbpp.jsonl",
    "MBPP sanitized": "mbpp/sanitized-mbpp.json",
}
PROBES = {
    "its tests never get there": "raise RuntimeError",
    "it returns None anyway": "assert ({value}) is None",
    "it is false, and its tests ask for no more than whether it is true": "assert not ({value})",
}
"""Why a program may pass without its last return, and what passes in the return's place only where that is so."""


def references(path: Path) -> list[tuple[str, Problem, str]]:
    """(id, problem, reference solution) of a published file."""
    text = path.read_text(encoding="utf-8")
    records = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    cases = []
    for task, record in zip(load_tasks(path), records, strict=True):
        code = record["code"] if "code" in record else record["prompt"] + record["canonical_solution"]
        cases.append((task.id, Problem.from_record(task.record), code.replace("\r\n", "\n")))
    return cases


def in_place_of_last_return(code: str, entry_point: str, statement: str = "pass") -> str:
    """The code with another statement for the last return of the entry point (its last yield, if it returns nothing).

    Args:
        code: the code.
        entry_point: name of a function.
        statement: one line; `{value}` stands for what was returned.
    """
    module = ast.parse(code)
    function = [n for n in module.body if getattr(n, "name", None) == entry_point][-1]
    found: list[Any] = [n for n in ast.walk(function) if isinstance(n, ast.Return)]
    if not found:
        yields = (n for n in ast.walk(function) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Yield))
        found = list(yields)
    last = max(found, key=lambda node: (node.lineno, node.col_offset))
    value = getattr(last.value, "value", last.value) if isinstance(last, ast.Expr) else last.value
    new = statement.format(value="None" if value is None else ast.unparse(value))
    lines = code.encode().split(b"\n")
    end = lines[last.end_lineno - 1][last.end_col_offset :]
    lines[last.lineno - 1 : last.end_lineno] = [lines[last.lineno - 1][: last.col_offset] + new.encode() + end]
    return b"\n".join(lines).decode()


def passes_in_plain_python(problem: Problem, code: str) -> bool:
    """Whether a program passes its tests where nothing judges it. For published references alone: nothing is locked."""
    call = f"\ncheck({problem.entry_point})" if "def check(" in problem.test else ""
    program = f"{code}\n{problem.test}{call}"
    return (
        subprocess.run(
            [sys.executable, "-I", "-W", "ignore", "-"], input=program.encode(), capture_output=True
        ).returncode
        == 0
    )


def why_it_passes(problem: Problem, code: str) -> str:
    """Why a reference passes without its last return; "" where there is no reason: then the judge is wrong."""
    without, *probes = (in_place_of_last_return(code, problem.entry_point, new) for new in ("pass", *PROBES.values()))
    if not passes_in_plain_python(problem, without):
        return ""
    return next((why for why, probe in zip(PROBES, probes, strict=True) if passes_in_plain_python(problem, probe)), "")


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


async def judge_all_sets(data: Path) -> int:
    """Prints what came of each set, and what is not as it must be.

    Returns:
        The number of surprises.
    """
    surprises = 0
    async with Judge() as judge:
        print(judge.level)
        for name, file in FILES.items():
            surprises += await print_set(judge, name, references(data / file))
        await print_costs(judge)
    return surprises


async def print_set(judge: Judge, name: str, cases: list[tuple[str, Problem, str]]) -> int:
    spoiled = [(i, p, in_place_of_last_return(code, p.entry_point)) for i, p, code in cases]
    good, seconds = await judge_set(judge, cases)
    bad, bad_seconds = await judge_set(judge, spoiled)
    print(
        f"{name}: {sum(j.passed for j in good)} of {len(cases)} references pass in {seconds:.1f} s; without their "
        f"last return {sum(not j.passed for j in bad)} fail ({bad_seconds:.1f} s)"
    )
    reasons: dict[str, list[str]] = {}
    for (task_id, problem, code), judgement in zip(cases, bad, strict=True):
        if judgement.passed:
            reasons.setdefault(why_it_passes(problem, code), []).append(task_id)
    for reason, ids in reasons.items():
        print(f"  {len(ids)} pass: {reason or 'WRONGLY'} ({', '.join(ids)})")
    wrong = [(task_id, j.result) for (task_id, _, _), j in zip(cases, good, strict=True) if not j.passed]
    for task_id, result in wrong:
        print(f"  {task_id}: {result}")
    return len(wrong) + len(reasons.get("", ()))


def main() -> int:
    warnings.simplefilter("ignore", SyntaxWarning)  # of the references' own
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MCTS_MATH_DATA", "")
    return min(asyncio.run(judge_all_sets(Path(folder))), 1)


if __name__ == "__main__":
    run_script(main)
