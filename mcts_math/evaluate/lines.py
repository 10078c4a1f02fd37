"""What evaluation needs of a line of results: ours, an earlier one of ours, or a published one.

Only keys that a run has written are taken for results; a user's column of such a name is under `input`
(`tasks.task.RUN_KEYS`), and in a line that no run of ours made it is not believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import RecordError
from mcts_math.files import read_records
from mcts_math.run.nodes import answer_in
from mcts_math.run.record import error_of, has_solutions, id_of, nodes_of, read_solutions, record_to_task
from mcts_math.tasks import JsonObject, is_ours

GROUP_KEYS: Final = ("level", "type", "subject", "human_type", "difficulty")


@dataclass(frozen=True, slots=True)
class Line:
    """What evaluation needs of one line.

    Attributes:
        id: the question.
        golds: accepted answers; empty where unknown.
        answers: candidates, best first.
        voters: the same for a vote: where the verdicts put right ones first, attempts in the order they were made in.
        steps: length of the first candidate's solution; 0 where there is none.
        costs: the line's `cost`, where it has one.
        groups: values of the keys to break down by.
        error: the search broke down.
        stopped: the search was cut by a limit.
        verdict: what the run found, for tasks that are judged by tests.
        oracle: the ground truth took part in the search or chose the answer.
    """

    id: str
    golds: tuple[str, ...]
    answers: tuple[str, ...]
    steps: int
    costs: Mapping[str, float]
    groups: tuple[tuple[str, str], ...]
    error: bool
    stopped: bool
    verdict: bool | None = None
    oracle: bool = False
    voters: tuple[str, ...] = ()


def read_lines(path: str | Path, *, react: bool = False) -> Iterator[Line]:
    """Streams the lines of a file.

    Args:
        path: a results file.
        react: the candidate is the answer of the deepest node, not the first of the solutions.

    Raises:
        RecordError: a broken line, or one without a tree.
    """
    copies: Counter[str] = Counter()
    for where, record in read_records(path):
        yield _read_line(record, where, react, copies)


def deepest_answer(record: Mapping[str, Any]) -> tuple[str, int] | None:
    """The answer of a chain's deepest node and its depth; None where that node has no answer."""
    nodes = nodes_of(record)
    tag = max(nodes, key=lambda tag: tag.count("."))
    answer = answer_in(nodes[tag]) if isinstance(nodes[tag], dict) else None
    return None if answer is None else (answer, tag.count("."))


def costs_of(record: Mapping[str, Any]) -> dict[str, float]:
    """What a line says that its question cost; empty where it says nothing."""
    cost = record.get("cost")
    numbers = cost.items() if isinstance(cost, dict) and is_ours(record) else ()
    return {k: v for k, v in numbers if isinstance(v, (int, float)) and not isinstance(v, bool)}


def verdict_of(record: Mapping[str, Any]) -> bool | None:
    """What the run found of the line's answer; None where it did not judge, or the line is not of a run of ours."""
    correct = record.get("correct")
    return correct if isinstance(correct, bool) and is_ours(record) else None


def _read_line(record: JsonObject, where: str, react: bool, copies: Counter[str]) -> Line:
    if not nodes_of(record):
        raise RecordError(f"{where}: no search tree (key `react`). Is this a results file?")
    answers: list[str] = []
    as_made: list[str] | None = None
    steps, error = 0, error_of(record)
    if react:
        if (found := deepest_answer(record)) is not None:
            answers, steps = [found[0]], found[1]
    elif has_solutions(record):
        solutions = read_solutions(record, where)
        answers = _answers(solutions)
        if is_ours(record) and record.get("oracle") is True:
            as_made = _answers(_as_made(record, solutions))
        steps = str(solutions[0].get("tag", "")).count(".") if answers else 0
    elif not error:
        raise RecordError(f"{where}: no `solutions`. Choose them with offline_inference.py first, or add --react.")
    task = record_to_task(record, where)
    return Line(
        id=id_of(record, copies),
        golds=task.answers,
        answers=tuple(answers),
        steps=steps,
        costs=costs_of(record),
        groups=tuple((key, str(record[key])) for key in GROUP_KEYS if isinstance(record.get(key), (str, int))),
        error=bool(error),
        stopped=is_ours(record) and bool(record.get("stopped")),
        verdict=None if task.answers else verdict_of(record),
        oracle=is_ours(record) and record.get("oracle") is True,
        voters=tuple(answers if as_made is None else as_made),
    )


def _answers(solutions: Iterable[Mapping[str, Any]]) -> list[str]:
    return [answer for answer in map(answer_in, solutions) if answer is not None]


def _as_made(record: Mapping[str, Any], solutions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Solutions in the order of the attempts that ended in them; others keep their place behind these."""
    attempts = record.get("attempts") or []
    order = {attempt.get("tag"): i for i, attempt in enumerate(attempts) if isinstance(attempt, dict)}
    return sorted(solutions, key=lambda solution: order.get(solution.get("tag"), len(order)))
