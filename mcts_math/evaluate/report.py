"""What was found in results files, as text for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mcts_math.evaluate.accuracy import Report, Tally, mean_over_files, other_questions
from mcts_math.evaluate.table import interval, marked, number, percent, render_table
from mcts_math.run.description import num_asked, read_description
from mcts_math.run.results import ResultsFile
from mcts_math.tasks import JsonObject

# Key -> digits.
_COSTS = {"seconds": 3, "tokens": 0, "prompt_tokens": 0, "cached_tokens": 0, "cells": 1, "value_tokens": 0}
COLUMNS = {
    "accuracy %": "right of all with a known answer",
    "95 % interval": "of the accuracy, over questions",
    "right": "questions whose chosen answer is right",
    "of": "questions with a known answer",
    "answered": "questions with a solution",
    "solutions": "found for a question",
    "steps": "of the chosen solution",
    "seconds": "machine time of a question",
    "tokens": "generated for a question",
    "prompt": "tokens of its prompts",
    "cached": "those of them that came from the prefix cache",
    "cells": "runs of the interpreter for a question",
    "value": "tokens that a reward model read for a question",
}
"""Of the first table: what stands in each, but for the file's name."""
_ORACLE = (
    "(oracle): the ground truth took part in the search or chose the answer; compare such methods with each other only"
)

Curves: TypeAlias = Mapping[str, Mapping[str, Mapping[int, float]]]
"""For each results file its curves, see `trials.attempt_curves`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of one method's results files, and of another method's that it is compared with."""

    reports: Sequence[Report]
    top: int = 1  # how many first solutions of a line the reports' `majority` votes over; 1: no votes
    votes: Tally | None = None  # majority votes over the files
    curves: Curves = field(default_factory=dict)
    others: Sequence[Report] = ()  # of the other method's files
    # how much it is above the other one, and the interval; see `paired_difference`
    better: tuple[float, tuple[float, float]] | None = None

    def render(self, width: int = 0) -> str:
        """As tables; see `render_table`. On a screen of that width files are called by short names."""
        everything = [*self.reports, *self.others]
        paths = [report.path for report in everything]
        names = dict(zip(paths, _columns(paths) if width else paths, strict=True))
        rows = [*self._rows(self.reports, self.votes, names), *self._rows(self.others, None, names)]
        if self.better is not None:
            difference, bounds = self.better
            low_high = " to ".join(f"{100 * value:+.1f}" for value in bounds)
            rows.append(["difference, by question", f"{100 * difference:+.2f}", low_high])
        header = ["", *COLUMNS]
        parts = [render_table(header, rows, width)]
        if any(report.oracle for report in everything):
            parts.append(_ORACLE)
        parts += [*_attempt_table(self.curves, names, width), *_breakdowns(everything, width), *_warnings(everything)]
        return "\n".join(parts)

    def to_json(self) -> JsonObject:
        data: JsonObject = {"files": [self._file(report) for report in self.reports]}
        if self.votes is not None:
            mean, bounds = mean_over_files(self.reports)
            data |= {f"maj@{len(self.reports)}": self.votes.to_json(), "mean": {"accuracy": mean, "interval": bounds}}
        if self.better is not None:
            difference, bounds = self.better
            data["than"] = [self._file(report) for report in self.others]
            data["better"] = {"difference": difference, "interval": bounds}
        return data

    def _rows(self, reports: Sequence[Report], votes: Tally | None, names: Mapping[str, str]) -> Iterator[list[str]]:
        spent = [key for key in _COSTS if any(report.costs[key] for report in (*self.reports, *self.others))]
        for report in reports:
            row = _tally_row(marked(names[report.path], report.oracle), report.top1)
            row += [str(report.answered), number(report.mean_solutions), number(report.mean_steps)]
            yield row + [number(report.mean_cost(key), _COSTS[key]) if key in spent else "-" for key in _COSTS]
            if self.top > 1:
                yield _tally_row(f"  top-{self.top} + Maj@{self.top}", report.majority)
        if votes is not None or (self.better is not None and len(reports) > 1):
            mean, bounds = mean_over_files(reports)
            yield [f"mean of {len(reports)}", percent(mean), interval(bounds)]
        if votes is not None:
            yield _tally_row(f"Maj@{len(reports)}", votes)

    def _file(self, report: Report) -> JsonObject:
        majority = {f"maj@{self.top}": report.majority.to_json()} if self.top > 1 else {}
        return report.to_json() | majority | dict(self.curves.get(report.path, {}))


def _tally_row(name: str, tally: Tally) -> list[str]:
    low_high = interval(tally.interval) if tally.total else "-"
    return [name, percent(tally.accuracy), low_high, str(tally.correct), str(tally.total)]


def _attempt_table(curves: Curves, names: Mapping[str, str], width: int) -> list[str]:
    """pass@k and Maj@k of the files whose methods make attempts."""
    ks = sorted({k for file in curves.values() for curve in file.values() for k in curve})
    if not ks:
        return []
    rows = [
        [f"{names[path]}: {name}", *[percent(curve[k]) if k in curve else "-" for k in ks]]
        for path, file in curves.items()
        for name, curve in file.items()
    ]
    return ["\n" + render_table(["accuracy % after k attempts", *map(str, ks)], rows, width)]


def _breakdowns(reports: Sequence[Report], width: int) -> list[str]:
    """For each key that sorts questions into kinds a table: a row a kind, a column a file."""
    tables, columns = [], _columns([report.path for report in reports])
    for key in dict.fromkeys(key for report in reports for key, _ in report.breakdowns()):
        groups = [dict(report.breakdowns()).get(key, {}) for report in reports]
        kinds = sorted({kind for group in groups for kind in group})
        rows = [
            [kind, str(max(g[kind].total for g in groups if kind in g))]
            + [percent(g[kind].accuracy) if kind in g else "-" for g in groups]
            for kind in kinds
        ]
        tables.append("\n" + render_table([f"accuracy % by {key}", "of", *columns], rows, width))
    return tables


def _columns(paths: Sequence[str]) -> list[str]:
    """Short names of the files, where these tell them apart."""
    names = [Path(path).name.removesuffix(".jsonl") for path in paths]
    return names if len(set(names)) == len(set(paths)) else list(paths)


def _warnings(reports: Sequence[Report]) -> list[str]:
    lines, first = [], reports[0]
    for report in reports:
        if told := other_questions(first.correct_by_id, first.path, report.correct_by_id, report.path):
            lines.append(f"{told}: their figures can't be compared")
        if len(report.ways) > 1:
            ways = ", ".join(f"{count} ({way})" for way, count in report.ways.most_common(3))
            lines.append(f"{report.path}: lines of more than one method or config, whose figures mean nothing: {ways}")
        asked = num_asked(read_description(ResultsFile(report.path).meta_path)) or 0
        counts = {
            "that have no line yet (was the run stopped, or does it go on?)": max(asked - report.questions, 0),
            "that failed (run it again with --resume)": report.errors,
            "that were cut short (see `stopped`)": report.stopped,
            "without a known answer": report.questions - report.top1.total,
            "without costs, left out of their means": (report.questions - report.with_cost) * bool(report.with_cost),
        }
        lines += [f"{report.path}: questions {what}: {count}" for what, count in counts.items() if count]
    return ["", *lines] if lines else []
