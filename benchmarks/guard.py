"""What has become slower since another version: both are measured in turn in one run on this machine.

    python benchmarks/guard.py                   # against the last tag
    python benchmarks/guard.py --than HEAD~5 --rounds 9
    python benchmarks/guard.py --only scheduler checker

The other version is checked out beside this one (a git worktree, which is removed again). Each probe runs in a process
of its own, with the packages of this Python, and tells CPU seconds of the work, which other programs hardly change; the
judge's, whose work is done elsewhere, tells those of the clock. A round runs all probes on both versions, the second
one first in every other round. The ratio is this version's time over the other's, the median of the rounds, with an
interval from the rounds' own ratios (all but the most extreme on each side). A probe is marked where the whole interval
is above 1 by more than `--tolerance`.

Exit codes: 0 nothing is slower; 1 something is; 2 it can't be measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mcts_math.evaluate.table import render_table
from mcts_math.run.program import run_script

ROOT = Path(__file__).resolve().parent.parent
# Each prints the CPU seconds of its work, loading left out. They use what both versions have, and nothing newer.
PROBES = {
    "scheduler": """
from mcts_math import solve
from scripted import RandomPolicy
from mcts_math.requests import Observation

class Service:
    async def execute(self, request): return Observation("7")
    async def check(self, request): return False
    async def release(self, session): pass
    async def close(self): pass

config = {"mode": "mcts", "prompt_wrap": "react_sft", "iterations": 10, "n_generate_sample": 5, "max_depth": 8,
          "need_value_func": True, "errors_threshold": 3}
tasks = [{"question": f"question {i}", "answer": "3"} for i in range(600)]
with measured():
    solve(config, tasks, policy=RandomPolicy(1), interpreter=Service(), checker=Service())
""",
    "hf engine": """
import asyncio, torch
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.requests import Generate, Sampling

engine = HFEngine.load("models/mini", device="cpu", num_threads=1, need_value=True)
engine.model.codec.eos_ids = frozenset()

async def ask(count, length):
    await asyncio.gather(*(engine.generate(Generate(f"<question> What is {i} + {i}? </question>\\n", 5,
        Sampling(0.7, max_tokens=length), 5 * i, want_value=True)) for i in range(count)))

async def main():
    await ask(4, 4)
    with measured():
        await ask(24, 48)
    await engine.close()

asyncio.run(main())
""",
    "interpreter": """
import asyncio
from mcts_math.interpreter import SandboxInterpreter
from mcts_math.requests import Cell, Execute

async def main():
    async with SandboxInterpreter() as interpreter:
        await interpreter.execute(Execute("warm", (), Cell("1")))
        with measured():  # of this process: what a step costs the host
            for question in range(12):
                history = ()
                for depth in range(12):
                    cell = Cell(f"x{depth} = {depth}\\nprint(x{depth})", question)
                    await interpreter.execute(Execute(f"q{question}", history, cell))
                    history += (cell,)
                await interpreter.release(f"q{question}")

asyncio.run(main())
""",
    "judge": """
import asyncio
from mcts_math.judge import Judge, Problem, judge_all

async def main():
    problem = Problem("", "def check(f):\\n    assert f(1, 2) == 3\\n    assert f([1], [2]) == [1, 2]", "add")
    async with Judge() as judge:
        await judge_all(judge, [(problem, "def add(a, b): return a + b")] * 8)
        with measured(time.monotonic):  # other processes do the work: a quiet machine is needed
            judgements = await judge_all(judge, [(problem, "def add(a, b): return a + b")] * 200)
        assert all(judgement.passed for judgement in judgements)

asyncio.run(main())
""",
    "checker": r"""
from mcts_math.answer import is_equiv

def pairs(start):
    for i in range(start, start + 240):
        yield f"\\frac{{{i}}}{{{2 * i + 1}}}", f"{i}/{2 * i + 1}"
        yield f"x^2 - {i}x + {i}", f"-{i}x + x^2 + {i}"
        yield f"[{i}, {i + 1})", f"{i} \\le x < {i + 1}"
        yield f"\\sqrt{{{i}}} + {i}", f"{i} + {i}^{{1/2}}"

