"""Accuracy of methods against a budget of attempts, generated tokens or machine seconds a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from mcts_math.evaluate import trials
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.intervals import share_interval
from mcts_math.evaluate.table import interval, number, percent, render_table

AXES: Final[tuple[trials.Axis, ...]] = ("trials", "tokens", "seconds")
LABELS: Final[Mapping[trials.Axis, str]] = {
    "trials": "attempts", "tokens": "generated tokens", "seconds": "machine seconds"
}  # fmt: skip
ANY, MAJORITY = ": any right", ": majority"
FIGURES: Final = {ANY: "pass@k", MAJORITY: "maj@k"}
_NOTES: Final = {
    ANY: "an attempt within the budget is right",
    MAJORITY: "a vote over the attempts within the budget is right",
    "": "what the method chose is right, and all that it cost is within the budget",
}
_COST_DIGITS: Final = (2, 0, 3)  # of attempts, tokens, seconds
TITLES: Final = {True: "reads the verdict of the ground truth", False: "chooses by itself"}
_STEPS: Final = 14  # budgets of tokens and of seconds

Runs: TypeAlias = Sequence[Sequence[trials.Question]]
"""The questions of each run of a method."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy of one method within budgets."""

    method: str
    what: str  # what was counted, ANY or MAJORITY; "" where a line has one answer
    oracle: bool
    points: Mapping[float, tuple[float, float, float]]  # budget -> mean, low, high, each in [0, 1]

    @property
    def name(self) -> str:
        return self.method + self.what


def curves_by_axis(results: Mapping[str, Runs], grader: Grader) -> dict[trials.Axis, list[Curve]]:
    """The curves of all methods against each kind of budget. `results`: name -> runs."""
    return {
        axis: [
            curve
            for name, runs in results.items()
            for curve in _curves_of(name, runs, axis, _budgets_of(axis, results), grader)
        ]
        for axis in AXES
    }


def attempt_curves(path: str | Path, grader: Grader) -> dict[str, dict[int, float]]:
    """`pass@k` and `maj@k` of one file at k = 1, 2, 4, …, each where it can be told; empty without attempts."""
    questions = trials.read_questions(path)
    if not questions:
        return {}
    budgets = _budgets_of("trials", {"": [questions]})
    return {
        FIGURES[curve.what]: {int(k): point[0] for k, point in curve.points.items()}
        for curve in _curves_of("", [questions], "trials", budgets, grader)
        if curve.what
    }


def scores_within(runs: Runs, axis: trials.Axis, budget: float, grader: Grader | None) -> list[float]:
    """For each question the mean over runs of whether it is solved within the budget; votes with a grader."""
    totals: dict[str, list[float]] = {}
    for run in runs:
        unbiased = axis == "trials" and trials.can_estimate(run)
        if grader is None:
            found = [trials.solved_share(question, axis, budget, unbiased=unbiased) for question in run]
        else:
            found = trials.majority_share(run, axis, budget, grader)
        for question, score in zip(run, found, strict=True):
            totals.setdefault(question.id, []).append(score)
    return [sum(values) / len(values) for values in totals.values()]


def render_curves(curves: Mapping[trials.Axis, Sequence[Curve]], results: Mapping[str, Runs], width: int = 0) -> str:
    """A table an axis, methods that read verdicts apart, and the mean costs. `width`: see `render_table`."""
    counted = {curve.what for found in curves.values() for curve in found}
    parts = ["; ".join(f"NAME{what}: {note}" for what, note in _NOTES.items() if what in counted)]
    for axis, found in curves.items():
        budgets = sorted({budget for curve in found for budget in curve.points})
        shown = budgets if axis == "trials" else budgets[1::3]
        heads = [f"{budget:.3g}" if axis == "seconds" else f"{budget:.0f}" for budget in shown]
        for oracle, title in TITLES.items():
            rows = [
                [c.name, *(_cell(*c.points[budget]) if budget in c.points else "-" for budget in shown)]
                for c in found
                if c.oracle == oracle
            ]
            if rows:
                table = render_table([LABELS[axis], *heads], rows, width)
                parts.append(f"% solved within so many {LABELS[axis]} a question; {title}\n\n{table}")
    rows = [[name, str(len(runs)), *map(number, _costs(runs), _COST_DIGITS)] for name, runs in results.items()]
    parts.append(render_table(["mean cost a question", "runs", "attempts", "tokens", "seconds"], rows, width))
    return "\n\n".join(parts)


def _curves_of(name: str, runs: Runs, axis: trials.Axis, budgets: Sequence[float], grader: Grader) -> Iterator[Curve]:
    """What can be told of a method: pass@k where its attempts were judged, else what it chose of them; Maj@k where they
    are independent, and no verdict decided when to stop."""
    first = next((question for run in runs for question in run if question.trials), runs[0][0])

    def curve(what: str, oracle: bool, runs: Runs, voting: Grader | None = None) -> Curve:
        within = budgets[:1] if axis == "trials" and first.method is None else budgets  # one answer: no more to come
        points = {budget: _point(scores_within(runs, axis, budget, voting)) for budget in within}
        return Curve(name, what, oracle, points)

    judged = any(trial.correct is not None for run in runs for question in run for trial in question.trials)
    if judged:
        made_attempts = first.method is not None
        yield curve(ANY if made_attempts else "", made_attempts or first.oracle, runs)
    elif any(question.whole is not None and question.whole.correct is not None for run in runs for question in run):
        chosen = [[replace(q, trials=(q.whole,) if q.whole is not None else ()) for q in run] for run in runs]
        yield curve("", first.oracle, chosen)
    all_made = not judged or all(map(trials.can_estimate, runs))
    if first.independent and all_made and all(q.golds for run in runs for q in run):
        yield curve(MAJORITY, False, runs, grader)


def _budgets_of(axis: trials.Axis, results: Mapping[str, Runs]) -> list[float]:
    """Steps from little to what the most expensive question took."""
    spent = [getattr(one, axis) for runs in results.values() for run in runs for q in run if (one := q.whole)]
    most = max(spent, default=0)
    if axis == "trials":
        return [float(k) for k in trials.powers_of_two(int(most))]
    least = min((value for value in spent if value), default=1) or 1
    between = (least * (most / least) ** (i / (_STEPS - 1)) for i in range(1, _STEPS - 1))
    return [float(least), *between, float(most)]  # the ends are not rounded: the dearest question counts at the last


def _point(scores: Sequence[float]) -> tuple[float, float, float]:
    mean, (low, high) = share_interval(scores)
    return mean, low, high


def _cell(mean: float, low: float, high: float) -> str:
    return f"{percent(mean)} ({interval((low, high))})"


def _costs(runs: Runs) -> list[float]:
    """Mean attempts, tokens and seconds of a question."""
    whole = [question.whole for run in runs for question in run if question.whole is not None]
    return [sum(getattr(one, axis) for one in whole) / max(len(whole), 1) for axis in AXES]
