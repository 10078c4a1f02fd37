"""States, eviction, limits, breakdowns: what `SandboxInterpreter` promises beyond isolation."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import re
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import pytest
from processes import children, num_living

from mcts_math.errors import InterpreterError, RecordError
from mcts_math.interpreter import BlockingInterpreter, Isolation, Level, SandboxInterpreter, SandboxLimits, probe
from mcts_math.interpreter.levels import require
from mcts_math.interpreter.orders import Layers
from mcts_math.interpreter.processes import ProcessFacts, StateProcess
from mcts_math.interpreter.sandbox import RunResult, Sandbox
from mcts_math.interpreter.snapshots import SnapshotStore, State
from mcts_math.requests import Cell, Execute, Interpreter, Observation
from mcts_math.step import CellStatus

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())  # without modules it starts in a moment
Cells = tuple[Cell, ...]
Branch: TypeAlias = Callable[..., list[Observation]]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def cells(*codes: str) -> Cells:
    return tuple(map(Cell, codes))


async def show(interpreter: Interpreter, history: Cells, code: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, history, Cell(code)))


def test_is_an_interpreter() -> None:
    assert isinstance(SandboxInterpreter(), Interpreter)


def test_the_locale_of_the_environment_is_there_and_text_is_utf_8(branch: Branch) -> None:
    code = (
        "import locale, sys\nlocale.setlocale(locale.LC_ALL, '')\n"
        "sys.getfilesystemencoding(), open('é', 'w').encoding.lower()"
    )
    assert branch(code)[0].text == "('utf-8', 'utf-8')"


@pytest.mark.parametrize(
    ("use", "shown"),
    [
        ("import timeit\ntimeit.timeit('f()', setup='from __main__ import f', number=1) < 1", "True"),
        ("import doctest\ndoctest.testmod()", "TestResults(failed=0, attempted=1)"),
        ("import pickle\npickle.loads(pickle.dumps(f))()", "3"),
        ("__name__ == '__main__'", "False"),
    ],
)
def test_modules_that_look_for_the_program_find_the_cells(branch: Branch, use: str, shown: str) -> None:
    f = "def f():\n    'gives 3\\n\\n>>> f()\\n3\\n'\n    return 3"
    assert branch(f, use)[1].text == shown


def test_siblings_do_not_see_each_other() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            base = cells("x = [0]")
            seen = await asyncio.gather(
                *(
                    show(interpreter, base, f"import math\nx.append({i})\nmath.pi += {i}\nx, math.pi > 4")
                    for i in range(8)
                )
            )
            assert [s.text for s in seen] == [f"([0, {i}], {i > 0})" for i in range(8)]
            assert not any(s.rebuilt for s in seen[1:])

    run(check())


def test_questions_share_nothing() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, (), "import math\nx = math.pi = 3", "a")
            assert (
                await show(interpreter, (), "import math\n'x' in globals(), math.pi > 3.1", "b")
            ).text == "(False, True)"

    run(check())


def test_ancestors_never_run_twice() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            history: Cells = ()
            first = Cell("import time\nstamp = time.monotonic_ns()\nstamp")
            stamp = (await interpreter.execute(Execute("q", (), first))).text
            history = (first,)
            for i in range(6):
                assert (await show(interpreter, history, "stamp")).text == stamp
                await show(interpreter, history, f"y{i} = 1")
                history += cells(f"y{i} = 1")

    run(check())


@pytest.mark.parametrize(
    ("code", "status"),
    [("x = 2\nwhile True: pass", CellStatus.TIMEOUT), ("x = 2\nimport os\nos._exit(0)", CellStatus.KILLED)],
)
def test_a_cut_cell_leaves_its_parents_state(code: str, status: CellStatus) -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=1.0)) as interpreter:
            base = cells("x = 1")
            seen = await show(interpreter, base, code)
            assert seen.status is status
            after = await show(interpreter, base + cells(code), "x += 10\nx")
            assert after == replace(after, text="11", status=CellStatus.OK, rebuilt=False)
            deeper = await show(interpreter, base + cells(code, "x += 10\nx"), "x")
            assert (deeper.text, deeper.rebuilt) == ("11", False)

    run(check())


def test_a_failed_cell_leaves_what_it_did(branch: Branch) -> None:
    failed, after = branch("x = 1\ny = 1 / 0\nx = 2", "x")
    assert (failed.status, after.text) == (CellStatus.ERROR, "1")


def test_seeds_make_random_repeat() -> None:
    code = "import random\n[random.random() for _ in range(3)], {str(i) for i in range(20)}, hash('x'), id(object)"

    async def observe() -> list[str]:
        async with SandboxInterpreter(LIMITS) as interpreter:
            requests = [Execute("q", cells("import random"), Cell(code, seed)) for seed in (1, 2, 1, 2**70, -1)]
            return [(await interpreter.execute(r)).text for r in requests]

    first, second = asyncio.run(observe()), asyncio.run(observe())
    assert first == second
    assert first[0] == first[2]
    assert len(set(first)) == 4


def test_numpy_and_sympy_repeat_whatever_runs_beside() -> None:
    code = (
        "import numpy as np\nfrom sympy import *\nx = symbols('x')\n"
        "print(np.random.rand(), solve(x**3 - x), {x, x + 1, pi})"
    )

    async def check() -> None:
        async with SandboxInterpreter(SandboxLimits(num_parents=2)) as interpreter:
            alone = await interpreter.execute(Execute("q", (), Cell(code, 7)))
            busy = [asyncio.ensure_future(show(interpreter, (), "sum(range(10**5))", f"s{i}")) for i in range(9)]
            crowded = [await interpreter.execute(Execute(f"q{i}", (), Cell(code, 7))) for i in range(2)]
            await asyncio.gather(*busy)
            assert {seen.text for seen in crowded} == {alone.text}
            assert "Error" not in alone.text

    run(check())


def test_evicted_states_come_back_equal() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=3)) as interpreter:
            history: Cells = ()
            for i in range(8):
                cell = Cell(f"import random\nx{i} = random.random()\nx{i}", i)
                await interpreter.execute(Execute("q", history, cell))
                history += (cell,)
                assert interpreter.num_snapshots <= 3
            values = ", ".join(f"x{i}" for i in range(8))
            before = await show(interpreter, history, values)
            for i in range(4):
                await show(interpreter, (), f"'other {i}'", "other")
            after = await show(interpreter, history, values)
            assert not before.rebuilt
            assert after.rebuilt
            assert after.text == before.text
            assert interpreter.num_snapshots <= 3

    run(check())


def test_replay_leaves_out_cells_that_were_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    step = Sandbox.step

    async def noted(self: Sandbox, parent: StateProcess, cell: Cell, rank: int = 0) -> RunResult:
        ran.append(cell.code)
        return await step(self, parent, cell, rank)

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=0.3, max_snapshots=1)) as interpreter:
            history = cells("x = 1", "import time\ntime.sleep(60)", "x += 1")
            for i, cell in enumerate(history):
                await interpreter.execute(Execute("q", history[:i], cell))
            await show(interpreter, (), "1", "other")
            monkeypatch.setattr(Sandbox, "step", noted)
            seen = await show(interpreter, history, "x")
            assert (seen.text, seen.rebuilt) == ("2", True)
            assert ran == ["x = 1", "x += 1", "x"]

    run(check())


def test_a_state_that_can_not_be_made_again_is_not_another_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    async def check() -> None:
        limits = replace(LIMITS, step_timeout_s=0.3, max_snapshots=1, input_files=(str(tmp_path),))
        async with SandboxInterpreter(limits) as interpreter:
            cell = (
                f"import os, time\nif os.listdir('{tmp_path}'): time.sleep(60)\nx = 1"  # another time it takes too long
            )
            assert (await show(interpreter, (), cell)).status is CellStatus.OK
            assert (await show(interpreter, cells(cell), "x")).text == "1"
            await show(interpreter, (), "1", "other")
            (tmp_path / "late").touch()
            for _ in range(2):
                seen = await show(interpreter, cells(cell), "x")
                assert (seen.status, seen.text.split(":")[0]) == (CellStatus.KILLED, "KilledError")
                assert "stopped when they had to be run again" in seen.text

    run(check())


def test_memory_of_all_states_is_bounded() -> None:
    budget = 100 << 20

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, snapshot_bytes=budget)) as interpreter:
            for i in range(12):
                assert (await show(interpreter, (), f"x = bytearray({i} + 20 * 2**20)\nlen(x)")).status is CellStatus.OK
                assert interpreter.snapshot_bytes <= budget
            assert 1 <= interpreter.num_snapshots <= 5
            await asyncio.sleep(0.3)
            if os.getuid() == 0:  # others may not look
                assert sum(p.memory_full_info().uss for p in children()) < 2 * budget
            again = await show(interpreter, cells("x = bytearray(0 + 20 * 2**20)\nlen(x)"), "len(x)")
            assert (again.text, again.rebuilt) == (str(20 << 20), True)

    run(check())


def test_memory_that_a_fork_shares_counts_until_the_last_fork_is_gone() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=3)) as interpreter:
            big = cells("x = bytearray(30 * 2**20)")
            await show(interpreter, (), big[0].code)
            await show(interpreter, big, "y = 1")
            held = interpreter.snapshot_bytes
            assert held > 30 << 20
            for i in range(2):
                await show(interpreter, big, f"z = {i}")
            assert interpreter.snapshot_bytes > 30 << 20
            for i in range(3):
                await show(interpreter, (), f"{i}", "other")
            assert interpreter.snapshot_bytes < 30 << 20

    run(check())


def test_cancelling_ends_that_step_only() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            base = cells("x = 1")
            await show(interpreter, (), "x = 1")
            num_before = len(children())
            slow = asyncio.ensure_future(show(interpreter, base, "import time\ntime.sleep(60)"))
            beside = asyncio.ensure_future(show(interpreter, base, "import time\ntime.sleep(0.5)\nx"))
            while len(children()) < num_before + 2:  # one that has not begun would take its sandbox with it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            assert (await beside).text == "1"
            assert (await show(interpreter, base, "x + 1")).text == "2"
            await asyncio.sleep(0.1)
            assert num_living() == num_before + 2

    run(check())


def test_cancelling_at_any_moment_leaves_no_stray() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, (), "x = 1")
            num_before = len(children())
            for i in range(40):
                task = asyncio.ensure_future(show(interpreter, cells("x = 1"), "while True: pass"))
                await asyncio.sleep(i * 0.0002)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert (await show(interpreter, cells("x = 1"), "x")).text == "1"
            await asyncio.sleep(0.5)
            assert len(children()) == num_before + 1

    run(check())


def test_release_gives_everything_back() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await interpreter.release("unknown")
            gc.collect()  # what other tests have left is not closed in between
            num_descriptors = len(list(Path("/proc/self/fd").iterdir()))
            running = asyncio.ensure_future(show(interpreter, (), "while True: pass"))
            await asyncio.gather(*(show(interpreter, (), f"{i}") for i in range(5)))
            await interpreter.release("q")
            assert (await running).status is CellStatus.KILLED
            await asyncio.sleep(0.5)
            assert len(children()) == LIMITS.num_parents
            assert len(list(Path("/proc/self/fd").iterdir())) <= num_descriptors
            assert interpreter.num_snapshots == interpreter.snapshot_bytes == 0
            assert (await show(interpreter, (), "1 + 1")).text == "2"

    run(check())


def test_close_leaves_no_process() -> None:
    async def check() -> None:
        interpreter = SandboxInterpreter(LIMITS)
        await asyncio.gather(*(show(interpreter, (), "x = 1", f"q{i}") for i in range(4)))
        assert children()
        await interpreter.close()
        await interpreter.close()
        assert children() == []
        with pytest.raises(InterpreterError, match="closed"):
            await show(interpreter, (), "1")

    run(check())


def test_a_dead_clean_parent_is_replaced() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, (), "x = 1")
            parent = children(recursive=False)[0]
            parent.kill()
            await asyncio.sleep(0.3)  # it takes its sandboxes along
            seen = await show(interpreter, cells("x = 1"), "x + 1")
            assert (seen.text, seen.rebuilt) == ("2", True)
            assert not (await show(interpreter, cells("x = 1"), "x + 2")).rebuilt

    run(check())


def test_a_parent_that_dies_under_a_running_cell_is_no_fault_of_the_cell() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            task = asyncio.ensure_future(show(interpreter, cells("x = 1"), "import time\ntime.sleep(0.5)\nx"))
            await asyncio.sleep(0.4)
            children(recursive=False)[0].kill()
            assert (await task).text == "1"

    run(check())


def test_a_sandbox_that_can_not_be_had_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def check() -> None:
        with pytest.raises(InterpreterError):
            await show(SandboxInterpreter(LIMITS), (), "1")

    run(check())


def test_when_the_host_dies_all_die(tmp_path: Path) -> None:
    program = tmp_path / "host.py"
    program.write_text(
        "import asyncio\n"
        "from mcts_math.interpreter import *\nfrom mcts_math.requests import *\n"
        "async def main():\n"
        "    i = SandboxInterpreter(SandboxLimits(num_parents=1, modules=()))\n"
        "    await i.execute(Execute('q', (), Cell('x = 1')))\n"
        "    asyncio.ensure_future(i.execute(Execute('q', (Cell('x = 1'),), Cell('while True: pass'))))\n"
        "    await asyncio.sleep(0.3)\n    print('ready', flush=True)\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    host = psutil.Popen([sys.executable, str(program)], stdout=-1, env=environment)
    assert host.stdout.readline() == b"ready\n"
    below = host.children(recursive=True)
    assert len(below) >= 4
    host.send_signal(signal.SIGKILL)
    host.wait()
    host.stdout.close()
    gone, alive = psutil.wait_procs(below, timeout=5)
    assert len(gone) == len(below)
    assert alive == []


def test_many_sessions_with_few_sandboxes() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_sandboxes=4, max_running=4)) as interpreter:

            async def one(i: int) -> None:
                await show(interpreter, (), f"x = {i}", f"q{i}")
                assert (await show(interpreter, cells(f"x = {i}"), "x", f"q{i}")).text == str(i)

            await asyncio.gather(*map(one, range(60)))
            # A clean parent, and for each sandbox a supervisor and the first node, besides the states.
            most = 1 + 2 * 4 + interpreter.num_snapshots
            for _ in range(50):  # the clean parent reaps twice a second
                if len(children()) <= most:
                    break
                await asyncio.sleep(0.1)
            assert len(children()) <= most

    run(check())


def test_same_cell_at_the_same_time() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            seen = await asyncio.gather(*(show(interpreter, cells("x = 1"), "x += 1\nx") for _ in range(6)))
            assert {s.text for s in seen} == {"2"}
            assert (await show(interpreter, cells("x = 1", "x += 1\nx"), "x")).text == "2"

    run(check())


def test_long_code_and_long_history(branch: Branch) -> None:
    assert [seen.text for seen in branch("x = '" + "a" * 10**6 + "'\nlen(x)", "len(x)")] == [str(10**6)] * 2
    assert branch("#" * (3 << 20))[0].status is CellStatus.ERROR
    assert branch(*(f"y{i} = {i}" for i in range(40)), "y0 + y39")[-1].text == "39"


def test_blocking_interpreter() -> None:
    with BlockingInterpreter(LIMITS) as interpreter:
        assert interpreter.start().isolation in Isolation
        assert interpreter.run("x = 41").text == ""
        assert interpreter.run("x + 1", cells("x = 41")).text == "42"
        interpreter.release("")
    interpreter.close()
    assert children() == []
    with pytest.raises(InterpreterError, match="was closed"):
        interpreter.run("1")


def test_limits_are_checked() -> None:
    infinite, huge = float("inf"), 10**30
    for name, values in {
        "step_timeout_s": (0, infinite, float("nan"), 1e300),
        "cpu_s": (0, -1, huge),
        "memory_bytes": (1, huge),
        "temp_bytes": (-1, huge),
        "max_snapshots": (0,),
        "max_running": (0,),
    }.items():
        for value in values:
            with pytest.raises(ValueError, match=re.escape(f" is {value}; it must be at least")):
                SandboxLimits(**{name: value})  # type: ignore[arg-type]
    for name, value in {"memory_bytes": 1e9, "truncate": 2.5, "step_timeout_s": "3", "modules": "numpy"}.items():
        with pytest.raises(ValueError, match=f"SandboxLimits.{name} is {value!r}; it must be"):
            SandboxLimits(**{name: value})  # type: ignore[arg-type]
    for name in ("snapshot_bytes", "max_snapshots", "max_sandboxes", "max_running", "truncate", "output_chars"):
        assert getattr(SandboxLimits(**{name: sys.maxsize}), name) == sys.maxsize  # type: ignore[arg-type]


def test_all_questions_of_a_big_run_keep_their_states() -> None:
    """A hundred questions taken in turn: no step is made twice."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_sandboxes=100)) as interpreter:
            history: Cells = ()
            for depth in range(3):
                made = cells(f"x{depth} = {depth}\nx{depth}")
                seen = await asyncio.gather(*(show(interpreter, history, made[0].code, f"q{i}") for i in range(100)))
                assert {s.text for s in seen} == {str(depth)}
                assert not any(s.rebuilt for s in seen)
                history += made

    run(check())


