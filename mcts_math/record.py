"""Results on disk: a tree as one JSON line in the published tag form (SPEC A4), and back.

The published English sentences and the value -100 exist in this file only. A line is the input record plus `react`
(tag -> node), `solutions`, and keys of ours that published readers pass over: `id`, `cost`,
`correct`, `stopped`, `error`, and of methods that make whole attempts `attempts` and `method`; and
`oracle` where the ground truth took part in the search or chose the answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mcts_math.errors import RecordError, TaskError
from mcts_math.step import TOOL, Outcome, Step, Verdict
from mcts_math.task import JsonObject, Task, answers_of
from mcts_math.tree import Attempt, Node, Tree, new_tree

ROOT_TAG = "0"
NO_VALUE = -100.0
FAILURES = {
    Outcome.UNPARSABLE: "Fail to generate parsable text for next step.",
    Outcome.TOO_DEEP: "Fail to sove the problem within limited steps.",
    Outcome.TOO_MANY_ERRORS: "Too many consecutive steps have code errors.",
}
_OUTCOMES = {sentence: outcome for outcome, sentence in FAILURES.items()}
_UNPUBLISHED = (Outcome.REPLY, Outcome.USER)  # which the published form can't tell from an ordinary step


def is_answer(final_answer: Any) -> bool:
    """Whether a node's `final_answer` is an answer, not empty and not one of the failure sentences."""
    return isinstance(final_answer, str) and bool(final_answer) and final_answer not in _OUTCOMES


def tree_to_record(tree: Tree, *, mcts: bool, step_delim: str, cost: Mapping[str, Any] | None = None) -> JsonObject:
    """The line of a finished tree.

    Args:
        tree: what the search left.
        mcts: nodes carry q_value, prior and visit_count.
        step_delim: joins the steps of a solution's text.
        cost: what the tree cost, under the key `cost`.
    """
    tags = {node.id: tag for tag, node in tree.tags()}
    record: JsonObject = dict(tree.task.record) or {"question": tree.task.question}
    if record.get("id") in (None, ""):
        record["id"] = tree.task.id
    record["react"] = {tag: _node_to_json(tree, node, mcts) for tag, node in tree.tags()}
    record["solutions"] = [_solution(tree, tree.nodes[i], tags[i], step_delim) for i in tree.solutions]
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
    return tree_to_record(new_tree(task), mcts=False, step_delim="\n") | {"error": error}


def record_to_tree(record: Mapping[str, Any], where: str = "record") -> Tree:
    """Rebuilds the tree of a line, ours or a published one. Children keep the order of their tags' last numbers.

    Raises:
        RecordError: naming `where` and what is wrong.
    """
    react = record.get("react")
    if not isinstance(react, dict) or ROOT_TAG not in react:
        raise RecordError(f"{where}: no search tree (`react` with a root {ROOT_TAG!r}). Is this a results file?")
    try:
        tree = new_tree(record_to_task(record))
        _read_node(tree.root, react[ROOT_TAG])
        ids = {ROOT_TAG: 0}
        for tag in sorted_tags(record)[1:]:
            parent = ids.get(tag.rpartition(".")[0])
            if parent is None:
                raise RecordError(f"{where}: node {tag!r} has no parent. The tree is not whole; solve it again.")
            step = _json_to_step(react[tag])
            node = tree.add_child(tree.nodes[parent], step, float(react[tag].get("prior", 1.0)))
            _read_node(node, react[tag])
            ids[tag] = node.id
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where}: not a search tree of a known form: {error!r}.") from error
    chosen = [item.get("tag") for item in read_solutions(record, where)]
    tree.solutions = [ids[tag] for tag in chosen if tag in ids]
    tree.stopped = str(record.get("stopped", ""))
    tree.correct = record.get("correct")
    try:
        tree.attempts = [_json_to_attempt(item, ids) for item in record.get("attempts") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where}: not a list of attempts of a known form: {error!r}.") from error
    return tree


def sorted_tags(record: Mapping[str, Any]) -> list[str]:
    """The tags of a line, by the id `record_to_tree` gives their nodes; a foreign file may number them otherwise."""
    return sorted(record["react"], key=_tag_key)


def read_solutions(record: Mapping[str, Any], where: str = "record") -> list[JsonObject]:
    """The `solutions` of a line, none where it has no such key. Raises RecordError where they have another form."""
    solutions = record.get("solutions")
    if solutions is None:
        return []
    if not isinstance(solutions, list) or not all(isinstance(item, dict) for item in solutions):
        raise RecordError(f"{where}: `solutions` is not a list of objects. Mend or remove the line.")
    return solutions


def record_to_task(record: Mapping[str, Any]) -> Task:
    """The task of a line; its id is "" where the line, a published one, has none."""
    try:
        answers = answers_of(record)
    except TaskError as error:
        raise RecordError(str(error)) from error
    return Task(str(record.get("id", "")), str(record.get("question", "")), answers, record)


