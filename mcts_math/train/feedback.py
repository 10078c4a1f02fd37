"""What a learned optimiser and its baselines are trained on: attempts with their verdict, and the gold solution.

A line of a feedback file is a `Feedback`; one without `attempt` is a question with its solution alone, for baselines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, TypeAdapter

from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import RecordError
from mcts_math.evaluate.table import render_table
from mcts_math.files import read_records
from mcts_math.formats import StepFormat
from mcts_math.formats.base import FINAL_ANSWER
from mcts_math.messages import Sample
from mcts_math.requests import LossTerm
from mcts_math.run.record import error_of, record_to_tree
from mcts_math.search.revision import INCORRECT
from mcts_math.step import Verdict
from mcts_math.tasks import Task
from mcts_math.tasks.task import marked_answer
from mcts_math.train.examples import Lines, StoredPrompt, own_prompt, showing
from mcts_math.tree import Attempt, Tree

_CALCULATOR: Final = re.compile(r"<<[^<>]*>>")  # GSM8K's notes between the lines
_LAYOUTS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "chat": lambda text, answer: f"{text}\n\nThe answer is \\boxed{{{answer}}}.",
    "react": lambda text, answer: f"Thought: {text}\n\n{FINAL_ANSWER} {answer}\n\n<Solution complete>",
    "react_sft": lambda text, answer: f"<step>\n<p>\n{text}\n</p>\n<p>\n{FINAL_ANSWER} {answer}\n</p>\n</step>",
}
"""Name of a format -> a worked solution and its answer, as the format's prompt asks for them."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A question with its solution, and an attempt at it where there is one."""

    id: Annotated[str, BeforeValidator(str)]  # of the question and, behind a "/", the number of the attempt
    question: StoredPrompt
    solution: Annotated[str, Field(pattern=r"\S")]  # what should have been written
    attempt: StoredPrompt | None = None  # the prompt, with the attempt; None where there is none
    feedback: str = ""  # the user's turn that follows it
    verdict: Verdict | None = None  # what the verifier said of the attempt


FEEDBACK: Final = Lines(TypeAdapter(Feedback), "a line of feedback", "Make it with make_feedback.py.")


@dataclass(slots=True)
class FeedbackCounts:
    questions: int = 0
    broken: int = 0  # whose search broke down
    unfinished: int = 0  # attempts that did not end by themselves, or were no solution; left out
    unsolved: int = 0  # questions left out, since they have neither gold solution nor right attempt
    attempts: Counter[str] = field(default_factory=Counter)  # made, by verdict
    taken: Counter[str] = field(default_factory=Counter)  # lines, by verdict ("none": without attempt)

    def render(self) -> str:
        rows = [[name, f"{self.attempts[name]:,}", f"{self.taken[name]:,}"] for name in self.attempts | self.taken]
        table = render_table(["verdict", "attempts", "taken"], rows)
        return (
            f"{self.questions:,} questions: {self.broken:,} broken down, {self.unsolved:,} without any solution; "
            f"{self.unfinished:,} attempts are left out, as they did not end by themselves\n{table}"
        )


def feedback_of(
    trees: str | Path,
    form: StepFormat,
    max_tokens: int,
    counts: FeedbackCounts,
    *,
    own: bool = False,
    chosen: Container[str] | None = None,
) -> Iterator[Feedback]:
    """The attempts in a results file of a method that makes attempts. One with a step of `max_tokens` did not end by
    itself. `own`: where the data set has no solution, the first right attempt stands for it, else RecordError is
    raised. `chosen`: ids of the questions that are asked for; None: all."""
    for where, record in read_records(trees):
        if chosen is not None and record.get("id") not in chosen:
            continue
        counts.questions += 1
        if error_of(record):
            counts.broken += 1
            continue
        tree = record_to_tree(record, where)
        ended = [attempt for attempt in tree.attempts if _has_ended(tree, attempt, max_tokens)]
        counts.unfinished += len(tree.attempts) - len(ended)
        counts.attempts.update(_verdict_of(attempt).value for attempt in tree.attempts)
        is_bare = own and "solution" not in tree.task.record
        solution = _own_solution(tree, ended, form) if is_bare else gold_solution(tree.task, form, where)
        if solution is None:
            counts.unsolved += 1
            continue
        for number, attempt in enumerate(ended):
            verdict = _verdict_of(attempt)
            counts.taken[verdict.value] += 1
            steps = tree.steps(tree.nodes[attempt.node])
            shown, feedback = form.user_turn(tree.task, steps, INCORRECT)
            question = form.prompt(tree.task, [])
            yield Feedback(f"{tree.task.id}/{number}", question, solution, shown, feedback, verdict)


