"""One judge for the tests of a module, on an event loop of its own, and the tests' data. `problems` is importable."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from problems import Ask

from mcts_math.judge import Judge, JudgeLimits, judge_all


@pytest.fixture(scope="module")
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Judges (problem, completion) pairs. A test module may name what is to be imported once, as `MODULES`."""
    loop = asyncio.new_event_loop()
    modules = getattr(request.module, "MODULES", JudgeLimits().modules)
    judge = Judge(JudgeLimits(timeout_s=2.0, max_running=8, modules=modules))  # most of them wait
    try:
        yield lambda *cases: loop.run_until_complete(judge_all(judge, cases))
    finally:
        loop.run_until_complete(judge.close())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the published data sets."""
    folder = os.environ.get("MCTS_MATH_DATA")
    if not folder:
        pytest.skip("set MCTS_MATH_DATA to a folder with the published data sets")
    return Path(folder)
