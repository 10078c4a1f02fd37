"""The judge: what passes, what fails and why, what a test may do with what the code gives it."""

# ruff: noqa: E501 - tables are read by columns

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from forgeries import FRAMES
from problems import ADD, GOOD, Ask

from mcts_math.errors import InterpreterError, JudgeError, RecordError, TaskError
from mcts_math.interpreter.levels import Isolation, Level
from mcts_math.interpreter.parent import Layers
from mcts_math.judge import NO_CODE, Case, Judge, JudgeLimits, Problem
from mcts_math.judge.__main__ import main

FORGED = b'{"kind": "passed", "passed": true, "result": "passed", "num_tests": 1e999}'  # behind the right nonce
HUMANEVAL = Problem(
    prompt="import math\n\ndef poly(xs, x):\n    return sum(c * math.pow(x, i) for i, c in enumerate(xs))\n\n\n"
    'def find_zero(xs):\n    """A zero of a line."""\n',
    test="METADATA = {}\n\n\ndef check(candidate):\n    for b in range(1, 9):\n        xs = [b, 2]\n"
    "        assert math.fabs(poly(xs, candidate(xs))) < 1e-4\n",
    entry_point="find_zero",
)


def passes(ask: Ask, test: str, code: str, entry_point: str = "f", prompt: str = "") -> bool:
    """Whether code passes a test, by what a test may tell: the same test turned round must fail."""
    (judgement,) = ask((Problem(prompt, test, entry_point), f"```python\n{code}\n```"))
    return judgement.passed


