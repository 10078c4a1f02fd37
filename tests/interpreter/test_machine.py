"""What depends on the machine and on neighbours: memory that is really there, time, forks that are refused, waiting."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import children

from mcts_math.errors import InterpreterError
from mcts_math.interpreter import (
    BlockingInterpreter,
    Level,
    SandboxInterpreter,
    SandboxLimits,
    cell_run,
    parent,
    probe,
    tries,
)
from mcts_math.interpreter.levels import Isolation
from mcts_math.interpreter.losses import Preempted
from mcts_math.interpreter.sandbox import Sandbox
from mcts_math.judge import Judge, JudgeLimits
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())
MIB = 1 << 20
may_look = pytest.mark.skipif(os.getuid() != 0, reason="others may not look")


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 120))


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


def resident_bytes() -> int:
    """Memory of all our processes, shared pages divided among their holders."""
    total = 0
    for process in children():
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


async def most_resident(work: Coroutine[Any, Any, Any]) -> int:
    """The most memory that was seen while `work` ran."""
    task = asyncio.ensure_future(work)
    most = 0
    while not task.done():
        most = max(most, await asyncio.to_thread(resident_bytes))
        await asyncio.sleep(0.05)
    await task
    return most


def big(name: str, num_bytes: int = 90 * MIB) -> str:
    return f"import numpy\n{name} = numpy.ones({num_bytes // 8})\nint({name}.sum())"


@may_look
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
def test_the_memory_that_is_really_there_is_bounded(at_once: bool) -> None:
    """numpy asks for huge pages: were they given, each would count as one small page."""

    async def check() -> None:
        limits = replace(LIMITS, snapshot_bytes=200 * MIB, memory_bytes=150 * MIB, modules=("numpy",))
        async with SandboxInterpreter(limits) as interpreter:
            await show(interpreter, "1")
            idle = resident_bytes()

            async def work() -> None:
                asked = [show(interpreter, big(f"a{i}"), session=f"q{i % 3}") for i in range(6)]
                seen = await asyncio.gather(*asked) if at_once else [await one for one in asked]
                assert [s.text for s in seen] == [str(90 * MIB // 8)] * 6

            most = await most_resident(work())
            # What running cells take between two looks of the watch comes on top; unbounded it would be 540 MiB.
            assert most - idle < 2 * 200 * MIB
            assert 90 * MIB <= interpreter.snapshot_bytes <= 200 * MIB

    run(check())


MAPPINGS = (
    "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.mmap.restype = ctypes.c_void_p\n"
    "for i in range(30000): libc.mmap(None, ctypes.c_size_t(4096), 1 + 2 * (i % 2), 0x22, -1, ctypes.c_long(0))\n7"
)


@pytest.mark.parametrize(
    ("cell", "least"),
    [
        pytest.param(
            MAPPINGS,
            30_000 * 200,
            id="mappings",
            marks=pytest.mark.skipif(os.getuid() != 0, reason="others may not look at the mappings"),
        ),
        pytest.param(
            "x = bytearray(300 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n7", MIB // 2, id="page tables"
        ),
    ],
)
def test_what_the_kernel_needs_for_each_fork_counts(cell: str, least: int) -> None:
    """Once it did not, and a question's states could hold ten times the memory that was counted."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, snapshot_bytes=4 << 30)) as interpreter:
            assert (await show(interpreter, cell)).text == "7"
            for i in range(3):
                before = interpreter.snapshot_bytes
                await show(interpreter, f"{i}", cell)
                assert interpreter.snapshot_bytes - before >= least

    run(check())


def test_a_cell_that_made_room_for_others_shows_what_it_would_have_shown() -> None:
    code = big("a", 60 * MIB) + "\nimport random, time\ntime.sleep(0.3)\nrandom.random()"

    async def check() -> None:
        roomy = replace(LIMITS, modules=("numpy",))
        tight = replace(roomy, snapshot_bytes=100 * MIB, memory_bytes=100 * MIB)
        shown = []
        for limits in (roomy, tight):
            async with SandboxInterpreter(limits) as interpreter:
                asked = (interpreter.execute(Execute(f"q{i}", (), Cell(code, i))) for i in range(4))
                shown.append([seen.text for seen in await asyncio.gather(*asked)])
        assert shown[0] == shown[1]
        assert len(set(shown[0])) == 4

    run(check())


