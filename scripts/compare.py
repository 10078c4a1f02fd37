"""Solvers at equal budgets: runs them, then writes one table and one plot of accuracy against budget.

python scripts/compare.py --name mini --qaf data/mini/test.jsonl \
    --greedy configs/mini_greedy.yaml --cfgs configs/mini_best_of_n.yaml configs/mini_fttt.yaml configs/mini_sbs.yaml

Every config is run with every seed (one without randomness, at temperature 0, once), into a results file of its own
under outputs/compare/NAME; a run that is done is not repeated and one that was stopped goes on, so the same command
continues where it was. `CFG@key=value,key=value` is a variant of a config, with a results file of its own; in front of
either `NAME=` says how table and plot call it.

With --greedy that config runs first, over all questions, and the others get those that it fails (SPEC B).

Two panels stand apart: methods that read the verdict of the ground truth (pass@k: what a perfect judge would gain), and
methods that choose an answer by themselves (majority vote, or the one solution of a search). A question counts as
solved within a budget of trials, generated tokens or machine seconds; intervals are over questions, each with its mean
over seeds. Needs matplotlib: pip install -e ".[plots]"
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts_math.run.cli import run_program
from mcts_math.config import load_config
from mcts_math.errors import ConfigError, MctsMathError
from mcts_math.grading import Grader
from mcts_math.table import render_table
from mcts_math.trials import (
    INDEPENDENT,
    Axis,
    Question,
    can_estimate,
    majority_share,
    mean_and_interval,
    powers_of_two,
    read_questions,
    solved_share,
)

ROOT = Path(__file__).parent.parent
AXES: tuple[Axis, ...] = ("trials", "tokens", "seconds")
LABELS = {"trials": "attempts", "tokens": "generated tokens", "seconds": "machine seconds"}
COLOURS = ("#4c566a", "#d08770", "#5e81ac", "#a3be8c", "#b48ead", "#bf616a", "#88c0d0", "#8a6d3b", "#2e3440")


@dataclass(frozen=True, slots=True)
class Method:
    """One config of the comparison.

    Attributes:
        name: as table and plot show it.
        config: the file.
        overrides: what differs from it.
    """

    name: str
    config: Path
    overrides: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Method":
        given, equals, rest = text.partition("=")
        is_named = bool(equals) and not {"@", "/"} & set(given)
        path, _, changes = (rest if is_named else text).partition("@")
        overrides = tuple(change for change in changes.split(",") if change)
        name = given if is_named else Path(path).stem + "".join(f" {change}" for change in overrides)
        return cls(name, Path(path), overrides)

    def path(self, folder: Path, seed: int) -> Path:
        return folder / f"{self.name.replace(' ', '.').replace('/', '_')}.seed{seed}.jsonl"


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy of one method within budgets.

    Attributes:
        name: the method, with what was counted.
        oracle: the verdict of the ground truth was read.
        points: budget -> mean, low, high, each in [0, 1].
    """

    name: str
    oracle: bool
    points: dict[float, tuple[float, float, float]]


def solve(method: Method, seed: int, args: argparse.Namespace, *, more: Sequence[str] = ()) -> None:
    """Runs one method with one seed, unless its results are complete."""
    output = method.path(args.folder, seed)
    command = [sys.executable, "solver_demo.py", "--custom_cfg", str(method.config), "--qaf", str(args.qaf)]
    command += ["--output", str(output), *more, *method.overrides, *args.overrides, f"seed={seed}"]
    print(f"== {method.name}, seed {seed}", flush=True)
    code = subprocess.run([*command, *(["--resume"] if output.exists() else [])], cwd=ROOT).returncode
    if code:
        raise MctsMathError(f"{method.name} with seed {seed} ended with exit code {code}; see above.")


def seeds_of(method: Method, args: argparse.Namespace) -> list[int]:
    """All seeds, or the first one where nothing is drawn."""
    config = load_config(method.config, [*method.overrides, *args.overrides])
    return list(args.seeds) if config.temperature else list(args.seeds[:1])


