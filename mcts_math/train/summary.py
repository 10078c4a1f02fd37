"""The evaluation of a round as numbers and as tables, in the published layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mcts_math.evaluate.accuracy import (
    Report,
    Tally,
    evaluate_file,
    mean_over_files,
    none_if_nan,
    paired_difference,
    scores_by_id,
    votes_by_id,
)
from mcts_math.evaluate.grading import Grader
from mcts_math.tasks import JsonObject
from mcts_math.train.config import MethodConfig

_COSTS = ("seconds", "tokens", "prompt_tokens", "cached_tokens", "cells")
_HEADER = (
    "| method | accuracy % (95 % interval; runs) | s/question | tokens | prompt (cached) | cells | steps | found |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; accuracies in [0, 1], costs are means per question.

    Attributes:
        name: of the method.
        accuracy: mean over its runs (or votes).
        low, high: 95 % interval over questions.
        runs: accuracy of each run or vote.
        seconds: machine time on one core (or however many threads a process had).
        steps, solutions: of the chosen solution; solutions found.
        scores: of each question, its share of right runs (or votes); empty for votes within a run.
    """

    name: str
    accuracy: float
    low: float
    high: float
    runs: tuple[float, ...]
    seconds: float | None
    tokens: float | None
    prompt_tokens: float | None
    cached_tokens: float | None
    cells: float | None
    steps: float | None
    solutions: float
    scores: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        return {key: value for key, value in asdict(self).items() if key != "scores"}

    def render(self) -> str:
        """As a line of a Markdown table."""
        each = ", ".join(f"{100 * run:.1f}" for run in self.runs) if len(self.runs) > 1 else "one run"
        cached = (self.cached_tokens or 0) / max(self.prompt_tokens or 0, 1)
        return (
            f"| {self.name} | **{100 * self.accuracy:.2f}** ({100 * self.low:.1f}–{100 * self.high:.1f}; {each}) "
            f"| {self.seconds or 0:.3f} | {self.tokens or 0:,.0f} | {self.prompt_tokens or 0:,.0f} ({cached:.0%}) "
            f"| {self.cells or 0:.1f} | {self.steps or 0:.1f} | {self.solutions:.1f} |"
        )


def run_path(folder: Path, method: str, seed: int) -> Path:
    """Where the results of one run lie."""
    name = "".join(c if c.isalnum() or c in "-." else "_" for c in method).strip("_")
    return folder / f"{name}.seed{seed}.jsonl"


def summarise_runs(folder: Path, methods: Mapping[str, MethodConfig], grader: Grader) -> list[Row]:
    """The rows of all methods, each followed by its votes."""
    rows: list[Row] = []
    for name, method in methods.items():
        paths = [run_path(folder, name, seed) for seed in method.seeds]
        reports = [evaluate_file(path, grader, top_k=max(method.top, 1), keep=True) for path in paths]
        accuracy, bounds = mean_over_files(reports)
        runs = [report.top1.accuracy for report in reports]
        rows.append(_row(name, accuracy, bounds, runs, reports, scores=scores_by_id(reports)))
        if method.top:
            rows.append(_votes(_top_name(name, method), [report.majority for report in reports], reports))
        if method.vote:
            votes = [votes_by_id(group, grader) for group in _groups(reports, method.vote)]
            tallies = [Tally.of(vote.values()) for vote in votes]
            scores = {i: sum(vote[i] for vote in votes) / len(votes) for i in votes[0]}
            rows.append(_votes(_vote_name(name, method), tallies, reports, method.vote, scores))
    return rows


def comparable_rows(methods: Mapping[str, MethodConfig]) -> list[str]:
    """Names of the rows that have scores: the methods, and their votes over several runs."""
    return [*methods, *(_vote_name(name, method) for name, method in methods.items() if method.vote)]


def compare_rows(rows: Sequence[Row], pairs: Sequence[Sequence[str]]) -> list[JsonObject]:
    """For each pair of names how far the first row is above the second one, with the paired 95 % interval."""
    scores = {row.name: row.scores for row in rows}
    found = []
    for first, second in pairs:
        difference, (low, high) = paired_difference(scores[first], scores[second])
        found.append({"first": first, "second": second, "difference": difference, "low": low, "high": high})
    return found


