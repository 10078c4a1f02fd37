"""Results on disk: a tree as one JSON line in the published tag form (SPEC A4), and back.

A line is the input record plus `react`: tag -> node (`nodes`), and `solutions` among the tags, where the published
readers look for them. Beside `react` stand keys of ours that published readers pass over: `id`, `format`, `step_delim`,
`value_source`, `method`, `oracle` (the ground truth took part in the search or chose the answer), `cost`, `correct`,
`stopped`, `error`, `attempts`. A column of the user's that has one of these names is kept under `input`.

Of a single chain `solutions` stands beside `react`: published readers take the longest key of `react` for its last
node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from mcts_math.cost import Cost
from mcts_math.errors import RecordError, TaskError
from mcts_math.files import read_records
from mcts_math.formats import StepFormat
from mcts_math.methods import Method
from mcts_math.run import nodes as forms
from mcts_math.tasks import JsonObject, Task, is_ours
from mcts_math.tasks.task import derived_id, given_id, result_columns, stated_task, user_columns
from mcts_math.tree import RUN_TOKENS, Attempt, Node, Tree, new_tree

ROOT_TAG: Final = "0"
SOLUTIONS: Final = "solutions"
_COSTS: Final = {field.name: int if field.type == "int" else float for field in fields(Cost)}


def tree_to_record(
    tree: Tree, method: Method, form: StepFormat, *, cost: Mapping[str, Any] | None = None
) -> JsonObject:
    """The line of a finished tree, and of what it `cost`."""
    tags = {node.id: tag for tag, node in tree.tags()}
    nodes: JsonObject = {tag: forms.node_to_json(tree, node, method.backs_up) for tag, node in tree.tags()}
    solutions = [solution_of(tree, tree.nodes[i], tags[i], form.step_delim) for i in tree.solutions]
    record = _columns(tree.task) | {"react": nodes, "format": form.name, "step_delim": form.step_delim}
    if form.template:
        record["chat_template_kwargs"] = dict(form.template)
    (record if method.is_chain else nodes)[SOLUTIONS] = solutions
    if cost is not None:
        record["cost"] = dict(cost)
    if tree.correct is not None:
        record["correct"] = tree.correct
    if tree.stopped:
        record["stopped"] = tree.stopped
    if tree.attempts:
        record["attempts"] = [forms.attempt_to_json(attempt, tags) for attempt in tree.attempts]
    return record


def error_to_record(task: Task, error: str) -> JsonObject:
    """The line of a question whose search broke down; a resumed run tries it again."""
    tree = new_tree(task)
    return _columns(task) | {
        "react": {ROOT_TAG: forms.node_to_json(tree, tree.root, False), SOLUTIONS: []},
        "error": error,
    }


def _columns(task: Task) -> JsonObject:
    """What the user gave, and an id. A task made by hand need not hold a record of itself."""
    stated: JsonObject = {"question": task.question} | ({"answer": list(task.answers)} if task.answers else {})
    record = result_columns(stated | dict(task.record))
    return record if str(record.get("id")) == task.id else record | {"id": task.id}


def error_of(record: Mapping[str, Any]) -> str:
    """Why the search of a line broke down; "" where it did not. Such a line has a root and nothing else."""
    error = record.get("error")
    return error if isinstance(error, str) and len(nodes_of(record)) <= 1 else ""


def is_open(record: Mapping[str, Any]) -> bool:
    """Whether a resumed run solves the question of a line again: its search broke down, or was cut by the budget of a
    run, which each run has anew."""
    return bool(error_of(record)) or (is_ours(record) and record.get("stopped") == RUN_TOKENS)


def verdict_of(record: Mapping[str, Any]) -> bool | None:
    """What the run found of the line's answer; None where it did not judge, or the line is not of a run of ours."""
    correct = record.get("correct")
    return correct if isinstance(correct, bool) and is_ours(record) else None


