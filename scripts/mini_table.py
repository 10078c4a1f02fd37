"""The published table (AlphaMath: greedy, Maj@5, SBS, MCTS) for the bundled model, from runs with several seeds.

python scripts/mini_table.py

Runs what is not yet done (a stopped one is resumed), then prints the table in Markdown. Results: outputs/table/.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts_math.run.cli import run_program
from mcts_math.errors import MctsMathError
from mcts_math.evaluate import Report, Tally, evaluate_file, mean_over_files, vote_over_files
from mcts_math.grading import Grader

ROOT = Path(__file__).parent.parent
TOP = 5


@dataclass(frozen=True, slots=True)
class Method:
    """One search and its runs.

    Attributes:
        name: as the table shows it.
        config: file in configs/, without its ending.
        overrides: what differs from it.
        seeds: one run each.
    """

    name: str
    config: str
    overrides: tuple[str, ...]
    seeds: tuple[int, ...]

    def path(self, folder: Path, seed: int) -> Path:
        return folder / f"{self.name.replace('(', '_').replace(',', '_').replace(')', '')}.seed{seed}.jsonl"


THREE, FIVE = (42, 43, 44), (42, 43, 44, 45, 46)
METHODS = (
    Method("greedy", "mini_greedy", (), (42,)),
    Method("sample", "mini_sample", (), tuple(range(42, 57))),
    Method("SBS(3,5)", "mini_sbs", ("step_beam_width=3",), THREE),
    Method("MCTS", "mini_mcts", (), THREE),
    Method("SBS(1,5)", "mini_sbs", ("step_beam_width=1",), FIVE),
    Method("SBS(2,5)", "mini_sbs", ("step_beam_width=2",), THREE),
    Method("SBS(5,5)", "mini_sbs", ("step_beam_width=5",), FIVE),
)


def solve(method: Method, seed: int, questions: Path, folder: Path) -> Path:
    """Runs one method with one seed, unless its output is complete."""
    output = method.path(folder, seed)
    command = [
        sys.executable,
        "solver_demo.py",
        "--custom_cfg",
        f"configs/{method.config}.yaml",
        "--qaf",
        str(questions),
    ]
    command += ["--output", str(output), *method.overrides, f"seed={seed}"]
    print(f"== {method.name}, seed {seed}", flush=True)
    code = subprocess.run([*command, *(["--resume"] if output.exists() else [])], cwd=ROOT).returncode
    if code:
        raise MctsMathError(f"{method.name} with seed {seed} ended with exit code {code}; see above.")
    return output


def row(name: str, accuracy: str, reports: Sequence[Report], share: float = 1.0) -> str:
    """One line of the table; `share` multiplies the mean costs (a vote over five runs costs five)."""

    def mean(key: str) -> float:
        return share * sum(report.mean_cost(key) for report in reports) / len(reports)

    steps = sum(report.mean_steps for report in reports) / len(reports)
    solutions = sum(report.solutions / report.questions for report in reports) / len(reports) * share
    return (
        f"| {name} | {accuracy} | {mean('seconds'):.3f} | {mean('tokens'):,.0f} | {mean('prompt_tokens'):,.0f} "
        f"({mean('cached_tokens') / max(mean('prompt_tokens'), 1):.0%}) | {mean('cells'):.1f} | {steps:.1f} "
        f"| {solutions:.1f} |"
    )


def runs(name: str, reports: Sequence[Report]) -> str:
    """The mean of runs with its interval, and each run."""
    mean, (low, high) = mean_over_files(reports)
    each = ", ".join(f"{100 * report.top1.accuracy:.1f}" for report in reports) if len(reports) > 1 else "one run"
    return row(name, f"**{100 * mean:.2f}** ({100 * low:.1f}–{100 * high:.1f}; {each})", reports)


def votes(name: str, tallies: Sequence[Tally], reports: Sequence[Report], share: float) -> str:
    """Majority votes, one a group of runs."""
    mean = sum(tally.accuracy for tally in tallies) / len(tallies)
    low = sum(tally.interval[0] for tally in tallies) / len(tallies)
    high = sum(tally.interval[1] for tally in tallies) / len(tallies)
    each = ", ".join(f"{100 * tally.accuracy:.1f}" for tally in tallies) if len(tallies) > 1 else "one vote"
    return row(name, f"**{100 * mean:.2f}** ({100 * low:.1f}–{100 * high:.1f}; {each})", reports, share)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Run and print the published table for the bundled model.")
    parser.add_argument("--qaf", type=Path, default=ROOT / "data/mini/test.jsonl", help="questions")
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs/table", help="where the runs are kept")
    parser.add_argument("--methods", nargs="+", default=[method.name for method in METHODS], help="run only these")
    args = parser.parse_args(argv)
    methods = {method.name: method for method in METHODS if method.name in args.methods}
    for method in methods.values():
        for seed in method.seeds:
            solve(method, seed, args.qaf, args.folder)
    lines = [
        "| method | accuracy % (95 % interval; runs) | s/question | tokens | prompt (cached) | cells | steps | found |",
        "|---|---|---|---|---|---|---|---|",
    ]
    with Grader() as grader:
        found = {
            name: [evaluate_file(method.path(args.folder, seed), grader, top_k=TOP, keep=True) for seed in method.seeds]
            for name, method in methods.items()
        }
        for name in ("greedy", "sample", "SBS(1,5)", "SBS(2,5)", "SBS(3,5)", "SBS(5,5)", "MCTS"):
            reports = found.get(name, [])
            if not reports:
                continue
            lines.append(runs(name, reports))
            if name == "SBS(5,5)":
                lines.append(votes("SBS(5,5), top-5 + Maj@5", [r.majority for r in reports], reports, 1))
            groups = [reports[i : i + TOP] for i in range(0, len(reports) - TOP + 1, TOP)]
            if groups:
                label = "Maj@5" if name == "sample" else f"{name}, 5 runs + Maj@5"
                lines.append(votes(label, [vote_over_files(group, grader) for group in groups], reports, TOP))
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
