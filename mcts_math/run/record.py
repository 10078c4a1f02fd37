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

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import jsonlines

from mcts_math.errors import RecordError, TaskError
from mcts_math.formats import StepFormat
from mcts_math.messages import Message
from mcts_math.methods import Method
from mcts_math.step import CellStatus, Outcome, Run, Step, Verdict
from mcts_math.tasks import JsonObject, Task, answers_of, derived_id, given_id, is_ours, result_columns, user_columns
from mcts_math.tree import Attempt, Node, Tree, new_tree

ROOT_TAG: Final = "0"
SOLUTIONS: Final = "solutions"
NO_VALUE: Final = -100.0
FAILURES: Final = {
    Outcome.UNPARSABLE: "Fail to generate parsable text for next step.",
    Outcome.TOO_DEEP: "Fail to sove the problem within limited steps.",
    Outcome.TOO_MANY_ERRORS: "Too many consecutive steps have code errors.",
}
_OUTCOMES: Final = {sentence: outcome for outcome, sentence in FAILURES.items()}
_UNPUBLISHED: Final = (Outcome.REPLY, Outcome.USER)  # which the published form can't tell from an ordinary step


def is_answer(final_answer: Any) -> bool:
    """Whether a node's `final_answer` is an answer, not empty and not one of the failure sentences."""
    return isinstance(final_answer, str) and bool(final_answer) and final_answer not in _OUTCOMES


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
    root = _node_to_json(new_tree(task), new_tree(task).root, False)
    return _columns(task) | {"react": {ROOT_TAG: root, SOLUTIONS: []}, "error": error}


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
    columns = user_columns(record)
    try:
        answers = answers_of(columns, where)
    except TaskError as error:
        raise RecordError(str(error)) from error
    instruction = columns.get("chat_instruction")
    return Task(
        given_id(record),
        str(columns.get("question", "")),
        answers,
        columns,
        instruction if isinstance(instruction, str) else "",
    )


def id_of(record: Mapping[str, Any], copies: Counter[str]) -> str:
    """The question of a line; of a published one, which has no id, the id that its question would get."""
    return given_id(record) or derived_id(str(record.get("question", "")), copies)


def read_records(path: str | Path) -> Iterator[tuple[str, JsonObject]]:
    """Streams (where, record) of a results file, in constant memory.

    Raises:
        RecordError: naming file, line and remedy.
    """
    path = Path(path)
    number, line = 0, b"\n"

    def lines(file: IO[bytes]) -> Iterator[bytes]:
        nonlocal number, line
        for line in file:
            number += 1
            if line.strip():
                yield line

    try:
        with path.open("rb") as file, jsonlines.Reader(lines(file)) as reader:
            while True:
                try:
                    record = reader.read(type=dict)
                except EOFError:
                    return
                yield f"{path}:{number}", record
    except FileNotFoundError:
        raise RecordError(f"{path}: no such file.") from None
    except OSError as error:
        raise RecordError(f"{path} can't be read: {error}.") from error
    except (jsonlines.InvalidLineError, RecursionError) as error:
        if not line.endswith(b"\n"):
            raise RecordError(
                f"{path}:{number}: the last line is torn. Resume the run that wrote it with --resume."
            ) from error
        raise RecordError(
            f"{path}:{number}: not a JSON object. Remove the line, or solve its question again."
        ) from error


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


def _node_to_json(tree: Tree, node: Node, backs_up: bool) -> JsonObject:
    step = node.step
    first = step.runs[0] if step is not None and step.runs else None
    data: JsonObject = {
        "text": "" if step is None else step.text,
        "extra_info": f"question: {tree.task.question}" if step is None else "",
        "action": "" if first is None else first.tool,
        "action_input": "" if first is None else first.input,
        "final_answer": _final_answer(step),
        "value": NO_VALUE if node.value is None else node.value,
    }
    if backs_up:
        data |= {"q_value": node.q_value, "prior": node.prior, "visit_count": node.visit_count}
    if node.estimate is not None:
        data["estimate"] = node.estimate
    if step is not None:
        data |= _step_to_json(step)
    return data | ({"terminal": True} if node.terminal else {})


def _step_to_json(step: Step) -> JsonObject:
    """What the published form has no place for."""
    data: JsonObject = {"logprob": step.logprob, "num_tokens": step.num_tokens}
    if step.runs:
        data |= _run_to_json(step.runs[0])
    if len(step.runs) > 1:
        further = [{"action": run.tool, "action_input": run.input} | _run_to_json(run) for run in step.runs[1:]]
        data["further_runs"] = further
    if step.message is not None:
        data["message"] = step.message.to_json()
    if step.correct is not None:
        data["correct"] = step.correct
    return data | ({"outcome": step.outcome.value} if step.outcome in _UNPUBLISHED else {})


def _run_to_json(run: Run) -> JsonObject:
    data: JsonObject = {} if run.observation is None else {"observation": run.observation}
    if run.status is not None:
        data |= {"status": run.status.value, "seed": run.seed}
    return data | ({"call_id": run.call_id} if run.call_id else {})


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


def _final_answer(step: Step | None) -> str:
    if step is None:
        return ""
    return FAILURES.get(step.outcome, step.answer or "")


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
        runs=tuple(map(_json_to_run, ([data] if data.get("action") else []) + data.get("further_runs", []))),
        answer=answer,
        logprob=float(data.get("logprob", 0.0)),
        num_tokens=int(data.get("num_tokens", 0)),
        correct=data.get("correct"),
        message=None if data.get("message") is None else Message.from_json(data["message"]),
    )


def _read_node(node: Node, data: Mapping[str, Any]) -> None:
    value = float(data.get("value", NO_VALUE))
    node.value = None if value == NO_VALUE else value
    node.estimate = None if data.get("estimate") is None else float(data["estimate"])
    node.visit_count = int(data.get("visit_count", 0))
    node.value_sum = float(data.get("q_value", 0.0)) * node.visit_count
    node.terminal = bool(data.get("terminal", node.terminal))
