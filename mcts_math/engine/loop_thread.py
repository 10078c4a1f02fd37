"""An event loop in a thread of its own, for what must outlive the caller's loop, or must not block it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from mcts_math.concurrency import cancel
from mcts_math.errors import EngineError

T = TypeVar("T")
Work: TypeAlias = Callable[[], Coroutine[Any, Any, T]]


class LoopThread:
    """Runs coroutines for callers on any loop, or on none, until it is closed."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()  # guards is_closed together with the last look whether it is set
        self.is_closed = False
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """Runs a coroutine there and waits for it; being cancelled cancels it there. Raises EngineError where the
        thread is closed, or is closed meanwhile."""
        return await asyncio.wrap_future(self._start(work))

    def call(self, work: Work[T]) -> T:
        """Runs a coroutine there and blocks until it is done. Raises EngineError as `run`."""
        return self._start(work).result()

    def close(self, last: Work[None] | None = None) -> None:
        """Cancels what runs, runs `last`, ends the thread. May be called again, which does nothing."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
        try:
            asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _start(self, work: Work[T]) -> Future[T]:
        with self._lock:
            self._require_open()
            return asyncio.run_coroutine_threadsafe(self._guard(work), self._loop)

    def _require_open(self) -> None:
        if self.is_closed:
            raise EngineError("the engine is closed")

    async def _guard(self, work: Work[T]) -> T:
        try:
            return await work()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.add_done_callback(_look_at_error)
            self._require_open()
            raise

    async def _end(self, last: Work[None] | None) -> None:
        """Comes after the first step of all that was handed over before: loops are first in, first out."""
        await cancel(asyncio.all_tasks() - {asyncio.current_task()})  # those that the work has started, too
        if last is not None:
            await last()


def _look_at_error(task: asyncio.Task[Any]) -> None:
    """asyncio prints an error that nobody has looked at, and a caller that was cancelled, too, does not."""
    if not task.cancelled():
        task.exception()
