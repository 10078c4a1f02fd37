"""The services behind some models, and the one scheduler over them. Where the engine dies, it is loaded anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

from mcts_math.concurrency import cancel
from mcts_math.errors import EngineError, EngineLostError, MctsMathError
from mcts_math.requests import Services
from mcts_math.scheduler import MakeSearch, RunLimits, Scheduler, Solved
from mcts_math.search.grade import grade
from mcts_math.tasks import Task

OpenServices: TypeAlias = Callable[[AsyncExitStack], Awaitable[Services]]
"""Makes services, which the stack closes."""

_log: Final = logging.getLogger(__name__)
_PAUSES_S: Final = (0.0, 1.0, 5.0, 15.0, 60.0)
"""Before each try to load an engine again; the last one from then on."""


class Backend:
    """Solves single questions on shared services, made at the start and after each loss."""

    def __init__(self, open_services: OpenServices) -> None:
        self.num_losses = 0  # how often the services broke down
        self._open_services = open_services
        self._stack = AsyncExitStack()
        self._scheduler: Scheduler | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there are services; else they are being loaded."""
        return self._scheduler is not None

    @property
    def in_flight(self) -> tuple[int, int]:
        return self._scheduler.in_flight if self._scheduler is not None else (0, 0)

    async def open(self) -> None:
        """Makes the services. Raises MctsMathError where they can't be had."""
        stack = AsyncExitStack()
        try:
            services = await self._open_services(stack)
        except BaseException:
            await stack.aclose()
            raise
        self._stack, self._scheduler = stack, Scheduler(services)

    async def close(self) -> None:
        """Closes the services; trees that still grow fail."""
        if self._reopening is not None:
            await cancel([self._reopening])
        self._scheduler = None
        await self._stack.aclose()

    async def solve(self, task: Task, make_search: MakeSearch, limits: RunLimits, session: str) -> Solved:
        """Solves a question. Raises EngineLostError: there are no services now; MctsMathError: one can't answer."""
        scheduler = self._scheduler
        if scheduler is None:
            raise EngineLostError("the engine is being loaded")
        try:
            solved = await scheduler.solve(task, make_search, grade, limits=limits, session=session)
        except MctsMathError as error:
            if self._is_lost(scheduler, error):
                raise EngineLostError(f"the engine was lost while it searched ({error}); it is loaded anew") from error
            raise
        if solved.fault is not None:
            _log.error("a search broke down", exc_info=solved.fault)
        return solved

    def _is_lost(self, scheduler: Scheduler, error: MctsMathError) -> bool:
        """Whether the services of this scheduler are no more; the first to find out has them made anew."""
        if scheduler is not self._scheduler:
            return True
        if isinstance(error, EngineError) and not isinstance(error, EngineLostError):
            return False
        self._scheduler = None
        self.num_losses += 1
        _log.error("services are lost and made anew: %s", error)
        self._reopening = asyncio.create_task(self._reopen())
        return True

    async def _reopen(self) -> None:
        """Closes what is left, which ends the trees that still grow, and tries until there are services again."""
        try:
            await self._stack.aclose()
        except Exception as error:  # a dead engine may fail to close in any way; what counts is the next one
            _log.error("lost services could not be closed: %r", error)
        number = 0
        while not self.is_ready:
            await asyncio.sleep(_PAUSES_S[min(number, len(_PAUSES_S) - 1)])
            number += 1
            try:
                await self.open()
            except Exception as error:  # the next try may do: a service does not end for it
                _log.error("services can't be had (try %d): %r", number, error)
