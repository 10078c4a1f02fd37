"""Scripted interpreter and checker: services whose replies are functions of the request alone."""

from __future__ import annotations

import asyncio
import random

from mcts_math.requests import CellStatus, Check, Execute, Observation


class EchoInterpreter:
    """Answers with the number of cells run before; code that holds `raise` or `1 / 0` fails."""

    def __init__(self, max_delay_s: float = 0.0) -> None:
        self.max_delay_s = max_delay_s
        self.requests: list[Execute] = []
        self.released: list[str] = []

    async def execute(self, request: Execute) -> Observation:
        self.requests.append(request)
        if self.max_delay_s:
            await asyncio.sleep(random.random() * self.max_delay_s)
        code = request.cell.code
        failed = "raise" in code or "/ 0" in code
        status = CellStatus.ERROR if failed else CellStatus.OK
        return Observation(f"{status.value} after {len(request.history)}", status)

    async def release(self, session: str) -> None:
        self.released.append(session)

    async def close(self) -> None:
        return None


class EqualChecker:
    """Answers are equal when their texts are."""

    async def check(self, request: Check) -> bool:
        return request.answer in request.golds

    async def close(self) -> None:
        return None
