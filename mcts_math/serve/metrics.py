"""What Prometheus is told of a service."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mcts_math.scheduler import Solved
from mcts_math.serve.backend import Backend

_BUCKETS_S: Final = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


@dataclass(slots=True)
class Visit:
    """A chat request while it is answered."""

    model: str = ""  # whom it asks; "" while that is not known, or where it names none of ours
    status: int = 500


class Metrics:
    """The numbers of one service."""

    def __init__(self, backends: Collection[Backend]) -> None:
        self._registry = registry = CollectorRegistry()
        self._visits = Counter(
            "mcts_math_requests", "chat requests that were answered", ["model", "status"], registry=registry
        )
        self._seconds = Histogram(
            "mcts_math_request_seconds", "time of a chat request", ["model"], registry=registry, buckets=_BUCKETS_S
        )
        self._tokens = Counter("mcts_math_tokens", "tokens of searches", ["model", "kind"], registry=registry)

        def gauge(name: str, about: str, number: Callable[[Backend], int]) -> None:
            Gauge(f"mcts_math_{name}", about, registry=registry).set_function(lambda: sum(map(number, backends)))

        gauge("trees", "trees that grow", lambda backend: backend.in_flight[0])
        gauge("service_requests", "requests of trees that wait for a reply", lambda backend: backend.in_flight[1])
        gauge("service_losses", "how often services were lost and made anew", lambda backend: backend.num_losses)

    @contextmanager
    def visit(self) -> Iterator[Visit]:
        visit, begun = Visit(), time.monotonic()
        try:
            yield visit
        finally:
            self._visits.labels(visit.model, str(visit.status)).inc()
            self._seconds.labels(visit.model).observe(time.monotonic() - begun)

    def spent(self, model: str, solved: Solved) -> None:
        cost = solved.cost
        spent = {"generated": cost.tokens, "prompt": cost.prompt_tokens, "cached": cost.cached_tokens}
        for kind, tokens in spent.items():
            self._tokens.labels(model, kind).inc(tokens)

    def render(self) -> bytes:
        return generate_latest(self._registry)