def render_rows(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    return "\n".join([_HEADER, *(row.render() for row in rows)])


def render_rounds(rounds: Mapping[int, Sequence[JsonObject]]) -> str:
    """Accuracy of every method in every round, as a Markdown table. `rounds`: number -> rows as JSON."""
    names = list(dict.fromkeys(row["name"] for rows in rounds.values() for row in rows))
    lines = [f"| accuracy % | {' | '.join(map(_title, rounds))} |", "|---" * (len(rounds) + 1) + "|"]
    for name in names:
        cells = []
        for rows in rounds.values():
            row = next((row for row in rows if row["name"] == name), None)
            cells.append("–" if row is None else _cell(row))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def render_differences(rounds: Mapping[int, Sequence[JsonObject]]) -> str:
    """What `compare_rows` found in every round, in points, as a Markdown table. `rounds`: number -> differences."""
    found = {n: {(d["first"], d["second"]): d for d in differences} for n, differences in rounds.items()}
    lines = [
        f"| points (95 % interval, paired by question) | {' | '.join(map(_title, rounds))} |",
        "|---" * (len(rounds) + 1) + "|",
    ]
    for pair in dict.fromkeys(pair for some in found.values() for pair in some):
        cells = [_difference(some[pair]) if pair in some else "–" for some in found.values()]
        lines.append(f"| {pair[0]} − {pair[1]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def render_value(value: JsonObject) -> str:
    """What `analysis.describe_values` found, in a few sentences."""
    errors = ", ".join(f"{error:.2f} at {depth}" for depth, error in value["error_by_depth"].items())
    return (
        f"Value head on {value['final_steps']:,} final steps of {value['method']}: area under the curve "
        f"{value['auc_final'] or 0:.3f}; on inner steps {value['auc_inner'] or 0:.3f}. "
        f"Some answer in the tree is right for {value['questions_with_right']} questions; "
        f"right and wrong ones compete for {value['mixed_questions']}, and within these the area is "
        f"{value['auc_within'] or 0:.3f} on average. Mean squared error against ±1 by depth: {errors}."
    )


def _cell(row: JsonObject) -> str:
    return f"**{100 * row['accuracy']:.2f}** ({100 * row['low']:.1f}–{100 * row['high']:.1f})"


def _difference(found: JsonObject) -> str:
    points, low, high = (100 * found[key] for key in ("difference", "low", "high"))
    return f"**{points:+.2f}** ({low:+.1f} to {high:+.1f})"


def _title(number: int) -> str:
    return "base" if number == 0 else f"round {number}"


def _vote_name(name: str, method: MethodConfig) -> str:
    return method.label or f"{name}, {method.vote} runs + Maj@{method.vote}"


def _top_name(name: str, method: MethodConfig) -> str:
    return f"{name}, top-{method.top} + Maj@{method.top}"


def _groups(reports: Sequence[Report], size: int) -> Iterator[Sequence[Report]]:
    for first in range(0, len(reports) - size + 1, size):
        yield reports[first : first + size]


def _votes(
    name: str,
    tallies: Sequence[Tally],
    reports: Sequence[Report],
    share: float = 1,
    scores: Mapping[str, float] | None = None,
) -> Row:
    accuracies = [tally.accuracy for tally in tallies]
    low = sum(tally.interval[0] for tally in tallies) / len(tallies)
    high = sum(tally.interval[1] for tally in tallies) / len(tallies)
    return _row(name, sum(accuracies) / len(accuracies), (low, high), accuracies, reports, share, scores)


def _row(
    name: str,
    accuracy: float,
    bounds: tuple[float, float],
    runs: Sequence[float],
    reports: Sequence[Report],
    share: float = 1,
    scores: Mapping[str, float] | None = None,
) -> Row:
    """`share` multiplies the mean costs: a vote over five runs costs five."""
    costs = {key: none_if_nan(share * sum(r.mean_cost(key) for r in reports) / len(reports)) for key in _COSTS}
    return Row(
        name=name,
        accuracy=accuracy,
        low=bounds[0],
        high=bounds[1],
        runs=tuple(runs),
        seconds=costs["seconds"],
        tokens=costs["tokens"],
        prompt_tokens=costs["prompt_tokens"],
        cached_tokens=costs["cached_tokens"],
        cells=costs["cells"],
        steps=none_if_nan(sum(report.mean_steps for report in reports) / len(reports)),
        solutions=share * sum(report.solutions / max(report.questions, 1) for report in reports) / len(reports),
        scores=scores or {},
    )