def read_records(path: str | Path, *, torn_ok: bool = False) -> Iterator[tuple[str, JsonObject]]:
    """Streams (where, record) of a results file, in constant memory.

    Args:
        path: a JSONL file.
        torn_ok: pass over a last line that was cut by a crash instead of raising.

    Raises:
        RecordError: naming file, line and remedy.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                where = f"{path}:{number}"
                record = parse_line(line)
                if record is not None:
                    yield where, record
                elif line.endswith(b"\n"):
                    raise RecordError(f"{where}: not a JSON object. Remove the line, or solve its question again.")
                elif not torn_ok:
                    raise RecordError(f"{where}: the last line is torn. Resume the run that wrote it with --resume.")
    except FileNotFoundError:
        raise RecordError(f"{path}: no such file.") from None
    except OSError as error:
        raise RecordError(f"{path} can't be read: {error}.") from error


def parse_line(line: bytes) -> JsonObject | None:
    """A line as an object; None where it is not one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def dump_line(record: JsonObject) -> bytes:
    """One line of UTF-8. Lone surrogates, which UTF-8 has no form for, are written as JSON escapes."""
    text = json.dumps(record, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record).encode() + b"\n"


def _node_to_json(tree: Tree, node: Node, mcts: bool) -> JsonObject:
    step = node.step
    data: JsonObject = {
        "text": "" if step is None else step.text,
        "extra_info": f"question: {tree.task.question}" if step is None else "",
        "action": TOOL if step is not None and step.code is not None else "",
        "action_input": (step.code or "") if step is not None else "",
        "final_answer": _final_answer(step),
        "value": NO_VALUE if node.value is None else node.value,
    }
    if mcts:
        data |= {"q_value": node.q_value, "prior": node.prior, "visit_count": node.visit_count}
    if step is not None:
        data |= {"logprob": step.logprob, "num_tokens": step.num_tokens}
        data |= {"failed": True} if step.failed else {}
        data |= {"correct": step.correct} if step.correct is not None else {}
        data |= {"outcome": step.outcome.value} if step.outcome in _UNPUBLISHED else {}
    return data | ({"terminal": True} if node.terminal else {})


def _final_answer(step: Step | None) -> str:
    if step is None:
        return ""
    return FAILURES.get(step.outcome, step.answer or "")


def _solution(tree: Tree, node: Node, tag: str, step_delim: str) -> JsonObject:
    return {
        "question": tree.task.question,
        "ground_truth": tree.task.record.get("answer", list(tree.task.answers) or None),
        "value": NO_VALUE if node.value is None else node.value,
        "final_answer": node.answer,
        "solution": step_delim.join(step.text for step in tree.steps(node)),
        "tag": tag,
    }


def _attempt_to_json(attempt: Attempt, tags: Mapping[int, str]) -> JsonObject:
    data: JsonObject = {
        "tag": tags[attempt.node],
        "verdict": None if attempt.verdict is None else attempt.verdict.value,
        "answer": attempt.answer,
        "tokens": attempt.tokens,
        "prompt_tokens": attempt.prompt_tokens,
        "seconds": round(attempt.seconds, 6),
    }
    if attempt.adapted_tokens:
        data["adapted_tokens"] = attempt.adapted_tokens
    if attempt.loss is not None:
        # JSON has no NaN; the note says what went wrong.
        data["loss"] = attempt.loss if math.isfinite(attempt.loss) else None
    return data | ({"note": attempt.note} if attempt.note else {})


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
        loss=data.get("loss"),
        note=str(data.get("note", "")),
    )


def _tag_key(tag: str) -> tuple[int, tuple[int, ...]]:
    numbers = tuple(int(part) for part in tag.split("."))
    return len(numbers), numbers


def _json_to_step(data: Mapping[str, Any]) -> Step:
    final_answer = data["final_answer"]
    answer = final_answer if is_answer(final_answer) else None
    outcome = Outcome.ANSWER if answer is not None else _OUTCOMES.get(final_answer, Outcome.CONTINUE)
    outcome = Outcome(data["outcome"]) if "outcome" in data else outcome
    return Step(
        text=data["text"],
        outcome=outcome,
        code=data.get("action_input") or None,
        answer=answer,
        failed=bool(data.get("failed", False)),
        logprob=float(data.get("logprob", 0.0)),
        num_tokens=int(data.get("num_tokens", 0)),
        correct=data.get("correct"),
    )


def _read_node(node: Node, data: Mapping[str, Any]) -> None:
    value = float(data.get("value", NO_VALUE))
    node.value = None if value == NO_VALUE else value
    node.visit_count = int(data.get("visit_count", 0))
    node.value_sum = float(data.get("q_value", 0.0)) * node.visit_count
    node.terminal = bool(data.get("terminal", node.terminal))
