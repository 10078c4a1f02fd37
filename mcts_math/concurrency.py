"""Waiting for several coroutines at once, answering those that wait, and having many of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MANY_OBJECTS: Final = 50_000
_patient = 0  # who has asked for it
_usual = gc.get_threshold()


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


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What some work gives in so many seconds. Raises asyncio.TimeoutError where it takes longer: it is cancelled.

    `asyncio.wait_for` of Python before 3.12 loses a cancellation that comes in the same turn of the loop as the result.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        await cancel([task])


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancels tasks and waits until they have ended; what they raise is dropped."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def settle(futures: Iterable[asyncio.Future[T]], result: T | Exception) -> None:
    """Gives those who still wait a result, or an error; to be called in their event loop."""
    for future in futures:
        if future.done():
            continue  # cancelled meanwhile
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


@contextmanager
def patient_collector() -> Iterator[None]:
    """Has Python look for garbage in cycles after 50,000 new objects, in place of some hundreds, while this is entered.

    Thousands of trees hold millions of objects and no cycles: to walk them again and again would take a third of the
    time. What was set before is set again when the last one that asked for this has left.
    """
    global _patient, _usual
    if not _patient:
        _usual = gc.get_threshold()
        if 0 < _usual[0] < _MANY_OBJECTS:  # 0: it was switched off
            gc.set_threshold(_MANY_OBJECTS, *_usual[1:])
    _patient += 1
    try:
        yield
    finally:
        _patient -= 1
        if not _patient:
            gc.set_threshold(*_usual)
