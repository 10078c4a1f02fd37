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
from typing import Any, Final, NoReturn, Protocol, TextIO

from tqdm import tqdm

from mcts_math.evaluate.intervals import wilson_interval
from mcts_math.files import dump_line, replace_file
from mcts_math.loggers import Logger
from mcts_math.requests import Services
from mcts_math.scheduler import Scheduler
from mcts_math.tasks import JsonObject

_TICK_S: Final = 0.5
_FILE_S: Final = 2.0
_LOGGED: Final = (
    "done", "errors", "seconds", "tokens_per_s", "trees", "requests", "batch_rows", "cached_share", "interpreter_states"
)  # fmt: skip


class Counts(Protocol):
    """What is counted of the questions that are done."""

    questions: int
    judged: int
    correct: int
    errors: int


@dataclass(slots=True)
class Progress:
    """The progress of one run.

    Attributes:
        total: questions that this run is to solve.
        counts: of those that it has solved.
        path: the file that it tells of itself in, see `ResultsFile.live_path`.
        report: takes a line where that file can't be written.
        log: takes the numbers too; see `log_to`.
        out: takes a line now and then, where it is no terminal.
        line_s: seconds between two of these.
    """

    total: int
    counts: Counts
    path: Path
    report: Callable[[str], None]
    log: Logger | None = None
    out: TextIO = field(default_factory=lambda: sys.stderr)
    line_s: float = 60.0
    _scheduler: Scheduler | None = None
    _services: Services | None = None
    _begun: float = field(default_factory=lambda: time.monotonic())
    _lines: int = 0
    _files: int = 0

    def watch(self, scheduler: Scheduler, services: Services) -> None:
        """The services are there, and the output is this run's: from now on there is something to tell.

        Rates count from here: to load a model takes its own time.
        """
        self._scheduler, self._services = scheduler, services
        self._begun, self._lines = time.monotonic(), 0

    async def run(self, bar: tqdm[NoReturn]) -> None:
        """Shows that work goes on, also while no question is done; until it is cancelled."""
        while True:
            self.tell(bar)
            await asyncio.sleep(_TICK_S)

    def tell(self, bar: tqdm[NoReturn]) -> None:
        """Tells what is due: a terminal at once, a log each minute, the file each two seconds."""
        seconds = time.monotonic() - self._begun
        if not bar.disable:
            bar.set_postfix_str(describe(self.facts(), short=True))
        elif seconds >= (self._lines + 1) * self.line_s:
            self._lines = int(seconds / self.line_s)
            print(f"{time.strftime('%H:%M:%S')} {describe(self.facts())}", file=self.out, flush=True)
        if self._scheduler is not None and seconds >= self._files * _FILE_S:
            self._files = int(seconds / _FILE_S) + 1
            self._write()
            self._log()

    def close(self) -> None:
        """The run has ended: its file goes."""
        self.path.unlink(missing_ok=True)
        self._log()
        if self.log is not None:
            self.log.close()

    def _log(self) -> None:
        if self.log is not None:
            facts = self.facts()
            numbers = {key: float(facts[key]) for key in _LOGGED if facts[key] is not None}
            accuracy = {"accuracy": facts["right"] / facts["judged"]} if facts["judged"] else {}
            self.log.log(numbers | accuracy, facts["done"])

    def _write(self) -> None:
        try:
            replace_file(self.path, dump_line(self.facts()))
        except OSError as error:  # the results are what counts: whether these can be written is found out by itself
            self.report(f"note: {self.path} can't be written: {error}. This run can't be watched.")
            self._files = sys.maxsize

    def facts(self) -> JsonObject:
        """The numbers; what is not known is None. Rates and shares are over this run, since its services were there."""
        seconds = max(time.monotonic() - self._begun, 1e-9)
        counts, scheduler, done = self.counts, self._scheduler, self.counts.questions
        trees, requests = (0, 0) if scheduler is None else scheduler.in_flight
        return {
            "time": time.time(),
            "total": self.total,
            "done": done,
            "right": counts.correct,
            "judged": counts.judged,
            "errors": counts.errors,
            "seconds": round(seconds, 1),
            "seconds_left": round(seconds / done * (self.total - done)) if done else None,
            "tokens_per_s": round((0 if scheduler is None else scheduler.tokens) / seconds, 1),
            "trees": trees,
            "requests": requests,
            **_of_engine(self._services),
            "interpreter_states": getattr(getattr(self._services, "interpreter", None), "num_snapshots", None),
        }


def _of_engine(services: Services | None) -> JsonObject:
    """What an engine that counts its work says: rows of a mean step of its batch, share of prompts found cached."""
    counters = getattr(getattr(services, "policy", None), "counters", None)
    steps, prompts = getattr(counters, "num_decode_steps", 0), getattr(counters, "num_prompt_tokens", 0)
    return {
        "batch_rows": round(counters.num_decoded_rows / steps, 1) if counters is not None and steps else None,
        "cached_share": round(counters.num_cached_tokens / prompts, 3) if counters is not None and prompts else None,
    }


def describe(facts: Mapping[str, Any], *, short: bool = False) -> str:
    """The numbers in one line. `short`: without those that a bar shows itself."""
    parts = [] if short else [f"{facts['done']}/{facts['total']} questions"]
    if facts["judged"]:
        low, high = wilson_interval(facts["right"], facts["judged"])
        parts.append(f"acc {facts['right'] / facts['judged']:.1%} ({100 * low:.0f}–{100 * high:.0f})")
    parts.append(f"{facts['tokens_per_s']:,.0f} tok/s")
    parts.append(f"{facts['trees']} in flight")
    if facts["batch_rows"] is not None:
        parts.append(f"batch {facts['batch_rows']:.0f}")
    if facts["cached_share"] is not None:
        parts.append(f"cached {facts['cached_share']:.0%}")
    if facts["interpreter_states"]:
        parts.append(f"{facts['interpreter_states']} states")
    if facts["errors"]:
        parts.append(f"{facts['errors']} failed")
    if facts["seconds_left"] is not None and not short:
        parts.append(f"{_duration(facts['seconds_left'])} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
