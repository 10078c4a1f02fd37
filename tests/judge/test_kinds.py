"""Right programs pass and wrong ones do not, by kind of problem and of test, in both isolations where they apply."""

# ruff: noqa: E501 - tables are read by columns

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest
from evasions import STILL_CAUGHT, STILL_EVIDENCE, STILL_RUN
from held import HELD
from kinds import CROSSING, ONE, STATED, SUITES, Kind
from problems import Ask
from shared import SHARED
from strangers import BLAMED, GROWN, STRANGERS, WITHOUT_EVIDENCE

from mcts_math.errors import TaskError
from mcts_math.judge import Case, Judge, JudgeLimits, Judgement, Problem, judge_all
from mcts_math.judge.worker import acts
from mcts_math.judge.worker.equal import same_output
from mcts_math.judge.worker.held import Copies, held_arguments
from mcts_math.judge.worker.parts import parts
from mcts_math.tasks.task import states_problem

BOTH = ("two_processes", "one_process")
OF_PYTHON = {  # what a kind needs of it: some came with 3.11
    **dict.fromkeys(("flags", "flags that are numbers"), (re.IGNORECASE, "__iter__")),
    "exception notes": (BaseException, "add_note"),
}
STATED_OR_TESTED = SUITES + STATED + CROSSING + STRANGERS  # in words that both isolations read by the same code
ATTACKS = HELD + SHARED + STILL_CAUGHT + STILL_EVIDENCE + STILL_RUN
CASES = [
    pytest.param(kind, isolation, id=f"{isolation}-{kind[0]}", marks=marks)
    for kinds, isolation, marks in (
        (STATED_OR_TESTED + ATTACKS, "two_processes", ()),
        (ATTACKS + ONE, "one_process", ()),
        (STATED_OR_TESTED, "one_process", pytest.mark.slow),
    )
    for kind in kinds
    if kind[1].get("isolation", isolation) == isolation and hasattr(*OF_PYTHON.get(kind[0], (str, "format")))
]


@pytest.fixture(scope="module")
def verdicts(ask: Ask, request: pytest.FixtureRequest) -> dict[tuple[str, str], list[Judgement]]:
    """What came of the right and of the wrong code of all kinds that are to be tested: judged at once, as most wait."""
    chosen = [item.callspec.params for item in request.session.items if "verdicts" in getattr(item, "fixturenames", ())]
    asked = [
        (Problem.from_record({"prompt": "", **record, "isolation": one["isolation"]}), f"```python\n{code}\n```")
        for one in chosen
        for record, *codes in [one["kind"][1:]]
        for code in codes
    ]
    found = iter(ask(*asked))
    return {(one["kind"][0], one["isolation"]): [next(found), next(found)] for one in chosen}


@pytest.mark.parametrize(("kind", "isolation"), CASES)
def test_right_passes_and_wrong_does_not(
    verdicts: dict[tuple[str, str], list[Judgement]], kind: Kind, isolation: str
) -> None:
    good, bad = verdicts[kind[0], isolation]
    assert good.result == "passed"
    assert not bad.passed
    assert bad.result.startswith(("failed", "timed out"))