def scores(runs: Sequence[Sequence[Question]], axis: Axis, budget: float, grader: Grader | None) -> list[float]:
    """For each question the mean over runs of whether it is solved within the budget; votes with a grader."""
    totals: dict[str, list[float]] = {}
    for run in runs:
        unbiased = axis == "trials" and can_estimate(run)
        if grader is None:
            found = [solved_share(question, axis, budget, unbiased=unbiased) for question in run]
        else:
            found = majority_share(run, axis, budget, grader)
        for question, score in zip(run, found, strict=True):
            totals.setdefault(question.id, []).append(score)
    return [sum(values) / len(values) for values in totals.values()]


def curves_of(
    name: str, runs: Sequence[Sequence[Question]], axis: Axis, budgets: Sequence[float], grader: Grader
) -> Iterator[Curve]:
    """What can be told of a method: pass@k where its attempts were judged, Maj@k where they are independent."""
    method = runs[0][0].method
    judged = any(trial.correct is not None for run in runs for question in run for trial in question.trials)
    if judged:
        points = {budget: mean_and_interval(scores(runs, axis, budget, None)) for budget in budgets}
        yield Curve(f"{name}: any right" if method else name, bool(method), points)
    if method in INDEPENDENT and all(map(can_estimate, runs)) and all(q.golds for run in runs for q in run):
        points = {budget: mean_and_interval(scores(runs, axis, budget, grader)) for budget in budgets}
        yield Curve(f"{name}: majority", False, points)


def budgets_of(axis: Axis, results: dict[str, list[list[Question]]]) -> list[float]:
    """Steps from little to what the most expensive question took."""
    spent = [getattr(q.trials[-1], axis) for runs in results.values() for run in runs for q in run if q.trials]
    most = max(spent, default=0)
    if axis == "trials":
        return [float(k) for k in powers_of_two(int(most))]
    least = min((value for value in spent if value), default=1) or 1
    steps = 14
    return [least * (most / least) ** (i / (steps - 1)) for i in range(steps)]


def tables(curves: dict[Axis, list[Curve]], results: dict[str, list[list[Question]]]) -> str:
    """A table an axis, methods that read verdicts apart."""
    parts = []
    for axis, found in curves.items():
        budgets = sorted({budget for curve in found for budget in curve.points})
        shown = budgets if axis == "trials" else budgets[1::3]
        for oracle, title in ((True, "reads the verdict of the ground truth"), (False, "chooses by itself")):
            rows = [
                [curve.name, *(_cell(*curve.points[budget]) for budget in shown)]
                for curve in found
                if curve.oracle == oracle
            ]
            if rows:
                heads = [f"{budget:.3g}" if axis == "seconds" else f"{budget:.0f}" for budget in shown]
                parts.append(render_table([f"% solved within so many {LABELS[axis]}; {title}", *heads], rows))
    rows = [[name, str(len(runs)), *(f"{value:,.2f}" for value in costs(runs))] for name, runs in results.items()]
    parts.append(render_table(["mean cost a question", "runs", "attempts", "tokens", "seconds"], rows))
    return "\n\n".join(parts)


def _cell(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:.1f} ({100 * low:.0f}-{100 * high:.0f})"


def costs(runs: Sequence[Sequence[Question]]) -> list[float]:
    """Mean attempts, tokens and seconds of a question."""
    last = [question.trials[-1] for run in runs for question in run if question.trials]
    return [sum(getattr(trial, axis) for trial in last) / max(len(last), 1) for axis in AXES]


