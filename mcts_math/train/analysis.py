"""What values and Qs say about solutions: points for figures, areas under the curve, errors by depth; and what became
of right answers in a beam search: what it finds that greedy decoding misses, and where it loses what it has found.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from mcts_math.evaluate.accuracy import none_if_nan
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.table import markdown_table
from mcts_math.files import read_records
from mcts_math.run.record import error_of, record_to_tree
from mcts_math.tasks import JsonObject
from mcts_math.train.examples import EXAMPLES
from mcts_math.tree import Tree


@dataclass(frozen=True, slots=True)
class ValuePoint:
    """A step of a solution that reached an answer."""

    value: float  # of the value head, in [-1, 1]
    right: bool  # whether the solution's answer is right
    final: bool  # whether the step gives the answer
    depth: int  # its number in the solution, from 1 on
    question: int = 0  # the number of its question among those read


def value_points(path: str | Path, grader: Grader) -> list[ValuePoint]:
    """The scored steps of all solutions in a results file; a step that several solutions share counts for each."""
    points: list[ValuePoint] = []
    for number, (tree, verdicts) in enumerate(read_judged(path, grader)):
        for leaf, right in verdicts.items():
            for node in tree.path(tree.nodes[leaf]):
                # what the head said; of a file that does not tell, the published field, which beam search leaves alone
                value = node.value if node.estimate is None else node.estimate
                if value is not None:
                    points.append(ValuePoint(value, right, node.id == leaf, node.depth, number))
    return points


def read_judged(path: str | Path, grader: Grader) -> Iterator[tuple[Tree, dict[int, bool]]]:
    """The trees of a results file whose answer is known, each with the verdicts on its answers by node id."""
    trees = [record_to_tree(record, where) for where, record in read_records(path) if not error_of(record)]
    known = [tree for tree in trees if tree.task.answers]
    leaves = [[node for node in tree.nodes if node.answer is not None] for tree in known]
    verdicts = grader.verdicts(
        (tree.task.answers, node.answer or "") for tree, some in zip(known, leaves, strict=True) for node in some
    )
    for tree, some in zip(known, leaves, strict=True):
        yield tree, {node.id: next(verdicts) for node in some}


def q_points(examples: Sequence[str | Path]) -> list[ValuePoint]:
    """The inner steps of training examples, with their Q as value."""
    return [
        ValuePoint(step.q, example.correct, False, depth)
        for example in EXAMPLES.read(examples)
        for depth, step in enumerate(example.steps[:-1], 1)
    ]


def area_under_curve(scores: Sequence[float], right: Sequence[bool]) -> float:
    """The chance that a right one scores above a wrong one (ties count half); NaN where one kind is missing."""
    kinds = np.array(right, bool)
    positives, negatives = np.array(scores)[kinds], np.sort(np.array(scores)[~kinds])
    if not len(positives) or not len(negatives):
        return math.nan
    below = [np.searchsorted(negatives, positives, side).mean() for side in ("left", "right")]
    return float(sum(below) / (2 * len(negatives)))


def _area(points: Sequence[ValuePoint]) -> float:
    return area_under_curve([point.value for point in points], [point.right for point in points])


def describe_values(points: Sequence[ValuePoint]) -> JsonObject:
    """What a value head does on solutions.

    `auc_final`, `auc_inner`: areas under the curve on final and inner steps of all questions together. `auc_within`:
    the mean area on the final steps of one question, over the `mixed_questions` that have right and wrong ones; by this
    a search gains. `questions_with_right`: no choice could do better. `error_by_depth`: mean squared, against ±1.
    """
    by_depth: dict[int, list[float]] = defaultdict(list)
    for point in points:
        by_depth[point.depth].append((point.value - (1 if point.right else -1)) ** 2)
    finals: dict[int, list[ValuePoint]] = defaultdict(list)
    for point in points:
        if point.final:
            finals[point.question].append(point)
    mixed = [area for area in map(_area, finals.values()) if not math.isnan(area)]
    return {
        "auc_final": none_if_nan(_area([point for point in points if point.final])),
        "auc_inner": none_if_nan(_area([point for point in points if not point.final])),
        "auc_within": sum(mixed) / len(mixed) if mixed else None,
        "mixed_questions": len(mixed),
        "questions_with_right": sum(any(p.right for p in some) for some in finals.values()),
        "final_steps": sum(point.final for point in points),
        "error_by_depth": {str(depth): sum(e) / len(e) for depth, e in sorted(by_depth.items())},
    }


def render_values(found: JsonObject) -> str:
    """What `describe_values` found for a `method`, in a few sentences."""
    errors = ", ".join(f"{error:.2f} at {depth}" for depth, error in found["error_by_depth"].items())
    final, inner, within = (
        "–" if found[kind] is None else f"{found[kind]:.3f}" for kind in ("auc_final", "auc_inner", "auc_within")
    )
    return (
        f"Value head on {found['final_steps']:,} final steps of {found['method']}: area under the curve "
        f"{final}; on inner steps {inner}. "
        f"Some answer in the tree is right for {found['questions_with_right']} questions; "
        f"right and wrong ones compete for {found['mixed_questions']}, and within these the area is "
        f"{within} on average. Mean squared error against ±1 by depth: {errors}."
    )


AnswerOutcome: TypeAlias = Literal["right", "outranked", "dropped", "not found"]
"""Of a question's right answer: the search's own; among its solutions, below a wrong one; sampled, but not kept; never
sampled. The value head is to blame for the second and the third; policy and temperature, or a branch that the head
cut early, for the last."""


def answer_outcomes(path: str | Path, grader: Grader) -> dict[str, AnswerOutcome]:
    """What became of each question's right answer in a results file of step-level beam search, by question id."""
    return {tree.task.id: _outcome(tree, verdicts) for tree, verdicts in read_judged(path, grader)}


def count_outcomes(found: Mapping[str, AnswerOutcome], greedy: Mapping[str, float]) -> JsonObject:
    """How many questions came to which outcome, apart for those that greedy decoding gets right and for the others.

    `greedy`: question id -> 1 where greedy decoding is right, else 0; questions that are missing here are left out.
    """
    counted = Counter((bool(greedy[i]), outcome) for i, outcome in found.items() if i in greedy)
    return {
        name: {outcome: counted[right, outcome] for outcome in _TITLES}
        for name, right in (("greedy right", True), ("greedy wrong", False))
    }


def render_outcomes(method: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    """A Markdown table of `count_outcomes`."""
    header = [f"{method}: the right answer is …", *_TITLES.values()]
    return markdown_table(header, [[name, *(str(row[o]) for o in _TITLES)] for name, row in counts.items()])


_TITLES: dict[AnswerOutcome, str] = {
    "right": "chosen",
    "outranked": "ranked below a wrong one",
    "dropped": "sampled, not kept",
    "not found": "never sampled",
}


def _outcome(tree: Tree, verdicts: Mapping[int, bool]) -> AnswerOutcome:
    kept = [verdicts[i] for i in tree.solutions]
    if kept and kept[0]:
        return "right"
    if any(kept):
        return "outranked"
    return "dropped" if any(verdicts.values()) else "not found"
