"""A service in a thread, on scripted services or on what its configs name, and clients for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openai
from stand_ins import EchoInterpreter, EqualChecker, EqualVerifier

from mcts_math.config import make_config
from mcts_math.requests import Policy
from mcts_math.serve.app import make_server
from mcts_math.serve.gateway import Access, Gateway
from mcts_math.serve.models import ServedModel
from mcts_math.serve.program import listen
from mcts_math.services import Provided

KEYS = {"prompt_wrap": "react_sft", "max_depth": 6, "max_total_time": 0}
GREEDY = KEYS | {"mode": "react", "temperature": 0}
BEAM = KEYS | {"mode": "sbs", "n_generate_sample": 3, "step_beam_width": 2, "value": "head"}


def served(name: str, **keys: Any) -> ServedModel:
    return ServedModel.make(name, make_config(keys))


@dataclass(frozen=True)
class Service:
    """A service that runs."""

    url: str
    gateway: Gateway

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://").removesuffix("/v1")

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key=key, max_retries=0, timeout=60)

    def async_client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.url, api_key="none", max_retries=0, timeout=60)


@contextmanager
def serving(
    models: Sequence[ServedModel], make_policy: Callable[[], Policy] | None = None, access: Access | None = None
) -> Iterator[Service]:
    """Serves models; where a policy is given, every service is a stand-in."""

    def provide() -> Provided:
        if make_policy is None:
            return Provided(checker=EqualChecker(), verifier=EqualVerifier())
        policy, interpreter = make_policy(), EchoInterpreter()
        return Provided(policy=policy, interpreter=interpreter, checker=EqualChecker(), verifier=EqualVerifier())

    gateway, bound = Gateway.make(models, provide=provide), listen("127.0.0.1", 0, False)
    server = make_server(gateway, access or Access())
    failures: list[BaseException] = []

    async def run() -> None:
        await gateway.open()
        await server.serve([bound])

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=work, daemon=True)  # a test that fails must not hang
    with bound:
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            if failures:
                raise failures[0]
            yield Service(f"http://127.0.0.1:{bound.getsockname()[1]}/v1", gateway)
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()
    assert failures == []


def wait_until(is_so: Callable[[], bool], seconds: float = 180.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to be so in time"
        time.sleep(0.005)


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]
