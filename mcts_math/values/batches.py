"""What waits together is done together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from mcts_math.concurrency import cancel, settle
from mcts_math.errors import EngineError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Collects items while batches are being worked on (`at_once` side by side), and hands over `most` as the next one.

    `work` gives the results of some items, in order: an error where one has none. What it raises is raised for all.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]], most: int, at_once: int
    ) -> None:
        self._work, self._most, self._at_once = work, most, at_once
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(self, item: Item) -> Result:
        """The result of an item. Raises EngineError when closed."""
        if self._closed:
            raise _closed()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._workers) < self._at_once:
            self._workers.add(asyncio.create_task(self._drain()))
        return await future

    async def close(self) -> None:
        """Gives up what runs and what waits; whoever waits gets an EngineError."""
        self._closed = True
        await cancel(self._workers)
        settle((future for _, future in self._waiting), _closed())

    async def _drain(self) -> None:
        try:
            await asyncio.sleep(0)  # what is asked at the same time is there now
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._answer([(item, future) for item, future in batch if not future.done()])
        finally:
            self._workers = {worker for worker in self._workers if worker is not asyncio.current_task()}

    async def _answer(self, asked: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        """Works on items that somebody still waits for."""
        if not asked:
            return
        results: Sequence[Result | Exception] = [_closed()] * len(asked)
        try:
            results = await self._work([item for item, _ in asked])
        except Exception as error:  # whatever it is, it is for those who asked
            results = [error] * len(asked)
        finally:
            for (_, future), result in zip(asked, results, strict=True):
                settle([future], result)


def _closed() -> EngineError:
    return EngineError("the reward model is closed")
