"""The answer checker as a service of the scheduler: the async protocol `Checker` on top of the pool."""

from __future__ import annotations

from mcts_math.answer.service.pool import CheckerPool
from mcts_math.answer.verdict import DEFAULT_POLICY, Policy
from mcts_math.requests import Check


class PoolChecker:
    """Answers `Check` requests. Easy pairs are answered at once; no pair waits for another.

    Args:
        num_workers: processes, >= 1; one for each core where None.
        limit_s: wall-clock seconds for one pair, > 0.
        memory_mb: address space of a worker, >= 64.
        policy: the rules of comparison.
    """

    def __init__(
        self,
        num_workers: int | None = None,
        limit_s: float = 2.0,
        memory_mb: int = 1024,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self.pool = CheckerPool(num_workers, limit_s, memory_mb, policy)

    async def check(self, request: Check) -> bool:
        """Whether the answer equals one of the accepted ones; one that can't be read, or not in time, does not.

        Raises:
            CheckerError: the checker is closed, or no worker can be started.
        """
        future = self.pool.submit(request.golds, request.answer)
        if future.done():
            return future.result().equal
        import asyncio  # here, so that scoring without an event loop does not pay for it

        return (await asyncio.wrap_future(future)).equal

    async def close(self) -> None:
        """Ends the workers."""
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self.pool.close)
