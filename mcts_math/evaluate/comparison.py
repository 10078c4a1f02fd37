"""Rows of a comparison: one method's runs, or votes over them, as numbers and in the published layout (Markdown)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcts_math.evaluate.accuracy import Report, Tally, none_if_nan, paired_difference
from mcts_math.evaluate.intervals import share_interval
from mcts_math.evaluate.table import interval, markdown_table, marked, percent
from mcts_math.tasks import JsonObject

_HEADER = (
    "method", "accuracy % (95 % interval; runs)", "s/question", "tokens", "prompt (cached)", "value tokens", "cells",
    "steps", "found",
)  # fmt: skip
# Means over the questions of a run.
_COSTS = ("seconds", "tokens", "prompt_tokens", "cached_tokens", "value_tokens", "cells")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; accuracies in [0, 1], costs are means per question."""

    name: str
    accuracy: float  # mean over its runs (or votes)
    low: float  # 95 % interval over questions
    high: float
    runs: tuple[float, ...]  # accuracy of each run or vote
    # `seconds` of machine time on one core (or however many threads a process had), `tokens`, `prompt_tokens`,
    # `cached_tokens`, `value_tokens`, `cells`, `steps` of the chosen solution, `solutions` found; None: unknown
    costs: Mapping[str, float | None]
    scores: Mapping[str, float]  # share of right runs (or votes) by question
    oracle: bool  # the verdict of the ground truth was read

    def to_json(self) -> JsonObject:
        data = {"name": self.name, "accuracy": self.accuracy, "low": self.low, "high": self.high, "runs": self.runs}
        return data | dict(self.costs) | ({"oracle": True} if self.oracle else {})

    def cells_of(self) -> list[str]:
        """As texts of a table."""
        each = ", ".join(f"{100 * run:.1f}" for run in self.runs) if len(self.runs) > 1 else "one run"
        cost = {key: value or 0 for key, value in self.costs.items()}
        cached = cost["cached_tokens"] / max(cost["prompt_tokens"], 1)
        return [
            marked(self.name, self.oracle),
            f"**{percent(self.accuracy)}** ({interval((self.low, self.high))}; {each})",
            f"{cost['seconds']:.3f}",
            f"{cost['tokens']:,.0f}",
            f"{cost['prompt_tokens']:,.0f} ({cached:.0%})",
            f"{cost.get('value_tokens', 0):,.0f}",
            *(f"{cost[key]:.1f}" for key in ("cells", "steps", "solutions")),
        ]


def make_row(
    name: str, reports: Sequence[Report], scores: Mapping[str, float], votes: Sequence[Tally] = (), share: float = 1
) -> Row:
    """The row of some runs, or of votes over them, whose interval is the mean of theirs. A vote over five runs costs
    five times (`share`) what a run does."""
    if votes:
        runs = tuple(vote.accuracy for vote in votes)
        low, high = (sum(vote.interval[end] for vote in votes) / len(votes) for end in (0, 1))
        accuracy = sum(runs) / len(runs)
    else:
        runs = tuple(report.top1.accuracy for report in reports)
        accuracy, (low, high) = share_interval(list(scores.values()))

    def mean(values: Iterable[float]) -> float | None:
        return none_if_nan(sum(values) / len(reports))

    costs = {key: mean(share * report.mean_cost(key) for report in reports) for key in _COSTS}
    costs["steps"] = mean(report.mean_steps for report in reports)
    costs["solutions"] = mean(share * report.mean_solutions for report in reports)
    return Row(name, accuracy, low, high, runs, costs, scores, any(report.oracle for report in reports))


def compare_rows(rows: Sequence[Row], pairs: Sequence[Sequence[str]]) -> list[JsonObject]:
    """How far the first row of each pair, where both are there, is above the second one, with the 95 % interval."""
    scores = {row.name: row.scores for row in rows}
    found = []
    for first, second in pairs:
        if first in scores and second in scores:
            difference, (low, high) = paired_difference(scores[first], scores[second], (first, second))
            found.append({"first": first, "second": second, "difference": difference, "low": low, "high": high})
    return found


def render_rows(rows: Sequence[Row]) -> str:
    """A Markdown table. Tokens of reward models have a column where there are any."""
    idle = None if any(row.costs.get("value_tokens") for row in rows) else _HEADER.index("value tokens")
    header, *cells = (
        [cell for place, cell in enumerate(row) if place != idle]
        for row in (_HEADER, *(row.cells_of() for row in rows))
    )
    return markdown_table(header, cells)


def render_accuracies(columns: Mapping[str, Sequence[JsonObject]]) -> str:
    """Accuracy of every method, a column a round. `columns`: title -> rows as JSON."""
    found = {title: {row["name"]: _accuracy(row) for row in rows} for title, rows in columns.items()}
    return _by_column("accuracy %", found)


def render_differences(columns: Mapping[str, Sequence[JsonObject]]) -> str:
    """What `compare_rows` found, in points, a column a round. `columns`: title -> differences."""
    found = {
        title: {f"{one['first']} − {one['second']}": _difference(one) for one in differences}
        for title, differences in columns.items()
    }
    return _by_column("points (95 % interval, paired by question)", found)


def _by_column(corner: str, columns: Mapping[str, Mapping[str, Any]]) -> str:
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = [[name, *(column.get(name, "–") for column in columns.values())] for name in names]
    return markdown_table([corner, *columns], rows)


def _accuracy(row: JsonObject) -> str:
    return f"**{percent(row['accuracy'])}** ({interval((row['low'], row['high']))})"


def _difference(found: JsonObject) -> str:
    points, low, high = (100 * found[key] for key in ("difference", "low", "high"))
    return f"**{points:+.2f}** ({low:+.1f} to {high:+.1f})"
