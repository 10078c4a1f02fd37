"""Who of a question's cells may run: all beside each other, until one has lost its sandbox too often by the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from mcts_math.interpreter.tries import Tries


class Gate:
    """Lets the cells of one question in, each for one try.

    One that has suffered from others (`Tries.wants_to_be_alone`) waits until those who are in are out, and keeps the
    others out until it is done.
    """

    def __init__(self) -> None:
        self._num_inside = 0
        self._alone: Tries | None = None
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def inside(self, tries: Tries) -> AsyncIterator[None]:
        """Waits until a cell may run, and lets it."""
        # Who was preempted holds what others may wait for: it must not wait in turn.
        while self._alone is not None and self._alone is not tries and not tries.preempted:
            await self._changed.wait()
        if tries.wants_to_be_alone:
            self._alone = tries
            while self._num_inside:
                await self._changed.wait()
        self._num_inside += 1
        try:
            yield
        finally:
            self._num_inside -= 1
            self._tell()

    def leave(self, tries: Tries) -> None:
        """A cell is done, or given up: the others may go on."""
        if self._alone is tries:
            self._alone = None
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed.clear()
