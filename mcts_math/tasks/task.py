"""A task: one question, known by its id, never by its text.

The id is the record's own, or derives from the question's text, so that it stays the same when a file is cut, shuffled
or merged; equal questions are numbered. A line of results is the user's record with keys of ours beside (`RUN_KEYS`); a
column of the user's that has such a name is kept under `input`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from mcts_math.errors import TaskError
from mcts_math.files import finite, short_digest
from mcts_math.messages import Message, half_character

JsonObject: TypeAlias = dict[str, Any]

INPUT: Final = "input"
RUN_KEYS: Final = frozenset(
    {"react", "solutions", "cost", "correct", "stopped", "error", "attempts", "method", "oracle", "format",
     "step_delim", "chat_template_kwargs", "value_source", INPUT}
)  # fmt: skip
"""Keys that a run adds to a question's record."""

PROBLEM_KEYS: Final = (
    "prompt", "test", "test_list", "entry_point", "cases", "input_output", "tolerance", "timeout_s", "isolation"
)  # fmt: skip
"""What a problem of code is stated by; see docs/judge.md."""

_SHOWN_FAULTS: Final = 10
_FINAL_MARK: Final = re.compile(r"####[ \t]*([^\n]*)")
_WITH_UNIT: Final = re.compile(r"\s*(-?[\d.,/]+)\s*\((?!\s*(?:mod|base|or)\b)[^\W\d_]+(?:[ \-'][^\W\d_]+)*\)\s*")
_THOUSANDS: Final = re.compile(r"-?\$?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Task:
    """One question."""

    id: str  # unique within a run
    question: str
    answers: tuple[str, ...] = ()  # accepted answers, any of them is right; empty where unknown
    record: Mapping[str, Any] = field(default_factory=dict, compare=False)  # as read, carried through to the output
    instruction: str = ""  # what a conversation adds, such as how the answer is to be given
    before: tuple[Message, ...] = ()  # turns of the user and the assistant before it, perhaps after one of the system

    @property
    def is_code(self) -> bool:
        """Whether the task is judged by running tests. An accepted answer makes it one of answers."""
        return not self.answers and states_problem(self.record)

    @property
    def can_be_judged(self) -> bool:
        """Whether there is anything to tell a right attempt by."""
        return bool(self.answers) or self.is_code

    @property
    def chat_question(self) -> str:
        return f"{self.question}\n\n{self.instruction}" if self.instruction else self.question

    @property
    def digest(self) -> str:
        """Of all that a result depends on: question, instruction, answers, tests."""
        tests = [self.record.get(key) for key in PROBLEM_KEYS] if self.is_code else []
        said = [[message.to_json() for message in self.before]] if self.before else []
        facts = json.dumps(finite([self.question, self.instruction, self.answers, tests, *said]), default=str)
        return short_digest(facts)


def states_problem(record: Mapping[str, Any]) -> bool:
    """Whether a record states a problem of code, well or badly; what it says is the judge's to read."""
    cases = record.get("cases")
    has_cases = isinstance(cases, list) and cases and all(isinstance(c, Mapping) and "output" in c for c in cases)
    return bool(has_cases) or any(record.get(key) is not None for key in ("entry_point", "input_output"))


def collect_tasks(records: Iterable[tuple[str, Any]]) -> list[Task]:
    """Tasks from (where, task or record). Raises TaskError: a line each, naming `where`, of the first ten faults."""
    tasks: list[Task] = []
    copies: Counter[str] = Counter()
    seen: dict[str, str] = {}
    faults: list[str] = []
    for where, record in records:
        try:
            task = record if isinstance(record, Task) else make_task(record, where, copies)
            if task.id in seen:
                raise TaskError(f"{where}: id {task.id!r} stands at {seen[task.id]} too. Give each record its own id.")
        except TaskError as fault:
            faults.append(str(fault))
            continue
        seen[task.id] = where
        tasks.append(task)
    if faults:
        more = len(faults) - _SHOWN_FAULTS
        raise TaskError("\n".join([*faults[:_SHOWN_FAULTS], *([f"and {more} more"] if more > 0 else [])]))
    return tasks


def make_task(record: Any, where: str, copies: Counter[str]) -> Task:
    """The task of a record; `copies` counts equal questions without an id. Raises TaskError, naming `where`."""
    if not isinstance(record, Mapping):
        raise TaskError(f"{where}: expected an object with a `question` key, found {type(record).__name__}.")
    record = user_columns(record)
    if "question" not in record:
        keys = ", ".join(map(repr, list(record)[:8])) or "none"
        raise TaskError(f"{where}: no key `question` (keys: {keys}). Rename the key that holds the question.")
    question = record["question"]
    if not isinstance(question, str):
        raise TaskError(f"{where}: `question` must be a string, not {type(question).__name__}.")
    if not question.strip():
        raise TaskError(f"{where}: the question is empty. Remove the record or write its question.")
    if (position := half_character(question)) is not None:
        raise TaskError(f"{where}: character {position} of the question is half of a surrogate pair. Remove it.")
    return stated_task(_id_of(record, question, where, copies), record, where)


def stated_task(task_id: str, record: Mapping[str, Any], where: str = "record") -> Task:
    """The task that a record states, under an id. Raises TaskError where answer or conversation is of a wrong type."""
    question, instruction = str(record.get("question", "")), record.get("chat_instruction")
    answers, before = answers_of(record, where), _before(record, where)
    return Task(task_id, question, answers, record, instruction if isinstance(instruction, str) else "", before)


def _before(record: Mapping[str, Any], where: str) -> tuple[Message, ...]:
    """What a record says went before its question: `chat_before`, a list of `{role, content}`."""
    said = record.get("chat_before") or []
    try:
        return tuple(Message.from_json(message) for message in said)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TaskError(f"{where}: `chat_before` must be a list of {{role, content}}: {reason}") from None


def is_result(record: Mapping[str, Any]) -> bool:
    """Whether a record is a line of results: it holds a tree."""
    react = record.get("react")
    return isinstance(react, Mapping) and "0" in react


def is_ours(record: Mapping[str, Any]) -> bool:
    """Whether a run of ours made a line: then its `RUN_KEYS` are results. In a published line they are the user's."""
    cost = record.get("cost")
    says_cost = isinstance(cost, Mapping) and isinstance(cost.get("tokens"), (int, float))  # earlier lines have no more
    says_format = all(isinstance(record.get(key), str) for key in ("format", "step_delim"))
    if says_cost or says_format or not (isinstance(record.get("error"), str) and is_result(record)):
        return says_cost or says_format
    return not record["react"].keys() - {"0", "solutions"}  # a search that broke down: the reason, and a root alone


def user_columns(record: Mapping[str, Any]) -> JsonObject:
    """The user's part of a record: of a line of results, what was read when it was made."""
    if not is_result(record):
        return dict(record)
    if not is_ours(record):
        return {key: value for key, value in record.items() if key != "react"}
    kept = {key: value for key, value in record.items() if key not in RUN_KEYS}
    given = record.get(INPUT)
    return kept | (dict(given) if isinstance(given, Mapping) else {})


def result_columns(record: Mapping[str, Any]) -> JsonObject:
    """The user's part of a line of results: columns whose names are ours go under `input`."""
    plain = {key: value for key, value in record.items() if key not in RUN_KEYS}
    ours = {key: value for key, value in record.items() if key in RUN_KEYS}
    return plain | ({INPUT: ours} if ours else {})


def answers_of(record: Mapping[str, Any], where: str = "record") -> tuple[str, ...]:
    """Accepted answers of a record: its `answer`, a string, a number or a list of these; () where absent,
    empty or NaN."""
    answer = record.get("answer")
    values = answer if isinstance(answer, list) else [answer]
    found = []
    for value in values:
        if value is None or (isinstance(value, float) and math.isnan(value)) or value == "":
            continue
        if isinstance(value, float) and math.isinf(value):
            raise TaskError(
                f"{where}: `answer` is {value}, a number that JSON has not. Write it as text, such as `\\infty`."
            )
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise TaskError(f"{where}: `answer` must be a string or a list of strings, not {str(answer)[:80]!r}.")
        found.append(final_answer(value) if isinstance(value, str) else str(value))
    return tuple(found)


def final_answer(answer: str) -> str:
    """What is accepted of an answer as data sets write it: behind `####` (there without separators of thousands;
    elsewhere `1,234` may be a pair), without a unit in brackets."""
    marked = marked_answer(answer)
    if marked:
        answer = marked.replace(",", "") if _THOUSANDS.fullmatch(marked) else marked
    unit = _WITH_UNIT.fullmatch(answer)
    return unit[1] if unit else answer


def marked_answer(solution: str) -> str:
    """What stands behind the last `####` of a worked solution, on the same line; "" where nothing does."""
    marks = _FINAL_MARK.findall(solution)
    return marks[-1].strip() if marks else ""


def derived_id(question: str, copies: Counter[str]) -> str:
    """Id of a record without one. `copies` counts how often each question was seen, and is updated."""
    digest = short_digest(question)[:12]
    copies[digest] += 1
    return f"q-{digest}" if copies[digest] == 1 else f"q-{digest}-{copies[digest]}"


def given_id(record: Mapping[str, Any]) -> str:
    """The id that a record has; "" where it has none: the key is absent, empty or NaN."""
    given = record.get("id")
    return "" if given is None or (isinstance(given, float) and math.isnan(given)) else str(given)


def _id_of(record: Mapping[str, Any], question: str, where: str, copies: Counter[str]) -> str:
    given = given_id(record)
    if given and (isinstance(record["id"], bool) or not isinstance(record["id"], (str, int))):
        raise TaskError(f"{where}: `id` must be a string or an integer, not {type(record['id']).__name__}.")
    return given or derived_id(question, copies)