def test_a_cell_for_which_there_is_no_memory_is_not_tried_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it was run and stopped anew without a pause, as long as those before it ran."""
    step, tried = Sandbox.step, []

    async def refuse(self: Sandbox, *args: Any) -> Any:
        tried.append(time.monotonic())
        if len(tried) <= 5:
            raise Preempted("memory ran short")
        return await step(self, *args)

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            monkeypatch.setattr(Sandbox, "step", refuse)
            assert (await show(interpreter, "7")).text == "7"
        assert [later - earlier >= 0.1 * i for i, (earlier, later) in enumerate(pairwise(tried), 1)] == [True] * 5

    run(check())


def test_memory_counts_while_a_cell_runs_in_a_fork_of_it() -> None:
    """The state's process stays while its child runs, and may go then."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=1, modules=("numpy",))) as interpreter:
            await show(interpreter, big("a", 50 * MIB))
            child = asyncio.ensure_future(show(interpreter, "import time\ntime.sleep(1)\nlen(a)", big("a", 50 * MIB)))
            await asyncio.sleep(0.5)
            await show(interpreter, "1", session="other")
            assert interpreter.num_snapshots == 2
            assert interpreter.snapshot_bytes > 50 * MIB
            assert (await child).text == str(50 * MIB // 8)
            assert interpreter.snapshot_bytes > 50 * MIB
            await show(interpreter, "2", session="other")
            assert interpreter.snapshot_bytes < 50 * MIB

    run(check())


HEADLESS = """
import ctypes, os, struct, sys, threading, time
frame = sys._getframe()
while frame.f_code.co_name != "serve": frame = frame.f_back
names, sock = frame.f_globals, frame.f_locals["sock"]
blob = bytearray(40 << 20)
for i in range(0, len(blob), 4096): blob[i] = 1
def done(): os.write(63, struct.pack("<BI", 2, 7) + b"ohidden")
def serve():
    time.sleep(DELAY)
    done()
    while True:
        names["fork"].await_order()
        names["_read_cell"](sock)
        done()
threading.Thread(target=serve).start()
ctypes.CDLL(None).syscall(60, 0)  # ends this thread alone: the kernel tells of no memory any more
"""


@may_look
@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_a_state_whose_first_thread_has_ended_is_not_kept_for_nothing(delay: float) -> None:
    """One that answers before its first thread ends was looked at in time, and is charged as any other."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, snapshot_bytes=100 * MIB)) as interpreter:
            await show(interpreter, "1")
            before = resident_bytes()
            for number in range(3):
                seen = await show(interpreter, f"{number}\n{HEADLESS.replace('DELAY', str(delay))}")
                assert seen.status is CellStatus.KILLED or delay == 0.0
            await asyncio.sleep(0.2)
            if delay:
                assert interpreter.num_snapshots == 1  # of the first one
            assert resident_bytes() - before < interpreter.snapshot_bytes + 30 * MIB
            assert (await show(interpreter, "6 * 7")).text == "42"

    run(check())


def test_the_time_of_neighbours_is_not_charged() -> None:
    busy = "import time\nend = time.process_time() + 0.35\nwhile time.process_time() < end: pass\n7"

    async def check() -> None:
        limits = replace(LIMITS, step_timeout_s=1.0, max_running=4 * (os.cpu_count() or 1))
        async with SandboxInterpreter(limits) as interpreter:
            seen = await asyncio.gather(*(show(interpreter, busy, session=f"q{i}") for i in range(limits.max_running)))
            assert {s.text for s in seen} == {"7"}

    run(check())


def test_time_in_which_a_cell_does_nothing_is_charged() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=0.3)) as interpreter:
            for code in ("import time\ntime.sleep(60)", "import threading\nthreading.Event().wait()"):
                assert (await show(interpreter, code)).status is CellStatus.TIMEOUT

    run(check())


def test_a_cell_that_is_never_let_run_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_run, "starved_seconds", lambda pid: 1e9)

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=0.1)) as interpreter:
            seen = await show(interpreter, "import time\ntime.sleep(60)")
            assert seen.status is CellStatus.TIMEOUT
            assert seen.seconds >= 0.1 * cell_run.MAX_STRETCH

    run(check())


def test_cpu_seconds_of_all_threads_are_bounded() -> None:
    spin = "import threading\nthreading.Thread(target=lambda: sum(range(10**14))).start()\nwhile True: pass"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, step_timeout_s=60.0, cpu_s=1)) as interpreter:
            assert (await show(interpreter, spin)).status is CellStatus.TIMEOUT

    run(check())


# A clean parent whose machine refuses the first forks of sandboxes, or always those of cells.
REFUSING_PARENT = """\
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("entry", {worker!r})
entry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(entry)
del sys.path[0]
zygote = entry.load(os.path.dirname({worker!r}))
fork = sys.modules["_sandbox.fork"]
real, left = fork.clone, [{number}]
def clone(flags, token=0):
    if flags == 0x8000 if left[0] < 0 else flags and left[0]:
        left[0] -= 1
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return real(flags, token)
fork.clone = clone
if left[0] < 0: fork._serve = None
zygote.main(sys.argv[1], entry.child_hooks)
"""


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    worker, stand_in = parent._WORKER, tmp_path / "parent.py"
    monkeypatch.setattr(parent, "_WORKER", stand_in)
    monkeypatch.setattr(parent, "_BUSY_PAUSES_S", (0.01,) * len(parent._BUSY_PAUSES_S))

    def refuse(number: int) -> None:
        stand_in.write_text(REFUSING_PARENT.format(worker=str(worker), number=number))

    return refuse


def test_a_fork_that_the_machine_refuses_is_tried_again(refuse: Callable[[int], None]) -> None:
    async def check() -> None:
        level = await probe_by(refuse)
        refuse(3)
        async with SandboxInterpreter(LIMITS, level) as interpreter:
            assert (await show(interpreter, "6 * 7")).text == "42"

    run(check())


def test_a_machine_that_keeps_refusing_is_told_and_ends_no_clean_parent(refuse: Callable[[int], None]) -> None:
    async def check() -> None:
        level = await probe_by(refuse)
        refuse(len(parent._BUSY_PAUSES_S) + 1)
        async with SandboxInterpreter(LIMITS, level) as interpreter:
            with pytest.raises(InterpreterError, match=r"refuses to fork.*temporarily unavailable.*ulimit -u"):
                await show(interpreter, "6 * 7")
            assert (await show(interpreter, "6 * 7")).text == "42"  # by the same clean parent: another would refuse

    run(check())


def test_a_sandbox_that_is_killed_in_its_set_up_is_set_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, that ended the run; where memory is short, the kernel ends sandboxes before all else."""
    warm_up = (
        "import os\nr, w = os.pipe()\nos.set_blocking(r, False)\nos.write(w, b'12')\nsetsid = os.setsid\n"
        "def die():\n    try:\n        os.read(r, 1)\n    except BlockingIOError:\n        return setsid()\n"
        "    os._exit(1)\nos.setsid = die"
    )
    start = parent.Parent.start

    async def check() -> None:
        level = await probe(LIMITS)
        monkeypatch.setattr(parent.Parent, "start", lambda *args, **options: start(*args, **options, warm_up=warm_up))
        async with SandboxInterpreter(LIMITS, level) as interpreter:
            assert (await show(interpreter, "6 * 7")).text == "42"

    run(check())


def test_a_machine_that_refuses_a_cell_its_process_is_told(
    refuse: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, the cell was KILLED: the state ended, its sandbox with it, and that was all that was seen."""
    monkeypatch.setattr(tries, "_PAUSE_S", 0.01)

    async def check() -> None:
        level = await probe_by(refuse)
        refuse(-1)
        async with SandboxInterpreter(LIMITS, level) as interpreter:
            with pytest.raises(InterpreterError, match=r"refuses to fork a cell.*temporarily unavailable.*ulimit -u"):
                await show(interpreter, "6 * 7")

    run(check())


def test_no_thread_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for one, Python's error is no InterpreterError."""

    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    async def check() -> None:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        async with SandboxInterpreter(LIMITS, await probe(LIMITS)) as interpreter:
            assert (await show(interpreter, "6 * 7")).text == "42"

    run(check())
    assert children() == []


async def probe_by(refuse: Callable[[int], None]) -> Level:
    refuse(0)
    return await probe(LIMITS)


REFUSING = (
    "import sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\nfork = f.f_globals['fork']\n"
    "def clone(*a): raise OSError({number}, 'refused')\nfork.clone, fork._serve = clone, None"
)


def test_a_state_that_can_not_fork_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when memory runs short for a moment: the same state, made anew, can."""
    real = cell_run.CellRun._greet
    refusals = [errno.EAGAIN, errno.ENOMEM]

    def greet(self: cell_run.CellRun, data: bytes, pid: int) -> None:
        if refusals:
            self.stop(cell_run.Refused(os.strerror(refusals.pop())))
        else:
            real(self, data, pid)

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, "x = 1")
            with monkeypatch.context() as patch:
                patch.setattr(cell_run.CellRun, "_greet", greet)
                assert (await show(interpreter, "x + 1", "x = 1")).text == "2"
            assert refusals == []

    run(check())


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EPERM])
def test_a_state_that_always_refuses_costs_its_own_branch_alone(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "_PAUSE_S", 0.01)
    refusing = REFUSING.replace("{number}", str(number))

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await show(interpreter, "x = 1")
            await show(interpreter, refusing, "x = 1")
            seen = await show(interpreter, "7", "x = 1", refusing)
            assert seen.status is CellStatus.KILLED
            assert ("no room" in seen.text) == (number != errno.EPERM)
            assert (await show(interpreter, "x", "x = 1")).text == "1"

    run(check())


def test_who_waits_for_a_rebuild_holds_nobody_up() -> None:
    slow = "import time\ntime.sleep(1.0)\nx = 1"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_running=2, max_snapshots=1)) as interpreter:
            await show(interpreter, slow)
            await show(interpreter, "1", session="other")  # the slow state is put away
            ended: list[str] = []

            async def ask(name: str, code: str, *history: str, session: str) -> None:
                await show(interpreter, code, *history, session=session)
                ended.append(name)

            rebuilding = [ask("slow", f"x + {i}", slow, session="q") for i in range(4)]
            tasks = [asyncio.ensure_future(one) for one in rebuilding]
            await asyncio.sleep(0.3)
            await asyncio.gather(*(ask("quick", str(i), session="other") for i in range(5)))
            assert ended == ["quick"] * 5
            await asyncio.gather(*tasks)

    run(check())


def test_releasing_a_question_that_waits_does_not_bring_it_back() -> None:
    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_running=1)) as interpreter:
            running = asyncio.ensure_future(show(interpreter, "import time\ntime.sleep(0.5)\n1"))
            await asyncio.sleep(0.2)
            waiting = asyncio.ensure_future(show(interpreter, "2", session="waiting"))
            await asyncio.sleep(0.1)
            await interpreter.release("waiting")
            assert (await running).text == "1"
            assert (await waiting).status is CellStatus.KILLED
            assert set(interpreter._sessions) == {"q"}
            assert (await show(interpreter, "3", session="waiting")).text == "3"

    run(check())


def test_a_clean_parent_that_can_not_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcts_math.interpreter.parent.sys.executable", "/nowhere/python")

    async def check() -> None:
        with pytest.raises(InterpreterError, match=r"did not start.*/nowhere/python"):
            await SandboxInterpreter(LIMITS).start()

    run(check())


@pytest.mark.parametrize("maker", ["TemporaryDirectory", "TemporaryFile"])
def test_a_clean_parent_that_finds_no_space_is_an_error(maker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the first start went well: it is started anew when it has died."""

    def refuse() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full")

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            assert (await show(interpreter, "1")).text == "1"
            children(recursive=False)[0].kill()
            await asyncio.sleep(0.2)
            with monkeypatch.context() as patch:
                patch.setattr(parent.tempfile, maker, refuse)
                with pytest.raises(InterpreterError, match=r"did not start.*No space left on device: '/full'"):
                    await show(interpreter, "2")
            assert (await show(interpreter, "2")).text == "2"

    run(check())


@pytest.mark.parametrize("most", [20, 40, 80])
def test_too_few_open_files_are_told(most: int) -> None:
    async def check() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        interpreter = SandboxInterpreter(LIMITS, Level(Isolation.FULL, parent.Layers(True, True, True)))
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        try:
            cells = (show(interpreter, "1", session=str(i)) for i in range(most))
            seen = await asyncio.gather(*cells, return_exceptions=True)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await interpreter.close()
        errors = [end for end in seen if isinstance(end, BaseException)]
        assert errors
        for error in errors:
            assert isinstance(error, InterpreterError)
            assert "ulimit -n" in str(error)

    run(check())


@pytest.mark.parametrize(
    ("kind", "limits", "num_parents"),
    [(SandboxInterpreter, replace(LIMITS, num_parents=2), 2), (Judge, JudgeLimits(modules=()), 1)],
)
def test_what_did_not_start_leaves_no_process(
    kind: Any, limits: Any, num_parents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        level, real = await probe(LIMITS), parent.Parent.start
        begun: list[int] = []

        async def start(*args: Any, **kwargs: Any) -> parent.Parent:
            begun.append(0)
            if len(begun) == number:
                raise InterpreterError("no room")
            await asyncio.sleep(0.2)
            return await real(*args, **kwargs)

        monkeypatch.setattr(parent.Parent, "start", start)
        for number in range(1, num_parents + 1):  # noqa: B007 - `start` reads it
            begun.clear()
            before = len(children())
            with pytest.raises(InterpreterError, match="no room"):
                async with kind(limits, level):
                    pass
            await asyncio.sleep(0.4)
            assert len(children()) == before

    run(check())


@pytest.mark.parametrize("num_free", [0, 2])
def test_a_host_without_descriptors_is_told(num_free: int) -> None:
    """With none a cell can't be ordered; with two it runs, and can't be looked after."""

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_sandboxes=4, max_snapshots=8)) as interpreter:
            assert (await show(interpreter, "x = 1")).status is CellStatus.OK
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 64, limits[1]))
            held: list[int] = []
            try:
                with contextlib.suppress(OSError):
                    while True:
                        held.append(os.dup(0))
                for descriptor in held[len(held) - num_free :]:
                    os.close(descriptor)
                with pytest.raises(InterpreterError, match="Allow more open files"):
                    await show(interpreter, "while True: pass", "x = 1")
            finally:
                for descriptor in held[: len(held) - num_free]:
                    os.close(descriptor)
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert (await show(interpreter, "x", "x = 1")).text == "1"

    run(check())


