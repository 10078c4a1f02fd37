"""The published reference solutions: all pass, and none does without its last return where the tests reach it.

The data are not part of the project: set MCTS_MATH_DATA. `benchmarks/judge.py` prints the figures.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from problems import Ask


@pytest.fixture(scope="module")
def benchmark(repo: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_judge", repo / "benchmarks" / "judge.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")  # of the references' own
@pytest.mark.parametrize(
    ("name", "every"),
    [
        ("HumanEval", 2),
        ("MBPP", 16),
        ("MBPP sanitized", 16),
        *(pytest.param(name, 1, marks=pytest.mark.slow) for name in ("HumanEval", "MBPP", "MBPP sanitized")),
    ],
)
def test_references_pass_and_do_not_without_their_last_return(
    data: Path, ask: Ask, benchmark: ModuleType, name: str, every: int
) -> None:
    cases = benchmark.references(data / benchmark.FILES[name])[::every]
    passed = ask(*((problem, benchmark.fenced(code)) for _, problem, code in cases))
    assert {i: j.result for (i, _, _), j in zip(cases, passed, strict=True) if not j.passed} == {}
    spoiled = [(p, benchmark.fenced(benchmark.without_last_return(code, p.entry_point))) for _, p, code in cases]
    found = {benchmark.number(case) for case, j in zip(cases, ask(*spoiled), strict=True) if j.passed}
    assert found == benchmark.UNTESTED[name] & set(map(benchmark.number, cases))


def test_a_humaneval_completion_is_a_bare_body(data: Path, ask: Ask, benchmark: ModuleType) -> None:
    cases = benchmark.references(data / benchmark.FILES["HumanEval"])[::8]
    found = ask(*((problem, code.removeprefix(problem.prompt)) for _, problem, code in cases))
    assert [j.result for j in found] == ["passed"] * len(cases)
