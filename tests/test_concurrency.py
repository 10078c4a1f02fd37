"""Waiting for several coroutines: order, and that nothing is left running."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from mcts_math.concurrency import gather, within
from mcts_math.engine.loop_thread import LoopThread


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


async def endless(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("endless")


def test_what_takes_too_long_is_ended() -> None:
    async def quick() -> str:
        return "done"

    async def scene() -> None:
        ended: list[str] = []
        assert await within(9.0, quick()) == "done"
        with pytest.raises(asyncio.TimeoutError):
            await within(0.01, endless(ended))
        assert ended == ["endless"]

    asyncio.run(scene())


@pytest.mark.parametrize("answered", [False, True])
def test_a_cancellation_is_not_lost_to_a_result_that_comes_with_it(answered: bool) -> None:
    """As on a busy machine, where both wait for the same turn of the event loop."""
    ended: list[str] = []

    async def scene() -> None:
        answer = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(within(9.0, asyncio.shield(answer) if answered else endless(ended)))
        await asyncio.sleep(0.01)
        answer.set_result("done")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert ended == ([] if answered else ["endless"])


def test_a_caller_that_is_cancelled_while_the_thread_is_closed_prints_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def sleep_here() -> None:
        time.sleep(0.3)  # its loop sees the cancelling when it is closed already

    async def scene() -> None:
        thread = LoopThread("of a test")
        task = asyncio.ensure_future(thread.run(lambda: asyncio.sleep(60)))
        await asyncio.sleep(0.1)
        busy = asyncio.ensure_future(thread.run(sleep_here))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.to_thread(thread.close)
        await asyncio.wait([busy])

    asyncio.run(scene())
    gc.collect()
    assert caplog.messages == []
