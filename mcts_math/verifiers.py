"""Whether an attempt solves its task: the answer is compared, or the task's tests are run (`requests.Verifier`)."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mcts_math.errors import TaskError
from mcts_math.judge import CodeJudge, Judge, JudgeClient, JudgeLimits, Problem
from mcts_math.judge.problem import NO_CODE
from mcts_math.requests import Check, Checker, Verification, Verify
from mcts_math.step import Verdict
from mcts_math.tasks import Task


class TaskVerifier:
    """Runs the tests of code tasks by `judge`, which `close` closes (None where no task needs one); of all others
    compares the final answer with the accepted ones by `checker`, which stays open."""

    def __init__(self, checker: Checker, judge: CodeJudge | None = None) -> None:
        self._checker, self._judge = checker, judge

    async def verify(self, request: Verify) -> Verification:
        """The verdict; NO_ANSWER where the attempt holds no final answer, or no code. Raises TaskError where
        the task has no answers, is no problem, or asks for a judge where there is none."""
        return await (self._run_tests(request) if request.task.is_code else self._compare(request))

    async def close(self) -> None:
        if self._judge is not None:
            await self._judge.close()

    async def _compare(self, request: Verify) -> Verification:
        task = request.task
        if not task.answers:
            raise TaskError(f"question {task.id!r} has no `answer` to compare with. Add it to the question file.")
        answer = request.answer  # no other reader: the results file shows this one, and is evaluated by it
        if answer is None or not answer.strip():
            return Verification(Verdict.NO_ANSWER)
        equal = await self._checker.check(Check(answer, task.answers))
        return Verification(Verdict.CORRECT if equal else Verdict.INCORRECT, answer)

    async def _run_tests(self, request: Verify) -> Verification:
        if self._judge is None:
            raise TaskError(f"question {request.task.id!r} is a code task, and no judge was opened for it.")
        problem = Problem.from_record(request.task.record, f"question {request.task.id!r}")
        judgement = await self._judge.judge(problem, request.attempt)
        if judgement.result == NO_CODE:
            return Verification(Verdict.NO_ANSWER, detail=NO_CODE)
        verdict = Verdict.CORRECT if judgement.passed else Verdict.INCORRECT
        return Verification(verdict, judgement.code, judgement.result)


def make_verifier(checker: Checker, *, address: str | None = None, limits: JudgeLimits | None = None) -> TaskVerifier:
    """The verifier for any task. The judge, under `limits`, starts with the first code task; `address` of a judge
    service takes its place (None: what `OJ_API` says). Raises ConfigError for a bad address."""
    address = os.environ.get("OJ_API", "") if address is None else address
    return TaskVerifier(checker, JudgeClient(address) if address else Judge(limits))


def check_problems(tasks: Iterable[Task]) -> None:
    """Raises TaskError, naming question and field, where a code task lacks what its judge needs."""
    for task in tasks:
        if task.is_code:
            Problem.from_record(task.record, f"question {task.id!r}")
