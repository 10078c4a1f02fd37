"""What the page shows of a line of results: an entry of the list, and the tree, which leaves out what is not there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.lines import groups_of
from mcts_math.formats import StepFormat
from mcts_math.run import record as records
from mcts_math.search.extract import extract
from mcts_math.step import CellStatus, Outcome, Step
from mcts_math.tasks import JsonObject
from mcts_math.tree import Attempt, Node, Tree
from mcts_math.view.parts import split_step
from mcts_math.view.turns import added_turns, format_of, opening

_SEARCHED: Final = 1000
"""Characters of a question that the list can be searched for."""
_SHOWN: Final = 200
_COSTS: Final = ("seconds", "prompt_tokens", "cached_tokens", "value_tokens", "cells")


@dataclass(slots=True)
class Question:
    """One line."""

    # what the list shows: `id`, `question`, `state` (right, wrong, unjudged, error), `answer`, `golds`, `value` of
    # the solution, `nodes`, `tokens`, `costs`, `groups` (level, type, …), `stopped`, `error`, `oracle`, `is_code`.
    # Where its tree is to be found, `at`, comes from the file or the server.
    entry: JsonObject
    # what is drawn when the question is opened: `nodes`, parents before children; `solutions`, indices of nodes; and
    # what concerns all nodes
    tree: JsonObject
    golds: tuple[str, ...] = ()  # accepted answers; empty where unknown
    answer: str | None = None  # what is to be judged, where the line holds no verdict; None where nothing is


def read_question(record: Mapping[str, Any], where: str, task_id: str) -> Question:
    """What the page shows of a line, ours or a published one. Raises RecordError where it holds no whole tree."""
    tree = records.record_to_tree(record, where)
    error = records.error_of(record)
    chosen_here = not records.has_solutions(record) and not error
    if chosen_here:
        tree.solutions = choose_solutions(tree, backs_up=records.is_backed_up(record))
    golds, verdict = tree.task.answers, records.known_verdict(record, tree.task)
    answer = next((tree.nodes[i].answer for i in tree.solutions if tree.nodes[i].answer), None)
    if verdict is None and golds and answer is None:
        verdict = False
    broken = bool(error) and (bool(golds) or verdict is not None)  # counts as wrong
    costs = records.costs_of(record, where)
    entry = _entry(tree, record, answer, costs) | {"id": task_id, "state": _state(verdict, error), "broken": broken}
    shown = _tree(tree, record, costs) | {"id": task_id, "chosen_here": chosen_here}
    question = Question(_without_nothing(entry | {"error": error[:_SHOWN]}), _without_nothing(shown | {"error": error}))
    if verdict is None and golds and not error:
        question.golds, question.answer = golds, answer
    return question


def grade_questions(questions: Iterable[Question], grader: Grader) -> None:
    """Fills in the state of those that hold no verdict."""
    waiting = [question for question in questions if question.answer is not None]
    pairs = [(question.golds, question.answer or "") for question in waiting]
    for question, verdict in zip(waiting, grader.verdicts(pairs), strict=True):
        question.entry["state"] = _state(verdict, "")


def choose_solutions(tree: Tree, *, backs_up: bool) -> list[int]:
    """Solutions of a tree whose file names none: a searched one's by Q, as MCTS chooses; else its deepest one."""
    if backs_up:
        return extract(tree, strategy="q_value", pruned=True)
    return tree.solutions_in([max(tree.nodes, key=lambda node: node.depth)])


def _state(verdict: bool | None, error: str) -> str:
    if error:
        return "error"
    return {True: "right", False: "wrong", None: "unjudged"}[verdict]


def _entry(tree: Tree, record: Mapping[str, Any], answer: str | None, costs: Mapping[str, float]) -> JsonObject:
    best = tree.nodes[tree.solutions[0]] if tree.solutions else None
    return {
        "question": tree.task.question[:_SEARCHED],
        "answer": (answer or "")[:_SHOWN],
        "golds": " or ".join(tree.task.answers)[:_SHOWN],
        "stopped": tree.stopped,
        "value": None if best is None else rounded(best.value),
        "nodes": len(tree.nodes),
        "tokens": int(costs.get("tokens", sum(node.step.num_tokens for node in tree.nodes if node.step is not None))),
        "costs": {key: rounded(costs[key]) for key in _COSTS if key in costs},
        "groups": {key: kind[:_SHOWN] for key, kind in groups_of(record).items()},
        "oracle": records.is_oracle(record),
        "is_code": tree.task.is_code,  # the program is the answer
    }


def _tree(tree: Tree, record: Mapping[str, Any], costs: Mapping[str, float]) -> JsonObject:
    name, form = format_of(record, tree)
    before, has_examples = opening(tree.task, form)
    backs_up, tags = records.is_backed_up(record), records.sorted_tags(record)
    return {
        "question": tree.task.question,
        "golds": list(tree.task.answers),
        "format": name,
        "delimiter": "\n" if form is None else form.step_delim,
        "opening": before,
        "has_examples": has_examples,
        "backs_up": backs_up,
        "nodes": [
            _node(node, backs_up) | _step(tree, node, name, form) | {"tag": tag}
            for node, tag in zip(tree.nodes, tags, strict=True)
        ],
        "solutions": tree.solutions,
        "stopped": tree.stopped,
        "costs": {key: rounded(value) for key, value in costs.items()},
        "attempts": [_attempt(attempt) for attempt in tree.attempts],
    }


def _node(node: Node, backs_up: bool) -> JsonObject:
    data: JsonObject = {"parent": node.parent, "value": rounded(node.value), "estimate": rounded(node.estimate)}
    if backs_up:
        data |= {"q": rounded(node.q_value), "n": node.visit_count, "prior": rounded(node.prior)}
    return _without_nothing(data | {"terminal": node.terminal})


def _step(tree: Tree, node: Node, name: str, form: StepFormat | None) -> JsonObject:
    step = node.step
    if step is None:
        return {}
    return _without_nothing(
        {
            "kind": step.outcome.value,
            "parts": [("user", step.text)] if step.outcome is Outcome.USER else split_step(step, name),
            "thinking": "" if step.message is None else step.message.thought,
            "turns": added_turns(tree.task, step, form),
            "answer": step.answer,
            "correct": step.correct,
            "status": _status(step),
            "logprob": rounded(step.logprob) if step.num_tokens else None,
            "tokens": step.num_tokens,
        }
    )


def _status(step: Step) -> str | None:
    """How the code of a step ended; of several cells, the first that failed."""
    statuses = [run.status for run in step.runs if run.status is not None]
    worst = next((status for status in statuses if status is not CellStatus.OK), statuses[0] if statuses else None)
    return None if worst is None else worst.value


def _attempt(attempt: Attempt) -> JsonObject:
    verdict = None if attempt.verdict is None else attempt.verdict.value
    shown = {"verdict": verdict, "seconds": rounded(attempt.seconds), "loss": rounded(attempt.loss)}
    plain = {key: getattr(attempt, key) for key in ("node", "answer", "tokens", "note")}
    return _without_nothing(plain | shown)


def rounded(value: float | None) -> float | int | None:
    """Six digits; None, which JSON can say, where it is no number."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short


def _without_nothing(data: JsonObject) -> JsonObject:
    """Without what is missing, empty or False. A number stays, if it is 0."""
    return {key: value for key, value in data.items() if value or (value == 0 and value is not False)}
