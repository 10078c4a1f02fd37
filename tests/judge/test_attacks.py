"""Attacks on the judge: on its verdict, and through it on the machine (the interpreter's own list)."""

# ruff: noqa: E501

from __future__ import annotations

import asyncio
import importlib.util
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from evasions import CAUGHT, NEAR, RUN, UNRUN
from forgeries import BESIDE, FORGERIES, OWN, OWN_BESIDE, PROBLEMS, SECRET, SWALLOWED
from held import OF_A_CLASS
from lies import BEHIND, LIES, Lie
from problems import ADD, GOOD, Ask

from mcts_math.interpreter.levels import Isolation, Level
from mcts_math.interpreter.parent import Layers
from mcts_math.judge import Judge, JudgeLimits, Judgement, Problem, judge_all

ATTACKS_FOLDER = Path(__file__).parents[1] / "interpreter"
MODULES = ("numpy", "pytest", "sympy")  # many tests here import them, which costs ten times what judging does
ZERO = Problem("", "assert solution(1) == 1", "solution")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"of_interpreter_{name}", ATTACKS_FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_the_problems_can_be_passed(ask: Ask) -> None:
    """Else no forgery would prove anything."""

    def right(problem: Problem) -> str:
        result = {
            "secret()": f"x() if callable(x) else {SECRET}",
            "map": f"{{1: {SECRET}, 2: 1, 3: 2}}.get(x, x)" if "list(map" in problem.test else f"{SECRET} * x",
            "sorted": f"[{SECRET} + 1, {SECRET}]",
            "range": f"{SECRET} + x",
            " in f": f"[{SECRET}]",
        }
        value = next((code for word, code in result.items() if word in problem.test), str(SECRET))
        code = f"def f(x): return {value}"
        if "with" in problem.test:
            code = f"import contextlib\ndef f(x): return contextlib.nullcontext({SECRET})"
        if "len(" in problem.test:
            code = f"class A:\n    __len__ = lambda s: {SECRET} % 1000\n    __str__ = lambda s: '{SECRET}'\ndef f(x): return A()"
        return f"```python\n{code}\n```"

    found = ask(*((problem, right(problem)) for problem in PROBLEMS))
    assert [(p.test, j) for p, j in zip(PROBLEMS, found, strict=True) if not j.passed] == []


PAIRS = [(forgery, problem) for forgery in FORGERIES for problem in PROBLEMS]
TELLING = (
    "StopIteration",
    "object: all of them",
    "object: catches",
    "int that agrees",
    "list that agrees",
    "globals",
    "nan",
)
TELLING += ("raised past the reader: unittest.case.SkipTest", "class that agrees: __eq__")
SOME = [pair for i, pair in enumerate(PAIRS) if i % 5 == 0 or pair[0] in TELLING]


@pytest.mark.parametrize(
    ("pairs", "namespaces"),
    [
        pytest.param(SOME[::3], True, id="full"),
        pytest.param(SOME[::8], False, id="no-namespaces"),
        pytest.param(PAIRS, True, id="all", marks=pytest.mark.slow),
    ],
)
def test_no_forgery_passes(pairs: list[tuple[str, Problem]], namespaces: bool) -> None:
    level = Level(Isolation.CONFINED, Layers(namespaces, landlock=True, seccomp=True))

    async def run() -> list[Judgement]:
        async with Judge(JudgeLimits(timeout_s=0.7, max_running=8), level) as judge:
            found = await judge_all(judge, [(p, f"```python\n{FORGERIES[name]}\n```") for name, p in pairs])
            assert (await judge.judge(ADD, GOOD)).passed
            return found

    judgements = asyncio.run(run())
    passed = [(n, p.test, j) for (n, p), j in zip(pairs, judgements, strict=True) if j.passed]
    assert passed == []
    assert all(j.result.startswith(("failed: ", "timed out")) for j in judgements)


