"""The service: models, the backends behind them, who may ask for how much, and what Prometheus is told of it."""

from __future__ import annotations

import collections
import hmac
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mcts_math.config import Config
from mcts_math.errors import EngineLostError, MctsMathError
from mcts_math.scheduler import MakeSearch, Solved
from mcts_math.serve.backend import Backend, OpenServices
from mcts_math.serve.models import ServedModel, group
from mcts_math.serve.orders import ChatRequest, Order, make_order
from mcts_math.serve.replies import require_solved
from mcts_math.services import Provided, open_services
from mcts_math.web import Refused

_BUCKETS_S: Final = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask, and how long a request may be."""

    api_key: str = ""  # that requests must bear; "" asks for none
    hosts: tuple[str, ...] = ()  # names that a request may call this machine by; () are all
    max_body_bytes: int = 1 << 20  # of a request

    def require(self, host: str, authorization: str) -> None:
        """Raises Refused where a request bears no key, or comes by a name that is not this machine's."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self.hosts and name not in self.hosts:  # a page of another site, whose name was made to lead here
            raise Refused(403, f"this service is not called {name[:80]!r}")
        scheme, _, given = authorization.encode("latin-1").partition(b" ")  # as it came: headers are bytes
        is_right = scheme.lower() == b"bearer" and hmac.compare_digest(given, self.api_key.encode())
        if self.api_key and not is_right:
            raise Refused(401, "the API key is missing or wrong", code="invalid_api_key")


@dataclass(slots=True)
class Visit:
    """A chat request while it is answered."""

    model: str = ""  # whom it asks; "" while that is not known, or where it names none of ours
    status: int = 500


class Metrics:
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


@dataclass(slots=True)
class Gateway:
    models: dict[str, ServedModel]
    metrics: Metrics
    _backends: dict[str, Backend]
    _in_flight: collections.Counter[str] = field(default_factory=collections.Counter)

    @classmethod
    def make(
        cls,
        models: Sequence[ServedModel],
        report: Callable[[str], None] = lambda text: None,
        provide: Callable[[], Provided] = Provided,
    ) -> Gateway:
        """A service of at least one model, not open yet. `provide` is asked each time that services are made."""
        backends: dict[str, Backend] = {}
        for members in group(models):
            runs_code = any(model.expansion.format.runs_code for model in members)
            backend = Backend(_opener(members[0].config, runs_code, report, provide))
            backends |= {model.name: backend for model in members}
        return cls({model.name: model for model in models}, Metrics(set(backends.values())), backends)

    async def open(self) -> None:
        """Loads what the models need. Raises MctsMathError where it can't be had."""
        for backend in set(self._backends.values()):
            try:
                await backend.open()
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        for backend in set(self._backends.values()):
            await backend.close()

    @property
    def is_ready(self) -> bool:
        return all(backend.is_ready for backend in set(self._backends.values()))

    def order(self, request: ChatRequest) -> Order:
        """The search that a request asks for. Raises Refused."""
        model = self.models.get(request.model)
        if model is None:
            known = ", ".join(self.models)
            raise Refused(404, f"no model {request.model[:80]!r}. There are: {known}.", "model", "model_not_found")
        if not self._backends[model.name].is_ready:
            raise Refused(503, "the engine is being loaded; try again soon")
        return make_order(request, model)

    @contextmanager
    def place(self, model: ServedModel) -> Iterator[None]:
        """A place among the requests in flight. Raises Refused where there is none."""
        if self._in_flight[model.name] >= model.config.in_flight:
            raise Refused(429, f"{model.config.in_flight} requests to {model.name} are in flight; try again later")
        self._in_flight[model.name] += 1
        try:
            yield
        finally:
            self._in_flight[model.name] -= 1

    async def solve(self, order: Order, session: str, make_search: MakeSearch | None = None) -> Solved:
        """Does what was ordered, in a session that is unlike any other. Raises Refused where it can't be done."""
        backend, name = self._backends[order.model.name], order.model.name
        try:
            solved = await backend.solve(order.task, make_search or order.make_search, order.limits, session)
        except EngineLostError as lost:
            raise Refused(503, f"{lost}; try again soon") from lost
        except MctsMathError as problem:
            raise Refused(502, f"the search could not be done: {problem}") from problem
        self.metrics.spent(name, solved)
        return require_solved(solved)


def _opener(
    config: Config, runs_code: bool, report: Callable[[str], None], provide: Callable[[], Provided]
) -> OpenServices:
    return lambda stack: open_services(config, stack, provide(), report, runs_code=runs_code)