@pytest.mark.parametrize("isolation", BOTH)
@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("# nothing", "the tests never call f"),
        ("assert True", "the tests never call f"),
        ("def verify():\n    assert f(1) == 2", "the tests never call f"),
        ("def test_a():\n    assert 1 + 1 == 2", "the tests never call f"),
        ("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        pass", "the tests never call f"),
        ("import unittest\nclass T(unittest.TestCase):\n    def helper(self):\n        self.assertEqual(f(1), 2)",
         "the tests never call f"),
        ("assert callable(f)", "the tests never call f"),
        ("print(f(1) == 2)", "check nothing"),
        ("f(1)", "check nothing"),
        ("def test_a(tmp_path):\n    assert f(1) == 2", "`test_a` needs tmp_path"),
        ("def check(a, b):\n    assert f(a) == b", "`check` needs a, b"),
        (
            "import pytest\n@pytest.mark.skipif('1 > 2', reason='x')\ndef test_a():\n    assert f(1) == 2",
            "`skipif` has a condition in quotes",
        ),
        ("import pytest\n@pytest.mark.usefixtures('db')\ndef test_a():\n    assert f(1) == 2", "`test_a` needs fixtures"),
        ("import pytest\n@pytest.fixture(autouse=True)\ndef x():\n    pass\ndef test_a():\n    assert f(1) == 2", "`x` is a fixture"),
        ("import pytest\nclass TestA:\n    @pytest.fixture(autouse=True)\n    def x(self):\n        pass\n    def test_a(self):\n        assert f(1) == 2",
         "`x` is a fixture"),
        ("import pytest\n@pytest.mark.parametrize('x', [1], indirect=True)\ndef test_a(x):\n    assert f(1) == 2", "gives x to fixtures"),
        ("import pytest\n@pytest.mark.parametrize('x')\ndef test_a(x):\n    assert f(1) == 2", "can't be taken apart: TypeError"),
        ("import no_such_library\nassert f(1) == 2", "No module named 'no_such_library'"),
        ("'''\n>>>f(1)\n2\n'''", "a doctest that can't be read"),
        ("import pytest\n@pytest.mark.skip\ndef test_a():\n    assert f(1) == 2", "the tests never call f"),
    ],
)  # fmt: skip
def test_tests_that_prove_nothing_are_the_problem_s_fault(ask: Ask, test: str, words: str, isolation: str) -> None:
    with pytest.raises(TaskError, match=words):
        ask((Problem("", test, "f", isolation=isolation), "def f(x):\n    return x + 1"))


@pytest.mark.parametrize("isolation", BOTH)
@pytest.mark.parametrize("problem", [pytest.param(problem, id=name) for name, problem in WITHOUT_EVIDENCE])
def test_without_evidence_the_problem_is_at_fault(ask: Ask, problem: dict[str, Any], isolation: str) -> None:
    for code in ("def f(x): return x + 1", "def f(x): return None"):
        with pytest.raises(TaskError, match="Mend the problem"):
            ask((Problem.from_record({**problem, "isolation": isolation}), code))


@pytest.mark.parametrize(("problem", "code"), [pytest.param(*case, id=name) for name, *case in GROWN + BLAMED])
def test_what_comes_of_a_value_of_the_code_is_the_code_s_fault(ask: Ask, problem: dict[str, Any], code: str) -> None:
    (judgement,) = ask((Problem.from_record(problem), code))
    assert judgement.result.startswith("failed: ")


def test_an_argument_that_can_t_cross_is_the_problem_s_fault(ask: Ask) -> None:
    deep = "x = []\nfor _ in range(20_000):\n    x = [x]\n"
    for test in (
        "assert f('x' * (80 << 20)) == 1",
        "assert f('x') == 1\nassert f('x' * (80 << 20)) == 1",
        "def check(g):\n    assert g('x') == 1\n    assert g('x' * (80 << 20)) == 1",
        "def test_a():\n    assert f('x') == 1\ndef test_b():\n    f('x' * (80 << 20))",
        f"{deep}assert f(x) == 1",
        f"{deep}try:\n    assert f(x) == 1\nexcept BaseException:\n    pass",
    ):
        with pytest.raises(TaskError, match="can't be run in two processes"):
            ask((Problem("", test, "f"), "def f(x): return 1"))
    with pytest.raises(TaskError, match="can't be run in two processes"):
        ask((Problem("", "s = S()\ns.push('x' * (80 << 20))", "S"), "class S:\n    def push(self, x): pass"))


@pytest.mark.parametrize("isolation", BOTH)
@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    import no_such_library",
        "import no_such_library\ndef f(x): return 1",
        "def f(x): raise ModuleNotFoundError('no', name='x')",
        "def f(x):\n    import unittest\n    raise unittest.SkipTest",
        "def f(x):\n    import pytest\n    pytest.skip()",
        "def f(x): raise NotImplementedError",
    ],
)
def test_what_the_code_raises_is_the_code_s_fault(ask: Ask, code: str, isolation: str) -> None:
    tests = (
        "x = f(1)\nassert x == 1",
        "def test_a():\n    x = f(1)\n    assert x == 1",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 1)",
    )
    for judgement in ask(*((Problem("", test, "f", isolation=isolation), code) for test in tests)):
        assert judgement.result.startswith("failed: ")


