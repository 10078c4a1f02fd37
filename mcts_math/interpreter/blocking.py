"""The interpreter for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.interpreter import SandboxInterpreter
from mcts_math.interpreter.levels import Level
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.requests import Cell, Execute, Observation

_T = TypeVar("_T")


class BlockingInterpreter:
    """`SandboxInterpreter` with calls that wait; may be called from several threads at a time.

    Use it as `with BlockingInterpreter() as interpreter`, or call `close`.
    """

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="interpreter", daemon=True)
        self._thread.start()
        self._interpreter = SandboxInterpreter(limits)

    def __enter__(self) -> BlockingInterpreter:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _wait(self, call: Coroutine[Any, Any, _T]) -> _T:
        if self._loop.is_closed():
            call.close()
            raise InterpreterError("the interpreter was closed")
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def start(self) -> Level:
        """See `SandboxInterpreter.start`."""
        return self._wait(self._interpreter.start())

    def run(self, code: str, history: tuple[Cell, ...] = (), seed: int = 0, session: str = "") -> Observation:
        """Runs one cell in the state that `history` leaves; see `SandboxInterpreter.execute`."""
        return self._wait(self._interpreter.execute(Execute(session, history, Cell(code, seed))))

    def release(self, session: str) -> None:
        """See `SandboxInterpreter.release`."""
        self._wait(self._interpreter.release(session))

    def close(self) -> None:
        """Ends all processes; may be called again."""
        if self._loop.is_closed():
            return
        self._wait(self._interpreter.close())
        self._wait(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
