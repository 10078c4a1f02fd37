"""Code that means harm to the bookkeeping: processes that outlive their kill, hide, or cost others their steps."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import children, num_living
from scripted import ScriptedPolicy, scripted
from stand_ins import EqualChecker, code, final

from mcts_math.errors import InterpreterError
from mcts_math.interpreter import Isolation, SandboxInterpreter, SandboxLimits, tries
from mcts_math.interpreter.parent import Connection, Parent
from mcts_math.interpreter.sandbox import KILLED_TEXT
from mcts_math.interpreter.tries import MAX_DEATHS
from mcts_math.requests import Cell, Execute, Generate, Generation, Observation
from mcts_math.solver import solve_async
from mcts_math.step import CellStatus

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())
HARNESS = (
    "import os, struct, sys, time\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\n"
    "fork = f.f_globals['fork']\n"
)
# The state's next fork is not what the host thinks it is: none at all, ...
AS_CHILD = (
    HARNESS + "def await_order():\n    token, folder, fd = fork.receive_order()\n    os.dup2(fd, 63)\n"
    "    os.write(63, struct.pack('<BI', 1, 0))\n    return folder\nfork.await_order = await_order"
)
# ... or one that says nothing and stays. (The machine code says hello by itself: the old way does not.)
HIDING = (
    HARNESS + "def await_order():\n    token, folder, fd = fork.receive_order()\n    pid = fork.clone(0x8000, token)\n"
    "    if pid == 0: os.closerange(0, 64)\n    while True: time.sleep(60)\nfork.await_order = await_order"
)
LINGER = "import os, time\nos.closerange(0, 64)\nwhile True: time.sleep(60)"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


async def num_settled() -> int:
    """How many live when what the last step needed has had the time to end."""
    counts = [num_living()]
    while len(counts) < 4 or len(set(counts[-4:])) > 1:
        await asyncio.sleep(0.05)
        counts.append(num_living())
    return counts[-1]


async def expect_processes(count: int) -> None:
    for _ in range(100):
        if num_living() == count:
            return
        await asyncio.sleep(0.05)
    assert num_living() == count


@pytest.mark.parametrize("code", [LINGER, LINGER.replace("os.closerange(0, 64)", "os.dup2(0, 63)")])
def test_a_process_that_closes_its_socket_is_killed_all_the_same(code: str) -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, "x = 1")
            before = await num_settled()
            for _ in range(3):
                assert (await show(interpreter, code, "x = 1")).status is CellStatus.KILLED
            await expect_processes(before)
            assert not (await show(interpreter, "x", "x = 1")).rebuilt

    run(check())


def test_a_state_that_closes_its_socket_is_killed_when_it_is_evicted() -> None:
    forged = "import os, struct\nos.write(63, struct.pack('<BI', 2, 2) + b'o1')\n" + LINGER

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=1)) as interpreter:
            await show(interpreter, "1")
            before = await num_settled()
            for i in range(3):
                assert (await show(interpreter, forged + f"  # {i}")).text == "1"
            await expect_processes(before)

    run(check())


def test_a_state_that_greets_in_its_childs_place_is_found_though_it_is_evicted_meanwhile() -> None:
    """Once, it was not: evicted between greeting and answer, it was no known state any more, and its answer counted."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=1)) as interpreter:
            await show(interpreter, AS_CHILD)
            before = await num_settled()
            pretending = asyncio.ensure_future(show(interpreter, "import time\ntime.sleep(1)\n7", AS_CHILD))
            await asyncio.sleep(0.2)
            others = [await show(interpreter, f"{i}", session="other") for i in range(3)]
            seen = await pretending
            assert seen.status is CellStatus.KILLED
            assert [o.text for o in others] == ["0", "1", "2"]
            await interpreter.release("q")
            await expect_processes(before)

    run(check())


@pytest.mark.slow
def test_a_child_that_hides_costs_its_sandbox_its_life() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=6.0)) as interpreter:
            await show(interpreter, "x = 1")
            before = await num_settled()
            await show(interpreter, HIDING, "x = 1")
            for _ in range(2):
                assert (await show(interpreter, "7", "x = 1", HIDING)).status is CellStatus.KILLED
            again = await show(interpreter, "x", "x = 1")
            assert (again.text, again.rebuilt) == ("1", True)
            await expect_processes(before + 1)  # the first node, its state, and the last step's

    run(check())


def test_a_hidden_child_of_a_cancelled_step_is_found() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, "x = 1")
            for i in range(10):
                await show(interpreter, HIDING, "x = 1")
                task = asyncio.ensure_future(show(interpreter, "7", "x = 1", HIDING))
                await asyncio.sleep(i * 0.0003)
                task.cancel()
                await asyncio.wait([task])
            await asyncio.sleep(0.5)
            await show(interpreter, "x", "x = 1")
            await interpreter.release("q")
            await expect_processes(1)  # the clean parent

    run(check())


