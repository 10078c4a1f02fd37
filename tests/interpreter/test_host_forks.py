"""A program that forks while it holds sandboxes, as `multiprocessing` does: its child has copies of all our sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import warnings
from collections.abc import Iterator

from processes import num_living

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.requests import Cell, Execute

LIMITS = SandboxLimits(step_timeout_s=20.0, num_parents=1, modules=())


@contextlib.contextmanager
def sleeping_fork() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this one does nothing
        pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


async def expect_living(count: int) -> None:
    for _ in range(60):
        if num_living() == count:
            return
        await asyncio.sleep(0.05)
    assert num_living() == count


def test_a_fork_of_the_program_keeps_no_sandbox_alive() -> None:
    async def check() -> None:
        async with SandboxInterpreter(LIMITS) as interpreter:
            await expect_living(1)  # the clean parent, when its rehearsal is over
            for session in "abc":
                await interpreter.execute(Execute(session, (), Cell("x = 1")))
            with sleeping_fork():
                for session in "abc":
                    await interpreter.release(session)
                await expect_living(2)
                assert (await interpreter.execute(Execute("d", (), Cell("6 * 7")))).text == "42"
                begun = time.monotonic()
                await interpreter.close()
                assert time.monotonic() - begun < 5
                await expect_living(1)

    asyncio.run(check())
