"""Results on disk: a tree as one JSON line in the published tag form (SPEC A4), and back.

The published English sentences and the value -100 exist in this file only. A line is the input record plus `react`: tag
-> node, and `solutions` among the tags, where the published readers look for them. Beside `react` stand keys of ours
that published readers pass over: `id`, `format`, `step_delim`, `value_source`, `method`, `oracle` (the ground truth
took part in the search or chose the answer), `cost`, `correct`, `stopped`, `error`, `attempts`. A column of the user's
that has one of these names is kept under `input`.

Of a single chain `solutions` stands beside `react`: published readers take the longest key of `react` for its last
node.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from mcts_math.errors import RecordError, TaskError
from mcts_math.formats import StepFormat
from mcts_math.messages import Message
from mcts_math.methods import Method
from mcts_math.step import CellStatus, Outcome, Run, Step, Verdict
from mcts_math.tasks import JsonObject, Task, derived_id, given_id, is_ours, result_columns, stated_task, user_columns
from mcts_math.tree import Attempt, Node, Tree, new_tree

T = TypeVar("T")

ROOT_TAG: Final = "0"
SOLUTIONS: Final = "solutions"
NO_VALUE: Final = -100.0
FAILURES: Final = {
    Outcome.UNPARSABLE: "Fail to generate parsable text for next step.",
    Outcome.TOO_DEEP: "Fail to sove the problem within limited steps.",
    Outcome.TOO_MANY_ERRORS: "Too many consecutive steps have code errors.",
}
_OUTCOMES: Final = {sentence: outcome for outcome, sentence in FAILURES.items()}
_NO_STEP: Final = Step("", Outcome.CONTINUE)  # what a root shows
_NO_RUN: Final = Run("", "")
_UNPUBLISHED: Final = (Outcome.REPLY, Outcome.USER)  # which the published form can't tell from an ordinary step


def read_answer(data: Mapping[str, Any]) -> str | None:
    """The `final_answer` of a node or a solution; None where it is absent, empty or one of the failure sentences.

    Files of other programs may hold a number where ours hold its text.
    """
    answer = data.get("final_answer")
    if isinstance(answer, (int, float)) and not isinstance(answer, bool) and math.isfinite(answer):
        return str(answer)
    return answer if isinstance(answer, str) and answer and answer not in _OUTCOMES else None


def tree_to_record(
    tree: Tree, method: Method, form: StepFormat, *, cost: Mapping[str, Any] | None = None
) -> JsonObject:
    """The line of a finished tree.

    Args:
        tree: what the search left.
        method: which searched.
        form: the format of the steps.
        cost: what the tree cost, under the key `cost`.
    """
    tags = {node.id: tag for tag, node in tree.tags()}
    nodes: JsonObject = {tag: _node_to_json(tree, node, method.backs_up) for tag, node in tree.tags()}
    solutions = [solution_of(tree, tree.nodes[i], tags[i], form.step_delim) for i in tree.solutions]
    record = _columns(tree.task) | {"react": nodes, "format": form.name, "step_delim": form.step_delim}
    (record if method.is_chain else nodes)[SOLUTIONS] = solutions
    if cost is not None:
        record["cost"] = dict(cost)
    if tree.correct is not None:
        record["correct"] = tree.correct
    if tree.stopped:
        record["stopped"] = tree.stopped
    if tree.attempts:
        record["attempts"] = [_attempt_to_json(attempt, tags) for attempt in tree.attempts]
    return record


def error_to_record(task: Task, error: str) -> JsonObject:
    """The line of a question whose search broke down; a resumed run tries it again."""
    tree = new_tree(task)
    return _columns(task) | {"react": {ROOT_TAG: _node_to_json(tree, tree.root, False), SOLUTIONS: []}, "error": error}


def _columns(task: Task) -> JsonObject:
    """What the user gave, and an id. A task made by hand need not hold a record of itself."""
    stated: JsonObject = {"question": task.question} | ({"answer": list(task.answers)} if task.answers else {})
    record = result_columns(stated | dict(task.record))
    return record if str(record.get("id")) == task.id else record | {"id": task.id}


def error_of(record: Mapping[str, Any]) -> str:
    """Why the search of a line broke down; "" where it did not. Such a line has a root and nothing else."""
    error = record.get("error")
    return error if isinstance(error, str) and len(nodes_of(record)) <= 1 else ""


def nodes_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a line by tag; empty where it holds no tree."""
    react = record.get("react")
    return {tag: node for tag, node in react.items() if tag != SOLUTIONS} if isinstance(react, dict) else {}


