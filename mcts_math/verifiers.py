"""Whether an attempt solves its task: the answer is compared, or the task's tests are run (`requests.Verifier`)."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mcts_math.answer import extract_answer
from mcts_math.errors import TaskError
from mcts_math.judge import CodeJudge, Judge, JudgeClient, JudgeLimits, Problem
from mcts_math.judge.problem import NO_CODE
from mcts_math.requests import Check, Checker, Verdict, Verification, Verifier, Verify
from mcts_math.tasks import Task


class AnswerVerifier:
    """Compares the final answer with the accepted ones.

    Args:
        checker: what compares; whoever made it closes it.
    """

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    async def verify(self, request: Verify) -> Verification:
        """The verdict; NO_ANSWER where the attempt marks none as final. Raises TaskError on a task without answers."""
        task = request.task
        if not task.answers:
            raise TaskError(f"question {task.id!r} has no `answer` to compare with. Add it to the question file.")
        answer = request.answer if request.answer is not None else extract_answer(request.attempt)
        if answer is None or not answer.strip():
            return Verification(Verdict.NO_ANSWER)
        equal = await self._checker.check(Check(answer, task.answers))
        return Verification(Verdict.CORRECT if equal else Verdict.INCORRECT, answer)

    async def close(self) -> None:
        """Nothing to close."""


class CodeVerifier:
    """Runs the task's tests on the code in the attempt.

    Args:
        judge: what runs them; closed by `close`.
    """

    def __init__(self, judge: CodeJudge) -> None:
        self._judge = judge

    async def verify(self, request: Verify) -> Verification:
        """The verdict; NO_ANSWER where the attempt holds no code. Raises TaskError on a task that is no problem."""
        problem = Problem.from_record(request.task.record, f"question {request.task.id!r}")
        judgement = await self._judge.judge(problem, request.attempt)
        if judgement.result == NO_CODE:
            return Verification(Verdict.NO_ANSWER, detail=NO_CODE)
        verdict = Verdict.CORRECT if judgement.passed else Verdict.INCORRECT
        return Verification(verdict, judgement.code, judgement.result)

    async def close(self) -> None:
        """Closes the judge."""
        await self._judge.close()


class TaskVerifier:
    """Runs tests for code tasks, compares answers for all others.

    Args:
        answers: verifier of answers; closed by `close`, as is the other.
        code: verifier of code; None where no task needs one.
    """

    def __init__(self, answers: Verifier, code: Verifier | None = None) -> None:
        self._answers, self._code = answers, code

    async def verify(self, request: Verify) -> Verification:
        """The verdict of the verifier that the task needs. Raises TaskError where there is none."""
        if not request.task.is_code:
            return await self._answers.verify(request)
        if self._code is None:
            raise TaskError(f"question {request.task.id!r} is a code task, and no judge was opened for it.")
        return await self._code.verify(request)

    async def close(self) -> None:
        """Closes both."""
        await self._answers.close()
        if self._code is not None:
            await self._code.close()


def make_verifier(checker: Checker, *, address: str | None = None, limits: JudgeLimits | None = None) -> TaskVerifier:
    """The verifier for any task. The judge starts with the first code task.

    Args:
        checker: compares answers; whoever made it closes it.
        address: of a judge service; None: what `OJ_API` says; "" (or `OJ_API` unset): judge on this machine.
        limits: of a judge on this machine.

    Raises:
        ConfigError: the address is none.
    """
    address = os.environ.get("OJ_API", "") if address is None else address
    judge: CodeJudge = JudgeClient(address) if address else Judge(limits)
    return TaskVerifier(AnswerVerifier(checker), CodeVerifier(judge))


def check_problems(tasks: Iterable[Task]) -> None:
    """Raises TaskError, naming question and field, where a code task lacks what its judge needs."""
    for task in tasks:
        if task.is_code:
            Problem.from_record(task.record, f"question {task.id!r}")