def test_more_questions_may_run_than_keep_processes() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_sandboxes=1, max_running=4)) as interpreter:
            code = "import time\ntime.sleep(0.3)\n7"
            seen = await asyncio.gather(*(show(interpreter, (), code, f"q{i}") for i in range(4)))
            assert [s.text for s in seen] == ["7"] * 4

    run(check())


def test_states_that_were_forked_make_room_for_those_that_wait() -> None:
    """Chains taken in turn, twice as many states as are kept: the heads stay, and no step is made twice."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=12)) as interpreter:
            history: Cells = ()
            for depth in range(4):
                code = f"x{depth} = {depth}\nx{depth}"
                for i in range(6):
                    seen = await show(interpreter, (*cells(f"chain = {i}"), *history), code)
                    assert (seen.text, seen.rebuilt) == (str(depth), depth == 0)
                history += cells(code)
            assert interpreter.num_snapshots == 12

    run(check())


def test_room_for_many_sandboxes_depends_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    gigabytes = {"SC_PHYS_PAGES": 2 << 18, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", gigabytes.__getitem__)
    for memory, files, expected in (
        (24, 1 << 20, 512),
        (1, 1 << 20, 64),
        (24, 1024, 64),
        (999, resource.RLIM_INFINITY, 1024),
    ):
        gigabytes["SC_PHYS_PAGES"] = memory << 18
        monkeypatch.setattr(resource, "getrlimit", lambda which, hard=files: (1024, hard))
        limits = SandboxLimits()
        assert (limits.max_sandboxes, limits.max_snapshots) == (expected, 4 * expected)


def test_the_soft_limit_of_files_is_raised_as_far_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, seen = SandboxLimits(max_sandboxes=100, max_snapshots=400), []
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: seen.append(new))
    everything = resource.RLIM_INFINITY
    for now in ((1024, 4096), (1024, everything), (1024, 1100), (8192, 8192), (everything, everything)):
        monkeypatch.setattr(resource, "getrlimit", lambda which, now=now: now)
        limits.allow_files()
    assert seen == [(1312, 4096), (1312, everything), (1100, 1100)]


def test_an_audit_looks_at_all_states_in_turn() -> None:
    class Watched:
        num_bytes = num_users = 0

        def __init__(self, name: int) -> None:
            self.name = name

        def stands_still(self) -> bool:
            looked_at.append(self.name)
            return self.name != 4

    class Discarding:
        def discard(self, process: Watched) -> None:
            discarded.append(process.name)

    looked_at: list[int] = []
    discarded: list[int] = []
    store, root = SnapshotStore(SandboxLimits(max_snapshots=100)), State(None, Cell(""))
    states = [root.child(Cell(f"x = {i}")) for i in range(7)]
    for i, state in enumerate(states):
        store.add(state, Watched(i), Discarding())  # type: ignore[arg-type]
    for _ in range(3):
        store.touch(states[0])  # the order of use must not matter
        store.audit(3)
    assert sorted(looked_at) == list(range(7))
    assert discarded == [4]
    store.audit(100)
    assert len(looked_at) == 7 + 6


def test_the_machine_is_probed_by_doing() -> None:
    level = asyncio.run(probe(LIMITS))
    assert level.isolation in (Isolation.FULL, Isolation.CONFINED), str(level)
    assert (level.isolation is Isolation.FULL) == (level.missing == ())


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("Linux", "i686"), ("Darwin", "x86_64")])
def test_a_machine_that_is_not_known_is_refused(system: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(InterpreterError, match=rf"this is 64-bit {system} on {machine}"):
        asyncio.run(show(SandboxInterpreter(LIMITS), (), "1"))


def test_a_process_table_that_hides_the_sandbox_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessFacts, "read", lambda pid: None)
    with pytest.raises(InterpreterError, match="hidepid"):
        asyncio.run(probe(LIMITS))


def test_bare_is_refused_unless_allowed() -> None:
    bare = Level(Isolation.BARE, Layers(False, False, False), ("seccomp: not there",), ("another kernel",))
    with pytest.raises(InterpreterError, match=r"seccomp: not there[\s\S]*another kernel[\s\S]*allow_unsafe_exec"):
        require(bare, allow_unsafe_exec=False)

    async def check() -> None:
        with pytest.raises(InterpreterError, match="allow_unsafe_exec"):
            await show(SandboxInterpreter(LIMITS, bare), (), "1")
        async with SandboxInterpreter(replace(LIMITS, allow_unsafe_exec=True), bare) as interpreter:
            assert (await show(interpreter, cells("x = 1"), "x + 1")).text == "2"
        assert children() == []

    run(check())


@pytest.mark.parametrize("layers", [Layers(True, False, True), Layers(False, True, True), Layers(True, True, False)])
def test_every_combination_of_layers_works(layers: Layers) -> None:
    async def check() -> None:
        level = Level(Isolation.CONFINED, layers)
        async with SandboxInterpreter(LIMITS, level) as interpreter:
            assert (await show(interpreter, cells("x = 1"), "x + 1")).text == "2"
            thread = "import threading\nthreading.Thread(target=threading.Event().wait, args=(60,)).start()\n3"
            assert (await show(interpreter, (), thread)).text == "3"
            assert (await show(interpreter, cells(thread), "threading.active_count()")).text == "1"
        assert children() == []

    run(check())


def test_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from mcts_math.interpreter.__main__ import cells_of, main

    first, second = tmp_path / "1.py", tmp_path / "2.py"
    first.write_text("x = 41\n")
    second.write_text("```python\nx + 1\n```")
    assert main([str(first), str(second)]) == 0
    out, err = capsys.readouterr()
    assert out == "\n42\n"
    assert "interpreter isolation" in err
    assert "[2] ok" in err
    with pytest.raises(RecordError, match="missing: no such file"):
        main([str(tmp_path / "missing")])
    lines = iter("a\nb\n\n```python\nc\n\nd\n```\n\n\ne\n".splitlines(keepends=True))
    assert list(cells_of(lines)) == ["a\nb\n", "```python\nc\n\nd\n```\n", "e\n"]


@pytest.mark.skipif(not (3, 12) <= sys.version_info[:2] <= (3, 13), reason="no immortal objects, or another count")
def test_what_is_imported_is_looked_at_without_a_copy() -> None:
    """Immortal objects: no reference count is written, so no page becomes a cell's own (500 to 600 would)."""
    look = """
import resource, sys, weakref
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for module in tuple(sys.modules.values()):
    for kept in vars(module).values():
        pass
copied = faults() - before
class Own: pass
own = Own()
seen = weakref.ref(own)
del own
immortal = {sys.getrefcount(warm) for warm in (sys, vars(sys), sys.path, sys.path[0], weakref.ref)}
copied < 100, seen(), immortal == {2**32 - 1}
"""

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            assert (await show(interpreter, (), look)).text == "(True, None, True)"

    run(check())
