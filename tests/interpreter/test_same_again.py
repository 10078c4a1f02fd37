"""What a cell was told and what follows it agree; and a state that is made again is the same."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psutil
import pytest
from processes import children

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.interpreter.losses import Crowded
from mcts_math.interpreter.parent import Parent
from mcts_math.interpreter.sandbox import Sandbox
from mcts_math.interpreter.snapshots import too_long
from mcts_math.requests import Cell, CellStatus, Execute, Observation

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


async def two_states() -> list[int]:
    """The processes below the first node of the clean parent, once whatever brought them up has ended."""
    for _ in range(100):
        with suppress(psutil.NoSuchProcess, IndexError):
            found = sorted(p.pid for p in psutil.Process(children(False)[0].pid).children()[0].children())
            if len(found) == 2:
                return found
        await asyncio.sleep(0.05)
    raise AssertionError("no two states")


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


ADDRESSES = (
    "class A:\n    def __init__(self, n): self.n = n\nclass B(A):\n    __slots__ = ()\nclass C:\n    __slots__ = ()\n"
    "things = C(), A(0), B(0), [1], (A, B), {1: 2}, object(), 12345.5 + A(1).n, lambda: 1, A, {A}, iter([])\n"
    "list(map(id, things)), [a.n for a in {A(i) for i in range(9)}]"
)


@pytest.mark.parametrize("modules", [("numpy", "sympy"), ()], ids=["image", "no image"])
def test_sets_have_the_same_order_however_many_sandboxes_there_were_before(modules: tuple[str, ...]) -> None:
    """Once, addresses followed from the number of sandboxes that a clean parent had forked, and of those that lived."""

    async def check() -> None:
        async with SandboxInterpreter(SandboxLimits(num_parents=2, modules=modules)) as interpreter:
            seen = []
            for i in range(8):
                history = ("x = 1",) * (i % 2)
                seen.append(((await show(interpreter, ADDRESSES, *history, session=str(i))).text, len(history)))
                if i in (3, 4):
                    await interpreter.release(str(i - 2))
            assert len(set(seen)) == 2

    run(check())


def test_a_clean_parent_looks_after_all_its_sandboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    warm_up = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)"

    async def check() -> None:
        start = Parent.start

        async def start_with(*args: Any, **options: Any) -> Parent:
            return await start(*args, **{**options, "warm_up": warm_up})

        monkeypatch.setattr(Parent, "start", start_with)
        async with SandboxInterpreter(LIMITS) as interpreter:
            for i in range(4):
                assert (await show(interpreter, "7", session=str(i))).text == "7"
        assert children() == []

    run(check())


def test_a_question_whose_first_state_was_killed_by_the_machine_goes_on() -> None:
    """Once, all of its cells were KILLED from then on."""

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            assert (await show(interpreter, "x = 1\nx")).text == "1"
            state = interpreter._sessions["q"].root.child(Cell("x = 1\nx")).process
            assert state is not None
            first, second = await two_states()
            assert second == state.pid
            os.kill(first, signal.SIGKILL)
            assert (await show(interpreter, "x", "x = 1\nx")).text == "1"
            seen = await asyncio.gather(*(show(interpreter, f"{i}") for i in range(6)))
            assert [o.text for o in seen] == [str(i) for i in range(6)]
            assert (await show(interpreter, "x", "x = 1\nx")).text == "1"

    run(check())


@pytest.mark.parametrize("cut", ["import os\nos._exit(1)", "x = 5\nwhile True: pass"], ids=["killed", "late"])
def test_a_cut_cell_of_a_history_that_nobody_has_seen_leaves_nothing(cut: str) -> None:
    """Once, the cells after it were lost in the first answer."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=0.5)) as interpreter:
            for _ in range(2):
                assert (await show(interpreter, "x + y", cut, "x = 1", "y = 2")).text == "3"

    run(check())


TAKEN = {
    "descriptors": "taken = []\ntry:\n    while True: taken.append(open('/dev/null'))\n"
    "except OSError as e: print(e.errno)",
    # One statement: there is no room to compile another one.
    "memory": "taken = []\nif True:\n    for size in (1 << 20, 1 << 10):\n        try:\n"
    "            while True: taken.append(bytearray(size))\n        except MemoryError: pass\n"
    "    del taken[-20:]\n    print(24)",
}


@pytest.mark.parametrize("taken", TAKEN.values(), ids=list(TAKEN))
def test_a_branch_that_has_used_up_what_it_may_goes_on(taken: str) -> None:
    """Once, all its cells failed or were KILLED from then on, for the harness had no room to look after their files."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, memory_bytes=256 << 20)) as interpreter:
            for first, num_files in (("1", "0"), ("open('f', 'w').close()", "1")):
                history: tuple[str, ...] = (first,)
                for code, shown in ((taken, "24"), ("2", "2"), ("import os\nlen(os.listdir())", num_files)):
                    seen = await show(interpreter, code, *history)
                    assert (seen.text, seen.status) == (shown, CellStatus.OK)
                    history += (code,)

    run(check())