@pytest.mark.parametrize("isolation", BOTH)
@pytest.mark.parametrize("raised", ["KeyError(n)", "SystemExit(n)"])
def test_an_error_whose_attributes_raise_is_told_as_it_is(ask: Ask, raised: str, isolation: str) -> None:
    code = f"class E(Exception):\n    def __getattr__(self, n): raise {raised}\ndef f(x):\n    if x == 1: raise E('x')\n    return x"
    test = "def test_a():\n    assert f(1) == 1\ndef test_b():\n    assert f(2) == 2"
    (judgement,) = ask((Problem("", test, "f", isolation=isolation, every_test=True), code))
    assert [(one.passed, one.detail) for one in judgement.tests] == [(False, "E: x: assert f(1) == 1"), (True, "")]


@pytest.mark.parametrize("isolation", BOTH)
@pytest.mark.parametrize(
    "does", ["while True: pass", "raise SystemExit(0)", "raise KeyboardInterrupt", "raise GeneratorExit"]
)
def test_an_error_whose_text_can_not_be_had_fails_its_test_alone(ask: Ask, does: str, isolation: str) -> None:
    code = (
        f"class E(Exception):\n    def __str__(self):\n        {does}\ndef f(x):\n    if x == 1: raise E\n    return x"
    )
    problem = Problem(
        "", "", "f", tuple(Case((x,), x) for x in range(3)), timeout_s=0.3, every_test=True, isolation=isolation
    )
    (judgement,) = ask((problem, code))
    assert [test.passed for test in judgement.tests] == [True, False, True]
    assert "its text raised" in judgement.result


@pytest.mark.parametrize(
    "error",
    [
        "class E(Exception):\n    def __getattribute__(self, n): {}",
        "class M(type):\n    @property\n    def __name__(self): {}\nclass E(Exception, metaclass=M): pass",
    ],
)
@pytest.mark.parametrize("does", ["raise SystemExit(0)", "raise KeyboardInterrupt", "return ()"])
def test_an_error_that_lies_of_itself_fails_its_test_alone(ask: Ask, error: str, does: str) -> None:
    code = f"{error.format(does)}\ndef f(x):\n    if x == 1: raise E\n    return x"
    problem = Problem("", "", "f", tuple(Case((x,), x) for x in range(3)), every_test=True, isolation="one_process")
    (judgement,) = ask((problem, code))
    assert [test.passed for test in judgement.tests] == [True, False, True]


def test_every_test_gives_partial_credit(ask: Ask) -> None:
    tests = (
        "assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 3\nassert f(4) == 4",
        "def check(candidate):\n    for x in range(1, 5):\n        assert candidate(x) == x",
        "def test_1():\n    assert f(1) == 1\ndef test_2():\n    assert f(2) == 2\n"
        "def test_3():\n    assert f(3) == 3\ndef test_4():\n    assert f(4) == 4",
        "import unittest\nclass T(unittest.TestCase):\n"
        + "\n".join(f"    def test_{i}(self):\n        self.assertEqual(f({i}), {i})" for i in range(1, 5)),
        "'''\n>>> f(1)\n1\n>>> f(2)\n2\n>>> f(3)\n3\n>>> f(4)\n4\n'''",
    )
    problems = [Problem("", test, "f", every_test=True, isolation=i) for test in tests for i in BOTH]
    problems.append(Problem("", "", "f", tuple(Case((x,), x) for x in range(1, 5)), every_test=True))
    for judgement in ask(*((problem, "def f(x): return x if x != 2 else 1 / 0") for problem in problems)):
        assert not judgement.passed
        assert (judgement.num_passed, judgement.num_tests, judgement.credit) == (3, 4, 0.75)
        assert [test.passed for test in judgement.tests] == [True, False, True, True]
        assert "ZeroDivisionError" in judgement.tests[1].detail
        assert "ZeroDivisionError" in judgement.result


def test_a_limit_of_one_test_leaves_the_others_their_time(ask: Ask) -> None:
    code = "def f(x):\n    while x == 2: pass\n    return x"
    test = "def check(candidate):\n    for x in (1, 2, 3):\n        assert candidate(x) == x"
    problems = [Problem("", test, "f", timeout_s=0.3, every_test=True, isolation=i) for i in BOTH]
    for judgement in ask(*((problem, code) for problem in problems)):
        assert [t.passed for t in judgement.tests] == [True, False, True]
        assert judgement.result.startswith("failed: timed out")


