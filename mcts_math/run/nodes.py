"""Steps, nodes and attempts of a tree as JSON, in the published form (SPEC A4), and back.

The published English sentences and the value -100 exist in this file only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from mcts_math.messages import Message
from mcts_math.step import CellStatus, Outcome, Run, Step, Verdict
from mcts_math.tasks import JsonObject
from mcts_math.tree import Attempt, Node, Tree

T = TypeVar("T")

NO_VALUE: Final = -100.0
FAILURES: Final = {
    Outcome.UNPARSABLE: "Fail to generate parsable text for next step.",
    Outcome.TOO_DEEP: "Fail to sove the problem within limited steps.",
    Outcome.TOO_MANY_ERRORS: "Too many consecutive steps have code errors.",
}
_OUTCOMES: Final = {sentence: outcome for outcome, sentence in FAILURES.items()}
_NO_STEP: Final = Step("", Outcome.CONTINUE)  # what a root shows
_NO_RUN: Final = Run("", "")
_KINDS: Final = {
    str: "text", int: "a whole number, at least 0", float: "a number", bool: "true or false", dict: "an object"
}  # fmt: skip
_UNPUBLISHED: Final = (Outcome.REPLY, Outcome.USER)  # which the published form can't tell from an ordinary step


def answer_in(data: Mapping[str, Any]) -> str | None:
    """The `final_answer` of a node or a solution (a number in some foreign files) as text; None where it is absent,
    empty or one of the failure sentences."""
    answer = data.get("final_answer")
    if type(answer) is int or (isinstance(answer, float) and math.isfinite(answer)):
        return str(answer)
    return answer if isinstance(answer, str) and answer and answer not in _OUTCOMES else None


def node_to_json(tree: Tree, node: Node, backs_up: bool) -> JsonObject:
    """A node; with Q, prior and visits where the search backs up."""
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
        data |= _there(certainty=step.certainty) | _run_to_json(run)
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
        read_field(data, "action", str),
        read_field(data, "action_input", str, None) or "",
        read_field(data, "observation", str, None),
        None if status is None else CellStatus(status),
        read_field(data, "seed", int, 0),
        read_field(data, "call_id", str, ""),
    )


def attempt_to_json(attempt: Attempt, tags: Mapping[int, str]) -> JsonObject:
    """An attempt. `tags`: of the nodes, by their ids."""
    return {
        "tag": tags[attempt.node],
        "verdict": None if attempt.verdict is None else attempt.verdict.value,
        "answer": attempt.answer,
        "tokens": attempt.tokens,
        "prompt_tokens": attempt.prompt_tokens,
        "seconds": round(attempt.seconds, 6),
    } | _there(adapted_tokens=attempt.adapted_tokens or None, loss=attempt.loss, note=attempt.note or None)


def json_to_attempt(data: Mapping[str, Any], ids: Mapping[str, int]) -> Attempt:
    """What `attempt_to_json` wrote. `ids`: of the nodes, by their tags. Raises KeyError, TypeError or ValueError."""
    verdict = data["verdict"]
    return Attempt(
        node=ids[data["tag"]],
        verdict=None if verdict is None else Verdict(verdict),
        answer=read_field(data, "answer", str, None),
        tokens=read_field(data, "tokens", int, 0),
        prompt_tokens=read_field(data, "prompt_tokens", int, 0),
        adapted_tokens=read_field(data, "adapted_tokens", int, 0),
        seconds=read_field(data, "seconds", float, 0.0),
        loss=_number(data, "loss", None, math.nan),
        note=read_field(data, "note", str, ""),
    )


def json_to_step(data: Mapping[str, Any]) -> Step:
    """The step of a node. Raises KeyError, TypeError, ValueError or AttributeError."""
    answer, said = answer_in(data), data["final_answer"]
    outcome = Outcome.ANSWER if answer is not None else _OUTCOMES.get(said, Outcome.CONTINUE)
    return Step(
        text="" if data["text"] is None else read_field(data, "text", str),
        outcome=Outcome(data.get("outcome", outcome)),
        runs=tuple(map(_json_to_run, ([data] if data.get("action") else []) + data.get("further_runs", []))),
        answer=answer,
        logprob=_number(data, "logprob", 0.0, -math.inf),
        num_tokens=read_field(data, "num_tokens", int, 0),
        correct=read_field(data, "correct", bool, None),
        message=None if data.get("message") is None else Message.from_json(data["message"]),
        certainty=_number(data, "certainty", None, math.nan),
    )


def read_field(data: Mapping[str, Any], key: str, kind: type, *absent: Any) -> Any:
    """What stands under a key: a `kind`, where whole numbers are floats too, and 2.0 is an int. `absent`: what stands
    for one that is missing; where it is None, so does null. Raises KeyError or TypeError."""
    value = data.get(key, *absent) if absent else data[key]
    number = value if type(value) in (int, float) else math.nan
    if kind is int and number >= 0 and float(number).is_integer():
        return int(number)
    if type(value) is kind is not int or (absent and value is absent[0]):
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise TypeError(f"{key} must be {_KINDS[kind]}, not {json.dumps(value)[:80]}")


def _number(data: Mapping[str, Any], key: str, absent: T, null: float) -> T | float:
    """A number that may be missing; null is what JSON has no word for: an infinity, or NaN."""
    found: T | float = null if data.get(key, 0) is None else read_field(data, key, float, absent)
    return found


def read_node(node: Node, data: Mapping[str, Any]) -> None:
    """What the search found of a node, its step aside. Raises as `json_to_step`."""
    value = read_field(data, "value", float, NO_VALUE)
    node.value = None if value == NO_VALUE else value
    node.estimate = read_field(data, "estimate", float, None)
    node.prior = read_field(data, "prior", float, 1.0)
    node.visit_count = read_field(data, "visit_count", int, 0)
    node.value_sum = read_field(data, "q_value", float, 0.0) * node.visit_count
    node.terminal = read_field(data, "terminal", bool, node.terminal)
