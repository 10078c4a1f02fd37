"""What is counted of a run, and the numbers that progress lines, dashboards and loggers show of it."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mcts_math.evaluate.table import percent
from mcts_math.loggers import Logger
from mcts_math.requests import Services
from mcts_math.scheduler import Scheduler, Solved
from mcts_math.step import Outcome
from mcts_math.tasks import JsonObject

_LOG_S: Final = 2.0
_LOGGED: Final = (
    "done", "errors", "seconds", "tokens_per_s", "trees", "requests", "batch_rows", "cached_share", "interpreter_states"
)  # fmt: skip


@dataclass(slots=True)
class Totals:
    questions: int = 0  # of the whole run
    before: int = 0  # of these, solved before this session; of them are counted here, judged and correct alone
    answered: int = 0
    judged: int = 0
    correct: int = 0
    errors: int = 0
    unfinished: int = 0  # without an answer, whose search ended by itself with steps that could go on
    steps: int = 0  # that the model wrote, of all trees
    unreadable: int = 0  # of these
    stopped: Counter[str] = field(default_factory=Counter)  # by what cut them short
    tokens: int = 0
    first_error: str = ""
    first_traceback: str = ""  # of the first question that broke down by a fault of the code
    begun: float = field(default_factory=time.monotonic)  # since its services were there, see `Monitor.watch`

    def add(self, solved: Solved) -> None:
        self.questions += 1
        self.answered += bool(solved.tree.solutions) and not solved.error
        self.judged += solved.tree.task.can_be_judged or solved.tree.correct is not None
        self.correct += solved.tree.correct is True and not solved.error
        if not (solved.tree.solutions or solved.tree.stopped or solved.error):
            self.unfinished += any(not node.terminal and not node.children for node in solved.tree.nodes)
        outcomes = Counter(node.step.outcome for node in solved.tree.nodes if node.step is not None)
        self.steps += outcomes.total() - outcomes[Outcome.USER]
        self.unreadable += outcomes[Outcome.UNPARSABLE]
        if solved.tree.stopped:
            self.stopped[solved.tree.stopped] += 1
        self.tokens += solved.cost.tokens
        if solved.error:
            self.errors += 1
            self.first_error = self.first_error or f"question {solved.tree.task.id!r}: {solved.error}"
            if solved.fault is not None and not self.first_traceback:
                trace = "".join(traceback.format_exception(solved.fault)).rstrip()
                self.first_traceback = f"question {solved.tree.task.id!r} broke down.\n{trace}"

    @property
    def new(self) -> int:
        """Questions that this session has finished."""
        return self.questions - self.before

    @property
    def accuracy(self) -> str:
        """Right among judged ones; "" where none could be judged."""
        return f"accuracy {self.correct}/{self.judged} = {percent(self.correct / self.judged)}%" if self.judged else ""

    @property
    def seconds(self) -> float:
        """Since the services are there; before that, since the run has begun."""
        return time.monotonic() - self.begun


@dataclass(slots=True)
class Monitor:
    total: int  # questions of the whole run
    counts: Totals
    logger: Logger = field(default_factory=lambda: Logger("none", print))
    _scheduler: Scheduler | None = None
    _services: Services | None = None
    _logs: int = 0

    def watch(self, scheduler: Scheduler, services: Services) -> None:
        """The services are there. Rates count from here: to load a model takes its own time."""
        self._scheduler, self._services = scheduler, services
        self.counts.begun, self._logs = time.monotonic(), 0

    def facts(self) -> JsonObject:
        """The numbers; what is not known is None. Rates and shares are of this session, since services were there."""
        seconds = max(self.counts.seconds, 1e-9)
        counts, scheduler, done = self.counts, self._scheduler, self.counts.questions
        trees, requests = (0, 0) if scheduler is None else scheduler.in_flight
        return {
            "time": time.time(),
            "loading": scheduler is None,
            "total": self.total,
            "done": done,
            "right": counts.correct,
            "judged": counts.judged,
            "errors": counts.errors,
            "seconds": round(seconds, 1),
            "seconds_left": round(seconds / counts.new * (self.total - done)) if counts.new else None,
            "tokens_per_s": round((0 if scheduler is None else scheduler.tokens) / seconds, 1),
            "trees": trees,
            "requests": requests,
            **_of_engine(self._services),
            "interpreter_states": getattr(getattr(self._services, "interpreter", None), "num_snapshots", None),
        }

    def log_if_due(self) -> None:
        """Logs, at most each two seconds."""
        seconds = self.counts.seconds
        if self._scheduler is not None and seconds >= self._logs * _LOG_S:
            self._logs = int(seconds / _LOG_S) + 1
            self._log()

    def close(self) -> None:
        self._log()
        self.logger.close()

    def _log(self) -> None:
        facts = self.facts()
        numbers = {key: float(facts[key]) for key in _LOGGED if facts[key] is not None}
        accuracy = {"accuracy": facts["right"] / facts["judged"]} if facts["judged"] else {}
        self.logger.log(numbers | accuracy, facts["done"])


def _of_engine(services: Services | None) -> JsonObject:
    """What an engine that counts its work says: rows of a mean step of its batch, share of prompts found cached."""
    counters = getattr(getattr(services, "policy", None), "counters", None)
    steps, prompts = getattr(counters, "num_decode_steps", 0), getattr(counters, "num_prompt_tokens", 0)
    return {
        "batch_rows": round(counters.num_decoded_rows / steps, 1) if counters is not None and steps else None,
        "cached_share": round(counters.num_cached_tokens / prompts, 3) if counters is not None and prompts else None,
    }
