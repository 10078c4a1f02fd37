"""10,000 steps of code that a model wrote: nothing leaks, and answers are those of a plain interpreter. Minutes."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import psutil
import pytest

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

NUM_STEPS = 10_000
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def programs(repo: Path) -> list[str]:
    folder = repo.parent / "shared" / "data" / "model_outputs" / "tora"
    if not folder.exists():
        pytest.skip("no ../shared/data/model_outputs/tora here")
    found: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            texts = record.get("code") or [m["content"] for m in record["messages"]]
            found += [block for text in texts for block in _BLOCK.findall(text)]
    return found


async def observe(interpreter: SandboxInterpreter, name: str, program: str) -> Observation:
    return await interpreter.execute(Execute(name, (), Cell(program)))


@pytest.mark.slow
def test_no_leak(programs: list[str]) -> None:
    async def check() -> None:
        me = psutil.Process()
        limits = SandboxLimits(step_timeout_s=60.0, num_parents=2, max_snapshots=64, max_sandboxes=8)
        async with SandboxInterpreter(limits) as interpreter:
            marks = []
            statuses: list[CellStatus] = []
            for start in range(0, NUM_STEPS, 500):
                chosen = [programs[i % len(programs)] for i in range(start, start + 500)]
                seen = await asyncio.gather(*(observe(interpreter, f"q{i % 40}", p) for i, p in enumerate(chosen)))
                statuses += [s.status for s in seen]
                await asyncio.sleep(1.0)
                marks.append((me.memory_info().rss, me.num_fds(), len(me.children(recursive=True))))
                if start % 2500 == 0:
                    for i in range(40):
                        await interpreter.release(f"q{i}")
            (rss, num_fds, num_children), last = marks[4], marks[-1]
            assert last[0] < rss + (20 << 20)
            assert last[1] <= num_fds + 8
            assert last[2] <= max(num_children, 2 + 2 * 8 + 64)
            assert len(statuses) == NUM_STEPS
            assert statuses.count(CellStatus.OK) > 0.9 * NUM_STEPS
            assert statuses.count(CellStatus.KILLED) == 0
        assert me.children(recursive=True) == []

    asyncio.run(check())


@pytest.mark.slow
def test_answers_are_those_in_the_data(programs: list[str], repo: Path) -> None:
    """The recorded outputs stand for the plain interpreter: untrusted code runs in the sandbox only."""
    pairs: list[tuple[str, str]] = []
    pattern = re.compile(r"```python\n(.*?)```\s*```output\n(.*?)```", re.DOTALL)
    for path in sorted((repo.parent / "shared" / "data" / "model_outputs" / "tora").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            texts = record.get("code") or [m["content"] for m in record["messages"]]
            for text in texts:
                first = pattern.search(text)
                if first:
                    pairs.append((first[1], first[2].strip()))

    async def check() -> None:
        async with SandboxInterpreter(SandboxLimits(step_timeout_s=60.0)) as interpreter:
            seen = await asyncio.gather(*(observe(interpreter, f"q{i % 16}", p) for i, (p, _) in enumerate(pairs)))
        same = sum(equal(s.text, output) for s, (_, output) in zip(seen, pairs, strict=True))
        assert len(pairs) > 400
        assert same / len(pairs) > 0.97

    asyncio.run(check())


def equal(text: str, output: str) -> bool:
    """Whether an observation says what a plain run printed; numbers may have been rounded to 4 decimals."""
    if text == output or output.splitlines()[-1:] == text.splitlines()[-1:]:
        return True
    try:
        return abs(float(text) - float(output)) < 1e-3
    except ValueError:
        return text.split(":")[0] in output
