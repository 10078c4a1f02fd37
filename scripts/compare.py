"""Methods over one question file: runs them, then writes a table, and accuracy against cost and against budget.

python scripts/compare.py --cfg configs/mini/table.yaml                     the first table of docs/results.md
python scripts/compare.py --name mini --qaf data/mini/test.jsonl \\
    --greedy configs/mini/greedy.yaml --cfgs configs/mini/best_of_n.yaml configs/mini/fttt.yaml configs/mini/sbs.yaml

Every method is run with every seed (with --seeds: one without randomness, at temperature 0, once), into a results file
of its own under outputs/compare/NAME; a run that is done is not repeated and one that was stopped goes on, so the same
command continues where it was. `CFG@key=value,key=value` is a variant of a config; in front of either `NAME=` says how
tables and plots call it. With --greedy that config runs first, over all questions, and the others get those that it
fails (SPEC B).

table.md holds accuracy and mean cost of every method, and the differences that `contrasts` asks for, by question;
budgets.txt and budgets.png what is solved within a budget of attempts, generated tokens or machine seconds. There two
kinds stand apart: methods that read the verdict of the ground truth (pass@k: what a perfect judge would gain), and
methods that choose an answer by themselves. Intervals are over questions, each with its mean over seeds.
Pictures need matplotlib: pip install 'mcts_math[plots]'
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mcts_math.run.program import ends_with_us, make_parser, parse_words, run_program

# isort: split
from mcts_math.errors import ConfigError, MctsMathError, RecordError
from mcts_math.evaluate.budgets import curves_by_axis, render_curves
from mcts_math.evaluate.comparison import compare_rows, render_differences, render_rows
from mcts_math.evaluate.experiments import (
    ExperimentConfig,
    MethodConfig,
    SeededRun,
    check_configs,
    check_contrasts,
    rows_of,
    runs_of,
)
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.plots import draw_budgets, draw_cost, require_pyplot
from mcts_math.evaluate.table import screen_width
from mcts_math.evaluate.trials import Question, read_questions
from mcts_math.files import read_records, require_writable, write_text
from mcts_math.run.cli import SOME_FAILED
from mcts_math.run.description import num_asked, read_description
from mcts_math.run.results import ResultsFile
from mcts_math.settings import describe_keys, load_settings, make_settings, read_settings

ROOT = Path(__file__).parent.parent


def parse(argv: list[str]) -> argparse.Namespace:
    keys = {"keys of --cfg": ExperimentConfig, "keys of a method": MethodConfig}
    parser = make_parser(__doc__, *(describe_keys(model, f"{title}:") for title, model in keys.items()))
    parser.add_argument(
        "--cfg", metavar="YAML", help="an experiment; in place of --cfgs, --greedy, --exclude and --seeds"
    )
    parser.add_argument("--cfgs", nargs="+", default=[], metavar="YAML", help="configs; [NAME=]CFG[@key=value,…]")
    parser.add_argument("--qaf", help="questions, as for solver_demo.py; with --cfg in place of its own")
    parser.add_argument("--exclude", metavar="JSON", help="leave out the questions at these positions")
    parser.add_argument("--greedy", metavar="YAML", help="run this first; only questions that it fails are compared")
    parser.add_argument("--name", help="results go to outputs/compare/NAME; needed with --cfgs")
    parser.add_argument("--seeds", nargs="+", type=int, help="of every config in --cfgs (default: 42 85 100)")
    parser.add_argument(
        "--set", nargs="+", default=[], dest="overrides", metavar="KEY=VALUE", help="config keys for all"
    )
    args = parse_words(parser, argv)
    if bool(args.cfg) == bool(args.cfgs):
        parser.error("give either --cfg, an experiment, or --cfgs, the configs to compare")
    if args.cfgs and not (args.qaf and args.name):
        parser.error("--cfgs needs --qaf and --name")
    if args.cfg and (args.greedy or args.exclude or args.seeds):
        parser.error("--greedy, --exclude and --seeds go with --cfgs; an experiment says these itself")
    args.seeds = args.seeds or [42, 85, 100]
    args.folder = ROOT / "outputs/compare" / (args.name or Path(args.cfg).stem)
    return args


def read_experiment(args: argparse.Namespace) -> ExperimentConfig:
    """The experiment of --cfg, with what the command line says of it, or the one of --cfgs."""
    if args.cfgs:
        parsed = [parse_method(text, args.seeds, args.overrides) for text in args.cfgs]
        methods = dict(parsed)
        if twice := [name for name, count in Counter(name for name, _ in parsed).items() if count > 1]:
            raise ConfigError(f"two of --cfgs are called {twice[0]!r}: write NAME=CFG, or a variant as CFG@key=value.")
        keys = {"questions": args.qaf, "exclude": args.exclude, "greedy": args.greedy, "methods": methods}
        return make_settings(ExperimentConfig, keys)
    experiment = load_settings(ExperimentConfig, args.cfg, [f"questions={args.qaf}"] if args.qaf else [])
    if not experiment.questions or not experiment.methods:
        raise ConfigError(f"{args.cfg}: set questions and methods.")
    common = read_settings(None, args.overrides)[0]
    methods = {n: m.model_copy(update={"overrides": m.overrides | common}) for n, m in experiment.methods.items()}
    return experiment.model_copy(update={"methods": methods})


def parse_method(text: str, seeds: Sequence[int], common: Sequence[str]) -> tuple[str, MethodConfig]:
    """`[NAME=]CFG[@key=value,…]` as a method; all seeds, or the first one where nothing is drawn."""
    given, equals, rest = text.partition("=")
    is_named = bool(equals) and not {"@", "/"} & set(given)
    path, _, changes = (rest if is_named else text).partition("@")
    own = [change for change in changes.split(",") if change]
    name = given if is_named else Path(path).stem + "".join(f" {change}" for change in own)
    settings = {"config": path, "overrides": read_settings(None, [*own, *common])[0], "seeds": list(seeds)}
    method = make_settings(MethodConfig, settings)
    return name, method if method.load().temperature else method.model_copy(update={"seeds": list(seeds[:1])})


def solve(run: SeededRun, questions: str, *more: str) -> None:
    """Performs one run in a process of its own, unless its results are complete."""
    command = [sys.executable, "solver_demo.py", "--cfg", run.method.config, "--qaf", questions]
    command += ["--output", str(run.output), *more]
    command += [f"{key}={json.dumps(value)}" for key, value in run.method.overrides.items()]
    print(f"== {run.name}, seed {run.seed}", flush=True)
    resume = ["--resume"] if run.output.exists() else []
    process = subprocess.run([*command, f"seed={run.seed}", *resume], cwd=ROOT, preexec_fn=ends_with_us())
    if process.returncode not in (0, SOME_FAILED) or (process.returncode and not is_whole(run.output)):
        raise MctsMathError(f"{run.name} with seed {run.seed} ended with exit code {process.returncode}; see above.")


def is_whole(output: Path) -> bool:
    """Whether every question has its line. A program that broke off has the exit code of failed questions too."""
    asked = num_asked(read_description(ResultsFile(output).meta_path)) or 0
    return output.exists() and sum(1 for _ in read_records(output, may_be_empty=True)) >= asked


def perform(experiment: ExperimentConfig, folder: Path, seed: int, overrides: Sequence[str]) -> None:
    """All runs that are not complete: the greedy one first, where there is one."""
    runs = runs_of(experiment.methods, folder)
    common = read_settings(None, overrides)[0]
    first = (
        {"greedy": MethodConfig(config=experiment.greedy, overrides=common, seeds=[seed])} if experiment.greedy else {}
    )
    check_configs(first | experiment.methods)
    excluded = experiment.exclude
    require_writable(folder / "table.md", "Choose another --name.")
    for greedy in runs_of(first, folder):
        excluded = str(folder / "greedy_correct_cases.json")
        solve(greedy, experiment.questions, "--save_correct", excluded)
    for run in runs:
        solve(run, experiment.questions, *(["--exclude", excluded] if excluded else []))


def write(experiment: ExperimentConfig, folder: Path) -> str:
    """Writes tables and pictures (these where matplotlib is there); returns the tables."""
    results: dict[str, list[list[Question]]] = {}
    for run in runs_of(experiment.methods, folder):
        results.setdefault(run.name, []).append(read_questions(run.output, others=True))
    if empty := [name for name, found in results.items() if not all(found)]:
        raise MctsMathError(f"{', '.join(empty)}: no finished question in the results. Is the question file empty?")
    with Grader() as grader:
        rows = rows_of(experiment.methods, folder, grader)
        curves = curves_by_axis(results, grader)
    tables = render_rows(rows)
    if differences := compare_rows(rows, experiment.contrasts):
        tables += "\n\n" + render_differences({"all questions": differences})
    write_text(folder / "table.md", tables)
    write_text(folder / "budgets.txt", render_curves(curves, results))
    shown = f"{render_curves(curves, results, screen_width())}\n\n{tables}\n\n"
    try:
        require_pyplot()
    except RecordError as lack:
        return f"{shown}tables: {folder}\nno pictures: {lack}; the same command then draws them"
    draw_budgets(curves, folder / "budgets.png")
    draw_cost({"": [row.to_json() for row in rows]}, folder / "cost.png")
    return f"{shown}tables and pictures: {folder}"


def main(argv: list[str]) -> int:
    args = parse(argv)
    experiment = read_experiment(args)
    check_contrasts(experiment.contrasts, experiment.methods)
    perform(experiment, args.folder, args.seeds[0], args.overrides)
    print(write(experiment, args.folder))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main, "The same command goes on with what is not done yet."))