def draw(curves: dict[Axis, list[Curve]], path: Path) -> None:
    """A row of panels for oracle-verified methods above one for the others, as there are any; a column an axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    kinds = sorted({curve.oracle for found in curves.values() for curve in found}, reverse=True)
    figure, panels = plt.subplots(
        len(kinds),
        len(curves),
        figsize=(4.6 * len(curves), 3.8 * len(kinds)),
        sharey="row",
        layout="constrained",
        squeeze=False,
    )
    names = list(dict.fromkeys(curve.name.partition(":")[0] for found in curves.values() for curve in found))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    for row, oracle in zip(panels, kinds, strict=True):
        for panel, (axis, found) in zip(row, curves.items(), strict=True):
            for curve in found:
                if curve.oracle == oracle:
                    draw_curve(panel, curve, colours[curve.name.partition(":")[0]])
            panel.set_xscale("log", base=2 if axis == "trials" else 10)
            panel.grid(alpha=0.25)
            panel.set_xlabel(f"{LABELS[axis]} per question, at most")
        row[0].set_title("a perfect judge stops it (reads verdicts)" if oracle else "no verdict is read")
        row[0].set_ylabel("questions solved, %")
        row[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=9, frameon=False)
    figure.savefig(path, dpi=130)


def draw_curve(panel: Any, curve: Curve, colour: str) -> None:
    """One method's accuracy with its interval."""
    xs = sorted(curve.points)
    means, lows, highs = zip(*(curve.points[x] for x in xs), strict=True)
    panel.plot(xs, [100 * m for m in means], "o-", color=colour, markersize=3, linewidth=1.4, label=curve.name)
    panel.fill_between(xs, [100 * v for v in lows], [100 * v for v in highs], color=colour, alpha=0.10, linewidth=0)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Compare solvers at equal budgets.",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cfgs", nargs="+", required=True, metavar="YAML", help="configs; [NAME=]CFG[@key=value,…]")
    parser.add_argument("--qaf", required=True, help="questions, as for solver_demo.py")
    parser.add_argument("--exclude", metavar="JSON", help="leave out the questions at these positions")
    parser.add_argument("--greedy", metavar="YAML", help="run this first; only questions that it fails are compared")
    parser.add_argument("--name", required=True, help="results go to outputs/compare/NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 85, 100])
    parser.add_argument("--plot", type=Path, metavar="PNG", help="default outputs/compare/NAME/accuracy.png")
    parser.add_argument(
        "--set", nargs="+", default=[], dest="overrides", metavar="KEY=VALUE", help="config keys for all"
    )
    args = parser.parse_args(argv)
    if args.greedy and args.exclude:
        parser.error("--greedy finds out what to exclude; leave out --exclude")
    args.folder = ROOT / "outputs/compare" / args.name
    return args


def main(argv: list[str]) -> int:
    args = parse(argv)
    methods = [Method.parse(text) for text in args.cfgs]
    if len({method.name for method in methods}) < len(methods):
        raise ConfigError("--cfgs names a config twice. Give variants as CFG@key=value.")
    if args.greedy and any(method.name == "greedy" for method in methods):
        raise ConfigError("--cfgs calls a config greedy, as the run of --greedy is called. Give it as NAME=CFG.")
    plan = [(method, seed) for method in methods for seed in seeds_of(method, args)]
    excluded = args.exclude
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.greedy:
        excluded = str(args.folder / "greedy_correct_cases.json")
        solve(Method("greedy", Path(args.greedy)), args.seeds[0], args, more=["--save_correct", excluded])
    for method, seed in plan:
        solve(method, seed, args, more=["--exclude", excluded] if excluded else [])
    results: dict[str, list[list[Question]]] = {}
    for method, seed in plan:
        results.setdefault(method.name, []).append(read_questions(method.path(args.folder, seed), others=True))
    if empty := [name for name, runs in results.items() if not all(runs)]:
        raise MctsMathError(f"{', '.join(empty)}: no finished question in the results. Is the question file empty?")
    curves: dict[Axis, list[Curve]] = {}
    with Grader() as grader:
        for axis in AXES:
            budgets = budgets_of(axis, results)
            curves[axis] = [c for name, runs in results.items() for c in curves_of(name, runs, axis, budgets, grader)]
    text = tables(curves, results)
    (args.folder / "table.txt").write_text(text + "\n", encoding="utf-8")
    plot = args.plot or args.folder / "accuracy.png"
    draw(curves, plot)
    print(f"{text}\n\ntable: {args.folder / 'table.txt'}\nplot: {plot}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
