"""What a cell was told and what follows it agree; and a state that is made again is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.interpreter.losses import Crowded
from mcts_math.interpreter.sandbox import Sandbox
from mcts_math.interpreter.snapshots import too_long
from mcts_math.requests import Cell, CellStatus, Execute, Observation

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


def test_code_that_is_too_long_to_run_has_no_effect_later() -> None:
    """Once, it ran when a cell after it was run."""
    long = "x = 2\n#" + "a" * (3 << 20)
    assert too_long(Cell(long))

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            assert (await show(interpreter, "x = 1\nx")).text == "1"
            assert (await show(interpreter, long, "x = 1\nx")).status is CellStatus.ERROR
            for session in ("q", "resumed"):
                seen = await show(interpreter, "x", "x = 1\nx", long, session=session)
                assert (seen.text, seen.status) == ("1", CellStatus.OK)

    run(check())


def test_a_cell_that_was_given_up_has_no_effect_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, it was told to be KILLED, and ran when a cell after it was run."""
    step = Sandbox.step

    async def crowd(self: Sandbox, *args: Any) -> Any:
        if args[1].code == "x = 2":
            raise Crowded("no room")
        return await step(self, *args)

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, "x = 1")
            monkeypatch.setattr(Sandbox, "step", crowd)
            assert (await show(interpreter, "x = 2", "x = 1")).status is CellStatus.KILLED
            monkeypatch.undo()
            assert (await show(interpreter, "x", "x = 1", "x = 2")).text == "1"
            assert (await show(interpreter, "x = 2\nx", "x = 1")).text == "2"
            assert (await show(interpreter, "x", "x = 1", "x = 2\nx")).text == "2"

    run(check())