def test_a_limit_of_one_test_can_t_be_switched_off(ask: Ask) -> None:
    wait = "b = time.monotonic()\n    while time.monotonic() - b < 4:\n        try:\n            time.sleep(0.1)\n        except BaseException:\n            pass"
    codes = (
        f"import time\ndef f(x):\n    {wait}\n    return x",
        f"import signal, time\ndef f(x):\n    for i in range(3):\n        signal.setitimer(i, 0)\n    {wait}\n    return x",
    )
    for judgement in ask(*((Problem("", "assert f(1) == 1", "f", timeout_s=0.2), code) for code in codes)):
        assert judgement.result == "failed: the code's process goes on after the time limit of a test"


def test_the_limit_of_a_test_goes_on_after_a_part_of_it_with_a_limit_of_its_own(ask: Ask) -> None:
    between = "def check(candidate):\n    assert candidate(0) == 0\n    x = candidate(1)\n    assert x == 1"
    back = "def g(x): return f(lambda y: y, x)\ndef test_0():\n    assert f(g, 0) == 0\ndef test_1():\n    assert f(g, 1) == 1"
    hangs = "def f(x):\n    while x: pass\n    return x"
    hangs_later = "def f(h, x, calls=[]):\n    calls.append(0)\n    is_outer, r = len(calls) % 2, h(x)\n    while x and is_outer: pass\n    return r"
    problems = [Problem("", between, "f", timeout_s=0.3, every_test=True, isolation=i) for i in BOTH]
    calls_back = Problem("", back, "f", timeout_s=0.3, every_test=True)
    for judgement in ask(*((problem, hangs) for problem in problems), (calls_back, hangs_later)):
        assert [test.passed for test in judgement.tests] == [True, False]
        assert judgement.result.startswith("failed: timed out")
    asks_on = hangs_later.replace(" pass", "\n        try: h.__name__\n        except BaseException: pass")
    begun = time.monotonic()
    (judgement,) = ask((calls_back, asks_on))  # what it swallows the end of its time in, chance decides
    assert judgement.result.startswith("failed: ")
    assert time.monotonic() - begun < 30


def test_cases_that_did_not_run_count(ask: Ask) -> None:
    problem = Problem("", "", "f", tuple(Case((x,), x) for x in range(5)))
    (judgement,) = ask((problem, "def f(x): return 0"))
    assert (judgement.num_passed, judgement.num_tests) == (1, 5)


def test_memory_of_cases_that_failed_is_free_again(ask: Ask) -> None:
    code = (
        "def f(n):\n    dp = [0] * 15_000_000\n    try:\n        1 / 0\n    except ZeroDivisionError:\n"
        "        raise ValueError(n)\nn = int(input())\nif n < 5:\n    f(n)\nprint(n + 0 * len([0] * 40_000_000))"
    )
    cases = tuple(Case(str(n), str(n)) for n in range(6))
    problems = [Problem("", "", "", cases, timeout_s=6.0, every_test=True, isolation=isolation) for isolation in BOTH]
    for judgement in ask(*((problem, f"```python\n{code}\n```") for problem in problems)):
        assert [test.detail for test in judgement.tests] == [f"ValueError: {n}" for n in range(5)] + [""]


def test_the_limit_of_a_test_holds_for_loading_too(ask: Ask) -> None:
    problems = [Problem("", "", "f", (Case((1,), 1),) * 99, timeout_s=0.2, isolation=isolation) for isolation in BOTH]
    begun = time.monotonic()
    for judgement in ask(*((problem, "def f(x): return x\nwhile True: pass") for problem in problems)):
        assert judgement.result == "failed: timed out"
        assert (judgement.num_passed, judgement.num_tests) == (0, 99)
    assert time.monotonic() - begun < 30


def test_the_time_of_all_cases_grows_with_their_number() -> None:
    limits = JudgeLimits()
    cases = (Case("", ""),)
    assert limits.time_for(Problem("", "", "", cases * 99)) == 5.0
    assert limits.time_for(Problem("", "assert f()", "f", timeout_s=6.0)) == 60.0
    assert [limits.time_for(Problem("", "", "", cases * n, timeout_s=6.0)) for n in (3, 20, 999)] == [
        60.0,
        140.0,
        900.0,
    ]


