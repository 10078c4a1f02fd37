"""What evaluation needs of a line of results: ours, an earlier one of ours, or a published one, whose columns are
the user's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import RecordError
from mcts_math.run import record as records
from mcts_math.run.nodes import answer_in
from mcts_math.step import Outcome
from mcts_math.tasks import JsonObject, Task, is_ours

GROUP_KEYS: Final = ("level", "type", "subject", "human_type", "difficulty")


@dataclass(frozen=True, slots=True)
class Line:
    """What evaluation needs of one line."""

    id: str
    golds: tuple[str, ...]  # accepted answers; empty where unknown
    answers: tuple[str, ...]  # candidates, best first
    found: int  # how many solutions there are: candidates, and programs
    steps: int  # length of the first of these; 0 where there is none
    costs: Mapping[str, float]  # the line's `cost`, where it has one
    groups: Mapping[str, str]  # values of the keys to break down by
    way: str  # in which it was made, see `record.way_of`
    error: bool  # the search broke down
    stopped: bool  # the search was cut by a limit
    verdict: bool | None = None  # what the run found, for tasks that are judged by tests
    oracle: bool = False  # the ground truth took part in the search or chose the answer
    voters: tuple[str, ...] = ()  # for a vote: where verdicts put right ones first, in the order they were made


def read_lines(path: str | Path, *, react: bool = False) -> Iterator[Line]:
    """Streams the lines of a file; with `react` the candidate is the answer of the deepest node. Raises RecordError:
    a line that is broken, without a tree, or of a question that stood before."""
    seen: set[str] = set()
    for where, task_id, record in records.read_results(path):
        if task_id in seen:
            raise RecordError(f"{where}: question {task_id!r} stands twice in this file. Keep one of its lines.")
        seen.add(task_id)
        yield _read_line(record, task_id, where, react)


def groups_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The kinds that a line's question is of, by the keys that tell them."""
    return {key: str(record[key]) for key in GROUP_KEYS if isinstance(record.get(key), (str, int))}


def _read_line(record: JsonObject, task_id: str, where: str, react: bool) -> Line:
    records.require_tree(record, where)
    task, error = records.record_to_task(record, where), records.error_of(record)
    found = _deepest(record, task) if react else _chosen(record, task, where, error)
    oracle = records.is_oracle(record)
    return Line(
        id=task_id,
        golds=task.answers,
        answers=_answers(found),
        found=len(found),
        steps=str(found[0].get("tag", "")).count(".") if found else 0,
        costs=records.costs_of(record, where),
        groups=groups_of(record),
        way=records.way_of(record),
        error=bool(error),
        stopped=is_ours(record) and bool(record.get("stopped")),
        verdict=None if task.answers else records.known_verdict(record, task),
        oracle=oracle,
        voters=_answers(_as_made(record, where, found) if oracle and not react else found),
    )


def _deepest(record: JsonObject, task: Task) -> list[Mapping[str, Any]]:
    """The deepest node of a chain, where it ends with what can be judged."""
    nodes = records.nodes_of(record)
    tag = max(nodes, key=lambda tag: tag.count("."))
    node = nodes[tag] if isinstance(nodes[tag], dict) else {}
    is_program = task.is_code and node.get("outcome") == Outcome.REPLY.value
    return [node | {"tag": tag}] if is_program or answer_in(node) is not None else []


def _chosen(record: JsonObject, task: Task, where: str, error: str) -> list[Mapping[str, Any]]:
    """The chosen solutions that can be judged, best first: those with an answer, of a problem of code all of them."""
    if not records.has_solutions(record) and not error:
        raise RecordError(f"{where}: no `solutions`. Choose them with offline_inference.py first, or add --react.")
    return [one for one in records.read_solutions(record, where) if task.is_code or answer_in(one) is not None]


def _answers(solutions: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(answer for answer in map(answer_in, solutions) if answer is not None)


def _as_made(record: Mapping[str, Any], where: str, solutions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Solutions in the order of the attempts that ended in them; others keep their place behind these."""
    ids = {tag: place for place, tag in enumerate(records.nodes_of(record))}
    order = {attempt.node: place for place, attempt in enumerate(records.read_attempts(record, where, ids))}
    return sorted(solutions, key=lambda solution: order.get(ids.get(solution.get("tag", ""), -1), len(order)))