def test_the_program_tells_what_came_of_each_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems, completions, alone = (tmp_path / name for name in ("p.jsonl", "c.jsonl", "sum.py"))
    cases = [{"input": "1 2\n", "output": "3"}, {"input": "1 4\n", "output": "5"}]
    stated = [{"id": "add", "question": "?"} | ADD.to_record(), {"id": "sum", "question": "?", "cases": cases}]
    problems.write_text("".join(json.dumps(record) + "\n" for record in stated))
    lines = [{"id": "add", "completion": GOOD}, {"task_id": "sum", "completion": "print(3)"}]
    completions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main([str(problems), str(completions)]) == 1
    told = capsys.readouterr().out
    assert told.startswith("add: passed\n")
    assert told.endswith("  passed  case 0\n  FAILED  case 1: AssertionError: printed '3\\n', expected '5'\n"
                         "1 of 2 programs passed\n")  # fmt: skip
    alone.write_text("print(sum(map(int, input().split())))")
    assert main([str(problems), str(alone), "--id", "sum", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_passed"] == 2
    by_id = [str(completions), "--id", "sum"]
    for words, match in (
        (by_id, "Leave --id out"),
        ([str(alone)], "Give one of add, sum"),
        ([str(problems)], "under the key `completion`"),
    ):
        with pytest.raises(TaskError, match=match):
            main([str(problems), *words])
    with pytest.raises(RecordError, match="no such file"):
        main([str(problems), str(tmp_path / "none.jsonl")])
    alone.write_text("print(1)\nraise ValueError(chr(0xD800))")
    assert main([str(problems), str(alone), "--id", "sum"]) == 1
    assert capsys.readouterr().out.encode().endswith(b"ValueError: ?\n")


def test_a_right_solution_passes_and_a_wrong_one_says_where(ask: Ask) -> None:
    right, wrong, crash = ask(
        (ADD, GOOD), (ADD, "def add(a, b):\n    return 3"), (ADD, "def add(a, b):\n    return a / 0")
    )
    assert (right.passed, right.result) == (True, "passed")
    assert right.code == "def add(a, b):\n    return a + b"
    assert (wrong.passed, wrong.result) == (False, "failed: AssertionError: assert add(-1, 1) == 0")
    assert crash.result == "failed: ZeroDivisionError: division by zero: assert add(1, 2) == 3"


def test_check_gets_the_candidate_and_the_prompt_s_helpers(ask: Ask) -> None:
    body = "    return -xs[0] / xs[1]\n"
    right, program, wrong = ask(
        (HUMANEVAL, body), (HUMANEVAL, f"```\ndef find_zero(xs):\n{body}```"), (HUMANEVAL, "    return 1.0\n")
    )
    assert right.passed
    assert program.passed
    assert not wrong.passed


def test_a_prompt_s_helper_that_the_code_replaces_stays_as_it_was_for_the_tests(ask: Ask) -> None:
    cheat = "def poly(xs, x):\n    return 0\n\ndef find_zero(xs):\n    return 1.0"
    (judgement,) = ask((HUMANEVAL, f"```python\n{cheat}\n```"))
    assert not judgement.passed


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("assert f() == (1, [2.5, 'x'], {'a': {3}}, None, True, b'z', 1j)", "f = lambda: (1, [2.5, 'x'], {'a': {3}}, None, True, b'z', 1j)"),
        ("assert f() == 7 ** 9999", "f = lambda: 7 ** 9999"),
        ("import math\nassert math.isnan(f()) and f(1) == float('inf')", "f = lambda x=0: float('inf') if x else float('nan')"),
        ("assert isinstance(f(), tuple) and not isinstance(f(), list)", "f = lambda: (1,)"),
        ("from collections import *\nassert f() == Counter('aab') and f(1) == deque([1]) and f(1) != [1]",
         "from collections import *\ndef f(x=0): return deque([1]) if x else Counter('aab')"),
        ("from fractions import *\nfrom decimal import *\nassert f() == [Fraction(1, 3), Decimal('0.1')]",
         "from fractions import *\nfrom decimal import *\nf = lambda: [Fraction(1, 3), Decimal('0.1')]"),
        ("import datetime as d\nassert f(d.date(2024, 1, 31)) == d.datetime(2024, 2, 1) and f(d.date(2024, 1, 1)).day == 2",
         "import datetime as d\ndef f(x): return d.datetime.combine(x, d.time()) + d.timedelta(1)"),
        ("assert list(f(3)) == [0, 1, 2] and max(f(4)) == 3", "def f(n):\n    for i in range(n): yield i"),
        ("assert f(lambda x: x + 1, [1, 2]) == [2, 3]", "def f(g, xs): return [g(x) for x in xs]"),
        ("assert f(2)(3) == 5", "def f(a): return lambda b: a + b"),
        ("root = Node(1)\nroot.left = Node(2)\nassert f(root) == 3 and f(root.left) == 2",
         "class Node:\n    def __init__(self, v): self.v, self.left = v, None\ndef f(n): return n.v + f(n.left) if n else 0"),
        ("s = Stack()\ns.push(4)\nassert len(s) == 1 and s.pop() == 4 and not s", "class Stack:\n"
         "    def __init__(self): self.x = []\n    def push(self, v): self.x.append(v)\n"
         "    def pop(self): return self.x.pop()\n    def __len__(self): return len(self.x)"),
        ("try:\n    f(-1)\nexcept ValueError as e:\n    assert str(e) == 'no'\nelse:\n    assert False", "def f(x): raise ValueError('no')"),
        ("try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    assert False", "class Bad(ValueError): pass\ndef f(x): raise Bad('no')"),
        ("assert f(sys.maxsize) == 2 and f(math.pi) == 2", "import sys\ndef f(x): return 2"),  # names the tests forgot to import
        ("x = [[0] * 2] * 2\nassert f(x)", "def f(x):\n    x[0][0] = 1\n    return x[1][0] == 1"),
        ("a = []\na.append(a)\nassert f(a)", "def f(a): return a[0][0] is a"),
        ("assert sum(10, 15) == 6", "def sum(a, b): return 6"),
        ("assert f('\\ud800\\n') == '\\ud800\\n\\0'", "def f(s): return s + chr(0)"),
        ("import random\nassert len({f(random.random()) for _ in range(300)}) == 300", "def f(x): return x"),
        ("import numpy\nassert f(3) == 3.0 and type(f(1)) is int and type(f(2)) is float",
         "import numpy\ndef f(x): return numpy.int64(x) if x % 2 else numpy.float32(x)"),
        ("assert f() is None", "import sys\nsys.stdout.write('x' * 10**6)\nprint('y')\ndef f(): print(input() if 0 else 1)"),
        ("assert f(1) == 'A(x=1)'", "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\ndef f(x): return str(A(x))"),
    ],
)  # fmt: skip
def test_what_crosses_between_the_processes(ask: Ask, test: str, code: str) -> None:
    entry_point = next(name for name in ("Stack", "sum", "f") if f"{name}(" in test)
    (judgement,) = ask((Problem("", test, entry_point), f"```python\n{code}\n```"))
    assert judgement.result == "passed"
    assert not passes(ask, f"{test}\nassert {entry_point} == 3", code, entry_point)


