"""What a cell leaves behind that the next cell must not suffer from: threads, their locks, open files."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

Branch: TypeAlias = Callable[..., list[Observation]]
LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


def beside(work: str) -> str:
    """A cell with the value 5 that leaves a thread at work."""
    return f"import threading, time\nx = 5\ndef f():\n    {work}\nthreading.Thread(target=f, daemon=True).start()\nx"


def test_a_thread_in_numpy_s_generator_costs_no_state() -> None:
    cell = "import numpy as np\n" + beside("while True: np.random.rand(5000)")

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, modules=("numpy",))) as interpreter:
            for session in "abc":
                assert (await show(interpreter, cell, session=session)).text == "5"
                seen = await show(interpreter, "x, len(np.random.rand(3))", cell, session=session)
                assert (seen.text, seen.rebuilt) == ("(5, 3)", False)

    run(check())


@pytest.mark.skipif(sys.version_info[:3] == (3, 13, 0), reason="its forks end by an import lock of a thread's")
@pytest.mark.parametrize(
    "hold",
    [
        "import _imp; _imp.acquire_lock()",
        "import _imp; _imp.acquire_lock(); _imp.acquire_lock()",
        "import logging; logging._lock.acquire()",
        "import os; os.register_at_fork(before=threading.Event().wait)",
    ],
)
def test_a_thread_that_holds_what_a_fork_needs_costs_no_state(branch: Branch, hold: str) -> None:
    """Once, the cell waited for it, and was KILLED after 20 seconds."""
    cell = "import logging\n" + beside(f"{hold}; time.sleep(99)").replace("\nx", "\ntime.sleep(0.1)\nx")
    then = (
        "import threading, colorsys, logging\nlogging.getLogger('new')\nt = threading.Thread(target=lambda: "
        "__import__('graphlib'))\nt.start()\nt.join()\nx"
    )
    assert [(seen.text, seen.rebuilt) for seen in branch(cell, then, then)] == [("5", False)] * 3


def test_a_module_that_a_thread_imports_as_its_cell_ends_can_be_imported(branch: Branch) -> None:
    """Once, its lock stayed held: to import it took all of the next cell's time."""
    first = "open('slow.py', 'w').write('import time; time.sleep(99)')\n" + beside("import slow")
    then = "open('slow.py', 'w').write('y = 6')\nimport slow\nx, slow.y"
    assert branch(first.replace("\nx", "\ntime.sleep(0.1)\nx"), then)[-1].text == "(5, 6)"


@pytest.mark.parametrize("spoil", ["time.sleep(99)", "os._exit(0)"])
def test_a_state_that_can_not_be_kept_is_told(spoil: str) -> None:
    """Once, the cell was ok and its state was gone."""
    cell = f"import os\nos.register_at_fork(after_in_child=lambda: {spoil})\n" + beside("time.sleep(99)")

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=0.5)) as interpreter:
            await show(interpreter, "x = 1")
            seen = await show(interpreter, cell, "x = 1")
            assert seen.status is CellStatus.KILLED
            assert seen.text.startswith("5\n")
            assert "threads" in seen.text
            assert (await show(interpreter, "x", "x = 1", cell)).text == "1"

    run(check())


@pytest.mark.parametrize(
    ("first", "between", "then", "expected"),
    [
        ("f = open('a.txt', 'rb')\nf.read(3)", "1", "g = open('b.txt', 'rb')\nf.read()", "Bad file descriptor"),
        ("f = open('c.txt', 'w')", "1", "g = open('d.txt', 'w')\nf.write('x')\nf.flush()", "Bad file descriptor"),
        ("f = open('c.txt', 'w')\nf.write('x')", "2", "f = open('d.txt', 'w')\nf.write('second')\nf.flush()\n"
         "open('d.txt').read()", "second"),
        ("f = open('a.txt', 'rb')", "f = None", "open('b.txt').fileno()", "3"),
        ("import os\na, b = os.pipe()", "1", "c, d = os.pipe()\nos.write(b, b'x')", "Bad file descriptor"),
        ("import os\nfds = [os.open('a.txt', 0) for _ in range(30)]", "for fd in fds: os.close(fd)",
         "len([os.open('a.txt', 0) for _ in range(50)])", "50"),
    ],
)  # fmt: skip
def test_an_open_file_acts_on_no_other_file_later(
    branch: Branch, first: str, between: str, then: str, expected: str
) -> None:
    """A cell may come between: the numbers stay taken until the objects go."""
    make = "for name in 'ab':\n    with open(name + '.txt', 'w') as f: _ = f.write(name * 30000)"
    *before, last = branch(make, first, between, then)
    assert [seen.status for seen in before] == [CellStatus.OK] * 3
    assert expected in last.text


def test_a_state_waits_whatever_was_made_of_its_socket(branch: Branch) -> None:
    first = "import os\nos.set_blocking(63, False)\n5"
    assert branch(first)[0].text == "5"
    time.sleep(0.1)
    assert [(seen.text, seen.rebuilt) for seen in branch(first, "6")] == [("5", False), ("6", False)]
