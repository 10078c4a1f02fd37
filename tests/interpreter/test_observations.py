"""The observations that published checkpoints were trained on, recorded from the published tool."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.requests import Cell, Execute, Observation
from mcts_math.step import CellStatus

ROWS = [json.loads(line) for line in Path(__file__).with_name("observations.jsonl").read_text("utf-8").splitlines()]
STEP_TIMEOUT_S = 4  # the recording's was 15, which two of the cells use up

# Rows where the recording shows a defect of replay or of isolation, and what holds instead.
DIFFERENT = {
    44: (CellStatus.OK, r"<function <lambda> at 0x[0-9a-f]+>", "shows an address of memory"),
    93: (CellStatus.ERROR, "ValueError: Exceeds the limit .*", "a value that can't be shown was shown as nothing"),
    138: (CellStatus.OK, "1", "replay: the ancestor ran again on globals that its first run had changed"),
    139: (CellStatus.ERROR, "SystemExit: None", "isolation: exit() ended the tool"),
    140: (CellStatus.ERROR, "SystemExit: 3", "isolation: sys.exit() ended the tool"),
    141: (CellStatus.KILLED, "KilledError: .*", "isolation: os._exit() ended the worker"),
    142: (CellStatus.ERROR, "KeyboardInterrupt:", "isolation: Ctrl-C of a snippet left the tool"),
    144: (
        CellStatus.TIMEOUT,
        "TimeoutError: 'Execution .* exceeding 4 seconds.'",
        "a broad except swallowed the limit",
    ),
}


@pytest.fixture(scope="module")
def observations() -> dict[int, Observation]:
    """What our interpreter shows for every row; all rows at a time."""

    async def observe() -> dict[int, Observation]:
        limits = SandboxLimits(step_timeout_s=STEP_TIMEOUT_S, max_running=8, num_parents=1)
        async with SandboxInterpreter(limits) as interpreter:

            async def one(row: dict[str, Any]) -> Observation:
                cells = tuple(Cell(code) for code in [*row["history"], row["code"]])
                for i in range(len(cells) - 1):
                    await interpreter.execute(Execute(str(row["id"]), cells[:i], cells[i]))
                return await interpreter.execute(Execute(str(row["id"]), cells[:-1], cells[-1]))

            seen = await asyncio.gather(*map(one, ROWS))
        return {row["id"]: observation for row, observation in zip(ROWS, seen, strict=True)}

    return asyncio.run(observe())


def test_all_rows_are_there() -> None:
    assert [row["id"] for row in ROWS] == list(range(145))
    assert set(DIFFERENT) < set(range(145))


@pytest.mark.parametrize("row", [r for r in ROWS if r["id"] not in DIFFERENT], ids=lambda r: f"{r['id']}-{r['group']}")
def test_same_as_published(row: dict[str, Any], observations: dict[int, Observation]) -> None:
    expected = str(row["observation"]).replace("exceeding 15 seconds", f"exceeding {STEP_TIMEOUT_S} seconds")
    if sys.version_info < (3, 11):  # Python's own words
        expected = expected.replace("(4300 digits)", "(4300)")
    assert observations[row["id"]].text == expected


@pytest.mark.parametrize("number", DIFFERENT)
def test_differs_for_a_reason(number: int, observations: dict[int, Observation]) -> None:
    status, pattern, _ = DIFFERENT[number]
    assert observations[number].status is status
    assert re.fullmatch(pattern, observations[number].text)
    assert observations[number].text != ROWS[number].get("observation")


def test_status_of_recorded_errors(observations: dict[int, Observation]) -> None:
    for row in ROWS:
        if row["group"] == "errors" and re.match(r"[A-Z]\w*(Error|Exception|E)\b", str(row["observation"])):
            assert observations[row["id"]].status is CellStatus.ERROR, row
    assert observations[143].status is CellStatus.TIMEOUT
    assert observations[0].status is CellStatus.OK


def test_copy_equals_the_shared_original(repo: Path) -> None:
    original = repo.parent / "shared" / "observations.jsonl"
    if not original.exists():
        pytest.skip("no ../shared here")
    assert [json.loads(line) for line in original.read_text("utf-8").splitlines()] == ROWS