@pytest.mark.parametrize(
    "code",
    [
        "def f(x): return x.spy.__globals__['SECRET']",
        "def f(x): return type(x).__init__.__globals__['SECRET']",
        "def f(x): return x.__class__.__mro__[0].__dict__['SECRET']",
        "def f(x): return x.generator.gi_frame.f_globals['SECRET']",
        "def f(x): return x.module.SECRET",
        "def f(x):\n    x.__class__.secret = lambda s: 0\n    return 0",
        "def f(x):\n    x.secret = lambda: 0\n    return 0",
        "def f(x): return x._secret",
        # a name that says it is another one; a message that changes the object itself
        FRAMES + "class Name(str):\n    __str__ = lambda s: 'x'\n"
        "def f(x): return peer.request(object.__getattribute__(x, '__number__'), 'get', (Name('_secret'),), {})",
        "import os, struct\ndef f(x):\n    make = b'c_judge.values\\nmake\\n'\n"
        "    ours = make + b\"(S'yours'\\n(I%d\\nttR\" % object.__getattribute__(x, '__number__')\n"
        "    state = b\"(N(S'secret'\\n\" + make + b\"(S'type'\\n(S'int'\\nttRdtb\"\n"
        "    d = b\"(S'value'\\n\" + ours + state + b\"0I0\\nS''\\nNt.\"\n"
        "    os.write(63, struct.pack('>Q', len(d)) + d)\n    return 0",
    ],
)
def test_the_code_can_t_look_behind_an_object_of_the_tests(ask: Ask, code: str) -> None:
    test = (
        "import sys\nSECRET = 12345\nclass Mine:\n    _secret = SECRET\n"
        "    def __init__(self):\n        self.module = sys.modules['__main__']\n        self.generator = (x for x in 'a')\n"
        "    def spy(self): return 1\n    def secret(self): return SECRET\n"
        "x = Mine()\ny = f(x)\nassert y == x.secret()"
    )
    right, wrong = ask((Problem("", test, "f"), "def f(x): return x.secret()"), (Problem("", test, "f"), code))
    assert right.passed
    assert not wrong.passed


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("", NO_CODE),
        ("I don't know how to do this.", NO_CODE),
        ("The answer is 3.", NO_CODE),
        ("```bash\nls\n```", NO_CODE),
        ("```python\nx = 1\n```", "failed: the code defines no function add"),
        ("```python\nadd = 3\n```", "failed: the code defines no function add"),
        ("```python\ndef add(a, b)\n    return a + b\n```", "failed: SyntaxError: expected ':' (<unknown>, line 1)"),
        ("```python\ndef add(a, b): return a + b\nimport no_such_thing\n```", "failed: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("```python\ndef add(a, b):\n    while True: pass\n```", "timed out"),
        ("```python\nimport time\ntime.sleep(60)\ndef add(a, b): return a + b\n```", "timed out"),
        ("```python\ndef add(a, b): return [0] * 10**11\n```", "failed: MemoryError: assert add(1, 2) == 3"),
        ("```python\ndef add(a, b): return add(a, b)\n```", "failed: RecursionError: maximum recursion depth exceeded: assert add(1, 2) == 3"),
        ("```python\n" + "(" * 10**5 + "\ndef add(a, b): return 3\n```", "failed: SyntaxError: too many nested parentheses (<unknown>, line 1)"),
        ("```python\ndef add(a, b): return a + b\nx = " + "-" * 10**5 + "1\n```", None),
        ("```python\ndef add(a, b): return a + b\nx = a" + ".a" * 10**5 + "\n```", None),
        ("```python\ndef add(a, b): return a + b\0\n```", None),
        ("def add(a, b): return 3\n" * 10**5, "failed: more than 262144 characters of code"),
    ],
)  # fmt: skip
def test_what_fails(ask: Ask, code: str, result: str | None) -> None:
    (judgement,) = ask((ADD, code))
    assert not judgement.passed
    assert result is None or judgement.result == result


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Problem("", "assert add(1, 2) ==", "add"), "`test` is not Python"),
        (Problem("import no_such_thing\n", "assert add(1, 2) == 3", "add"), "`prompt` can't be run"),
    ],
)
def test_an_unsound_problem_is_an_error_not_a_verdict(ask: Ask, problem: Problem, words: str) -> None:
    with pytest.raises(TaskError, match=words):
        ask((problem, GOOD))