def test_when_all_time_is_up_the_cases_so_far_count() -> None:
    cases = tuple(Case(str(n), str(n)) for n in range(6))
    problems = [Problem("", "", "", cases, timeout_s=60.0, isolation=isolation) for isolation in BOTH]
    code = "import time\nn = int(input())\nif n == 3:\n    time.sleep(99)\nprint(n)"

    async def run() -> list[Judgement]:
        async with Judge(JudgeLimits(total_timeout_s=2.0, max_total_timeout_s=2.0)) as judge:
            return await judge_all(judge, [(problem, code) for problem in problems])

    found = asyncio.run(run())
    assert [(judgement.passed, judgement.result) for judgement in found] == [(False, "timed out")] * 2
    assert [(judgement.num_passed, judgement.num_tests) for judgement in found] == [(3, 6), (0, 6)]


@pytest.mark.parametrize(
    ("expected", "found", "tolerance", "same"),
    [
        ("5.0", "5", 0.0, True),
        ("5", "5.0", 0.0, True),
        ("0.1", "0.10", 0.0, True),
        ("1e-07", "0.0000001", 0.0, True),
        ("1.5e3", "1500.0", 0.0, True),
        ("0.1", "0.1000001", 0.0, False),
        ("0.1", "0.1000000000000000055", 0.0, False),
        ("5000000.5", "5000004.5", 0.0, False),
        ("007", "7", 0.0, False),
        ("12E4", "120000", 0.0, False),
        ("1.0e999999999999999999999", "1.0e999999999999999999998", 0.0, False),
        ("12E4", "120000", None, False),
        ("1e5", "1e5", None, True),
        ("1e+05", "100000.01", None, True),
        ("5.0", "5", None, True),
        ("5", "5.0", None, False),
        ("0.5", "0.5000001", None, True),
        ("0.5", "0.51", None, False),
        ("0.5", "nan", None, False),
        ("1.0", "inf", None, False),
        ("1_0.0", "10", None, False),
        ("v1.2.3", "v1.2.30", 0.0, False),
    ],
)
def test_printed_words(expected: str, found: str, tolerance: float | None, same: bool) -> None:
    assert same_output(f"x {expected}\n", f"x {found}", tolerance) is same


def test_a_list_that_grows_too_large_is_held_no_more() -> None:
    copies = Copies(lambda value: ("", value), id)
    small, large = [1], [0] * 10**6
    for number, value in enumerate((small, large)):
        copies.keep(number, value)
        value.append(2)
    assert copies.changed() == [(0, [[1, 2]])]
    small += [0] * 10**5
    assert [number for number, _ in copies.changed()] == [0]
    small.append(3)
    assert copies.changed() == []


def test_an_argument_is_held_where_more_than_the_call_holds_it() -> None:
    def held(args: tuple[object, ...], kwargs: dict[str, object], result: object = None) -> list[int | str]:
        given, result = parts((*args, *kwargs.values())), args[0] if result else None
        found = ask_in_between(args, kwargs, result)
        assert len(given) == 2
        return [place for place, _ in found]

    def ask_in_between(
        args: tuple[object, ...], kwargs: dict[str, object], result: object
    ) -> list[tuple[int | str, Any]]:
        return held_arguments(args, kwargs, result)

    kept = [1]
    assert held(([1],), {"x": {2}}) == []
    assert held((kept,), {"x": {2}}) == [0]
    assert held(([1],), {"x": kept}) == ["x"]
    assert held(([1],), {"x": {2}}, result=True) == []
    assert held((kept,), {"x": {2}}, result=True) == [0]


def test_what_a_program_prints_is_no_value_of_the_tests(ask: Ask) -> None:
    problem = Problem(
        "", "import sys, io\nsys.stdout = io.StringIO()\nassert f(1) == 'x'\nassert sys.stdout.getvalue() == 'x'", "f"
    )
    right, wrong = ask(
        (problem, "def f(x):\n    print(end='x')\n    return 'x'"), (problem, "def f(x): return print(end='x')")
    )
    assert right.passed
    assert not wrong.passed


def test_big_arguments_cost_little(ask: Ask) -> None:
    """Three times as many took most of the 2 s that a judgement here has; `benchmarks/judge.py` says what they take now."""
    pairs = "pairs = [(i, str(i)) for i in range(60_000)]\n"
    code = "def f(xs): return sum(a for a, b in xs if b)"
    (judgement,) = ask((Problem("", f"{pairs}assert f(pairs) == {sum(range(60_000))}", "f"), code))
    assert judgement.result == "passed"


