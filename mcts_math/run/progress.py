"""What a run tells of itself while it goes on: a line of progress, and the same numbers in a file beside its results.

The file `NAME.live.json` is what `view_trees.py --serve` shows of a run that goes on; it is gone when the run ends.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

from tqdm import tqdm

from mcts_math.evaluate.intervals import wilson_interval
from mcts_math.evaluate.table import interval, percent
from mcts_math.files import dump_line, replace_file
from mcts_math.monitor import Monitor
from mcts_math.requests import Services
from mcts_math.scheduler import Scheduler

_TICK_S: Final = 0.5
_FILE_S: Final = 2.0
_COLUMNS: Final = 120  # of a terminal whose width is not known
_BAR: Final = 48  # columns of a bar of ten, share, times and speed


@dataclass(slots=True)
class Progress:
    monitor: Monitor
    path: Path  # the file that the run tells of itself in, see `ResultsFile.live_path`
    report: Callable[[str], None]  # takes a line where that file can't be written
    out: TextIO = field(default_factory=lambda: sys.stderr)  # takes a line now and then, where it is no terminal
    line_s: float = 60.0  # seconds between two of these
    _lines: int = 0
    _files: int = 0

    def watch(self, scheduler: Scheduler, services: Services) -> None:
        """The services are there, and the output is this run's. Before, there was to tell that they are loaded."""
        self.monitor.watch(scheduler, services)
        self._lines = self._files = 0

    async def run(self, bar: tqdm[NoReturn]) -> None:
        """Shows that work goes on, also while no question is done; until it is cancelled."""
        while True:
            self.tell(bar)
            await asyncio.sleep(_TICK_S)

    def tell(self, bar: tqdm[NoReturn]) -> None:
        """Tells what is due: a terminal at once, a log each minute, the file each two seconds."""
        seconds = self.monitor.counts.seconds
        if not bar.disable:
            columns = bar.format_dict["ncols"] or _COLUMNS
            bar.set_postfix_str(describe_short(self.monitor.facts(), columns - _BAR - 2 * len(str(self.monitor.total))))
        elif seconds >= (self._lines + 1) * self.line_s:
            self._lines = int(seconds / self.line_s)
            print(f"{time.strftime('%H:%M:%S')} {describe(self.monitor.facts())}", file=self.out, flush=True)
        self.monitor.log_if_due()
        if seconds >= self._files * _FILE_S:
            self._files = int(seconds / _FILE_S) + 1
            self._write()

    def close(self) -> None:
        """The run has ended: its file goes."""
        self.path.unlink(missing_ok=True)
        self.monitor.close()

    def _write(self) -> None:
        try:
            replace_file(self.path, dump_line(self.monitor.facts()))
        except OSError as error:  # the results are what counts: whether these can be written is found out by itself
            self.report(f"note: {self.path} can't be written: {error}. This run can't be watched.")
            self._files = sys.maxsize


def describe(facts: Mapping[str, Any]) -> str:
    parts = [f"{facts['done']}/{facts['total']} questions", *_parts(facts)]
    if facts["seconds_left"] is not None:
        parts.append(f"{tqdm.format_interval(facts['seconds_left'])} left")
    return ", ".join(parts)


def describe_short(facts: Mapping[str, Any], room: int) -> str:
    """Those that a bar does not show itself, as many as there is room for; the first one always."""
    said, *others = _parts(facts)
    for part in others:
        if len(said) + 2 + len(part) > room:
            break
        said += f", {part}"
    return said


def _parts(facts: Mapping[str, Any]) -> list[str]:
    """What is known, by weight."""
    if facts["loading"]:
        return ["loading"]
    parts = []
    if facts["judged"]:
        share, bounds = facts["right"] / facts["judged"], wilson_interval(facts["right"], facts["judged"])
        parts.append(f"acc {percent(share)}% ({interval(bounds)})")
    if facts["errors"]:
        parts.append(f"{facts['errors']} failed")
    parts += [f"{facts['tokens_per_s']:,.0f} tok/s", f"{facts['trees']} in flight"]
    if facts["batch_rows"] is not None:
        parts.append(f"batch {facts['batch_rows']:.0f}")
    if facts["cached_share"] is not None:
        parts.append(f"cached {facts['cached_share']:.0%}")
    if facts["interpreter_states"]:
        parts.append(f"{facts['interpreter_states']} states")
    return parts