@pytest.mark.parametrize(
    "work",
    [
        "x = bytearray(200 * 2**20)\ntime.sleep(60)",
        "while True: pass",
        "import threading\nthreading.Thread(target=time.sleep, args=(60,)).start()\ntime.sleep(60)",
    ],
)
def test_a_state_that_says_it_is_done_and_goes_on_is_ended(work: str) -> None:
    forged = "import os, struct, time\nos.write(63, struct.pack('<BI', 2, 2) + b'o1')\ntime.sleep(0.2)\n" + work

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, "x = 1")
            before = await num_settled()
            for i in range(3):
                assert (await show(interpreter, forged + f"  # {i}", "x = 1")).text == "1"
            await expect_processes(before)
            assert interpreter.num_snapshots == 1
            assert not (await show(interpreter, "x", "x = 1")).rebuilt

    run(check())


def test_an_honest_state_is_not_taken_for_one_that_goes_on() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            big = "x = list(range(300_000))  #" + "a" * 10**6
            await show(interpreter, big)
            for i in range(100):
                assert (await show(interpreter, f"len(x) + {i}", big)).text == str(300_000 + i)
            await asyncio.sleep(1.2)
            assert interpreter.num_snapshots == 101
            assert not (await show(interpreter, "len(x)  #" + "b" * 10**6, big)).rebuilt
            await asyncio.sleep(0.6)
            assert interpreter.num_snapshots == 102

    run(check())


def test_a_question_may_keep_more_states_than_its_file_system_has_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, each state that waited held its cell's folder: when all were taken the sandbox died."""
    few = "import sys\nf = sys._getframe()\nwhile 'supervisor' not in f.f_globals: f = f.f_back\n"
    few += "f.f_globals['supervisor'].files._MAX_FILES = 4"
    monkeypatch.setattr(Parent, "start", partial(Parent.start, warm_up=few))

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            if (await interpreter.start()).isolation is not Isolation.FULL:
                pytest.skip("no namespaces here")
            for i in range(50):  # of 8 times 4 files
                assert not (await show(interpreter, f"{i}")).rebuilt
            assert interpreter.num_snapshots == 50

    run(check())


def test_a_state_forks_by_python_where_there_is_no_machine_code() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            history: tuple[str, ...] = (HARNESS + "fork._serve = None",)
            for step in (
                "x = 1",
                "open('kept', 'w').write('old')",
                "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.2)",
            ):
                await show(interpreter, step, *history)
                history += (step,)
            await asyncio.sleep(0.5)
            seen = await show(interpreter, "x, open('kept').read()", *history)
            assert (seen.text, seen.rebuilt) == ("(1, 'old')", False)
            assert (await show(interpreter, "os.fork()", *history)).text.startswith("PermissionError")

    run(check())


def test_nobody_can_change_what_all_start_from() -> None:
    """Libraries are one sealed image: a cell may write to its own copy, and to no other."""
    reading = (
        "import ctypes\nf = ctypes.pythonapi.Py_GetCopyright\nf.restype = ctypes.c_void_p\nat = f()\n"
        "libc = ctypes.CDLL(None)\n"
    )
    writing = (
        reading + "libc.mprotect(ctypes.c_void_p(at // 4096 * 4096), ctypes.c_size_t(4096), 7)\n"
        "ctypes.memset(at, 88, 9)\nctypes.string_at(at, 9)"
    )

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, modules=("numpy",))) as interpreter:
            base = (await show(interpreter, reading + "ctypes.string_at(at, 9)")).text
            assert (await show(interpreter, writing, "x = 1")).text == str(b"X" * 9)
            assert (await show(interpreter, "ctypes.string_at(at, 9)", writing)).text == str(b"X" * 9)
            for session in ("q", "another"):
                assert (await show(interpreter, reading + "ctypes.string_at(at, 9)", session=session)).text == base

    run(check())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="an optimisation for x86-64")
@pytest.mark.skipif(os.getuid() != 0, reason="others may not look")
def test_a_node_has_few_mappings() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, modules=("numpy",))) as interpreter:
            await show(interpreter, "x = 1")
            node = children()[-1]
            assert len(Path(f"/proc/{node.pid}/maps").read_text().splitlines()) < 25

    run(check())


def test_a_question_whose_sandbox_keeps_dying_gets_killed_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = Parent.new_sandbox

    async def new_sandbox(self: Parent) -> Connection:
        connection = await real(self)
        made.append(connection.supervisor_pid)
        psutil.Process(connection.supervisor_pid).kill()
        return connection

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            with monkeypatch.context() as patch:
                patch.setattr(Parent, "new_sandbox", new_sandbox)
                assert (await show(interpreter, "7")).status is CellStatus.KILLED
            assert len(made) >= MAX_DEATHS
            assert (await show(interpreter, "7")).text == "7"

    run(check())