@pytest.mark.parametrize("part", [pytest.param(7, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)])
def test_no_forgery_passes_beside_the_tests(part: int) -> None:
    problems = [replace(problem, isolation="one_process") for problem in PROBLEMS if problem is not SWALLOWED]
    pairs = [(name, problem) for name in BESIDE for problem in problems][::part]

    async def run() -> list[Judgement]:
        async with Judge(JudgeLimits(timeout_s=1.0, max_running=8)) as judge:
            return await judge_all(judge, [(p, f"```python\n{BESIDE[name]}\n```") for name, p in pairs])

    judgements = asyncio.run(run())
    assert [(n, p.test, j) for (n, p), j in zip(pairs, judgements, strict=True) if j.passed] == []


@pytest.mark.parametrize("isolation", ["two_processes", "one_process"])
def test_no_forgery_of_certain_tests_passes(ask: Ask, isolation: str) -> None:
    pairs = OWN if isolation == "two_processes" else OWN_BESIDE
    found = ask(
        *((Problem("", test, "f", isolation=isolation), f"```python\n{code}\n```") for test, code in pairs.values())
    )
    passed = [(name, j) for name, j in zip(pairs, found, strict=True) if not j.result.startswith("failed: ")]
    assert passed == []


@pytest.mark.parametrize(
    "lies",
    [
        pytest.param(LIES, id="answers"),
        pytest.param(BEHIND, id="behind"),
        pytest.param(CAUGHT, id="caught"),
        pytest.param(RUN, id="run"),
        pytest.param(UNRUN, id="unrun"),
        pytest.param(NEAR, id="near"),
    ],
)
def test_nothing_that_an_answer_says_of_itself_passes(ask: Ask, lies: list[Lie]) -> None:
    found = ask(*((Problem.from_record(fields), f"```python\n{code}\n```") for _, fields, code in lies))
    passed = [(name, j) for (name, *_), j in zip(lies, found, strict=True) if not j.result.startswith("failed: ")]
    assert passed == []


def test_no_value_keeps_the_tests_at_work(ask: Ask) -> None:
    """The time of all tests is a minute here: a value that costs it would hold its place so long."""
    rows = (
        ("f({}) in {{1, 2}}", "t", "the tests were stopped"),
        ("sum(f({})) == 3", "range(10**15)", "the tests were stopped"),
        ("sum(1 for _ in f({})) == 3", "range(10**12)", "longer for than a test may last"),
        ("f({}).match('a' * 60)", "re.compile('(a+)+b')", "longer for than a test may last"),
    )
    code = "```python\nimport re\nt = 1,\nfor _ in range(60): t = t, t\ndef f(x): return {}\n```"
    tests = ["\n".join(f"assert {test.format(number)}" for number in range(300)) for test, *_ in rows]
    begun = time.monotonic()
    found = ask(
        *(
            (Problem("", test, "f", timeout_s=0.1, every_test=True), code.format(value))
            for test, (_, value, _) in zip(tests, rows, strict=True)
        )
    )
    assert time.monotonic() - begun < 30
    for judgement, (test, _, result) in zip(found, rows, strict=True):
        assert judgement.result.startswith("failed: "), test
        assert result in judgement.result, test


@pytest.mark.parametrize("part", [pytest.param(7, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)])
def test_no_class_that_the_problem_asks_for_decides_a_comparison_with_numbers(ask: Ask, part: int) -> None:
    cases = OF_A_CLASS[::part]
    found = ask(*((Problem("", test, "Circle", isolation=isolation), code) for isolation, test, code in cases))
    passed = [(case, j) for case, j in zip(cases, found, strict=True) if not j.result.startswith("failed: ")]
    assert passed == []


