"""Scripted interpreter and checker: services whose replies are functions of the request alone."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripted import Behaviour, RandomPolicy

from mcts_math.config import make_config
from mcts_math.formats import make_format
from mcts_math.methods import METHODS
from mcts_math.monitor import Totals
from mcts_math.requests import Check, Execute, Observation, Policy, Verification, Verify
from mcts_math.run.record import tree_to_record
from mcts_math.run.run import solve_file
from mcts_math.scheduler import Solved
from mcts_math.solver import solve
from mcts_math.step import CellStatus, Verdict
from mcts_math.tree import Tree

QUESTION = {"id": "t", "question": "Q", "answer": "1"}


@contextmanager
def started(command: Sequence[str], folder: Path, *, alone: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A program that hears interrupts (`alone`: with all that it starts, and nobody else), and is killed at the end.

    A job that a shell has put into the background is born deaf to SIGINT, and so would be whatever it starts.
    """
    deaf = signal.signal(signal.SIGINT, signal.default_int_handler)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(  # type: ignore[call-overload]
        command, cwd=folder, text=True, start_new_session=alone, **pipes
    ) as process:
        signal.signal(signal.SIGINT, deaf)
        try:
            yield process
        finally:
            process.kill()


class EchoInterpreter:
    """Answers with the number of cells run before; code that holds `raise` or `1 / 0` fails."""

    def __init__(self, max_delay_s: float = 0.0) -> None:
        self.max_delay_s = max_delay_s
        self.requests: list[Execute] = []
        self.released: list[str] = []

    async def execute(self, request: Execute) -> Observation:
        self.requests.append(request)
        if self.max_delay_s:
            await asyncio.sleep(random.random() * self.max_delay_s)
        code = request.cell.code
        failed = "raise" in code or "/ 0" in code
        status = CellStatus.ERROR if failed else CellStatus.OK
        return Observation(f"{status.value} after {len(request.history)}", status)

    async def release(self, session: str) -> None:
        self.released.append(session)

    async def close(self) -> None:
        return None


class EqualChecker:
    """Answers are equal when their texts are."""

    async def check(self, request: Check) -> bool:
        return request.answer in request.golds

    async def close(self) -> None:
        return None


class EqualVerifier:
    """The attempt's answer is right when its text is an accepted one; an attempt without answer holds none."""

    def __init__(self) -> None:
        self.requests: list[Verify] = []

    async def verify(self, request: Verify) -> Verification:
        self.requests.append(request)
        if request.answer is None:
            return Verification(Verdict.NO_ANSWER)
        right = request.answer in request.task.answers
        return Verification(Verdict.CORRECT if right else Verdict.INCORRECT, request.answer)

    async def close(self) -> None:
        return None


def code(expression: str, thought: str = "Compute.") -> str:
    """A code step as a `react_sft` model writes it, before its stop string."""
    return f"<step>\n<p>\n{thought}\n</p>\n<code>\n```python\n{expression}\n```"


def final(answer: str) -> str:
    """A final step as a `react_sft` model writes it, before its stop string."""
    return f"<step>\n<p>\nDone.\n</p>\n<p>\nFinal Answer: {answer}\n</p>"


def solve_one(config: dict[str, Any], policy: Any, record: dict[str, Any] = QUESTION, **services: Any) -> Solved:
    """Solves one question with scripted services, or with those that are given."""
    scripted = {"interpreter": EchoInterpreter(), "checker": EqualChecker(), "verifier": EqualVerifier()}
    (solved,) = solve({"prompt_wrap": "react_sft", **config}, [record], policy=policy, **(scripted | services))
    return solved


def grow_tree(config: dict[str, Any], policy: Policy, *, question: str = "Q", answer: str | None = "1") -> Tree:
    """The tree of one question that scripted services solve."""
    record = {"id": "t", "question": question} | ({} if answer is None else {"answer": answer})
    solved = solve_one(config, policy, record)
    assert not solved.error, solved.error
    return solved.tree


def line_of(tree: Tree, mode: str = "mcts", step_format: str = "react_sft") -> dict[str, Any]:
    """The tree's line in a results file."""
    return tree_to_record(tree, METHODS[mode], make_format(step_format))


def outline(tree: Tree) -> dict[str, tuple[str, int, float, float | None, bool]]:
    """tag -> (outcome, N, W, value, terminal): all that a search decides."""
    return {
        tag: (
            "root" if node.step is None else node.step.outcome.value,
            node.visit_count,
            round(node.value_sum, 9),
            node.value,
            node.terminal,
        )
        for tag, node in tree.tags()
    }


def run_scripted(qaf: Path, output: Path, *, resume: bool = False, shard: str = "", max_delay_s: float = 0.0) -> Totals:
    """Solves a question file with the random policy, as `solver_demo.py` would with a model."""
    config = make_config(
        {
            "mode": "mcts",
            "prompt_wrap": "react_sft",
            "n_generate_sample": 3,
            "iterations": 6,
            "max_depth": 6,
            "need_value_func": True,
            "batch_size": 4,
        }
    )
    policy = RandomPolicy(1, Behaviour(max_delay_s=max_delay_s))
    return solve_file(
        config,
        qaf,
        output,
        resume=resume,
        shard=shard,
        policy=policy,
        interpreter=EchoInterpreter(),
        checker=EqualChecker(),
        report=lambda text: None,
    )