def gold_only(tasks: Iterable[Task], form: StepFormat, counts: FeedbackCounts) -> Iterator[Feedback]:
    """Questions with their solutions alone. Raises RecordError where one has none."""
    for task in tasks:
        counts.questions += 1
        counts.taken["none"] += 1
        yield Feedback(task.id, form.prompt(task, []), gold_solution(task, form, f"question {task.id!r}"))


def gold_solution(task: Task, form: StepFormat, where: str) -> str:
    """The data set's own solution in the answer format of the prompt. Raises RecordError: it has none, or the format
    is not known here."""
    given = task.record.get("solution")
    if not isinstance(given, str) or not given.strip():
        raise RecordError(
            f"{where}: the question {task.id!r} has no gold solution. Give each record one under the key `solution`, "
            "or use --own_solutions, which takes the model's own right attempts."
        )
    text = given.strip().replace("\r\n", "\n")
    if task.is_code:
        return text if "```" in text else f"```python\n{text}\n```"
    marked = marked_answer(text)
    if not marked and form.read(Sample(text, 0.0, 1)).answer is not None:
        return text
    answer = marked or (task.answers[0] if task.answers else "")
    layout = _LAYOUTS.get(form.name)
    if not answer or layout is None:
        raise RecordError(
            f"{where}: the solution of {task.id!r} is not in the format {form.name}, and "
            + ("has no answer to put into it." if layout is not None else f"only {', '.join(_LAYOUTS)} are known here.")
        )
    return layout(_CALCULATOR.sub("", text.partition("\n#### ")[0]).strip(), answer)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A line as tokens: the conversation that a rule learns from, and the solution that should be written."""

    id: str  # of the line
    conversation: tuple[int, ...]  # question, attempt and feedback; () for a baseline
    target: tuple[int, ...]  # question and gold solution, with the token that ends it
    start: int  # where in `target` the solution begins


def load_lessons(
    codec: Codec, paths: Sequence[str | Path], max_length: int, *, with_attempts: bool
) -> tuple[list[Lesson], str]:
    """The lessons of feedback files, within `max_length` tokens each, and in words what became of the lines.
    `with_attempts`: a line is a lesson, and RecordError is raised where one has no attempt; else a question is one,
    whatever its attempts."""
    lessons, too_long = list[Lesson](), list[str]()
    seen: set[tuple[str, str]] = set()
    for line in FEEDBACK.read(paths):
        if with_attempts and line.attempt is None:
            raise RecordError(f"the line {line.id!r} holds no attempt, from which kind: rule learns.")
        key = (repr(line.question), line.solution)
        if not with_attempts and key in seen:
            continue
        seen.add(key)
        with showing(line.id):
            lesson = encode_lesson(codec, line, with_attempts=with_attempts)
        if max(len(lesson.conversation), len(lesson.target)) > max_length:
            too_long.append(line.id)
        else:
            lessons.append(lesson)
    tokens = sum(len(lesson.conversation) + len(lesson.target) for lesson in lessons)
    report = f"{len(lessons):,} examples of {tokens:,} tokens"
    if too_long:
        report += f"; {len(too_long):,} are too long and left out (such as {too_long[0]})"
    if not lessons:
        raise RecordError(f"{', '.join(map(str, paths))}: nothing to train on ({report}).")
    return lessons, report


def encode_lesson(codec: Codec, line: Feedback, *, with_attempts: bool) -> Lesson:
    """The tokens of a line. Raises RefusedError where the model's tokenizer or template can't show it."""
    target, start = codec.encode_reply(line.question, line.solution)
    conversation: tuple[int, ...] = ()
    if with_attempts and line.attempt is not None:
        conversation, _ = codec.encode_term(LossTerm(own_prompt(codec, line.attempt), line.feedback))
    return Lesson(line.id, conversation, target, start)


def _has_ended(tree: Tree, attempt: Attempt, max_tokens: int) -> bool:
    steps = tree.turn(tree.nodes[attempt.node])
    return bool(steps) and not steps[-1].outcome.is_failure and all(step.num_tokens < max_tokens for step in steps)


def _verdict_of(attempt: Attempt) -> Verdict:
    return attempt.verdict or Verdict.NO_ANSWER


def _own_solution(tree: Tree, attempts: Iterable[Attempt], form: StepFormat) -> str | None:
    """The text of the first right attempt."""
    for attempt in attempts:
        if attempt.verdict is Verdict.CORRECT:
            return form.step_delim.join(step.text for step in tree.turn(tree.nodes[attempt.node]))
    return None