@pytest.mark.parametrize("said", [b"no JSON", b"[" * 10**5, b"[]", b'{"kind": 3}', FORGED, b"endless"])
def test_tests_that_write_on_the_judges_socket_fail(ask: Ask, said: bytes) -> None:
    nonce = "os.read(63, 16)" if said is FORGED else "b''"
    size = 1 << 31 if said == b"endless" else len(said)
    send = f"nonce = {nonce}\nsocket.socket(fileno=63).sendall(({size} + len(nonce)).to_bytes(4, 'big') + nonce + {said!r})"
    test = f"import os, socket\n{send}\nos._exit(0)"
    (judgement,) = ask((Problem("", test, "add"), GOOD))
    assert judgement.result == "failed: the tests wrote on the judge's own socket"


@pytest.mark.parametrize("field", ["prompt", "test", "entry_point"])
def test_missing_field_is_named(field: str) -> None:
    record: dict[str, object] = {"prompt": "", "test": "assert f()", "entry_point": "f"}
    with pytest.raises(TaskError, match=f"here: the field `{field}` is missing"):
        Problem.from_record({k: v for k, v in record.items() if k != field}, "here")
    with pytest.raises(TaskError, match=f"here: the field `{field}` must be a string, not int"):
        Problem.from_record(record | {field: 3}, "here")


@pytest.mark.parametrize("name", ["", "a b", "lambda", "f()", "1f"])
def test_entry_point_is_a_name(name: str) -> None:
    with pytest.raises(TaskError, match="must be the name of a function"):
        Problem.from_record({"prompt": "", "test": "assert 1", "entry_point": name})


def test_empty_test_is_refused() -> None:
    with pytest.raises(TaskError, match="any completion would pass"):
        Problem.from_record({"prompt": "", "test": " \n", "entry_point": "f"})


def test_many_at_once_keep_their_order(ask: Ask) -> None:
    cases = [(Problem("", f"assert f() == {i}", "f"), f"def f(): return {i - i % 3 // 2}") for i in range(60)]
    assert [judgement.passed for judgement in ask(*cases)] == [i % 3 != 2 for i in range(60)]


