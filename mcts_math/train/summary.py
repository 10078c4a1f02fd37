"""The evaluation of the rounds as tables and figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mcts_math.errors import how_to_install
from mcts_math.evaluate.comparison import compare_rows, render_accuracies, render_differences, render_rows
from mcts_math.evaluate.experiments import rows_of, run_path
from mcts_math.evaluate.grading import Grader
from mcts_math.files import write_text
from mcts_math.tasks import JsonObject
from mcts_math.train import analysis
from mcts_math.train.plan import Plan, round_folder, title
from mcts_math.train.stages import write_json


def summarise(plan: Plan, number: int) -> None:
    """Writes the summary of a round and its table, from the results of its evaluation. Raises RecordError."""
    folder = plan.round(number)
    scored, greedy = plan.scored_method(number), plan.greedy_method()
    with Grader() as grader:
        rows = rows_of(plan.methods(number), folder / "eval", grader)
        summary: JsonObject = {"round": number, "rows": [row.to_json() for row in rows]}
        summary["differences"] = compare_rows(rows, plan.config.contrasts)
        if scored is not None:
            path = run_path(folder / "eval", *scored)
            summary["value"] = {
                "method": scored[0], "file": path.name, **analysis.describe_values(analysis.value_points(path, grader))
            }  # fmt: skip
            if greedy is not None:
                scores = next(row.scores for row in rows if row.name == greedy)
                summary["outcomes"] = analysis.count_outcomes(analysis.answer_outcomes(path, grader), scores)
    write_json(folder / "summary.json", summary)
    write_text(folder / "table.md", render_rows(rows))


def show(folder: Path, last: int, report: Callable[[str], None]) -> None:
    """Writes tables and figures of the rounds up to `last`, and reports the first tables."""
    summaries = read_summaries(folder, last)
    columns = {title(number): summary for number, summary in summaries.items()}
    tables = [render_accuracies({name: summary["rows"] for name, summary in columns.items()})]
    if any(summary["differences"] for summary in columns.values()):
        tables[0] += "\n\n" + render_differences({name: s["differences"] for name, s in columns.items()})
    for number, summary in summaries.items():
        table = (round_folder(folder, number) / "table.md").read_text("utf-8")
        tables.append(f"\n## {title(number).capitalize()}\n\n{table}")
        if value := summary.get("value"):
            tables.append(analysis.render_values(value) + "\n")
            if counts := summary.get("outcomes"):
                tables.append(analysis.render_outcomes(value["method"], counts) + "\n")
    write_text(folder / "summary.md", "\n".join(tables))
    report(tables[0])
    try:
        from mcts_math.train.plots import draw_rounds

        draw_rounds(folder, summaries)
    except ImportError:
        report(f"no figures: matplotlib is not installed ({how_to_install('plots')})")


def read_summaries(folder: Path, last: int) -> dict[int, JsonObject]:
    """The summaries of the rounds up to `last`, as far as there are any, by number."""
    paths = {number: round_folder(folder, number) / "summary.json" for number in range(last + 1)}
    return {number: json.loads(path.read_text("utf-8")) for number, path in paths.items() if path.exists()}


def numbers_of(summary: JsonObject) -> dict[str, float]:
    """Those of a round's summary that a logger is told: accuracy and cost of each row of its evaluation."""
    return {
        f"{row['name']}/{key}": float(row[key])
        for row in summary["rows"]
        for key in ("accuracy", "low", "high", "tokens", "seconds")
        if row.get(key) is not None
    }