def test_a_clean_parent_that_keeps_dying_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def new_sandbox(self: Parent) -> Connection:
        psutil.Process(self.pid).kill()
        psutil.Process(self.pid).wait()
        raise InterpreterError("gone")

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            monkeypatch.setattr(Parent, "new_sandbox", new_sandbox)
            monkeypatch.setattr(tries, "MAX_FAILURES", 3)
            with pytest.raises(InterpreterError, match="keeps breaking down"):
                await show(interpreter, "7")

    run(check())


def test_hostile_code_in_one_question_leaves_the_others_their_answers() -> None:
    """Through the scheduler: one question's code attacks its sandbox at every step, the run goes on."""

    def reply(request: Generate) -> Generation:
        depth = str(request.prompt).count("</step>")
        codes = [AS_CHILD, "7", HIDING] if request.task_id == "2" else ["x = 3", "x += 1", "print(x)"]
        return scripted(code(codes[depth])) if depth < 3 else scripted(final("4"))

    async def check() -> None:
        tasks = [{"id": str(i), "question": f"question {i}", "answer": "4"} for i in range(5)]
        config = {"mode": "react", "prompt_wrap": "react_sft", "batch_size": 5, "max_depth": 6}
        async with SandboxInterpreter(LIMITS) as interpreter:
            solved = await solve_async(
                config | {"n_generate_sample": 1},
                tasks,
                policy=ScriptedPolicy(reply),
                interpreter=interpreter,
                checker=EqualChecker(),
            )
        assert [s.error for s in solved] == [""] * 5
        steps = [[n.step for n in s.tree.nodes if n.step is not None] for s in solved]
        shown = [[step.runs[-1].observation if step.runs else None for step in of_one] for of_one in steps]
        assert [s[2] for s in shown] == ["4", "4", KILLED_TEXT, "4", "4"]

    run(check())


def test_a_clean_parent_that_is_dying_is_not_alive() -> None:
    """The kernel takes its time to end a process: one that has hung up, but was not reaped yet, is of no use."""

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            parent = interpreter._parents[0]
            assert parent is not None
            poll, early = parent._process.poll, iter(range(5))  # it is reaped late
            parent._process.poll = lambda: poll() if next(early, None) is None else None  # type: ignore[method-assign]
            os.kill(parent.pid, signal.SIGKILL)
            assert (await show(interpreter, "6 * 7")).text == "42"
            assert interpreter._parents[0] is not parent

    asyncio.run(asyncio.wait_for(check(), 60))


_TIMER = "import signal, threading, time\nn = 0\ndef f(*a):\n    global n\n    n += 1\n"


_STARTS = {
    "interval": "signal.signal(signal.SIGALRM, f)\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
    "alarm": "signal.signal(signal.SIGALRM, f)\nsignal.alarm(1)",
    "virtual": "signal.signal(signal.SIGVTALRM, f)\nsignal.setitimer(signal.ITIMER_VIRTUAL, 1e-3, 1e-3)",
    "starts itself anew": "    signal.setitimer(signal.ITIMER_REAL, 1e-3)\nsignal.signal(signal.SIGALRM, f)\n"
    "signal.setitimer(signal.ITIMER_REAL, 1e-3)\ntime.sleep(0.05)",
    "timer thread": "threading.Timer(0.3, f).start()",
    "thread": "def g():\n    while True:\n        f()\n        time.sleep(0.01)\n"
    "threading.Thread(target=g, daemon=True).start()",
}


def test_a_state_that_waits_does_not_change() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:

            async def numbers() -> dict[str, tuple[str, bool]]:
                seen = {
                    name: await show(interpreter, "n", _TIMER + start, session=name) for name, start in _STARTS.items()
                }
                return {name: (one.text, one.rebuilt) for name, one in seen.items()}

            for name, start in _STARTS.items():
                await show(interpreter, _TIMER + start, session=name)
            first = await numbers()
            await asyncio.sleep(1.2)
            assert await numbers() == {name: (text, False) for name, (text, _) in first.items()}

    run(check())


def test_a_cell_s_own_signal_mask_survives_and_timers_work_within_a_cell() -> None:
    block = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})"
    alarm = "import signal, time\ndef f(*a): raise TimeoutError('own')\nsignal.signal(signal.SIGALRM, f)\n"

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, block)
            assert (await show(interpreter, "signal.pthread_sigmask(signal.SIG_BLOCK, ())", block)).text == (
                "{<Signals.SIGUSR1: 10>}"
            )
            soon = "signal.setitimer(signal.ITIMER_REAL, 0.1)"
            for history, start in (((), "signal.alarm(1)"), ((alarm,), soon), ((alarm, "1"), soon)):
                seen = await show(interpreter, f"{alarm}{start}\nx = time.sleep(30)", *history)
                assert seen.text == "TimeoutError: own"

    run(check())