for pair in pairs(1):
    is_equiv(*pair)
with measured():
    for pair in pairs(1000):
        is_equiv(*pair)
""",
}
MEASURED = """
import contextlib, time

@contextlib.contextmanager
def measured(clock=time.process_time):
    begun = clock()
    yield
    print("seconds", clock() - begun)
"""


class GuardError(Exception):
    """It can't be measured."""


def git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise GuardError("git is not installed, which fetches the other version") from error
    if done.returncode:
        raise GuardError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def last_tag() -> str:
    try:
        return git("describe", "--tags", "--abbrev=0")
    except GuardError as error:
        raise GuardError("there is no tag to compare with. Name a commit: --than REF") from error


@contextmanager
def checked_out(reference: str) -> Iterator[Path]:
    """A folder with that version, for as long as it is needed."""
    commit = git("rev-parse", "--verify", f"{reference}^{{commit}}")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def probe(name: str, tree: Path) -> float:
    """Seconds of a probe on a version."""
    command = [sys.executable, "-c", MEASURED + PROBES[name]]
    path = os.pathsep.join([str(tree), str(ROOT / "tests")])  # the stand-ins are this version's on both sides
    done = subprocess.run(command, cwd=tree, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    figures = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("seconds ")]
    if done.returncode or len(figures) != 1:
        raise GuardError(f"the probe {name!r} fails in {tree}:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return float(figures[0])


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """All rounds but the most extreme one on each side, where there are enough."""
    inner = sorted(ratios)[1:-1] if len(ratios) >= 5 else sorted(ratios)
    return inner[0], inner[-1]


def compare(names: Sequence[str], other: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by probe and version; the first runs warm up the file system, and do not count."""
    sides = {"this": ROOT, "other": other}
    seen: dict[str, dict[str, list[float]]] = {name: {side: [] for side in sides} for name in names}
    for number in range(rounds):
        for name in names:
            for side in sorted(sides, reverse=number % 2 == 0):
                seen[name][side].append(probe(name, sides[side]))
        print(f"round {number + 1} of {rounds} is done", file=sys.stderr, flush=True)
    return seen


def judge(seen: dict[str, dict[str, list[float]]], tolerance: float) -> tuple[list[list[str]], bool]:
    """Rows of the table, and whether something is slower."""
    rows, slower = [], False
    for name, sides in seen.items():
        ratios = [mine / others for mine, others in zip(sides["this"], sides["other"], strict=True)]
        low, high = interval(ratios)
        is_slower, is_faster = low > 1 + tolerance, high < 1 - tolerance
        slower |= is_slower
        mark = "SLOWER" if is_slower else "faster" if is_faster else ""
        medians = [f"{statistics.median(sides[side]):.3f}" for side in ("other", "this")]
        rows.append([name, *medians, f"{statistics.median(ratios):.2f}", f"{low:.2f}-{high:.2f}", mark])
    return rows, slower


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--than", metavar="REF", help="the other version: a tag or a commit; absent: the last tag")
    parser.add_argument(
        "--only", nargs="+", choices=[*PROBES], default=[*PROBES], metavar="PROBE", help=", ".join(PROBES)
    )
    parser.add_argument("--rounds", type=int, default=5, help="at least 3; the more, the narrower")
    parser.add_argument("--tolerance", type=float, default=0.03, help="how much slower is not worth a mark")
    options = parser.parse_args(arguments)
    if options.rounds < 3:
        parser.error("--rounds must be at least 3: fewer tell nothing of the noise")
    try:
        reference = options.than or last_tag()
        with checked_out(reference) as other:
            seen = compare(options.only, other, options.rounds)
    except GuardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows, slower = judge(seen, options.tolerance)
    print(render_table(["seconds", reference, "this", "ratio", "interval", ""], rows))
    return 1 if slower else 0


if __name__ == "__main__":
    run_script(main)
