"""What a beam search finds that greedy decoding misses, and where it loses what it has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from mcts_math.evaluate.grading import Grader
from mcts_math.tasks import JsonObject
from mcts_math.train.analysis import read_judged
from mcts_math.tree import Tree

Fate: TypeAlias = Literal["right", "outranked", "dropped", "not found"]
FATES: tuple[Fate, ...] = ("right", "outranked", "dropped", "not found")
"""Of a question's right answer: the search's own; among its solutions, below a wrong one; sampled, but not kept; never
sampled. The value head is to blame for the second and the third; policy and temperature, or a branch that the head
cut early, for the last."""


def fates(path: str | Path, grader: Grader) -> dict[str, Fate]:
    """The fate of each question's right answer in a results file of step-level beam search, by question id."""
    return {tree.task.id: _fate(tree, verdicts) for tree, verdicts in read_judged(path, grader)}


def count_fates(found: Mapping[str, Fate], greedy: Mapping[str, float]) -> JsonObject:
    """How many questions met which fate, apart for those that greedy decoding gets right and for the others.

    Args:
        found: of `fates`.
        greedy: question id -> 1 where greedy decoding is right, else 0; questions that are missing here are left out.
    """
    counted = Counter((bool(greedy[i]), fate) for i, fate in found.items() if i in greedy)
    return {
        name: {fate: counted[right, fate] for fate in FATES}
        for name, right in (("greedy right", True), ("greedy wrong", False))
    }


def render_fates(method: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    """A Markdown table of `count_fates`."""
    lines = [f"| {method}: the right answer is … | {' | '.join(_TITLES.values())} |", "|---" * 5 + "|"]
    for name, row in counts.items():
        lines.append(f"| {name} | {' | '.join(str(row[fate]) for fate in FATES)} |")
    return "\n".join(lines)


_TITLES: dict[Fate, str] = {
    "right": "chosen",
    "outranked": "ranked below a wrong one",
    "dropped": "sampled, not kept",
    "not found": "never sampled",
}


def _fate(tree: Tree, verdicts: Mapping[int, bool]) -> Fate:
    kept = [verdicts[i] for i in tree.solutions]
    if kept and kept[0]:
        return "right"
    if any(kept):
        return "outranked"
    return "dropped" if any(verdicts.values()) else "not found"