def test_a_blocking_interpreter_that_did_not_start_leaves_no_thread() -> None:
    before = threading.active_count()
    with (
        pytest.raises(InterpreterError, match="no_such_module"),
        BlockingInterpreter(replace(LIMITS, modules=("no_such_module",))),
    ):
        pass
    assert threading.active_count() == before


def test_who_is_cancelled_while_a_message_arrives_goes_no_further() -> None:
    async def check() -> None:
        for num_turns in range(6):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, theirs:
                ours.setblocking(False)
                asked = asyncio.create_task(parent.receive(ours, 10.0))
                await asyncio.sleep(0.01)
                theirs.send(b"R")
                for _ in range(num_turns):
                    await asyncio.sleep(0)
                if asked.cancel():
                    with pytest.raises(asyncio.CancelledError):
                        await asked

    run(check())


def test_a_clean_parent_that_is_closed_while_it_is_asked_for_a_sandbox_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        level = await probe(LIMITS)
        asked = await parent.Parent.start(LIMITS, level.layers)

        async def closed_meanwhile(*_: object) -> tuple[bytes, int]:
            await asked.close()
            return b"", -1

        monkeypatch.setattr(parent, "receive", closed_meanwhile)
        with pytest.raises(InterpreterError, match="closed meanwhile"):
            await asked.new_sandbox()

    asyncio.run(run())


@may_look
@pytest.mark.parametrize(
    "situation",
    [
        pytest.param("unshare --user --map-root-user", id="a user namespace without other users"),
        pytest.param("setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin", id="a container's root"),
        pytest.param("sh -c 'cd $(mktemp -d) && rmdir $PWD && exec \"$@\"' sh", id="a current folder that is gone"),
    ],
)
def test_root_is_locked_in_as_well_wherever_it_is(situation: str, tmp_path: Path) -> None:
    words = shlex.split(situation)
    if shutil.which(words[0]) is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("the machine has no such situation")
    program = tmp_path / "program.py"  # in a folder that is there: else Python 3.13.0 can't even import `socket`
    program.write_text(
        "import sys\nsys.path.insert(0, '')\nfrom mcts_math.interpreter import *\n"
        "with BlockingInterpreter(SandboxLimits(num_parents=1, modules=())) as i:\n"
        '    print(i.start().isolation.value, i.run(\'import os; open("a", "w").close(); os.getuid()\').text)'
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [*words, sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("full 65534\n", "")
