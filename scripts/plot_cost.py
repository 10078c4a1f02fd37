"""Draws accuracy against cost of several methods, each given by one or more runs.

python scripts/plot_cost.py docs/mini.png greedy=outputs/a.jsonl "SBS(3,5)=outputs/b1.jsonl,outputs/b2.jsonl"

Needs matplotlib: pip install -e ".[plots]"
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mcts_math.run.cli import run_program
from mcts_math.errors import RecordError
from mcts_math.evaluate import Report, evaluate_file, mean_over_files, vote_over_files
from mcts_math.grading import Grader

COLOURS = ("#4c566a", "#88c0d0", "#5e81ac", "#d08770", "#a3be8c", "#b48ead", "#bf616a")


@dataclass(frozen=True, slots=True)
class Point:
    """One method: mean accuracy and its 95 % interval (0..1), mean tokens and machine seconds per question."""

    name: str
    accuracy: float
    interval: tuple[float, float]
    tokens: float
    seconds: float


def read_point(spec: str, grader: Grader) -> Point:
    """`NAME=FILE[,FILE…]`: the mean of runs; a NAME that starts with Maj@: the vote over them."""
    name, equals, files = spec.partition("=")
    if not equals or not files:
        raise RecordError(f"{spec!r}: write it as NAME=FILE[,FILE...].")
    reports = [evaluate_file(path, grader, keep=True) for path in files.split(",")]
    if name.startswith("Maj@"):
        votes = vote_over_files(reports, grader)
        return Point(name, votes.accuracy, votes.interval, _sum(reports, "tokens"), _sum(reports, "seconds"))
    accuracy, bounds = mean_over_files(reports)
    count = len(reports)
    return Point(name, accuracy, bounds, _sum(reports, "tokens") / count, _sum(reports, "seconds") / count)


def draw(points: Sequence[Point], path: str) -> None:
    """Two panels, accuracy against generated tokens and against machine seconds, both on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    for panel, key, label in zip(
        panels, ("tokens", "seconds"), ("generated tokens per question", "machine seconds per question"), strict=True
    ):
        for index, (point, colour) in enumerate(zip(points, COLOURS * len(points), strict=False)):
            x, y = getattr(point, key), 100 * point.accuracy
            spread = [[y - 100 * point.interval[0]], [100 * point.interval[1] - y]]
            panel.errorbar(x, y, yerr=spread, fmt="o", color=colour, markersize=8, capsize=3)
            # Names stand to the right and to the left in turns, so that neighbours don't overlap.
            side, shift = ("left", 9) if index % 2 == 0 else ("right", -9)
            panel.annotate(point.name, (x, y), xytext=(shift, 5), textcoords="offset points", color=colour, ha=side)
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.margins(x=0.25, y=0.12)
        panel.set_xlabel(label)
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("accuracy, %")
    figure.savefig(path, dpi=130)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Draw accuracy against cost.")
    parser.add_argument("output", help="picture to write, .png or .svg")
    parser.add_argument("runs", nargs="+", metavar="NAME=FILE[,FILE…]", help="a method and its runs")
    args = parser.parse_args(argv)
    with Grader() as grader:
        draw([read_point(spec, grader) for spec in args.runs], args.output)
    return 0


def _sum(reports: Sequence[Report], key: str) -> float:
    return sum(report.mean_cost(key) for report in reports)


if __name__ == "__main__":
    sys.exit(run_program(main))
