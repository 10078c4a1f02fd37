"""Waiting for several coroutines at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def gather(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order. Where one fails or the caller is cancelled, none is left running."""
    waiting = list(coroutines)
    if len(waiting) == 1:  # no task is needed
        return [await waiting[0]]
    tasks = [asyncio.create_task(coroutine) for coroutine in waiting]
    try:
        await asyncio.sleep(0)  # their first steps, after which those that need not wait are done
        if all(task.done() for task in tasks):
            return [task.result() for task in tasks]
        return await asyncio.gather(*tasks)
    except BaseException:
        await cancel(tasks)
        raise


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks and waits until they have ended; what they raise is dropped."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
