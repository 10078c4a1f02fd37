"""What waits together is done together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from mcts_math.concurrency import cancel, settle
from mcts_math.errors import EngineError

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Collects items while a batch is being worked on, and hands them over as the next one.

    Args:
        work: gives the results of some different items, in order: an error where one has none. What it raises is
            raised for all of them.
        most: items of a batch.
        at_once: batches that are worked on side by side.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]], most: int, at_once: int
    ) -> None:
        self._work, self._most, self._at_once = work, most, at_once
        self._waiting: dict[Item, list[asyncio.Future[Result]]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(self, item: Item) -> Result:
        """The result of an item; equal ones that wait together are worked on once. Raises EngineError when closed."""
        if self._closed:
            raise _closed()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(item, []).append(future)
        if len(self._workers) < self._at_once:
            self._workers.add(asyncio.create_task(self._drain()))
        return await future

    async def close(self) -> None:
        """Gives up what runs and what waits; whoever waits gets an EngineError."""
        self._closed = True
        await cancel(self._workers)
        for futures in self._waiting.values():
            settle(futures, _closed())

    async def _drain(self) -> None:
        try:
            await asyncio.sleep(0)  # what is asked at the same time is there now
            while self._waiting:
                first = list(self._waiting)[: self._most]
                await self._answer({item: self._waiting.pop(item) for item in first})
        finally:
            self._workers = {worker for worker in self._workers if worker is not asyncio.current_task()}

    async def _answer(self, asked: dict[Item, list[asyncio.Future[Result]]]) -> None:
        """Works on the items that somebody still waits for."""
        batch = {item: futures for item, futures in asked.items() if not all(future.done() for future in futures)}
        if not batch:
            return
        results: Sequence[Result | Exception] = [_closed()] * len(batch)
        try:
            results = await self._work(list(batch))
        except Exception as error:  # whatever it is, it is for those who asked
            results = [error] * len(batch)
        finally:
            for futures, result in zip(batch.values(), results, strict=True):
                settle(futures, result)


def _closed() -> EngineError:
    return EngineError("the reward model is closed")
