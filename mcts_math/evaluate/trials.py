"""Accuracy against budget, from the attempts in results files: pass@k, Maj@k, and the same against tokens and seconds.

pass@k tells what a perfect judge would gain. Of independent attempts that were all made it is the unbiased estimate of
the HumanEval paper (arXiv 2107.03374, section 2.1); else the share of questions solved within k. Maj@k looks at answers
only. Attempts without an answer are not counted in k, but cost what they cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mcts_math.evaluate.grading import Grader
from mcts_math.methods import METHODS, Method
from mcts_math.run import record as records
from mcts_math.run.nodes import answer_in
from mcts_math.step import Verdict
from mcts_math.tree import Attempt

Axis: TypeAlias = Literal["trials", "tokens", "seconds"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt."""

    correct: bool | None  # what the verifier said; None where it was not asked
    answer: str | None  # what would be voted for
    # of the question up to and with this attempt; those without an answer don't count as trials
    trials: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Question:
    """The attempts at one question, in their order."""

    id: str
    golds: tuple[str, ...]  # accepted answers; empty where it is judged by tests
    method: Method | None  # which made the attempts; None where the line is of one that makes none
    trials: tuple[Trial, ...]  # all attempts; none where the search broke down, which counts as not solved
    whole: Trial | None = None  # what the method chose, for all that it cost; None where the search broke down
    oracle: bool = False  # the line says that the verdict of the ground truth was read

    @property
    def independent(self) -> bool:
        """Whether its attempts don't see each other."""
        return self.method is not None and self.method.independent

    @property
    def counted(self) -> int:
        return self.trials[-1].trials if self.trials else 0

    def within(self, axis: Axis, budget: float) -> list[Trial]:
        """The attempts that were done when the budget was used up."""
        return [trial for trial in self.trials if getattr(trial, axis) <= budget]


def read_questions(path: str | Path, *, others: bool = False) -> list[Question]:
    """The questions of a results file whose method makes attempts; none where it begins with a line of another
    method. `others`: such a line, as of MCTS, is one attempt that cost what it says. Raises RecordError."""
    questions = []
    for where, name, record in records.read_results(path):
        method = _method_of(record)
        broke_down = bool(records.error_of(record))
        if method is None and not others:
            if broke_down:  # of a version that did not say the method
                continue
            break
        places = dict.fromkeys(records.nodes_of(record), 0)
        attempts = _trials(records.read_attempts(record, where, places)) if method is not None else ()
        whole = None if broke_down else _whole(record, where, attempts)
        trials = (whole,) if method is None and whole is not None else attempts
        golds, oracle = records.record_to_task(record, where).answers, records.is_oracle(record)
        questions.append(Question(name, golds, method, trials, whole, oracle))
    return questions


def _method_of(record: Mapping[str, Any]) -> Method | None:
    """The method that made the attempts of a line; None where they are the user's column, or there are none."""
    name = record.get("method")
    method = METHODS.get(name) if isinstance(name, str) else None
    return method if method is not None and method.makes_attempts else None


def pass_at_k(num: int, correct: int, k: int) -> float:
    """1 - C(num - correct, k) / C(num, k): the chance that k of `num` attempts, drawn at random, hold a right one."""
    if not 0 <= correct <= num or not 1 <= k <= num:
        raise ValueError(f"pass@{k} of {correct} right ones among {num}")
    return 1.0 - math.comb(num - correct, k) / math.comb(num, k)


def solved_share(question: Question, axis: Axis, budget: float, *, unbiased: bool = False) -> float:
    """How much of a question is solved within a budget: 0 or 1, or with `unbiased` pass@k of its attempts."""
    if unbiased:
        right = sum(trial.correct is True for trial in question.trials)
        return pass_at_k(question.counted, right, min(int(budget), question.counted)) if question.counted else 0.0
    return float(any(trial.correct is True for trial in question.within(axis, budget)))


def can_estimate(questions: Sequence[Question]) -> bool:
    """Whether attempts are independent and none was left out after a success: then pass@k has its unbiased estimate."""
    most = max((question.counted for question in questions), default=0)
    solved = [[trial.correct is True for trial in question.trials] for question in questions]
    if most > 1 and any(map(any, solved)) and not any(any(right[:-1]) for right in solved):
        return False  # each success is the last attempt: it may have ended them
    return all(question.independent and question.counted in (0, most) for question in questions if question.trials)


def majority_share(questions: Sequence[Question], axis: Axis, budget: float, grader: Grader) -> list[float]:
    """1 for each question with golds where the majority of the answers within the budget is right, else 0."""
    judged = (question for question in questions if question.golds)
    votes = ((q.golds, [t.answer for t in q.within(axis, budget) if t.answer is not None]) for q in judged)
    return [float(right) for right in grader.votes(votes)]


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, … up to `most`, which is the last one."""
    steps = [2**i for i in range(most.bit_length()) if 2**i < most]
    return [*steps, most] if most else []


def _trials(attempts: Sequence[Attempt]) -> tuple[Trial, ...]:
    trials: list[Trial] = []
    counted, tokens, seconds = 0, 0, 0.0
    for attempt in attempts:
        verdict = attempt.verdict
        counted += verdict is not Verdict.NO_ANSWER
        tokens += attempt.tokens
        seconds += attempt.seconds
        correct = None if verdict in (None, Verdict.NO_ANSWER) else verdict is Verdict.CORRECT
        trials.append(Trial(correct, attempt.answer, counted, tokens, seconds))
    return tuple(trials)


def _whole(record: Mapping[str, Any], where: str, attempts: Sequence[Trial]) -> Trial:
    """A line as one attempt. `attempts`: those that it is made of, if any."""
    cost = records.costs_of(record, where)
    answer = next(map(answer_in, records.read_solutions(record, where)), None)
    made = attempts[-1].trials if attempts else 1
    return Trial(records.verdict_of(record), answer, made, int(cost.get("tokens", 0)), float(cost.get("seconds", 0.0)))
