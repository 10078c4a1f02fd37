"""For all tests of the interpreter: fewer starts, and whose processes are whose."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from processes import OTHERS

from mcts_math.interpreter import BlockingInterpreter, Level, SandboxLimits, probe
from mcts_math.requests import Cell, Observation

LEVELS: list[Level] = []


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Remembers which processes are not the interpreter's."""
    OTHERS[:] = psutil.Process().children(recursive=True)
    yield
    OTHERS.clear()


@pytest.fixture(autouse=True)
def _probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreters that tests start probe the machine once for all: each time is longer than the start itself."""

    async def probe_once(limits: SandboxLimits | None = None) -> Level:
        if not LEVELS:
            LEVELS.append(await probe(limits))
        return LEVELS[0]

    monkeypatch.setattr("mcts_math.interpreter.interpreter.probe", probe_once)


@pytest.fixture(scope="module")
def shared() -> Iterator[BlockingInterpreter]:
    """An interpreter for the tests of a module that only look at what cells show."""
    with BlockingInterpreter(SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())) as interpreter:
        yield interpreter


@pytest.fixture
def branch(shared: BlockingInterpreter, request: pytest.FixtureRequest) -> Iterator[Callable[..., list[Observation]]]:
    """Runs cells, each after those before it, in a question of the test's own; what they show."""

    def run(*codes: str) -> list[Observation]:
        cells = tuple(map(Cell, codes))
        return [shared.run(cell.code, cells[:i], session=request.node.name) for i, cell in enumerate(cells)]

    yield run
    shared.release(request.node.name)
