"""Answers that are equal, put together: the classes behind Maj@k."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from mcts_math.answer.parse.read import read
from mcts_math.answer.rules.check import is_equiv
from mcts_math.answer.text.remarks import says_or
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.nodes import Quantity, walk
from mcts_math.answer.values.shapes import unwrap


@dataclass(frozen=True, slots=True)
class AnswerClass:
    """Equal answers."""

    answer: str  # the first of them
    members: tuple[int, ...]  # their positions among all answers, ascending
    weight: float  # the sum of their weights


def canonical_key(answer: str) -> Hashable | None:
    """What an answer was read as: answers with equal keys are equal under every policy.

    Answers with different keys may still be equal (`0.333` and `1/3`, `x+1` and `1+x`): compare one of each key.

    Returns:
        The key; None for an empty answer, which equals nothing.
    """
    reading = read(answer)
    if reading.node is None:
        return ("text", reading.figures, reading.text) if reading.text else None
    node, more = unwrap(reading.node), (reading.figures, reading.beside, says_or(answer))
    if not any(isinstance(part, Quantity) for part in walk(node)):
        value = exact(node)
        if value is not None:
            return ("value", *more, value)
    return ("node", *more, node)


def answer_classes(
    answers: Sequence[str],
    weights: Sequence[float] | None = None,
    same: Callable[[str, str], bool] = is_equiv,
) -> list[AnswerClass]:
    """Groups answers by equality, in order of first appearance.

    Two answers are in one class where a chain of equal ones joins them, so the classes do not depend on the order.

    Args:
        answers: the answers; an unreadable one equals only its own text.
        weights: one for each answer, >= 0; 1 each where None.
        same: whether two answers are equal; asked about one answer of each key, never about one pair twice.

    Raises:
        ValueError: there are not as many weights as answers.
    """
    if weights is not None and len(weights) != len(answers):
        raise ValueError(f"{len(weights)} weights for {len(answers)} answers")
    members: dict[Hashable, list[int]] = {}
    known = {answer: canonical_key(answer) for answer in dict.fromkeys(answers)}
    for index, answer in enumerate(answers):
        own = known[answer]
        members.setdefault(("own", answer) if own is None else ("key", own), []).append(index)
    classes: list[list[list[int]]] = []  # of lists of answers with one key, the first of which stands for the others
    for alike in members.values():
        text = answers[alike[0]]
        joined = [group for group in classes if any(same(answers[other[0]], text) for other in group)]
        classes = [group for group in classes if group not in joined]
        classes.append([*(other for group in joined for other in group), alike])
    found = sorted(sorted(index for alike in group for index in alike) for group in classes)
    share = [1.0] * len(answers) if weights is None else weights
    return [AnswerClass(answers[group[0]], tuple(group), sum(share[i] for i in group)) for group in found]


def majority(
    answers: Sequence[str],
    weights: Sequence[float] | None = None,
    same: Callable[[str, str], bool] = is_equiv,
) -> AnswerClass | None:
    """The heaviest class of equal answers, the first to appear among equally heavy ones; None without answers.

    Args and errors: as `answer_classes`.
    """
    classes = answer_classes(answers, weights, same)
    return max(classes, key=lambda group: group.weight, default=None)