def known_verdict(record: Mapping[str, Any], task: Task) -> bool | None:
    """What the run found; a problem of code whose search broke down or was cut before its tests ran is not solved."""
    verdict = verdict_of(record)
    return False if verdict is None and task.is_code and is_ours(record) else verdict


def is_oracle(record: Mapping[str, Any]) -> bool:
    """Whether the ground truth took part in the search, or chose the answer."""
    return is_ours(record) and record.get("oracle") is True


def costs_of(record: Mapping[str, Any], where: str = "record") -> dict[str, float]:
    """What a line says that its question cost; empty where it says nothing. Raises RecordError, naming `where`."""
    with checking(f"{where}: cost"):
        cost = forms.read_field(record, "cost", dict, {}) if is_ours(record) else {}
        return {key: forms.read_field(cost, key, kind) for key, kind in _COSTS.items() if cost.get(key) is not None}


def is_backed_up(record: Mapping[str, Any]) -> bool:
    """Whether the nodes of a line have Q and visits, as those of MCTS."""
    root = nodes_of(record).get(ROOT_TAG)
    return isinstance(root, dict) and "visit_count" in root


def way_of(record: Mapping[str, Any]) -> str:
    """In which way a line was made, as far as it tells, for people; "" where its search broke down."""
    if error_of(record):
        return ""
    shape = "with Q and visits" if is_backed_up(record) else "a chain" if SOLUTIONS in record else "without visits"
    told = record if is_ours(record) and "format" in record else {}
    keys = ("method", "format", "step_delim", "chat_template_kwargs", "value_source", "oracle")
    return ", ".join([shape, *(f"{key}: {told[key]!r}" for key in keys if key in told)])


