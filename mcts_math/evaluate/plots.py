"""Pictures of accuracies (matplotlib, imported when drawn)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import RecordError, require_package
from mcts_math.evaluate.budgets import LABELS, MAJORITY, Curve
from mcts_math.evaluate.table import marked
from mcts_math.evaluate.trials import Axis
from mcts_math.files import new_file, require_writable, writing
from mcts_math.tasks import JsonObject

COLOURS: Final = (
    "#0072b2", "#d55e00", "#009e73", "#a0527a", "#b8860b", "#3d9be9", "#222222", "#8c8c8c", "#7a3e00", "#00bfa5",
    "#e0529c", "#5e3c99",
)  # fmt: skip
"""Told apart by colour-blind readers too: after Okabe and Ito, "Color Universal Design", darker where text needs it."""
MARKERS: Final = "os^Dv"
_PICTURES: Final = (".png", ".pdf", ".svg")
COSTS: Final = {
    "tokens": LABELS["tokens"],
    "prompt_tokens": "tokens of prompts",
    "cached_tokens": "tokens of prompts found in a cache",
    "value_tokens": "tokens read by a reward model",
    "seconds": LABELS["seconds"],
}
"""What a question costs: key of a row -> how an axis is called."""


def draw_budgets(curves: Mapping[Axis, Sequence[Curve]], path: Path) -> Path:
    """A row of panels for methods that read verdicts above one for the others, as there are any; a column an axis."""
    plt = pyplot()
    kinds = sorted({curve.oracle for found in curves.values() for curve in found}, reverse=True)
    shape = (len(kinds), len(curves))
    size = (4.6 * shape[1], 3.8 * shape[0])
    figure, panels = plt.subplots(*shape, figsize=size, sharex="col", sharey=True, layout="constrained", squeeze=False)
    names = list(dict.fromkeys(curve.method for found in curves.values() for curve in found))
    for row, oracle in zip(panels, kinds, strict=True):
        for panel, (axis, found) in zip(row, curves.items(), strict=True):
            for curve in found:
                if curve.oracle == oracle:
                    _draw_curve(panel, curve, colour(names.index(curve.method)))
            budgets = sorted({budget for curve in found for budget in curve.points}) if axis == "trials" else ()
            _log_axis(panel, f"{LABELS[axis]} per question, at most", budgets)
            panel.tick_params(labelbottom=True)
        row[0].set_title("a perfect judge stops it (reads verdicts)" if oracle else "no verdict is read")
        row[0].set_ylabel("questions solved, %")
    for row in panels:  # when all are drawn: they share one height
        label_ends(row[-1])
    return save(plt, figure, path)


def draw_cost(columns: Mapping[str, Sequence[JsonObject]], path: Path) -> Path:
    """Accuracy against tokens of each kind and seconds, of rows as JSON by column: colours are methods, markers
    columns."""
    plt = pyplot()
    everything = [row for rows in columns.values() for row in rows]
    colours = {name: colour(i) for i, name in enumerate(dict.fromkeys(map(_name_of, everything)))}
    axes = [key for key in COSTS if key in ("tokens", "seconds") or any(row.get(key) for row in everything)]
    size = (1.7 + 4.9 * len(axes), 4.8)
    figure, panels = plt.subplots(1, len(axes), figsize=size, sharey=True, layout="constrained")
    for panel, key in zip(panels, axes, strict=True):
        for place, rows in enumerate(columns.values()):
            look = {"fmt": MARKERS[place % len(MARKERS)], "alpha": 0.35 + 0.65 * (place + 1) / len(columns)}
            for row in rows:
                if row.get(key):
                    spread = error_bar(row) if len(columns) == 1 else None
                    shown = colours[_name_of(row)]
                    panel.errorbar(row[key], 100 * row["accuracy"], yerr=spread, color=shown, capsize=2, **look)
        _log_axis(panel, f"{COSTS[key]} per question")
    panels[0].set_ylabel("accuracy, %")
    figure.suptitle("Accuracy against what a question costs" + (", 95 % intervals" if len(columns) == 1 else ""))
    if len(columns) == 1:
        _name_beside(panels[-1], [(_name_of(r), colours[_name_of(r)], 100 * r["accuracy"]) for r in everything])
    else:
        handles = [_handle(plt, shown, "o", name) for name, shown in colours.items()]
        handles += [_handle(plt, "#777777", MARKERS[i % len(MARKERS)], title) for i, title in enumerate(columns)]
        figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=9)
    return save(plt, figure, path)


def _name_of(row: JsonObject) -> str:
    return marked(row["name"], row.get("oracle", False))


def colour(place: int) -> str:
    """Of the method in this place."""
    return COLOURS[place % len(COLOURS)]


def error_bar(row: JsonObject) -> list[list[float]]:
    """The 95 % interval of a row, as matplotlib takes it: how far down and how far up, in points."""
    return [[100 * (row["accuracy"] - row["low"])], [100 * (row["high"] - row["accuracy"])]]


def pyplot() -> Any:
    """matplotlib without a screen, in our style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    return plt


