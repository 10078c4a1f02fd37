"""Budgets bound a method, whichever it is: it stops, says why, and leaves an answer that it had found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scripted import scripted
from stand_ins import QUESTION, EqualVerifier, code, final, solve_one

from mcts_math.common import Common
from mcts_math.methods import METHODS
from mcts_math.requests import Adapt, Adaptation, Evaluate, Evaluation, Generate, Generation, Verification, Verify
from mcts_math.scheduler import Solved

MANY: dict[str, Any] = {"n_generate_sample": 4, "step_beam_width": 4, "trials": 8, "iterations": 8, "max_depth": 3}
MODES = [name for name in METHODS if name != "react"]  # a chain has found nothing before it ends


class Answering:
    """Odd samples are wrong answers, the others go on; what is asked after the first answer may never be answered."""

    def __init__(self, *, stalls: bool = False) -> None:
        self.stalls, self.samples, self.answered = stalls, 0, False

    async def generate(self, request: Generate) -> Generation:
        await self.wait()
        count = request.num_samples
        self.samples += count
        self.answered = True
        texts = [final("3") if i % 2 == 0 else "?" for i in range(count)]
        return scripted(*texts, value=-1.0 if request.want_value else None)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        await self.wait()
        return Evaluation(-1.0)

    async def adapt(self, request: Adapt) -> Adaptation:
        await self.wait()
        return Adaptation(1.0)

    async def wait(self) -> None:
        if self.stalls and self.answered:
            await asyncio.sleep(60)

    async def release(self, session: str) -> None: ...

    async def close(self) -> None: ...


class Slow(EqualVerifier):
    async def verify(self, request: Verify) -> Verification:
        await asyncio.sleep(60)
        return await super().verify(request)


def cut(mode: str, policy: Any, **limits: Any) -> Solved:
    method = METHODS[mode]
    given = MANY | {"temperature": 0.0 if method.needs_token_beams else 1.0} | limits
    keys = {key: value for key, value in given.items() if key in {*Common.model_fields, *method.options.model_fields}}
    value = "head" if method.uses_values(method.options()) else "none"
    slow = {"verifier": Slow()} if policy.stalls else {}
    solved = solve_one({"mode": mode, "value": value, **keys}, policy, QUESTION | {"answer": "7"}, **slow)
    assert solved.error == ""
    return solved


def answers(solved: Solved) -> list[str | None]:
    return [solved.tree.nodes[i].answer for i in solved.tree.solutions]


@pytest.mark.parametrize("mode", MODES)
def test_what_was_found_before_the_time_was_up_stands(mode: str) -> None:
    solved = cut(mode, Answering(stalls=True), max_total_time=0.2)
    assert solved.tree.stopped == "max_total_time"
    assert set(answers(solved)) == {"3"}
    assert solved.tree.correct is False


@pytest.mark.parametrize("limit", ["max_question_samples", "max_question_tokens"])
@pytest.mark.parametrize("mode", MODES)
def test_samples_and_tokens_bound_every_method(mode: str, limit: str) -> None:
    policy = Answering()
    solved = cut(mode, policy, **{limit: 1})
    assert set(answers(solved)) == {"3"}
    assert policy.samples <= 16  # the first round alone
    if solved.tree.stopped:
        assert solved.tree.stopped == limit
        assert solved.cost.samples == policy.samples
    unbound = Answering()
    cut(mode, unbound)
    assert bool(solved.tree.stopped) == (unbound.samples > policy.samples)


def test_what_nobody_had_judged_when_it_was_cut_is_judged_then() -> None:
    """Attempts that held no answer were found wrong before it."""
    texts = iter(["?", "?", final("7"), code("1")])

    class Waves(Answering):
        async def generate(self, request: Generate) -> Generation:
            return scripted(*[next(texts) for _ in range(request.num_samples)])

    solved = cut("best_of_n", Waves(), n_generate_sample=2, max_question_samples=4)
    assert (solved.tree.stopped, answers(solved)) == ("max_question_samples", ["7"])
    assert solved.tree.correct is True
