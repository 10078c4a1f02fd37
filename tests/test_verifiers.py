"""Verdicts on whole attempts: answers, programs, and what is neither."""

from __future__ import annotations

import asyncio

import pytest

from mcts_math.answer import PoolChecker
from mcts_math.errors import ConfigError, JudgeError, TaskError
from mcts_math.judge import JudgeClient, Judgement, Problem
from mcts_math.requests import Verification, Verifier, Verify
from mcts_math.step import Verdict
from mcts_math.tasks import Task
from mcts_math.verifiers import TaskVerifier, check_problems, make_verifier

SUM = Task("sum", "What is 1 + 1?", ("2", "two"))
ADD = Task("add", "Write add.", (), {"prompt": "", "test": "assert add(1, 2) == 3", "entry_point": "add"})
GOOD = "Here:\n```python\ndef add(a, b):\n    return a + b\n```"
CODE = "def add(a, b):\n    return a + b"


def verify(*requests: Verify) -> list[Verification]:
    async def run() -> list[Verification]:
        checker = PoolChecker(1)
        verifier = make_verifier(checker, address="")
        try:
            return await asyncio.gather(*(verifier.verify(request) for request in requests))
        finally:
            await verifier.close()
            await checker.close()

    return asyncio.run(run())


def test_answers() -> None:
    found = verify(
        Verify(SUM, "So it is \\boxed{\\frac{4}{2}}.", answer="\\frac{4}{2}"),
        Verify(SUM, "The answer is 3.", answer="3"),
        Verify(SUM, "The answer is 2."),  # the format has read none
        Verify(SUM, "The answer is 3.", answer="two"),
        Verify(SUM, "The answer is 2.", answer=" "),
    )
    assert [(v.verdict, v.answer) for v in found] == [
        (Verdict.CORRECT, "\\frac{4}{2}"),
        (Verdict.INCORRECT, "3"),
        (Verdict.NO_ANSWER, None),
        (Verdict.CORRECT, "two"),
        (Verdict.NO_ANSWER, None),
    ]


def test_programs() -> None:
    found = verify(
        Verify(ADD, GOOD, answer="3"),  # what reads as an answer does not count
        Verify(ADD, GOOD.replace("+", "-")),
        Verify(ADD, "The answer is 3."),
        Verify(SUM, GOOD),
    )
    assert found == [
        Verification(Verdict.CORRECT, CODE, "passed"),
        Verification(Verdict.INCORRECT, CODE.replace("+", "-"), "failed: AssertionError: assert add(1, 2) == 3"),
        Verification(Verdict.NO_ANSWER, None, "no code was found in the completion"),
        Verification(Verdict.NO_ANSWER),
    ]


def test_tasks_that_can_t_be_verified_are_named() -> None:
    with pytest.raises(TaskError, match="question 'x' has no `answer`"):
        verify(Verify(Task("x", "?"), "\\boxed{1}"))
    broken = Task("y", "?", (), {"prompt": "", "entry_point": "add"})
    with pytest.raises(TaskError, match="question 'y': the field `test` is missing"):
        verify(Verify(broken, GOOD))
    with pytest.raises(TaskError, match="question 'y': the field `test` is missing"):
        check_problems([SUM, ADD, broken])
    check_problems([SUM, ADD])


class SlowJudge:
    """Takes its time, and counts."""

    def __init__(self) -> None:
        self.num_running = self.most = 0
        self.closed = False

    async def judge(self, problem: Problem, completion: str) -> Judgement:
        self.num_running += 1
        self.most = max(self.most, self.num_running)
        try:
            await asyncio.sleep(0.05)
        finally:
            self.num_running -= 1
        if completion == "break":
            raise JudgeError("broken")
        return Judgement(True, "passed", completion)

    async def close(self) -> None:
        self.closed = True


def test_many_in_flight_and_cancelled_ones_harm_nobody() -> None:
    judge = SlowJudge()

    async def run() -> None:
        checker = PoolChecker(1)
        verifier = TaskVerifier(checker, judge)
        assert isinstance(verifier, Verifier)
        tasks = [asyncio.create_task(verifier.verify(Verify(ADD, str(i)))) for i in range(1000)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in found[::2])
        assert [v.answer for v in found[1::2] if isinstance(v, Verification)] == [str(i) for i in range(1, 1000, 2)]
        with pytest.raises(JudgeError, match="broken"):
            await verifier.verify(Verify(ADD, "break"))
        await verifier.close()
        await checker.close()

    asyncio.run(run())
    assert judge.most > 400
    assert judge.num_running == 0
    assert judge.closed


def test_code_without_a_judge_is_refused() -> None:
    async def run() -> None:
        checker = PoolChecker(1)
        try:
            await TaskVerifier(checker).verify(Verify(ADD, GOOD))
        finally:
            await checker.close()

    with pytest.raises(TaskError, match="'add' is a code task"):
        asyncio.run(run())


def test_the_service_s_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:

    async def judge_of(address: str | None) -> object:
        checker = PoolChecker(1)
        verifier = make_verifier(checker, address=address)
        try:
            return verifier._judge
        finally:
            await verifier.close()
            await checker.close()

    monkeypatch.setenv("OJ_API", "127.0.0.1:9999")
    judge = asyncio.run(judge_of(None))
    assert isinstance(judge, JudgeClient)
    assert judge.address == "http://127.0.0.1:9999"
    assert not isinstance(asyncio.run(judge_of("")), JudgeClient)
    monkeypatch.setenv("OJ_API", "ftp://nowhere")
    with pytest.raises(ConfigError, match="OJ_API"):
        asyncio.run(judge_of(None))
