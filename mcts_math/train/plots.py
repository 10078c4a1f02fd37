"""Figures of self-training, as its users know them (matplotlib, imported when drawn).

q_training.png   Q of the inner steps of the training examples, right and wrong solutions, a panel a round
q_test.png       values of inner and of final steps on the test questions, the same
accuracy.png     accuracy of every method by round
cost.png         accuracy against generated tokens and against seconds, for every method
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mcts_math.errors import RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.plots import COLOURS, colour, draw_cost, error_bar, label_ends, pyplot, save
from mcts_math.tasks import JsonObject
from mcts_math.train.analysis import ValuePoint, q_points, value_points
from mcts_math.train.plan import round_folder, title
from mcts_math.train.stages import RECIPE

RIGHT, WRONG = COLOURS[0], COLOURS[1]
_TITLES: Final = {
    "loss": "outer loss (solution), nats a token",
    "inner": "inner loss (conversation), nats a token",
    "change_norm": "norm of the weight change",
}


def draw_rounds(folder: Path, summaries: Mapping[int, JsonObject]) -> list[Path]:
    """Draws all figures of a folder of `rounds`; returns their paths. `summaries`: of the rounds that are evaluated."""
    training = {
        title(n): q_points([path]) for n in summaries if (path := round_folder(folder, n) / "examples.jsonl").exists()
    }
    with Grader() as grader:
        test = {title(n): _test_points(folder, n, summary, grader) for n, summary in summaries.items()}
    test = {name: points for name, points in test.items() if points}
    rows = {title(n): summary["rows"] for n, summary in summaries.items()}
    drawn = [draw_accuracy(rows, folder / "accuracy.png"), draw_cost(rows, folder / "cost.png")]
    if training:
        above = "Intermediate steps of the training examples"
        drawn.append(_draw_histograms([training], "Q of the step", folder / "q_training.png", above))
    if test:
        drawn.append(draw_q_test(test, folder / "q_test.png"))
    return drawn


def draw_q_test(groups: Mapping[str, Sequence[ValuePoint]], path: Path) -> Path:
    """Histograms of values on test questions: inner steps above, final steps below."""
    rows = [
        {f"{name}, {kind} steps": [p for p in points if p.final == final] for name, points in groups.items()}
        for kind, final in (("intermediate", False), ("final", True))
    ]
    return _draw_histograms(rows, "value of the step", path)


def _draw_histograms(
    rows: Sequence[Mapping[str, Sequence[ValuePoint]]], label: str, path: Path, title: str = ""
) -> Path:
    """A panel for each group of points. `rows`: of panels, each name -> points."""
    plt = pyplot()
    height, width = len(rows), len(rows[0])
    figure, panels = plt.subplots(
        height, width, figsize=(4.2 * width, 2.9 * height), squeeze=False, layout="constrained"
    )
    for line, groups in zip(panels, rows, strict=True):
        for panel, (name, points) in zip(line, groups.items(), strict=True):
            _histogram(panel, points)
            panel.set_title(name)
        line[0].set_ylabel("share of the steps, %")
    for panel in panels[-1]:
        panel.set_xlabel(label)
    figure.suptitle(title)
    return save(plt, figure, path)


def draw_accuracy(rows: Mapping[str, Sequence[JsonObject]], path: Path) -> Path:
    """Accuracy of every method by round, with 95 % intervals."""
    plt = pyplot()
    figure, panel = plt.subplots(figsize=(8.6, 5), layout="constrained")
    names = list(dict.fromkeys(row["name"] for some in rows.values() for row in some))
    for place, name in enumerate(names):
        found = [(n, row) for n, some in enumerate(rows.values()) for row in some if row["name"] == name]
        shift = 0.26 * (place / max(len(names) - 1, 1) - 0.5)  # side by side, else the bars hide each other
        x = [n + shift for n, _ in found]
        y = [100 * row["accuracy"] for _, row in found]
        spread = np.hstack([error_bar(row) for _, row in found])
        look = {"color": colour(place), "marker": "o", "markersize": 5, "linewidth": 1.4, "capsize": 2}
        panel.errorbar(x, y, yerr=spread, **look)[0].set_label(name)
    panel.set_xticks(range(len(rows)), list(rows))
    panel.set_ylabel("accuracy, %")
    panel.grid(axis="y", alpha=0.25)
    panel.set_title("Accuracy by round, 95 % intervals")
    label_ends(panel)
    return save(plt, figure, path)


def draw_training(folder: str | Path, path: str | Path) -> Path:
    """Losses, and the norm of the learned change, by epoch, from the recipe in a result's folder; gaps where all
    steps were dropped. Raises RecordError where all are gaps."""
    epochs = json.loads((Path(folder) / RECIPE).read_text("utf-8"))["epochs"]
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch))
    if not names:
        raise RecordError(f"{folder}: every step was dropped, so there is nothing to draw.")
    plt = pyplot()
    figure, panels = plt.subplots(1, len(names), figsize=(3.6 * len(names), 2.8), squeeze=False, layout="constrained")
    for number, (panel, name) in enumerate(zip(panels[0], names, strict=True)):
        panel.plot(
            range(1, len(epochs) + 1), [epoch.get(name, math.nan) for epoch in epochs], "o-", color=colour(number)
        )
        panel.set_title(_TITLES.get(name, name.replace("_", " ")), fontsize=10)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.25)
    return save(plt, figure, Path(path))


def _test_points(folder: Path, number: int, summary: JsonObject, grader: Grader) -> list[ValuePoint]:
    found = summary.get("value")
    if not found:
        return []
    path = round_folder(folder, number) / "eval" / found["file"]
    return value_points(path, grader) if path.exists() else []


def _histogram(panel: Any, points: Sequence[ValuePoint]) -> None:
    edges = np.linspace(-1, 1, 41)
    for name, right, shown in (("right answer", True, RIGHT), ("wrong answer", False, WRONG)):
        values = [point.value for point in points if point.right == right]
        if values:
            weights = np.full(len(values), 100 / len(values))
            panel.hist(values, edges, weights=weights, color=shown, alpha=0.55, label=f"{name} ({len(values):,})")
    panel.set_xlim(-1.02, 1.02)
    panel.set_ylim(top=1.25 * panel.get_ylim()[1])  # the legend stands above the bars
    panel.grid(axis="y", alpha=0.25)
    panel.legend(frameon=False, fontsize=8, loc="upper center")