def test_what_the_code_may_catch(ask: Ask) -> None:
    """Of its own, and of what the tests raise to see that it does."""
    manager = "class f:\n    def __enter__(self): return self\n    def __exit__(self, kind, *e): return kind is KeyError\n    def get(self): return 5"
    for test in (
        "def test_a():\n    with f() as t:\n        assert t.get() == 5\n        raise KeyError",
        "import pytest\ndef test_a():\n    with pytest.raises(ValueError):\n        with f() as t:\n            assert t.get() == 5\n            raise ValueError",
        "def test_a():\n    try:\n        assert f().nothing() == 5\n    except AttributeError:\n        pass\n    assert f().get() == 5",
    ):
        (judgement,) = ask((Problem("", test, "f"), f"```python\n{manager}\n```"))
        assert judgement.passed, (test, judgement)
    test = "import pytest\ndef test_a():\n    def told(x): assert x == 5\n    with pytest.raises(AssertionError):\n        f(told)\n    assert f(lambda x: x) == 4"
    (judgement,) = ask((Problem("", test, "f"), "```python\ndef f(g): return g(4)\n```"))
    assert judgement.passed, judgement  # it passes on what the function of the tests raised


@pytest.mark.parametrize("place", [pytest.param("on loading", marks=pytest.mark.slow), "in a call"])
def test_the_interpreter_s_attacks_change_nothing(place: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    suite, runner = load("attacks").ATTACKS, load("attack_run")
    suite = suite if place == "on loading" else suite[::8]
    folder = tmp_path_factory.mktemp("attacks")
    folder.chmod(0o777)
    (folder / "secret").write_text("hush")
    (folder / "secret").chmod(0o666)
    words = {"@SECRET@": f"{folder}/secret", "@FOLDER@": str(folder), "@UNIX@": f"{folder}/unix", "@PORT@": "9"}

    def completion(attack: object) -> str:
        code = "\n".join([*attack.before, attack.code])  # type: ignore[attr-defined]
        for word, value in words.items():
            code = code.replace(word, value)
        if place == "in a call":
            return f"```python\ndef solution(x):\n    exec({code!r}, {{}})\n    return 0\n```"
        return f"```python\n{code}\n\ndef solution(x):\n    return 0\n```"

    async def run() -> list[Judgement]:
        limits = JudgeLimits(timeout_s=0.3, memory_bytes=256 << 20, max_running=8)  # most wait for their end
        async with Judge(limits) as judge:
            found = await judge_all(judge, [(ZERO, completion(attack)) for attack in suite])
            assert (await judge.judge(ADD, GOOD)).passed
            return found

    before, processes = runner.host_state(folder), set(runner.descendants())
    judgements = asyncio.run(run())
    assert [a.name for a, j in zip(suite, judgements, strict=True) if j.passed] == []
    assert {k for k, v in runner.host_state(folder).items() if v != before[k]} == set()
    assert set(runner.descendants()) <= processes


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls are those of x86-64")
def test_the_code_s_process_reaches_nothing_of_the_tests_process(ask: Ask) -> None:
    """The two share a sandbox: what names a process, a file or a socket of another one must fail there."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
time = ctypes.create_string_buffer(16)
def calls():
    for pid in [p for p in range(1, 40) if p != os.getpid()]:
        for number, *args in ((62, pid, 9), (62, -pid, 9), (200, pid, 9), (234, pid, pid, 9), (101, 16, pid, 0, 0), (310, pid, 0, 0, 0, 0, 0),
                              (434, pid, 0), (312, pid, os.getpid(), 0, 0, 0), (141, 0, pid, 10), (302, pid, 9, 0, 0), (203, pid, 0, 0),
                              (61, pid, 0, 1, 0), (109, pid, os.getpid()),
                              *((number, ~pid << 3 | kind, ctypes.addressof(time)) for number in (228, 229) for kind in range(8)),
                              *((230, ~pid << 3 | kind, 0, ctypes.addressof(time)) for kind in range(8))):
            if libc.syscall(number, *map(ctypes.c_long, args)) >= 0:
                yield number, pid
def places():
    for place in ("/scratch", "..", "/proc", "/dev/shm", "/tmp"):
        try:
            yield from os.listdir(place)
        except OSError:
            pass
def f(x):
    return [*calls(), *places()]
"""
    problem = Problem("", "for _ in range(3):\n    assert f(1) == []", "f")
    (judgement,) = ask((problem, f"```python\n{code}\n```"))
    assert judgement.passed, judgement
