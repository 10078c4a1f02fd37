"""Answers that are equal, put together: the classes behind Maj@k."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from mcts_math.answer.rules.check import is_equiv
from mcts_math.answer.rules.keys import canonical_key


@dataclass(frozen=True, slots=True)
class AnswerClass:
    """Equal answers.

    Attributes:
        answer: the first of them.
        members: their positions among all answers, ascending.
        weight: the sum of their weights.
    """

    answer: str
    members: tuple[int, ...]
    weight: float


def answer_classes(
    answers: Sequence[str],
    weights: Sequence[float] | None = None,
    same: Callable[[str, str], bool] = is_equiv,
    key: Callable[[str], Hashable | None] = canonical_key,
) -> list[AnswerClass]:
    """Groups answers by equality, in order of first appearance.

    Two answers are in one class where a chain of equal ones joins them, so the classes do not depend on the order.

    Args:
        answers: the answers; an unreadable one equals only its own text.
        weights: one for each answer, >= 0; 1 each where None.
        same: whether two answers are equal; asked about one answer of each key, never about one pair twice.
        key: answers with equal keys are equal; None: no other is known to be.

    Raises:
        ValueError: there are not as many weights as answers.
    """
    if weights is not None and len(weights) != len(answers):
        raise ValueError(f"{len(weights)} weights for {len(answers)} answers")
    keys = {answer: key(answer) for answer in dict.fromkeys(answers)}
    known: dict[Hashable, int] = {}  # a key's place among the representatives; an answer without a key is its own
    places = {answer: known.setdefault(("own", answer) if k is None else k, len(known)) for answer, k in keys.items()}
    first = {place: answer for answer, place in reversed(places.items())}
    texts = [first[place] for place in range(len(known))]
    parents = list(range(len(texts)))

    def root(index: int) -> int:
        while parents[index] != index:
            index = parents[index]
        return index

    for later in range(len(texts)):
        for earlier in range(later):
            mine, other = root(earlier), root(later)
            if mine != other and same(texts[earlier], texts[later]):
                parents[max(mine, other)] = min(mine, other)
    groups: dict[int, list[int]] = {}
    for index, answer in enumerate(answers):
        groups.setdefault(root(places[answer]), []).append(index)
    return [
        AnswerClass(
            answers[members[0]], tuple(members), sum(weights[i] if weights is not None else 1.0 for i in members)
        )
        for members in groups.values()
    ]


def majority(
    answers: Sequence[str],
    weights: Sequence[float] | None = None,
    same: Callable[[str, str], bool] = is_equiv,
    key: Callable[[str], Hashable | None] = canonical_key,
) -> AnswerClass | None:
    """The heaviest class of equal answers, the first to appear among equally heavy ones; None without answers.

    Args and errors: as `answer_classes`.
    """
    classes = answer_classes(answers, weights, same, key)
    return max(classes, key=lambda group: group.weight, default=None)