def record_to_tree(record: Mapping[str, Any], where: str = "record") -> Tree:
    """Rebuilds the tree of a line, ours or a published one. Children keep the order of their tags' last numbers.

    Raises:
        RecordError: naming `where` and what is wrong.
    """
    nodes = nodes_of(record)
    if ROOT_TAG not in nodes:
        raise RecordError(f"{where}: no search tree (`react` with a root {ROOT_TAG!r}). Is this a results file?")
    try:
        tree = new_tree(record_to_task(record, where))
        _read_node(tree.root, nodes[ROOT_TAG])
        ids = {ROOT_TAG: 0}
        for tag in sorted_tags(record)[1:]:
            parent = ids.get(tag.rpartition(".")[0])
            if parent is None:
                raise RecordError(f"{where}: node {tag!r} has no parent. The tree is not whole; solve it again.")
            node = tree.add_child(tree.nodes[parent], _json_to_step(nodes[tag]), float(nodes[tag].get("prior", 1.0)))
            _read_node(node, nodes[tag])
            ids[tag] = node.id
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where}: not a search tree of a known form: {error!r}.") from error
    chosen = [item.get("tag") for item in read_solutions(record, where)]
    tree.solutions = [ids[tag] for tag in chosen if tag in ids]
    if not is_ours(record):  # what else is called so is the user's
        return tree
    try:
        correct = record.get("correct")
        tree.stopped, tree.correct = str(record.get("stopped", "")), correct if isinstance(correct, bool) else None
        tree.attempts = [_json_to_attempt(item, ids) for item in record.get("attempts") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where}: not a list of attempts of a known form: {error!r}.") from error
    return tree


def sorted_tags(record: Mapping[str, Any]) -> list[str]:
    """The tags of a line, by the id `record_to_tree` gives their nodes; a foreign file may number them otherwise."""
    return sorted(nodes_of(record), key=_tag_key)


def read_solutions(record: Mapping[str, Any], where: str = "record") -> list[JsonObject]:
    """The `solutions` of a line, none where it has none. Raises RecordError where they have another form."""
    solutions = _find_solutions(record)
    if solutions is None:
        return []
    if not isinstance(solutions, list) or not all(isinstance(item, dict) for item in solutions):
        raise RecordError(f"{where}: `solutions` is not a list of objects. Mend or remove the line.")
    return solutions


def has_solutions(record: Mapping[str, Any]) -> bool:
    """Whether solutions were chosen, if only none."""
    return _find_solutions(record) is not None


def with_solutions(record: Mapping[str, Any], solutions: list[JsonObject]) -> JsonObject:
    """The line with other solutions, where they stood; among the tags where there were none."""
    if SOLUTIONS not in record["react"] and _find_solutions(record) is not None:
        return dict(record) | {SOLUTIONS: solutions}
    return dict(record) | {"react": nodes_of(record) | {SOLUTIONS: solutions}}


def _find_solutions(record: Mapping[str, Any]) -> Any:
    """They stand among the tags, or beside `react`: of a chain, and in earlier files of ours."""
    react = record.get("react")
    inside = react.get(SOLUTIONS) if isinstance(react, dict) else None
    if inside is not None:
        return inside
    beside = record.get(SOLUTIONS)
    return beside if is_ours(record) or _are_solutions(beside) else None


def _are_solutions(items: Any) -> bool:
    """Whether they have the form of solutions; else a published line's column of this name is the user's."""
    return isinstance(items, list) and all(isinstance(item, dict) and "final_answer" in item for item in items)


def record_to_task(record: Mapping[str, Any], where: str = "record") -> Task:
    """The task of a line; its id is "" where the line, a published one, has none. Raises RecordError."""
    try:
        return stated_task(given_id(record), user_columns(record), where)
    except TaskError as error:
        raise RecordError(str(error)) from error


def id_of(record: Mapping[str, Any], copies: Counter[str]) -> str:
    """The question of a line; of a published one, which has no id, the id that its question would get."""
    return given_id(record) or derived_id(str(record.get("question", "")), copies)


def solution_of(tree: Tree, node: Node, tag: str, step_delim: str) -> JsonObject:
    """An entry of `solutions`: the solution that ends at a node."""
    return {
        "question": tree.task.question,
        "ground_truth": tree.task.record.get("answer", list(tree.task.answers) or None),
        "value": NO_VALUE if node.value is None else node.value,
        "final_answer": node.answer,
        "solution": step_delim.join(step.text for step in tree.steps(node)),
        "tag": tag,
    }