def require_pyplot() -> None:
    """Raises RecordError where no picture can be drawn: it says what to install."""
    require_package("matplotlib", "a picture", "plots", RecordError)


def require_picture(path: str | Path) -> None:
    """Raises RecordError where a picture could not be drawn or written: to be asked before long work."""
    require_pyplot()
    if Path(path).suffix not in _PICTURES:
        raise RecordError(f"{path}: the name of a picture must end in {' or '.join(_PICTURES)}.")
    require_writable(path, "Choose another file for the picture.")


def save(plt: Any, figure: Any, path: Path) -> Path:
    """Writes a figure, at once. Raises RecordError where it can't be written."""
    with writing(path), new_file(path) as scratch:
        figure.savefig(scratch, dpi=130, format=path.suffix.removeprefix("."))
    plt.close(figure)
    return path


def _draw_curve(panel: Any, curve: Curve, shown: str) -> None:
    """One method's accuracy with its interval; votes over its attempts are dashed."""
    xs = sorted(curve.points)
    means, lows, highs = zip(*(curve.points[x] for x in xs), strict=True)
    style = "o--" if curve.what == MAJORITY else "o-"
    panel.plot(xs, [100 * m for m in means], style, color=shown, markersize=3, linewidth=1.4, label=curve.name)
    look = {"facecolor": (shown, 0.1), "edgecolor": (shown, 0.35), "linewidth": 0.8}  # of one point the edge is all
    panel.fill_between(xs, [100 * v for v in lows], [100 * v for v in highs], **look)


def label_ends(panel: Any) -> None:
    """Names each line at its right end, in its colour; names that would touch are moved apart."""
    lines = [line for line in panel.lines if not line.get_label().startswith("_")]
    _name_beside(panel, [(line.get_label(), line.get_color(), line.get_ydata()[-1]) for line in lines])


def _name_beside(panel: Any, ends: Sequence[tuple[str, str, float]]) -> None:
    """Writes (name, colour, height) to the right of a panel; names that would touch are moved apart."""
    low, high = panel.get_ylim()
    gap = 0.055 * (high - low)
    ends = sorted(ends, key=lambda end: end[2])
    heights = [height for *_, height in ends]
    for i in range(1, len(ends)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    top = high
    for i in reversed(range(len(ends))):  # those that were pushed over the top push the ones below them down
        heights[i] = min(heights[i], top)
        top = heights[i] - gap
    for (name, shown, _), height in zip(ends, heights, strict=True):
        place = (1.03, (height - low) / (high - low))
        panel.annotate(
            name, place, xycoords="axes fraction", va="center", color=shown, fontsize=9, annotation_clip=False
        )


def _log_axis(panel: Any, label: str, ticks: Sequence[float] = ()) -> None:
    """Makes the horizontal axis of a drawn panel logarithmic. `ticks`: where numbers stand; else at round ones."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    panel.set_xscale("log")
    low, high = panel.get_xlim()
    if ticks:
        panel.xaxis.set_major_locator(FixedLocator(list(ticks)))
    else:
        panel.xaxis.set_major_locator(MaxNLocator(5) if high < 10 * low else LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel(label)
    panel.grid(alpha=0.25)


def _handle(plt: Any, shown: str, marker: str, name: str) -> Any:
    return plt.Line2D([], [], color=shown, marker=marker, linestyle="", label=name)