@pytest.mark.parametrize(
    ("record", "recognised"),
    [
        ({"entry_point": "f"}, True),
        ({"input_output": "{}"}, True),
        ({"cases": [{"input": "1", "output": "2"}]}, True),
        ({"cases": ["a", "b"]}, False),
        ({"question": "?", "test": True}, False),
        ({"question": "?", "answer": "1"}, False),
    ],
)
def test_a_record_is_recognised(record: dict[str, object], recognised: bool) -> None:
    assert states_problem(record) is recognised


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"isolation": "none"}, "`isolation` is 'none'"),
        ({"timeout_s": 0}, "`timeout_s` is 0"),
        ({"timeout_s": True}, "`timeout_s` is True"),
        ({"tolerance": -1}, "`tolerance` is -1"),
        ({"tolerance": "1"}, "`tolerance` is '1'"),
        ({"every_test": 1}, "`every_test` is 1"),
        ({"cases": [1]}, "`cases` must be a list of objects"),
        ({"cases": [{"input": "x", "output": 1}]}, "the input of case 0 must be a list of arguments"),
        ({"entry_point": "f, 2"}, "must be the name of a function or a class"),
        ({"entry_point": ", ".join(f"f{n}" for n in range(101))}, "at most 100"),
        ({"entry_point": "A().class"}, "must be the name of a function or a class"),
        ({"entry_point": "", "test": "assert 1"}, "must be the name of a function or a class"),
        ({"input_output": "{"}, "`input_output` is not JSON"),
        ({"input_output": {"inputs": [1], "outputs": []}}, "two lists of one length"),
        ({"input_output": {"inputs": [], "outputs": []}}, "there is no case"),
    ],
)
def test_what_states_no_problem_is_named(change: dict[str, object], words: str) -> None:
    record = {"prompt": "", "test": "assert f(1)", "entry_point": "f", **change}
    with pytest.raises(TaskError, match=words):
        Problem.from_record(record, "here")


def test_the_name_of_an_input_output_stands_for_an_entry_point_that_is_empty() -> None:
    stated = {"inputs": [[1]], "outputs": [2], "fn_name": "f"}
    assert Problem.from_record({"entry_point": "", "input_output": stated}).entry_point == "f"


@pytest.mark.parametrize(
    "test",
    [
        "from unittest.mock import patch\nwith patch('solution.h', return_value=1):\n    assert f(1) == 2",
        *(test["test"] for name, test, *_ in ONE if name.startswith(("patch ", "set input"))),
    ],
)
def test_tests_that_patch_need_one_process(ask: Ask, test: str) -> None:
    with pytest.raises(TaskError, match=r"patches [\w.]+: state `isolation` as one_process"):
        ask((Problem("", test, "f"), "```python\ndef h(): return 1\ndef f(x): return x + h()\n```"))


SEES = {
    "import pandas as pd\nassert isinstance(f(1), pd.DataFrame)": "pandas.DataFrame",
    "from pandas import Series as S\nassert isinstance(f(1), (int, S))": "pandas.Series",
    "import unittest, pandas\nclass T(unittest.TestCase):\n    def test_a(self): self.assertIsInstance(f(1), pandas.Index)": "pandas.Index",
    "from pandas.testing import assert_frame_equal\nassert_frame_equal(f(1), f(2))": "pandas.testing.assert_frame_equal",
    "import tempfile\nwith tempfile.TemporaryDirectory() as d: assert f(d) == 1": "tempfile.TemporaryDirectory",
    "with open('a.txt', 'w') as h: h.write('x')\nassert f('a.txt') == 1": "open",
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        with self.assertLogs() as c: f(1)\n        assert c.output": "assertLogs",
    "import warnings\nwith warnings.catch_warnings(record=True) as w:\n    f(1)\nassert len(w) == 1": "warnings.catch_warnings",
    "import pytest\nwith pytest.warns(UserWarning):\n    f(1)": "pytest.warns",
    "import os\nos.environ['A'] = 'b'\nassert f('A') == 'b'": "os.environ",
    "from unittest.mock import patch\nimport os\nwith patch.dict(os.environ, {'A': 'b'}):\n    assert f('A') == 'b'": "os.environ",
    "import inspect\nassert 'sorted' not in inspect.getsource(f) and f(1) == 2": "inspect.getsource",
}