def _node_to_json(tree: Tree, node: Node, backs_up: bool) -> JsonObject:
    step = node.step or _NO_STEP
    run, *further = step.runs or (_NO_RUN,)
    data: JsonObject = {
        "text": step.text,
        "extra_info": f"question: {tree.task.question}" if node.step is None else "",
        "action": run.tool,
        "action_input": run.input,
        "final_answer": FAILURES.get(step.outcome, step.answer or ""),
        "value": NO_VALUE if node.value is None else node.value,
    }
    if backs_up:
        data |= {"q_value": node.q_value, "prior": node.prior, "visit_count": node.visit_count}
    data |= _there(estimate=node.estimate)
    if node.step is not None:  # what the published form has no place for
        data |= {"logprob": step.logprob, "num_tokens": step.num_tokens}
        data |= _run_to_json(run)
        more = [{"action": run.tool, "action_input": run.input} | _run_to_json(run) for run in further]
        data |= _there(further_runs=more or None, message=None if step.message is None else step.message.to_json())
        data |= _there(correct=step.correct, outcome=step.outcome.value if step.outcome in _UNPUBLISHED else None)
    return data | _there(terminal=node.terminal or None)


def _there(**fields: Any) -> JsonObject:
    """The fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def _run_to_json(run: Run) -> JsonObject:
    ended: JsonObject = {} if run.status is None else {"status": run.status.value, "seed": run.seed}
    return _there(observation=run.observation) | ended | _there(call_id=run.call_id or None)


def _json_to_run(data: Mapping[str, Any]) -> Run:
    status = data.get("status", CellStatus.ERROR.value if data.get("failed") else None)
    return Run(
        str(data["action"]),
        str(data.get("action_input") or ""),
        data.get("observation"),
        None if status is None else CellStatus(status),
        int(data.get("seed", 0)),
        str(data.get("call_id", "")),
    )


def _attempt_to_json(attempt: Attempt, tags: Mapping[int, str]) -> JsonObject:
    return {
        "tag": tags[attempt.node],
        "verdict": None if attempt.verdict is None else attempt.verdict.value,
        "answer": attempt.answer,
        "tokens": attempt.tokens,
        "prompt_tokens": attempt.prompt_tokens,
        "seconds": round(attempt.seconds, 6),
    } | _there(adapted_tokens=attempt.adapted_tokens or None, loss=attempt.loss, note=attempt.note or None)


def _json_to_attempt(data: Mapping[str, Any], ids: Mapping[str, int]) -> Attempt:
    verdict = data["verdict"]
    return Attempt(
        node=ids[data["tag"]],
        verdict=None if verdict is None else Verdict(verdict),
        answer=data.get("answer"),
        tokens=int(data.get("tokens", 0)),
        prompt_tokens=int(data.get("prompt_tokens", 0)),
        adapted_tokens=int(data.get("adapted_tokens", 0)),
        seconds=float(data.get("seconds", 0.0)),
        loss=_number(data, "loss", None, math.nan),
        note=str(data.get("note", "")),
    )


def _tag_key(tag: str) -> tuple[int, tuple[int, ...]]:
    numbers = tuple(int(part) for part in tag.split("."))
    return len(numbers), numbers


def _json_to_step(data: Mapping[str, Any]) -> Step:
    answer, said = read_answer(data), data["final_answer"]
    outcome = Outcome.ANSWER if answer is not None else _OUTCOMES.get(said, Outcome.CONTINUE)
    return Step(
        text=data["text"],
        outcome=Outcome(data.get("outcome", outcome)),
        runs=tuple(map(_json_to_run, ([data] if data.get("action") else []) + data.get("further_runs", []))),
        answer=answer,
        logprob=_number(data, "logprob", 0.0, -math.inf),
        num_tokens=int(data.get("num_tokens", 0)),
        correct=data.get("correct"),
        message=None if data.get("message") is None else Message.from_json(data["message"]),
    )


def _number(data: Mapping[str, Any], key: str, absent: T, null: float) -> T | float:
    """A number that may be missing; null is what JSON has no word for: an infinity, or NaN."""
    value = data.get(key, absent)
    return null if value is None else float(value)


def _read_node(node: Node, data: Mapping[str, Any]) -> None:
    value = float(data.get("value", NO_VALUE))
    node.value = None if value == NO_VALUE else value
    node.estimate = None if data.get("estimate") is None else float(data["estimate"])
    node.visit_count = int(data.get("visit_count", 0))
    node.value_sum = float(data.get("q_value", 0.0)) * node.visit_count
    node.terminal = bool(data.get("terminal", node.terminal))
