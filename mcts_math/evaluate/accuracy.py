"""Evaluation of results files: accuracy, majority votes, cost (SPEC A1, A10). Streams; keeps no tree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from typing import Any

from mcts_math.errors import RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.intervals import difference_interval, share_interval, wilson_interval
from mcts_math.evaluate.lines import Line, read_lines
from mcts_math.files import require_different
from mcts_math.tasks import JsonObject

_MOST_GROUPS = 60  # a key with more values than this is a number, not a kind
_COSTS = ("seconds", "tokens", "prompt_tokens", "cached_tokens", "value_tokens", "cells", "evaluations")


@dataclass(slots=True)
class Tally:
    """Right answers among judged ones."""

    correct: int = 0
    total: int = 0

    @classmethod
    def of(cls, verdicts: Collection[bool]) -> Tally:
        return cls(sum(verdicts), len(verdicts))

    def add(self, correct: bool) -> None:
        self.correct += correct
        self.total += 1

    @property
    def accuracy(self) -> float:
        return self.correct / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.correct, self.total)

    def to_json(self) -> JsonObject:
        accuracy, interval = (self.accuracy, list(self.interval)) if self.total else (None, None)
        return {"correct": self.correct, "total": self.total, "accuracy": accuracy, "interval": interval}


@dataclass(slots=True)
class Report:
    """What is found in one file."""

    path: str
    questions: int = 0
    answered: int = 0
    errors: int = 0
    stopped: int = 0
    solutions: int = 0
    steps: int = 0
    with_cost: int = 0
    oracle: bool = False
    ways: Counter[str] = field(default_factory=Counter)  # in which lines were made: more than one is no run
    costs: Counter[str] = field(default_factory=Counter)
    groups: dict[str, dict[str, Tally]] = field(default_factory=dict)
    correct_by_id: dict[str, bool] = field(default_factory=dict)
    answer_by_id: dict[str, str] = field(default_factory=dict)
    golds_by_id: dict[str, tuple[str, ...]] = field(default_factory=dict)
    majority_by_id: dict[str, bool] = field(default_factory=dict)

    @property
    def top1(self) -> Tally:
        return Tally.of(self.correct_by_id.values())

    @property
    def majority(self) -> Tally:
        return Tally.of(self.majority_by_id.values())

    def mean_cost(self, key: str) -> float:
        """Mean per question of a key of `cost`; NaN where no line has costs."""
        return self.costs[key] / self.with_cost if self.with_cost else math.nan

    @property
    def mean_solutions(self) -> float:
        return self.solutions / max(self.questions, 1)

    @property
    def mean_steps(self) -> float:
        return self.steps / self.answered if self.answered else math.nan

    def breakdowns(self) -> Iterator[tuple[str, dict[str, Tally]]]:
        """The keys that sort questions into kinds, each with its kinds in order."""
        for key, group in self.groups.items():
            if 1 < len(group) <= _MOST_GROUPS:
                yield key, dict(sorted(group.items()))

    def to_json(self) -> JsonObject:
        return {
            "file": self.path,
            "questions": self.questions,
            "answered": self.answered,
            "failed": self.errors,
            "stopped": self.stopped,
            "oracle": self.oracle,
            "ways": dict(self.ways),
            **self.top1.to_json(),
            "solutions": self.solutions,
            "mean_steps": none_if_nan(self.mean_steps),
            **{f"mean_{key}": none_if_nan(self.mean_cost(key)) for key in _COSTS},
            "groups": {
                key: {name: tally.to_json() for name, tally in group.items()} for key, group in self.breakdowns()
            },
        }


def evaluate_file(path: str | Path, grader: Grader, *, react: bool = False, top_k: int = 1) -> Report:
    """Evaluates one file. `react` takes the answer of the deepest node, `top_k` also votes over the first k > 1
    solutions of each line. Raises RecordError as `read_lines`."""
    report = Report(str(path))
    if top_k > 1:
        ahead, again = tee(line for line in read_lines(path, react=react) if line.golds)
        votes = grader.votes((line.golds, line.voters[:top_k]) for line in ahead)
        report.majority_by_id = dict(zip((line.id for line in again), votes, strict=True))
    for line, verdict in grader.judged(
        read_lines(path, react=react),
        lambda line: (line.golds, line.answers[0]) if line.golds and line.answers else None,
    ):
        _count(report, line, bool(verdict) if line.verdict is None else line.verdict)
    return report


def votes_by_id(reports: Sequence[Report], grader: Grader) -> dict[str, bool]:
    """Whether the majority of the first answers of several files is right; accepted are the answers of the
    first file. Raises RecordError as `scores_by_id`."""
    golds = reports[0].golds_by_id
    _check_runs(reports, [report.golds_by_id for report in reports])
    votes = ((gold, [r.answer_by_id[i] for r in reports if i in r.answer_by_id]) for i, gold in golds.items())
    return dict(zip(golds, grader.votes(votes), strict=True))


def scores_by_id(reports: Sequence[Report], *, votes: bool = False) -> dict[str, float]:
    """Each question's share of right runs (`votes`: of runs whose `top_k` vote is right), in [0, 1]. Raises
    RecordError where the files hold different questions, or none with a known answer."""
    found = [report.majority_by_id if votes else report.correct_by_id for report in reports]
    _check_runs(reports, found)
    return {i: sum(one[i] for one in found) / len(found) for i in found[0]}


def mean_over_files(reports: Sequence[Report]) -> tuple[float, tuple[float, float]]:
    """Mean accuracy of several runs over the same questions, and its 95 % interval over questions. Raises
    RecordError as `scores_by_id`."""
    return share_interval(list(scores_by_id(reports).values()))


def paired_difference(
    first: Mapping[str, float], second: Mapping[str, float], names: tuple[str, str]
) -> tuple[float, tuple[float, float]]:
    """How much higher the first scores in [0, 1] are, and the 95 % interval over questions. Raises RecordError where
    the questions are not the same; `names` says there whose scores they are."""
    _check_same_questions(first, names[0], second, names[1])
    return difference_interval([first[i] - second[i] for i in first])


def none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _check_runs(reports: Sequence[Report], known: Sequence[Mapping[str, Any]]) -> None:
    """Raises RecordError where files are not runs over the same questions, whose known answers are `known` by id."""
    paths = [report.path for report in reports]
    if not known[0]:
        raise RecordError(f"{paths[0]}: no question with a known answer, so there is nothing to compare.")
    require_different(paths)
    for report, others in zip(reports, known, strict=True):
        _check_same_questions(known[0], paths[0], others, report.path)
        require_same_answers(reports[0], report)


def require_same_answers(first: Report, second: Report) -> None:
    """Raises RecordError where questions of one id are others: the answers that are accepted differ."""
    before = first.golds_by_id
    if other := [i for i, golds in second.golds_by_id.items() if before.get(i, golds) != golds]:
        stand = f"{len(other)}, such as {other[0]!r}: {before[other[0]]} and {second.golds_by_id[other[0]]}"
        told = f"{second.path} and {first.path} accept different answers to questions of one id ({stand})"
        raise RecordError(f"{told}. Give runs over the same questions.")


def _check_same_questions(ids: Mapping[str, Any], name: str, others: Mapping[str, Any], other: str) -> None:
    if told := other_questions(ids, name, others, other):
        raise RecordError(f"{told}. Give runs over the same questions.")


def other_questions(ids: Mapping[str, Any], name: str, others: Mapping[str, Any], other: str) -> str:
    """Says in how far the questions of two files are not the same; "" where they are."""
    missing = ids.keys() ^ others.keys()
    stand = f"in one of them only: {len(missing)}, such as {min(missing)!r}" if missing else ""
    return f"{other} and {name} hold different questions ({stand})" if missing else ""


def _count(report: Report, line: Line, correct: bool) -> None:
    report.questions += 1
    report.answered += bool(line.found)
    report.oracle |= line.oracle
    report.ways.update(filter(None, [line.way]))
    report.errors += line.error
    report.stopped += line.stopped
    report.solutions += line.found
    report.steps += line.steps
    report.with_cost += bool(line.costs)
    for key in _COSTS:
        report.costs[key] += line.costs.get(key, 0)  # type: ignore[assignment]
    if line.answers:
        report.answer_by_id[line.id] = line.answers[0]
    if line.golds:
        report.golds_by_id[line.id] = line.golds
    if line.verdict is None and not line.golds:
        return
    report.correct_by_id[line.id] = correct
    for key, name in line.groups.items():
        group = report.groups.setdefault(key, {})
        if len(group) <= _MOST_GROUPS:
            group.setdefault(name, Tally()).add(correct)
