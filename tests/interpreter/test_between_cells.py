"""What one cell of a branch leaves to the next: dead ends for its files, and chance that can be had again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from mcts_math.interpreter import Isolation, Level, SandboxInterpreter, SandboxLimits
from mcts_math.interpreter.orders import Layers
from mcts_math.requests import Cell, Execute, Observation

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())
NO_NAMESPACES = Level(Isolation.CONFINED, Layers(namespaces=False, landlock=True, seccomp=True))
BY_PYTHON = (
    "import sys\nf = sys._getframe()\nwhile 'fork' not in f.f_globals: f = f.f_back\nf.f_globals['fork']._serve = None"
)
Branch: TypeAlias = Callable[..., list[Observation]]
DEAD = "OSError: [Errno 9] Bad file descriptor"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def chain(interpreter: SandboxInterpreter, *codes: str, session: str = "q") -> list[str]:
    """What each cell of a branch shows."""
    history, shown = (), []
    for code in codes:
        shown.append((await interpreter.execute(Execute(session, history, Cell(code)))).text)
        history += (Cell(code),)
    return shown


@pytest.mark.parametrize("first", ["", BY_PYTHON], ids=["machine code", "python"])
@pytest.mark.parametrize(
    ("codes", "last"),
    [
        (("f = open('a', 'w')\nf.write('old')", "g = open('b', 'w')\ng.write('new')", "f.flush()"), DEAD),
        (
            ("f = open('a', 'w')\nf.write('old')", "f = open('b', 'w')\nf.write('new')\nf.flush()\nopen('b').read()"),
            "new",
        ),
        (("f = open('a', 'w')\nf.write('old')", "1", "f = open('b', 'w')\nf.write('new')", "open('b').read()"), ""),
        (("open('a', 'w').write('a' * 9)\nf = open('a', 'rb', 0)", "g = open(os.__file__)\nf.read()"), DEAD),
        (("f, g, h = map(open, [os.__file__] * 3)\ng = 1", "x = [open(os.__file__) for _ in 'ab']\nh.read()"), DEAD),
        (("p = os.pipe()", "q = os.pipe()\nos.read(p[0], 1)"), DEAD),
        (("import socket\ns, t = socket.socketpair()", "u, v = socket.socketpair()\nu.send(b'1')\nt.recv(1)"), DEAD),
        (("d = os.open('.', os.O_RDONLY)\nopen('a', 'w').close()", "e = os.open('.', 0)\nos.stat('a', dir_fd=d)"),
         "NotADirectoryError: [Errno 20] Not a directory: 'a'"),
    ],
    ids=["write", "rebound", "rebound later", "read", "gap", "pipe", "socket", "folder"],
)  # fmt: skip
def test_an_open_file_of_an_earlier_cell_is_a_dead_end_and_never_another_file(
    branch: Branch, codes: tuple[str, ...], last: str, first: str
) -> None:
    assert branch("import os\n" + first, *codes)[-1].text == last


def test_dead_ends_can_be_closed_and_hold_without_namespaces() -> None:
    many = "fs = [open(os.__file__) for _ in range(50)]"

    async def check() -> None:
        async with SandboxInterpreter(LIMITS, NO_NAMESPACES) as interpreter:
            assert (await chain(interpreter, "import os\n" + many, "fs[7].read()"))[-1] == DEAD
            assert (await chain(interpreter, "import os\n" + many, "fs = []\n" + many, "fs[7].closed"))[-1] == "False"

    run(check())


CHANCES = {
    "random": "import random\nrandom.random()",
    "numpy": "import numpy as np\nnp.random.rand()",
    "sympy": "from sympy import randprime\nrandprime(10**20, 10**21)",
    "matrix": "from sympy import randMatrix\nrandMatrix(3, 3)",
    "group": "from sympy.combinatorics.named_groups import SymmetricGroup\nSymmetricGroup(20).random()",
    "dummy": "from sympy import Dummy\nDummy('x').dummy_index",
    "generator": "import random\nrandom.Random().random()",
    "seed": "import random\nrandom.seed()\nrandom.random()",
    "numpy generator": "import numpy as np\nnp.random.default_rng().random()",
    "numpy seed": "import numpy as np\nnp.random.seed()\nnp.random.rand()",
    "system": "import random\nrandom.SystemRandom().random()",
    "secrets": "import secrets\nsecrets.token_hex()",
    "urandom": "import os\nos.urandom(9)",
    "uuid": "import uuid\nuuid.uuid4()",
    "file": "import os, tempfile\nos.path.basename(tempfile.mktemp())",
}
SAME_FOR_ALL_SEEDS = {"dummy"}


@pytest.mark.parametrize("modules", [("numpy", "sympy"), ()], ids=["imported before", "imported by the cell"])
def test_chance_follows_from_the_seeds_of_the_branch(modules: tuple[str, ...]) -> None:
    named = {name: code for name, code in CHANCES.items() if modules or "sympy" not in code}

    async def values(interpreter: SandboxInterpreter, session: str, seed: int) -> dict[str, str]:
        cells = {name: Execute(session, (), Cell(code, seed)) for name, code in named.items()}
        return {name: (await interpreter.execute(cell)).text for name, cell in cells.items()}

    async def check() -> None:
        async with SandboxInterpreter(SandboxLimits(num_parents=2, modules=modules)) as interpreter:
            first = await values(interpreter, "1", 3)
            assert await values(interpreter, "2", 3) == first  # of the other clean parent
            other = await values(interpreter, "3", 4)
            assert {name for name, value in other.items() if value == first[name]} <= SAME_FOR_ALL_SEEDS
            assert not any("Error" in value for value in first.values())

    run(check())


def test_a_state_that_is_made_again_has_the_same_chance_and_each_cell_its_own() -> None:
    codes = ["import random, uuid\nx = random.Random().random(), uuid.uuid4()\nx"] * 2 + ["x"]

    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            first = await chain(interpreter, *codes)
            assert first[0] != first[1] == first[2]
            interpreter._put_away(interpreter._sessions["q"])
            assert await chain(interpreter, *codes) == first

    run(check())


def test_entropy_of_any_size_is_given(branch: Branch) -> None:
    codes = [f"import os\nlen(os.urandom({size}))" for size in ("0", "1", "2**28 - 1")]
    assert [seen.text for seen in branch(*codes)] == ["0", "1", "268435455"]
    assert "ValueError" in branch("import os\nos.urandom(-1)")[0].text


def test_what_python_asks_a_socket_is_answered(branch: Branch) -> None:
    code = (
        "import asyncio, socket\na, b = socket.socketpair()\nc = socket.socket(fileno=a.detach())\n"
        "async def f():\n    reader, writer = await asyncio.open_connection(sock=c)\n    writer.write(b'x')\n"
        "    await writer.drain()\nasyncio.run(f())\n"
        "b.recv(1), b.type.name, b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)"
    )
    assert branch(code)[0].text == "(b'x', 'SOCK_STREAM', 0)"


_FUTEX = (
    "import ctypes, os, time\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.mmap.restype = ctypes.c_void_p\n"
    "page = libc.mmap(None, ctypes.c_size_t(4096), 1, 2, os.open(os.__file__, 0), ctypes.c_long(0))\n"
    "def futex(*a): return libc.syscall(ctypes.c_long(202), ctypes.c_void_p(page + 400), *map(ctypes.c_long, a))\n"
    "value = ctypes.c_int.from_address(page + 400).value\nend = time.monotonic() + 1.5\n"
)


@pytest.mark.parametrize("level", [None, NO_NAMESPACES], ids=["full", "no namespaces"])
def test_cells_of_different_questions_can_not_wake_each_other(level: Level | None) -> None:
    waits = _FUTEX + "limit = (ctypes.c_long * 2)(1, 0)\nfutex(0, value, ctypes.addressof(limit), 0, 0)"
    wakes = _FUTEX + "while time.monotonic() < end: print(end='.' if futex(1, 9, 0, 0, 0) > 0 else '')"
    exits = (
        _FUTEX + "import _thread, threading\n"
        "def f(): libc.syscall(ctypes.c_long(218), ctypes.c_void_p(page + 400))\n"
        "while time.monotonic() < end:\n    t = threading.Thread(target=f)\n    t.start()\n    t.join()\n"
    ).replace("1.5", "0.5")

    async def check() -> None:
        async with SandboxInterpreter(LIMITS, level) as interpreter:
            seen = await asyncio.gather(*(chain(interpreter, c, session=c) for c in (waits, wakes, exits)))
            assert seen[:2] == [["-1"], [""]]

    run(check())


@pytest.mark.parametrize("of_processes", [0, 1], ids=["of threads", "of processes"])
def test_semaphores_of_c_code_join_the_threads_of_a_cell(branch: Branch, of_processes: int) -> None:
    code = (
        "import ctypes, threading, time\nlibc, semaphore = ctypes.CDLL(None), ctypes.create_string_buffer(64)\n"
        f"libc.sem_init(semaphore, {of_processes}, 0)\nt = threading.Thread(target=libc.sem_wait, args=(semaphore,))\n"
        "t.start()\ntime.sleep(0.1)\nlibc.sem_post(semaphore)\nt.join()\n'woken'"
    )
    assert branch(code)[0].text == "woken"


def test_threads_of_c_code_are_joined(branch: Branch) -> None:
    code = (
        "import ctypes, time\nlibc = ctypes.CDLL(None)\nthread, done = ctypes.c_ulong(), []\n"
        "@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)\ndef work(_):\n    time.sleep(0.2)\n    done.append(1)\n"
        "libc.pthread_create(ctypes.byref(thread), None, work, None)\nlibc.pthread_join(thread, None), done"
    )
    assert branch(code)[0].text == "(0, [1])"