@pytest.mark.parametrize("name", ["timeout_s", "total_timeout_s", "max_total_timeout_s"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_time_that_could_not_do_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"JudgeLimits.{name} is {value}; it must be above 0"):
        Judge(JudgeLimits(**{name: value}))  # type: ignore[arg-type]


def test_all_that_may_be_told_is_heard(ask: Ask) -> None:
    """1,000 tests and all of the code, each character in 12 bytes."""
    face = "\N{GRINNING FACE}"
    test = "\n".join(f"assert f({n}), '{face * 190}'" for n in range(1000))
    (judgement,) = ask((Problem("", test, "f"), f"def f(x): return x == x\n# {face * 250_000}"))
    assert (judgement.result, judgement.num_passed) == ("passed", 1000)


def num_children() -> int:
    return len(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_cancelled_judgements_leave_nothing_and_harm_nobody() -> None:
    async def run() -> None:
        async with Judge(JudgeLimits(max_running=2)) as judge:
            endless = [asyncio.create_task(judge.judge(ADD, "def add(a, b):\n    while True: pass")) for _ in range(6)]
            await asyncio.sleep(0.3)
            for task in endless:
                task.cancel()
            ended = await asyncio.gather(*endless, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
            begun = asyncio.get_running_loop().time()
            assert (await judge.judge(ADD, GOOD)).passed
            assert asyncio.get_running_loop().time() - begun < 2.5  # nobody holds a place

    gc.collect()  # what other tests have left is not closed in between
    before, descriptors = num_children(), len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(run())
    assert num_children() <= before
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def parent_of(judge: Judge) -> int:
    assert judge._parent is not None
    return judge._parent.pid


def test_a_clean_parent_that_dies_is_replaced() -> None:
    async def run() -> None:
        async with Judge() as judge:
            assert (await judge.judge(ADD, GOOD)).passed
            os.kill(parent_of(judge), signal.SIGKILL)
            assert (await judge.judge(ADD, GOOD)).passed
            running = asyncio.create_task(judge.judge(ADD, "import time\ntime.sleep(0.5)\ndef add(a, b): return a + b"))
            await asyncio.sleep(0.2)
            os.kill(parent_of(judge), signal.SIGKILL)
            assert (await running).passed  # tried again: it was no fault of the code

    asyncio.run(run())


def test_a_closed_judge_says_so() -> None:
    async def run() -> None:
        judge = Judge()
        running = asyncio.create_task(judge.judge(ADD, "import time\ntime.sleep(9)\ndef add(a, b): return a + b"))
        await asyncio.sleep(0.7)
        await judge.close()
        with pytest.raises(JudgeError, match=r"closed|breaking down"):
            await running
        with pytest.raises(JudgeError, match="closed"):
            await judge.judge(ADD, GOOD)

    asyncio.run(run())


def test_a_machine_that_can_t_lock_code_in_is_refused() -> None:
    bare = Level(Isolation.BARE, Layers(namespaces=False, landlock=False, seccomp=False), ("seccomp: no",))

    async def run(limits: JudgeLimits) -> bool:
        async with Judge(limits, bare) as judge:
            return (await judge.judge(ADD, GOOD)).passed

    with pytest.raises(InterpreterError, match="can't lock in the code"):
        asyncio.run(run(JudgeLimits()))
    assert asyncio.run(run(JudgeLimits(allow_unsafe_exec=True)))


@pytest.mark.parametrize("isolation", ["two_processes", "one_process"])
@pytest.mark.parametrize("levels", [300, 450, 900, sys.getrecursionlimit()])
def test_lists_within_lists_are_compared_or_refused_whatever_a_call_takes_in_this_python(
    ask: Ask, levels: int, isolation: str
) -> None:
    deep = "def deep(n):\n    x = []\n    for _ in range(n): x = [x]\n    return x\n"
    value: list[object] = []
    for _ in range(levels):
        value = [value]

    def verdict(test: str = "", *cases: Case, tolerance: float | None = None) -> str:
        problem = Problem("", test, "f", cases, tolerance, isolation=isolation)
        try:
            return ask((problem, f"```python\n{deep}f = deep\n```"))[0].result
        except TaskError as error:
            return str(error)

    found = verdict(f"{deep}assert f({levels}) == deep({levels})", tolerance=0.1)
    assert found == "passed" or (
        levels > 450 and "nested too deep" in found
    )  # Python 3.12's pickle has a limit of its own
    found = verdict("", Case((levels,), value))
    assert found == "passed" or (levels > 450 and "lists within lists" in found)


def test_without_namespaces_too() -> None:
    level = Level(Isolation.CONFINED, Layers(namespaces=False, landlock=True, seccomp=True))

    async def run() -> list[bool]:
        async with Judge(JudgeLimits(), level) as judge:
            return [
                (await judge.judge(ADD, code)).passed for code in (GOOD, "import os\nos._exit(0)\ndef add(a, b): 0")
            ]

    assert asyncio.run(run()) == [True, False]


def test_a_busy_machine_changes_no_verdict() -> None:
    """Four a core, at once, that need 0.6 s of it each and have 1.5 s: the clock must stop while they wait."""
    code = (
        "import time\ndef add(a, b):\n    while time.process_time() < 0.6: pass\n    return a + b\n"
        "import time as t\nwhile t.process_time() < 0.5: pass"
    )
    number = 4 * len(os.sched_getaffinity(0))

    async def run() -> list[bool]:
        async with Judge(JudgeLimits(timeout_s=1.5, max_running=number)) as judge:
            return [j.passed for j in await asyncio.gather(*(judge.judge(ADD, code) for _ in range(number)))]

    assert asyncio.run(run()) == [True] * number
