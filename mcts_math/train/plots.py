"""Figures of self-training, as its users know them (matplotlib, imported when drawn).

q_training.png   Q of the inner steps of the training examples, right and wrong solutions, a panel a round
q_test.png       values of inner and of final steps on the test questions, the same
accuracy.png     accuracy of every method by round
cost.png         accuracy against generated tokens and against seconds, for every method
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcts_math.evaluate.grading import Grader
from mcts_math.tasks import JsonObject
from mcts_math.train.analysis import ValuePoint, q_points, value_points

RIGHT, WRONG = "#4f8a5b", "#bf616a"
COLOURS = ("#4c566a", "#5e81ac", "#88c0d0", "#d08770", "#ebcb8b", "#a3be8c", "#b48ead", "#bf616a", "#8fbcbb", "#2e3440")
MARKERS = "os^Dv"


def draw_rounds(folder: Path, summaries: Mapping[int, JsonObject]) -> list[Path]:
    """Draws all figures of a folder of `rounds`; returns their paths.

    Args:
        folder: which holds round_0, round_1, …
        summaries: of the rounds that are evaluated.
    """
    training = {
        _title(n): q_points([path]) for n in summaries if (path := folder / f"round_{n}" / "examples.jsonl").exists()
    }
    with Grader() as grader:
        test = {_title(n): _test_points(folder, n, summary, grader) for n, summary in summaries.items()}
    test = {name: points for name, points in test.items() if points}
    rows = {n: summary["rows"] for n, summary in summaries.items()}
    drawn = [draw_accuracy(rows, folder / "accuracy.png"), draw_cost(rows, folder / "cost.png")]
    if training:
        drawn.append(draw_q_training(training, folder / "q_training.png"))
    if test:
        drawn.append(draw_q_test(test, folder / "q_test.png"))
    return drawn


def draw_q_training(groups: Mapping[str, Sequence[ValuePoint]], path: Path) -> Path:
    """Histograms of Q on training data. `groups`: title -> points."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, len(groups), figsize=(4.2 * len(groups), 3.2), squeeze=False, layout="constrained")
    for panel, (title, points) in zip(panels[0], groups.items(), strict=True):
        _histogram(panel, points)
        panel.set_title(title)
        panel.set_xlabel("Q of the step")
    panels[0][0].set_ylabel("share of the steps, %")
    figure.suptitle("Intermediate steps of the training examples")
    return _save(plt, figure, path)


def draw_q_test(groups: Mapping[str, Sequence[ValuePoint]], path: Path) -> Path:
    """Histograms of values on test questions: inner steps above, final steps below."""
    plt = _pyplot()
    shape = (2, len(groups))
    figure, panels = plt.subplots(*shape, figsize=(4.0 * len(groups), 5.6), squeeze=False, layout="constrained")
    for column, (title, points) in enumerate(groups.items()):
        for row, final in enumerate((False, True)):
            panel = panels[row][column]
            _histogram(panel, [point for point in points if point.final == final])
            panel.set_title(f"{title}, {'final' if final else 'intermediate'} steps")
        panels[1][column].set_xlabel("value of the step")
    for row in panels:
        row[0].set_ylabel("share of the steps, %")
    return _save(plt, figure, path)


def draw_accuracy(rows: Mapping[int, Sequence[JsonObject]], path: Path) -> Path:
    """Accuracy of every method by round, with 95 % intervals."""
    plt = _pyplot()
    figure, panel = plt.subplots(figsize=(8.6, 5), layout="constrained")
    names = list(dict.fromkeys(row["name"] for some in rows.values() for row in some))
    for place, name in enumerate(names):
        found = [(n, row) for n, some in rows.items() for row in some if row["name"] == name]
        shift = 0.26 * (place / max(len(names) - 1, 1) - 0.5)  # side by side, else the bars hide each other
        x = [n + shift for n, _ in found]
        y = [100 * row["accuracy"] for _, row in found]
        spread = [[100 * (row["accuracy"] - row["low"]) for _, row in found]]
        spread.append([100 * (row["high"] - row["accuracy"]) for _, row in found])
        colour = COLOURS[place % len(COLOURS)]
        panel.errorbar(x, y, yerr=spread, color=colour, marker="o", markersize=5, linewidth=1.4, capsize=2, label=name)
    panel.set_xticks(list(rows), [_title(n) for n in rows])
    panel.set_ylabel("accuracy, %")
    panel.grid(axis="y", alpha=0.25)
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return _save(plt, figure, path)


def draw_cost(rows: Mapping[int, Sequence[JsonObject]], path: Path) -> Path:
    """Accuracy against tokens and against seconds: colours are methods, markers are rounds."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(11.5, 4.8), sharey=True, layout="constrained")
    names = list(dict.fromkeys(row["name"] for some in rows.values() for row in some))
    costs = (("tokens", "generated tokens per question"), ("seconds", "machine seconds per question"))
    for panel, (key, label) in zip(panels, costs, strict=True):
        for place, some in enumerate(rows.values()):
            for row in some:
                if row[key]:
                    panel.scatter(
                        row[key],
                        100 * row["accuracy"],
                        color=COLOURS[names.index(row["name"]) % len(COLOURS)],
                        marker=MARKERS[place % len(MARKERS)],
                        s=46,
                        alpha=0.35 + 0.65 * (place + 1) / len(rows),
                        linewidths=0,
                    )
        _log_axis(panel, label)
    panels[0].set_ylabel("accuracy, %")
    handles = [_handle(plt, COLOURS[i % len(COLOURS)], "o", name) for i, name in enumerate(names)]
    handles += [_handle(plt, "#777777", MARKERS[i % len(MARKERS)], _title(n)) for i, n in enumerate(rows)]
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=9)
    return _save(plt, figure, path)


def _test_points(folder: Path, number: int, summary: JsonObject, grader: Grader) -> list[ValuePoint]:
    found = summary.get("value")
    if not found or "file" not in found:
        return []
    path = folder / f"round_{number}" / "eval" / found["file"]
    return value_points(path, grader) if path.exists() else []


def _histogram(panel: Any, points: Sequence[ValuePoint]) -> None:
    edges = np.linspace(-1, 1, 41)
    for name, right, colour in (("right answer", True, RIGHT), ("wrong answer", False, WRONG)):
        values = [point.value for point in points if point.right == right]
        if values:
            weights = np.full(len(values), 100 / len(values))
            panel.hist(values, edges, weights=weights, color=colour, alpha=0.55, label=f"{name} ({len(values):,})")
    panel.set_xlim(-1.02, 1.02)
    panel.set_ylim(top=1.25 * panel.get_ylim()[1])  # the legend stands above the bars
    panel.grid(axis="y", alpha=0.25)
    panel.legend(frameon=False, fontsize=8, loc="upper center")


def _log_axis(panel: Any, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel(label)
    panel.grid(alpha=0.25)


def _handle(plt: Any, colour: str, marker: str, name: str) -> Any:
    return plt.Line2D([], [], color=colour, marker=marker, linestyle="", label=name)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    return plt


def _save(plt: Any, figure: Any, path: Path) -> Path:
    """Writes a figure, at once."""
    scratch = path.with_name(f".{path.name}.part")
    figure.savefig(scratch, dpi=130, format=path.suffix.removeprefix("."))
    plt.close(figure)
    return scratch.replace(path)


def _title(number: int) -> str:
    return "base" if number == 0 else f"round {number}"