def nodes_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a line by tag; empty where it holds no tree."""
    react = record.get("react")
    return {tag: node for tag, node in react.items() if tag != SOLUTIONS} if isinstance(react, dict) else {}


def require_tree(record: Mapping[str, Any], where: str) -> None:
    """Raises RecordError where a line holds no tree, as lines of results do."""
    if not nodes_of(record):
        raise RecordError(f"{where}: no search tree (key `react`). Is this a results file?")


def record_to_tree(record: Mapping[str, Any], where: str = "record") -> Tree:
    """Rebuilds the tree of a line, ours or a published one. Children keep the order of their tags' last numbers. Raises
    RecordError, naming `where` and what is wrong."""
    nodes = nodes_of(record)
    if ROOT_TAG not in nodes:
        raise RecordError(f"{where}: no search tree (`react` with a root {ROOT_TAG!r}). Is this a results file?")
    tree, ids = new_tree(record_to_task(record, where)), {ROOT_TAG: 0}
    no_tree = f"{where}: not a search tree of a known form"
    with checking(f"{no_tree}: node {ROOT_TAG!r}"):
        forms.read_node(tree.root, nodes[ROOT_TAG])
    with checking(f"{no_tree}: a tag"):
        tags = sorted_tags(record)[1:]
    for tag in tags:
        parent = ids.get(tag.rpartition(".")[0])
        if parent is None:
            raise RecordError(f"{where}: node {tag!r} has no parent. The tree is not whole; solve it again.")
        with checking(f"{no_tree}: node {tag!r}"):
            node = tree.add_child(tree.nodes[parent], forms.json_to_step(nodes[tag]), 1.0)
            forms.read_node(node, nodes[tag])
        ids[tag] = node.id
    chosen = [item.get("tag") for item in read_solutions(record, where)]
    tree.solutions = [ids[tag] for tag in chosen if tag in ids]
    if not is_ours(record):  # what else is called so is the user's
        return tree
    tree.stopped, tree.correct = str(record.get("stopped", "")), verdict_of(record)
    tree.attempts = read_attempts(record, where, ids)
    return tree


def read_attempts(record: Mapping[str, Any], where: str, ids: Mapping[str, int]) -> list[Attempt]:
    """The attempts of a line of ours, none where it has none. `ids`: of the nodes, by tag. Raises RecordError."""
    with checking(f"{where}: not a list of attempts of a known form"):
        return [forms.json_to_attempt(item, ids) for item in record.get("attempts") or []]


@contextmanager
def checking(what: str) -> Iterator[None]:
    """Raises RecordError where something has another form: it begins with `what`, and says what is wrong."""
    try:
        yield
    except KeyError as error:
        raise RecordError(f"{what}: {error} is missing, or unknown. Mend or remove the line.") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"{what}: {' '.join(str(error).split())}. Mend or remove the line.") from error


def sorted_tags(record: Mapping[str, Any]) -> list[str]:
    """The tags of a line, by the id `record_to_tree` gives their nodes; a foreign file may number them otherwise."""
    return sorted(nodes_of(record), key=lambda tag: (tag.count("."), [int(part) for part in tag.split(".")]))


def read_solutions(record: Mapping[str, Any], where: str = "record") -> list[JsonObject]:
    """The `solutions` of a line, none where it has none. Raises RecordError where they have another form."""
    solutions = _find_solutions(record)
    if solutions is None:
        return []
    with checking(f"{where}: `solutions` is not a list of objects with a tag"):
        tags = [forms.read_field(item, "tag", str, None) for item in solutions]
    return solutions if tags else []


def has_solutions(record: Mapping[str, Any]) -> bool:
    """Whether solutions were chosen, if only none."""
    return _find_solutions(record) is not None


def with_solutions(record: Mapping[str, Any], solutions: list[JsonObject]) -> JsonObject:
    """The line with other solutions, where they stood; among the tags where there were none. What it said of the old
    ones is left out."""
    record = {key: value for key, value in record.items() if key != "correct" or not is_ours(record)}
    if SOLUTIONS not in record["react"] and _find_solutions(record) is not None:
        return record | {SOLUTIONS: solutions}
    return record | {"react": nodes_of(record) | {SOLUTIONS: solutions}}


def with_verdict(record: JsonObject, correct: bool) -> JsonObject:
    """The line with what was found of its answer; one that is not of a run of ours has no place for it."""
    return record | {"correct": correct} if is_ours(record) else record


def _find_solutions(record: Mapping[str, Any]) -> Any:
    """They stand among the tags, or beside `react`: of a chain, and in earlier files of ours."""
    react = record.get("react")
    inside = react.get(SOLUTIONS) if isinstance(react, dict) else None
    if inside is not None:
        return inside
    beside = record.get(SOLUTIONS)
    # A published line's column of this name is the user's, unless it has the form of solutions.
    has_form = isinstance(beside, list) and all(isinstance(one, dict) and "final_answer" in one for one in beside)
    return beside if is_ours(record) or has_form else None


def record_to_task(record: Mapping[str, Any], where: str = "record") -> Task:
    """The task of a line; its id is "" where the line, a published one, has none. Raises RecordError."""
    try:
        return stated_task(given_id(record), user_columns(record), where)
    except TaskError as error:
        raise RecordError(str(error)) from error


def read_results(*paths: str | Path, may_be_empty: bool = False) -> Iterator[tuple[str, str, JsonObject]]:
    """Streams (where, id of the question, line) of results files. Raises RecordError as `read_records`."""
    copies: Counter[str] = Counter()
    for path in paths:
        for where, record in read_records(path, may_be_empty=may_be_empty):
            yield where, id_of(record, copies), record


def id_of(record: Mapping[str, Any], copies: Counter[str]) -> str:
    """The question of a line; of a published one, which has no id, the id that its question would get."""
    return given_id(record) or derived_id(str(record.get("question", "")), copies)


def solution_of(tree: Tree, node: Node, tag: str, step_delim: str) -> JsonObject:
    """An entry of `solutions`: the solution that ends at a node."""
    return {
        "question": tree.task.question,
        "ground_truth": tree.task.record.get("answer", list(tree.task.answers) or None),
        "value": forms.NO_VALUE if node.value is None else node.value,
        "final_answer": node.answer,
        "solution": step_delim.join(step.text for step in tree.steps(node)),
        "tag": tag,
    }
