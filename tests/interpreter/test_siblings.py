"""What a cell must not suffer from other cells of its question: their files, and what they do to the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits, tries
from mcts_math.interpreter.tries import MAX_DEATHS, Gate, Tries
from mcts_math.interpreter.worker import wire
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=(), temp_bytes=1 << 20)
LEAVE = "with open('a', 'wb') as f: _ = f.write(b'a' * 900_000)"
HOG = (
    "for i in range(100):\n    try:\n        with open(str(i), 'wb', buffering=0) as f: _ = f.write(b'a' * 1_000_000)\n"
    "    except OSError:\n        break\nimport time\ntime.sleep({})"
)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


def test_siblings_with_files_do_not_take_each_other_s_room() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_running=wire.SHARES)) as interpreter:
            await show(interpreter, LEAVE)
            codes = [
                f"import os, time\nopen('b', 'wb').write(b'b' * 100_000)\ntime.sleep(0.3)\nos.path.getsize('a') + {i}"
                for i in range(wire.SHARES)
            ]
            seen = await asyncio.gather(*(show(interpreter, code, LEAVE) for code in codes))
            assert [o.text for o in seen] == [str(900_000 + i) for i in range(wire.SHARES)]

    run(check())


def test_a_cell_waits_for_room_that_a_sibling_has_and_is_told_where_that_is_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def beside_a_hog(seconds: float) -> Observation:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, LEAVE)
            hog = asyncio.ensure_future(show(interpreter, HOG.format(seconds)))
            await asyncio.sleep(0.4)
            seen = await show(interpreter, "len(open('a').read())", LEAVE)
            hog.cancel()
            return seen

    async def check() -> None:
        assert (await beside_a_hog(1.0)).text == "900000"
        monkeypatch.setattr(tries, "MAX_REFUSALS", 1)
        seen = await beside_a_hog(10.0)
        assert seen.status is CellStatus.KILLED
        assert "files" in seen.text

    run(check())


def test_siblings_that_leave_no_room_for_a_folder_do_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MAX_REFUSALS", 1)
    hog = (
        "import time\nwhile True:\n    try:\n        open(str(time.monotonic()), 'w').close()\n"
        "    except OSError:\n        time.sleep(0.001)\n"
    )

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_running=2)) as interpreter:
            hogging = asyncio.create_task(show(interpreter, hog))
            while (seen := await show(interpreter, "1")).status is CellStatus.OK:
                await asyncio.sleep(0.05)
            assert seen.status is CellStatus.KILLED
            assert "other cells left no room" in seen.text
            hogging.cancel()

    run(check())


def test_the_bound_on_files_is_a_cell_s_own() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, LEAVE)
            seen = await show(interpreter, LEAVE.replace("'a',", "'b',"), LEAVE)
            assert seen.status is CellStatus.ERROR
            assert "1048576 bytes" in seen.text
            assert (
                await show(interpreter, "import os\nos.listdir()", LEAVE, LEAVE.replace("'a',", "'b',"))
            ).text == "['a']"

    run(check())


def test_a_branch_that_ends_its_sandbox_time_and_again_costs_its_siblings_time_alone() -> None:
    harm = (
        "import os, sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\n"
        "fork = f.f_globals['fork']\nfork.await_order = lambda: (fork.receive_order(), os._exit(0))"
    )

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, temp_bytes=0)) as interpreter:
            work = "import time\nend = time.monotonic() + 0.3\nwhile time.monotonic() < end: pass\n"
            innocent = [asyncio.ensure_future(show(interpreter, f"{work}{i}")) for i in range(2)]
            for i in range(MAX_DEATHS):
                await show(interpreter, harm)
                assert (await show(interpreter, f"{i}", harm)).status is CellStatus.KILLED
            assert [seen.text for seen in await asyncio.gather(*innocent)] == ["0", "1"]

    run(check())


def test_who_waits_to_be_alone_may_be_cancelled() -> None:
    async def check() -> None:
        gate, alone, other = Gate(), Tries(num_deaths=MAX_DEATHS), Tries()

        async def enter(tries: Tries) -> None:
            try:
                async with gate.inside(tries):
                    await asyncio.sleep(0.05)
            finally:
                gate.leave(tries)

        first = asyncio.ensure_future(enter(other))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(enter(alone))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        await asyncio.wait_for(enter(other), 5)
        order: list[str] = []
        held = gate.inside(alone)
        async with held:
            late = asyncio.ensure_future(enter(other))
            late.add_done_callback(lambda _: order.append("other"))
            await asyncio.sleep(0.1)
            order.append("alone")
        gate.leave(alone)
        await late
        await asyncio.sleep(0)
        assert order == ["alone", "other"]

    run(check())


@pytest.mark.parametrize("end", ["while True: pass", "os._exit(0)"])
def test_a_cell_that_was_stopped_leaves_its_room_at_once(end: str) -> None:
    hog = f"import os\n{HOG.format(0)}\nb = bytearray(100 << 20)\n{end}"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=0.3)) as interpreter:
            for i in range(5):
                assert (await show(interpreter, hog + f"  # {i}")).status is not CellStatus.OK
                assert (await show(interpreter, f"{LEAVE}\n{i}")).text == str(i)

    run(check())


DEEP = (
    "import os\nfor i in range({}):\n    os.mkdir('a')\n    os.mkdir('0')\n    os.chdir('a')\n"
    "    if i % 50 == 0: os.close(os.open('b', os.O_CREAT, 0))\n"
)


def test_what_a_stopped_cell_has_nested_deep_takes_no_room() -> None:
    """Once, it stayed, and took the files and folders of all cells of the question."""

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            for i in range(3):
                seen = await show(interpreter, f"{DEEP.format(1200)}os._exit({i})")
                assert seen.status is CellStatus.KILLED
            seen = await show(interpreter, "import os\nfor i in range(500): os.mkdir(str(i))\n7")
            assert seen.text == "7"

    run(check())


def test_files_too_deep_to_be_kept_are_told() -> None:
    cell = f"import sys\nsys.setrecursionlimit(70)\n{DEEP.format(90)}7"

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            seen = await show(interpreter, cell)
            assert (seen.status, seen.text.split("\n")[1]) == (CellStatus.ERROR, "The files of this cell are not kept.")

    run(check())
