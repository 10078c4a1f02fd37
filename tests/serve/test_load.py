"""Many at once, clients that go, engines that die: nobody else is harmed, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx2
import openai
import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from service import BEAM, GREEDY, Service, served, serving, user, wait_until
from stand_ins import final

from mcts_math.config import make_config
from mcts_math.errors import ConfigError, EngineError, EngineLostError, InterpreterError, RefusedError
from mcts_math.interpreter import SandboxInterpreter
from mcts_math.requests import Generate, Generation
from mcts_math.serve.gateway import Gateway
from mcts_math.serve.models import ServedModel
from mcts_math.services import Provided

SLOW = Behaviour(min_delay_s=0.02, max_delay_s=0.05)


class Mortal(RandomPolicy):
    """Dies in the middle of its 300th request, and then answers nothing any more. Only the first one is mortal."""

    made: list[Mortal] = []  # noqa: RUF012 - of the test that is running

    def __init__(self) -> None:
        super().__init__(3, SLOW)
        self.is_dead, self.num_requests = False, 0
        Mortal.made.append(self)

    async def generate(self, request: Generate) -> Generation:
        self.num_requests += 1
        reply = await super().generate(request)
        self.is_dead |= self.num_requests >= 300 and self is Mortal.made[0]
        if self.is_dead:
            raise EngineLostError("killed")
        return reply


def test_200_at_once_some_cancelled_and_the_engine_killed_once() -> None:
    Mortal.made.clear()

    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        asked: Any = {"model": "beam", "messages": user(f"question {number}"), "seed": number}
        if number % 5 == 0:  # a client that goes
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.chat.completions.create(**asked, stream=number % 2 == 0), 0.02)
            return "gone"
        for _ in range(50):
            try:
                reply = await client.chat.completions.create(**asked)
            except openai.InternalServerError as error:
                if error.status_code != 503:
                    raise
                await asyncio.sleep(0.1)
            else:
                return str(reply.choices[0].message.content)
        return "never"

    async def ask_all(service: Service) -> list[str]:
        # The client's own pool has fewer places than this.
        limits = httpx2.Limits(max_connections=300)
        async with openai.AsyncOpenAI(
            base_url=service.url,
            api_key="none",
            max_retries=0,
            timeout=60,
            http_client=httpx2.AsyncClient(limits=limits),
        ) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(200)))

    with serving([served("beam", **BEAM)], Mortal) as service:
        answers = asyncio.run(ask_all(service))
        wait_until(lambda: _number(service, "trees") == 0)
        assert answers.count("gone") == 40
        assert "never" not in answers
        assert _number(service, "service_losses") == 1
        assert len(Mortal.made) == 2
        with service.client() as client:  # who was served after the loss got what they would have got without one
            for number in (1, 199):
                again = client.chat.completions.create(model="beam", messages=user(f"question {number}"), seed=number)
                assert again.choices[0].message.content == answers[number]


def test_a_client_that_goes_ends_its_search() -> None:
    endless = Behaviour(final_rate=0, unparsable_rate=0, min_delay_s=0.05, max_delay_s=0.05)
    model = served("chain", **GREEDY | {"max_depth": 1000})
    with serving([model], lambda: RandomPolicy(1, endless)) as service, service.client() as client:
        asked: Any = {"model": "chain", "messages": user("Q?")}
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.3).chat.completions.create(**asked)
        wait_until(lambda: _number(service, "trees") == 0)
        stream = client.chat.completions.create(**asked, stream=True)
        next(iter(stream))
        wait_until(lambda: _number(service, "trees") == 1)
        stream.close()
        wait_until(lambda: _number(service, "trees") == 0)


def test_who_finds_no_place_is_told_so() -> None:
    held = threading.Event()

    class Waiting(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            while not held.is_set():
                await asyncio.sleep(0.005)
            return await super().generate(request)

    model = served("chain", **GREEDY, max_in_flight=1)
    with serving([model], lambda: Waiting(1)) as service, service.client() as client:
        first = threading.Thread(
            target=lambda: client.chat.completions.create(model="chain", messages=user("Q?"), stream=False)
        )
        first.start()
        wait_until(lambda: _number(service, "trees") == 1)
        with pytest.raises(openai.RateLimitError, match="1 requests to chain are in flight") as refused:
            client.chat.completions.create(model="chain", messages=user("Q?"))
        assert refused.value.response.headers["Retry-After"] == "1"
        held.set()
        first.join()
        assert client.chat.completions.create(model="chain", messages=user("Q?")).choices


@pytest.mark.parametrize(("failure", "status", "losses"), [
    (RefusedError("not this one"), 422, 0),
    (ValueError("a bug"), 422, 0),
    (EngineError("of this request alone"), 502, 0),
    (EngineLostError("killed"), 503, 1),
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_what_fails_fails_alone_and_only_a_dead_engine_is_loaded_anew(
    failure: Exception, status: int, losses: int, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: Generate) -> Generation:
        if "bad" in str(request.prompt):
            raise failure
        return scripted(final("5"))

    with serving([served("chain", **GREEDY)], lambda: ScriptedPolicy(answer)) as service, service.client() as client:
        for stream in (False, True):
            with pytest.raises(openai.APIError) as raised:
                list(client.chat.completions.create(model="chain", messages=user("bad"), stream=stream))
            if not stream:
                assert raised.value.status_code == status  # type: ignore[attr-defined]
            wait_until(lambda: service.gateway.is_ready)
        assert client.chat.completions.create(model="chain", messages=user("good")).choices
        assert _number(service, "service_losses") == 2 * losses
    assert ("in answer" in caplog.text) is isinstance(failure, ValueError)  # a fault has its traceback in the log


def test_an_engine_that_can_not_be_had_again_at_once_is_tried_again() -> None:
    def die(request: Generate) -> Generation:
        raise EngineLostError("killed")

    made: list[ScriptedPolicy] = []

    def make() -> ScriptedPolicy:
        made.append(ScriptedPolicy(die if not made else lambda request: scripted(final("5"))))
        if len(made) == 2:
            raise EngineError("out of memory")
        return made[-1]

    with serving([served("chain", **GREEDY)], make) as service, service.client() as client:
        with pytest.raises(openai.InternalServerError, match="loaded anew"):
            client.chat.completions.create(model="chain", messages=user("Q?"))
        wait_until(lambda: service.gateway.is_ready)
        assert client.chat.completions.create(model="chain", messages=user("Q?")).choices


@pytest.mark.parametrize("keys", [
    {"mode": "best_of_n"}, {"mode": "fttt"}, {"mode": "mcts", "is_sampling": True}
], ids=str)  # fmt: skip
def test_a_method_that_reads_verdicts_is_no_service(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"mine: mode {keys['mode']} reads verdicts"):
        served("mine", **keys)


def test_a_budget_of_a_run_is_none_of_a_service() -> None:
    with pytest.raises(ConfigError, match="max_run_tokens"):
        ServedModel.make("mine", make_config({"mode": "react", "max_run_tokens": 5}))


def test_a_sandbox_that_any_model_needs_is_missed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models share services. Missed by the first cell, it would count as a loss: the engine would be loaded anew."""

    async def prepare(_: Any) -> Any:
        raise InterpreterError("no sandbox here")

    monkeypatch.setattr(SandboxInterpreter, "prepare", prepare)
    models = [served("talk", **(GREEDY | {"prompt_wrap": "chat"})), served("code", **GREEDY)]
    gateway = Gateway.make(models, provide=lambda: Provided(policy=RandomPolicy(1)))
    with pytest.raises(InterpreterError, match="no sandbox here"):
        asyncio.run(gateway.open())


def _number(service: Service, name: str) -> float:
    lines = service.gateway.metrics.render().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"mcts_math_{name} ")).split()[-1])
