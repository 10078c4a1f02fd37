"""What users may choose: packages, input and temporary files, exact numbers; and what a cell can see of the machine."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from mcts_math.errors import InterpreterError
from mcts_math.interpreter import BlockingInterpreter, Isolation, Level, SandboxInterpreter, SandboxLimits
from mcts_math.interpreter.orders import Layers
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

LIMITS = SandboxLimits(step_timeout_s=60.0, num_parents=1, modules=())
Branch: TypeAlias = Callable[..., list[Observation]]
NO_NAMESPACES = Level(Isolation.CONFINED, Layers(namespaces=False, landlock=True, seccomp=True))


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def show(interpreter: SandboxInterpreter, code: str, *history: str, session: str = "q") -> Observation:
    return await interpreter.execute(Execute(session, tuple(map(Cell, history)), Cell(code)))


@pytest.fixture
def _full(shared: BlockingInterpreter) -> None:
    if shared.start().isolation is not Isolation.FULL:
        pytest.skip("no namespaces here")


async def full(interpreter: SandboxInterpreter) -> None:
    if (await interpreter.start()).isolation is not Isolation.FULL:
        pytest.skip("no namespaces here")


@pytest.fixture(scope="module")
def exactly() -> Iterator[BlockingInterpreter]:
    with BlockingInterpreter(replace(LIMITS, observations="exact")) as interpreter:
        yield interpreter


@pytest.mark.parametrize(
    ("code", "published", "exact"),
    [
        ("print(2**100)", "1.2676506002282294e+30", str(2**100)),
        ("print(1e-7)", "0.0", "1e-07"),
        ("print(1/3)", "0.3333", "0.3333333333333333"),
        ("print(1/3)\nprint(2/3)", "1/3: 0.3333\n2/3: 0.6667", "1/3: 0.3333333333333333\n2/3: 0.6666666666666666"),
        ("'0.123456789'", "0.1235", "0.123456789"),
        ("1/3", "0.3333333333333333", "0.3333333333333333"),
        ("2**100", str(2**100), str(2**100)),
        ("print(7)", "7", "7"),
        ("print('a' * 600)", "a" * 250 + "..." + "a" * 249, "a" * 250 + "..." + "a" * 249),
    ],
)
def test_numbers_are_rounded_or_exact(
    branch: Branch, exactly: BlockingInterpreter, code: str, published: str, exact: str
) -> None:
    assert (branch(code)[0].text, exactly.run(code).text) == (published, exact)


@pytest.mark.parametrize("fence", ["```python\n{}", "```python\n{}\n```", "{}\n```", "```\n{}", "``` Python {}"])
def test_code_is_read_with_and_without_its_fences(branch: Branch, fence: str) -> None:
    assert branch(fence.format("print('</code>')"))[0].text == "</code>"


def test_packages_are_there_from_the_start() -> None:
    pytest.importorskip("networkx")

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, modules=("networkx",))) as interpreter:
            code = "import sys\nbefore = 'networkx' in sys.modules\nimport networkx as nx\n"
            assert (await show(interpreter, code + "before, nx.path_graph(3).number_of_edges()")).text == "(True, 2)"

    run(check())


def test_what_python_s_prompt_has_is_there(branch: Branch) -> None:
    helped, copyrighted, ended = branch("help(len)", "copyright", "exit(3)")
    assert helped.text.startswith("Help on built-in function len")
    assert copyrighted.text.startswith("Copyright (c)")
    assert ended.text == "SystemExit: 3"


def test_a_package_that_is_not_installed_is_an_error() -> None:
    async def check() -> None:
        with pytest.raises(InterpreterError, match=r"No module named 'not_there'.*`modules` names it; install it"):
            await SandboxInterpreter(replace(LIMITS, modules=("not_there",))).start()

    run(check())


@pytest.mark.parametrize("modules", [(), ("matplotlib",)], ids=["imported by the cell", "imported before"])
def test_a_plot_is_no_error(modules: tuple[str, ...]) -> None:
    pytest.importorskip("matplotlib")
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('x')\nplt.savefig('plot.png')\nplt.show()\n"
    size = "import os\nos.path.getsize('plot.png') > 1000"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, modules=modules)) as interpreter:
            await full(interpreter)
            seen = await show(interpreter, plot + size)
            assert (seen.text, seen.status) == ("True", CellStatus.OK)
            assert (await show(interpreter, size, plot)).text == "True"
            assert (await show(interpreter, plot + size, plot)).text == "True"  # with fonts that the first one opened

    run(check())


def test_temporary_files_belong_to_their_branch() -> None:
    write = "import os\nos.mkdir('d')\nwith open('d/x', 'w') as f: n = f.write('{}')"
    read = "import os\nwith open('d/x') as f: text = f.read()\ntext, sorted(os.listdir('.'))"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, max_snapshots=2)) as interpreter:
            await full(interpreter)
            seen = await asyncio.gather(*(show(interpreter, read, write.format(i)) for i in range(6)))
            assert [s.text for s in seen] == [f"('{i}', ['d'])" for i in range(6)]
            assert (await show(interpreter, "import os\nos.listdir('.')")).text == "[]"
            change = "with open('d/x', 'a') as f: n = f.write('+')\nopen('y', 'w').close()"
            assert (await show(interpreter, read, write.format(7), change)).text == "('7+', ['d', 'y'])"
            assert (await show(interpreter, read, write.format(7))).text == "('7', ['d'])"

    run(check())


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [
        ("import os\nos.makedirs('a/b')\nos.chdir('a/b')\nopen('x', 'w').close()",
         "os.listdir(), os.getcwd()[-4:]", "(['x'], '/a/b')"),
        ("import os\nos.mkdir('a')\nos.chdir('a')\nos.rmdir('../a')", "os.listdir()", "[]"),
        ("import os\nos.mkdir('a')\nos.chdir('/')", "os.listdir()", "['a']"),
        ("with open('mine.py', 'w') as f: _ = f.write('x = 7')", "import mine\nmine.x", "7"),
        ("import os\nos.mkdir('pack')\nwith open('pack/mine.py', 'w') as f: _ = f.write('x = 7')",
         "from pack import mine\nmine.x", "7"),
        ("with open('colorsys.py', 'w') as f: _ = f.write('x = 7')",
         "import colorsys\nhasattr(colorsys, 'x')", "False"),
    ],
    ids=["place", "removed place", "other place", "module", "package", "other module"],
)  # fmt: skip
def test_the_next_cell_goes_on_in_the_same_place(branch: Branch, first: str, then: str, shown: str) -> None:
    for between in ((), ("1", "2")):
        seen = branch(first, *between, then)
        assert (seen[0].status, seen[-1].text) == (CellStatus.OK, shown)


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [
        ("import sqlite3\nbase = sqlite3.connect('x.db')\n"
         "_ = base.execute('create table t as select 7 as n')\nbase.commit()",
         "sqlite3.connect('x.db').execute('select n from t').fetchall()", "[(7,)]"),
        ("import os, shutil\nwith open('a', 'w') as f: _ = f.write('7')\nos.utime('a', (1, 1))\n"
         "_ = shutil.copy2('a', 'b')\nassert os.stat('b').st_mtime == 1",
         "shutil.copy('b', 'c'), open('c').read()", "('c', '7')"),
    ],
    ids=["a database", "copies"],
)  # fmt: skip
def test_what_programs_do_with_files(first: str, then: str, shown: str) -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await full(interpreter)
            assert (await show(interpreter, first)).status is CellStatus.OK
            assert (await show(interpreter, then, first)).text == shown

    run(check())


def test_two_cells_at_a_time_do_not_meet_in_their_folders() -> None:
    code = "import os, tempfile, time\nopen('x', 'w').close()\ntempfile.mkstemp(dir='.')\ntime.sleep(0.3)\n"
    code += "len(os.listdir('.'))"

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await full(interpreter)
            seen = await asyncio.gather(*(show(interpreter, f"{code} + {i}") for i in range(6)))
            assert [s.text for s in seen] == [str(2 + i) for i in range(6)]

    run(check())


def test_a_cell_waits_for_room_until_its_siblings_are_done() -> None:
    """Once, it was KILLED after some seconds, though its sibling did no more than it may."""
    fill = "for i in range(99): open(str(i), 'wb').write(bytes(1 << 20))"
    hog = f"import time\ntry:\n    {fill}\nexcept OSError: time.sleep(4)"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, temp_bytes=1 << 20)) as interpreter:
            leave = "x = open('x', 'wb').write(bytes(1 << 19))"
            await show(interpreter, leave)
            filling = asyncio.ensure_future(show(interpreter, hog))
            await asyncio.sleep(1.0)
            seen = await asyncio.gather(*(show(interpreter, f"x + {i}", leave) for i in range(3)))
            assert [s.text for s in seen] == [str((1 << 19) + i) for i in range(3)]
            assert filling.done()

    run(check())


def test_what_a_stopped_cell_leaves_takes_no_room() -> None:
    leave = "import os, time\nwith open('x', 'wb') as f:\n    for _ in range(3): f.write(bytes(1 << 20))\n"

    async def check() -> None:
        async with SandboxInterpreter(replace(LIMITS, temp_bytes=4 << 20)) as interpreter:
            await full(interpreter)
            for i in range(5):
                assert (await show(interpreter, leave + f"os._exit({i})")).status is CellStatus.KILLED
            assert (await show(interpreter, leave + "f.name")).text == "x"

    run(check())


@pytest.mark.parametrize(
    "leave",
    [
        "os.umask(0o777)\nopen('x', 'w').close()",
        "os.mkdir('x', 0)",
        "for _ in range(300): os.mkdir('d' * 20); os.chdir('d' * 20)",
    ],
)
@pytest.mark.usefixtures("_full")
def test_files_that_can_not_be_kept_are_told(branch: Branch, leave: str) -> None:
    _, seen, after = branch("import os\nopen('y', 'w').close()", f"{leave}\nz = 1", "z, os.listdir('.')")
    assert seen.status is CellStatus.ERROR
    assert "Error: [Errno " in seen.text
    assert seen.text.endswith("The files of this cell are not kept.")
    assert after.text == "(1, ['y'])"


def test_temporary_files_can_be_forbidden() -> None:
    async def check() -> None:
        for limits, level in ((replace(LIMITS, temp_bytes=0), None), (LIMITS, NO_NAMESPACES)):
            async with SandboxInterpreter(limits, level) as interpreter:
                seen = await show(interpreter, "open('x', 'w')")
                assert seen.status is CellStatus.ERROR
                assert "x" in seen.text

    run(check())


@pytest.mark.parametrize("level", [None, NO_NAMESPACES], ids=["full", "no namespaces"])
def test_input_files_can_be_read_and_nothing_else(level: Level | None) -> None:
    folder = Path("/tmp") / f"inputs-{os.getpid()}"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("1,2\n")
    (folder / "b.txt").write_text("b")
    (folder / "secret").write_text("hush")

    async def check() -> None:
        limits = replace(LIMITS, input_files=(f"{folder}/data", f"{folder}/b.txt"))
        async with SandboxInterpreter(limits, level) as interpreter:
            for path, text in (("data/a.csv", "1,2"), ("b.txt", "b")):
                assert (await show(interpreter, f"open('{folder}/{path}').read()")).text == text
                for change in (f"open('{folder}/{path}', 'a')", f"import os\nos.remove('{folder}/{path}')"):
                    assert (await show(interpreter, change)).status is CellStatus.ERROR
            assert (await show(interpreter, f"open('{folder}/data/new', 'w')")).status is CellStatus.ERROR
            assert (await show(interpreter, f"open('{folder}/secret').read()")).status is CellStatus.ERROR

    try:
        run(check())
        assert {p.name for p in folder.rglob("*")} == {"data", "a.csv", "b.txt", "secret"}
    finally:
        for path in (folder / "data/a.csv", folder / "b.txt", folder / "secret"):
            path.unlink()
        (folder / "data").rmdir()
        folder.rmdir()


def test_input_files_that_can_not_be_read_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absolute"):
        SandboxLimits(input_files=("data.csv",))
    with pytest.raises(ValueError, match="published or exact"):
        SandboxLimits(observations="rounded")  # type: ignore[arg-type]
    closed = tmp_path / "closed"
    closed.write_text("x")
    closed.chmod(0)

    async def check() -> None:
        complaints = {
            tmp_path / "missing": "does not exist",
            closed: "may not read; run: chmod",
            Path("/proc/meminfo"): "give a copy",
        }
        for path, complaint in complaints.items():
            with pytest.raises(InterpreterError, match=complaint):
                await SandboxInterpreter(replace(LIMITS, input_files=(str(path),))).start()

    run(check())


def test_a_cell_does_not_see_the_host_s_name_or_where_the_harness_is() -> None:
    walk = """
import sys
seen, frame = [], sys._getframe()
while frame:
    seen += [frame.f_code.co_filename, *map(str, frame.f_globals.values())]
    frame = frame.f_back
seen += [str(vars(m)) for n, m in list(sys.modules.items()) if m and not n.startswith(("encodings", "importlib"))]
[s for s in [*sys.argv, *sys.orig_argv, *seen] if "mcts_math" in s]
"""

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            assert (await show(interpreter, walk)).text == "[]"
            await full(interpreter)
            seen = await show(interpreter, "import os, platform, socket\n{socket.gethostname(), platform.node()}")
            assert seen.text == "{'sandbox'}" != repr({socket.gethostname()})

    run(check())
