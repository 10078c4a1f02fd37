"""The published reference solutions: all pass, and none without its last return where its tests could see that.

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
    changed = benchmark.in_place_of_last_return
    spoiled = ask(*((p, benchmark.fenced(changed(code, p.entry_point))) for _, p, code in cases))
    same = [case for case, judgement in zip(cases, spoiled, strict=True) if judgement.passed]
    assert [task_id for task_id, problem, code in same if not benchmark.why_it_passes(problem, code)] == []
    _, problem, code = next(case for case, judgement in zip(cases, spoiled, strict=True) if not judgement.passed)
    assert benchmark.why_it_passes(problem, code) == ""


def test_a_humaneval_completion_is_a_bare_body(data: Path, ask: Ask, benchmark: ModuleType) -> None:
    cases = benchmark.references(data / benchmark.FILES["HumanEval"])[::8]
    found = ask(*((problem, code.removeprefix(problem.prompt)) for _, problem, code in cases))
    assert [j.result for j in found] == ["passed"] * len(cases)