@pytest.mark.parametrize("test", SEES)
def test_tests_that_look_at_more_than_values_need_one_process(ask: Ask, test: str) -> None:
    with pytest.raises(TaskError, match=rf"(uses|patches) {SEES[test]}: state `isolation` as one_process"):
        ask((Problem("", test, "f"), "def f(x): return x"))


def test_what_only_looks_like_files_and_logs_is_judged(ask: Ask) -> None:
    test = """import contextlib, os, warnings, numpy as np
from solution import Disk
class Log:
    def open(self, name): return name
with warnings.catch_warnings(), contextlib.redirect_stdout(open(os.devnull, "w")):
    warnings.simplefilter("ignore")
    d = f(1)
assert isinstance(d, Disk) and isinstance(d.open("a"), str) and isinstance(d.free(), (int, np.ndarray))
d.mkdir("/a")
d.assert_full = 1
queue = [Log().open("a")]
queue[0] = d.free()
assert queue == [3]"""
    code = "class Disk:\n    def open(s, n): return n\n    def mkdir(s, n): s.n = 3\n    def free(s): return getattr(s, 'n', 0)\ndef f(x): return Disk()"
    assert ask((Problem("", test, "f"), f"```python\n{code}\n```"))[0].result == "passed"


@pytest.mark.parametrize(
    "test",
    [
        *(test["test"] for name, test, *_ in ONE if name.startswith("a package: ")),
        *(
            f"import functools, pandas as pd\ndf = pd.DataFrame({{'a': [1, 2]}})\n{use}"
            for use in (
                "assert f(functools.partial(df.agg)) == 1",
                "assert f(df.eval) == 1",
                "assert f([{1: df}]) == 1",
                "x = f(1)\nclass A: df = df\nassert f(A(), x) == 1",
                "assert f(lambda: df) == 1",
                "assert f(df.iterrows()) == 1",
            )
        ),
        "import sympy\nclass F(sympy.Function): pass\nassert f(F) == 1",
        "x = f(1)\nclass D(C): pass\nassert f(D(), x) == 1",
    ],
)
def test_tests_that_hand_over_objects_of_a_package_need_one_process(ask: Ask, test: str) -> None:
    code = """class C: pass
def f(v, *a):
    if hasattr(v, "df"): return v.df
    if hasattr(v, "__next__"): return next(v, 1)
    return v() if callable(v) else f"a == {v}"
g = h = f"""
    with pytest.raises(TaskError, match=r"state `isolation` as one_process"):
        ask((Problem("", test, "f"), f"```python\n{code}\n```"))


def test_a_record_survives_the_way_to_a_service() -> None:
    problem = Problem("p", "assert f(1)", "f, g", (Case((1, [2]), 3),), 0.1, 2.0, True, "one_process")
    assert Problem.from_record(problem.to_record()) == problem
    wrapped = Problem.from_record({"input_output": {"inputs": [[1]], "outputs": [[2]], "fn_name": "f"}})
    assert wrapped.wrapped
    assert Problem.from_record(wrapped.to_record()) == wrapped
    given: dict[str, Any] = {"inputs": [[1]], "outputs": [2], "fn_name": "f"}
    for more, or_method in (({}, True), ({"entry_point": "g"}, False)):
        found = Problem.from_record({"input_output": given, **more})
        assert found.or_method is or_method
        assert Problem.from_record(found.to_record()) == found
    lines = Problem.from_record({"input_output": {"inputs": [["1", "2"]], "outputs": [["3"]]}})
    assert lines.cases == (Case("1\n2", "3"),)
    assert Problem.from_record(lines.to_record()) == lines
    plain = Problem("", "assert f(1)", "f")
    assert plain.to_record() == {"prompt": "", "test": "assert f(1)", "entry_point": "f"}
    assert Problem.from_record(plain.to_record()) == plain


def test_what_nobody_knows_does_not_follow_from_the_seeds_of_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", bytes)
    assert type(acts._somebody()).__name__ != type(acts._somebody()).__name__
    assert acts._decoys("a") != acts._decoys("a")
    assert acts._decoys(1) != acts._decoys(1)
