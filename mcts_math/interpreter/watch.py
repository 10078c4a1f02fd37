"""Looks after the cells that run: charges their time, and keeps their memory in bounds.

What runs and what is kept share one bound. Where memory runs short, kept states are ended first. If that is not enough,
the cells that came last are stopped, and run again later: a cell's result depends on its state and its seed alone. The
cell that came first always goes on, so that all of them end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcts_math.interpreter.cell_run import CellRun
from mcts_math.interpreter.losses import Preempted
from mcts_math.interpreter.options import SandboxLimits

_LOOK_S = 0.04  # a core fills some 50 MB meanwhile; a look takes 50 µs for each cell
_SMALL_BYTES = 16 << 20  # what holds less is not worth stopping


class Watch:
    """Looks at all cells of an interpreter that run for some time.

    Args:
        limits: `snapshot_bytes` is heeded, but one cell may always use its `memory_bytes`.
        make_room: told how many bytes are in use by running cells, it ends kept states if need be and returns what the
            others hold.
    """

    def __init__(self, limits: SandboxLimits, make_room: Callable[[int], int]) -> None:
        self._max_bytes, self._make_room = max(limits.snapshot_bytes, limits.memory_bytes), make_room
        self._runs: set[CellRun] = set()
        self._due = False

    def add(self, run: CellRun) -> None:
        """Looks after a cell, until `remove`."""
        self._runs.add(run)
        self._plan()

    def remove(self, run: CellRun) -> None:
        """Forgets a cell."""
        self._runs.discard(run)

    def _plan(self) -> None:
        if self._runs and not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._due = False
        self._plan()
        for run in self._runs:
            run.look()
        num_running = sum(run.num_bytes for run in self._runs)
        too_many = num_running + self._make_room(num_running) - self._max_bytes
        for run in sorted(self._runs, key=lambda run: run.rank)[:0:-1]:
            if too_many > 0 and run.num_bytes > _SMALL_BYTES:
                run.stop(Preempted("memory ran short"))
                too_many -= run.num_bytes
