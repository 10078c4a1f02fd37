"""Judges code that a model writes, by tests, in the project's own sandbox; here or as a service. See `docs/judge.md`.

async with Judge() as judge:
    problem = Problem(prompt="", test="assert add(1, 2) == 3", entry_point="add")
    print(await judge.judge(problem, "```python\\ndef add(a, b):\\n    return a + b\\n```"))

As a service: uvicorn mcts_math.judge:app --port 9999 --workers 4
"""

from typing import Any

from mcts_math.judge.client import JudgeClient
from mcts_math.judge.code import extract_code
from mcts_math.judge.judge import Judge, JudgeLimits, judge_all
from mcts_math.judge.problem import NO_CODE, Case, CodeJudge, Judgement, Problem, TestResult

__all__ = [
    "NO_CODE", "Case", "CodeJudge", "Judge", "JudgeClient", "JudgeLimits", "Judgement", "Problem", "TestResult",
    "extract_code", "judge_all",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """`app`, made when asked for: FastAPI is an extra, and judging here does without."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mcts_math.judge.service import make_app

    return make_app()
