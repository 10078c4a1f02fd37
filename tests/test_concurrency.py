"""Waiting for several coroutines: order, and that nothing is left running."""

from __future__ import annotations

import asyncio

import pytest

from mcts_math.concurrency import gather


def test_results_come_in_order() -> None:
    async def later(number: int) -> int:
        await asyncio.sleep(0.01 * (3 - number))
        return number

    for count in (0, 1, 2, 4):
        assert asyncio.run(gather(later(number) for number in range(count))) == list(range(count))


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_nothing_is_left_running(how: str) -> None:
    ended: list[str] = []

    async def endless(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    async def fails() -> None:
        await asyncio.sleep(0.01)
        raise KeyError("broken")

    async def scene() -> None:
        others = [endless("a"), endless("b")]
        task = asyncio.ensure_future(gather([*others, fails()] if how == "fails" else others))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(KeyError if how == "fails" else asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert sorted(ended) == ["a", "b"]
