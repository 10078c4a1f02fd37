"""Two replicas on Ray, on a CPU; one of them is killed half-way."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest
from engines import pids_of
from tiny_models import make_checkpoint

from mcts_math.engine import replicas
from mcts_math.engine.load import load_policy
from mcts_math.engine.spec import AdapterOptions, EngineOptions
from mcts_math.errors import EngineError
from mcts_math.messages import Sampling
from mcts_math.requests import Adapt, Evaluate, Generate, LossTerm

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]
COUNT = 30


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineOptions]:
    import ray

    folder = make_checkpoint(tmp_path_factory.mktemp("llama"), "llama")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, object_store_memory=80 << 20)
        arguments = {"device": "cpu", "num_threads": 1, "dtype": "float64"}
        yield EngineOptions("hf", str(folder), arguments, need_value=True, num_replicas=2)
        ray.shutdown()


def requests() -> list[Generate]:
    sampling = Sampling(0.8, max_tokens=60)
    return [Generate(f"{i} + 1 = ", 2, sampling, i, want_value=True, task_id=str(i)) for i in range(COUNT)]


async def alone(options: EngineOptions) -> list[Any]:
    engine = await asyncio.to_thread(load_policy, replace(options, num_replicas=1))
    replies = list(await asyncio.gather(*map(engine.generate, requests())))
    await engine.close()
    return replies


def texts(replies: list[Any]) -> list[list[str]]:
    return [[sample.text for sample in reply.samples] for reply in replies]


async def ask_while_one_dies(engine: Any, victim: int) -> list[Any]:
    """The replies to all requests; a third of the way the victim is killed."""
    answered: list[str] = []

    async def ask(request: Generate) -> Any:
        reply = await engine.generate(request)
        answered.append(request.task_id)
        if len(answered) == COUNT // 3:
            os.kill(victim, signal.SIGKILL)
        return reply

    replies = await asyncio.wait_for(asyncio.gather(*map(ask, requests())), 240)
    assert Counter(answered) == Counter(str(i) for i in range(COUNT))
    return list(replies)


def test_a_killed_replica_changes_nothing_but_the_time(options: EngineOptions) -> None:
    async def scene() -> None:
        engine: Any = await asyncio.to_thread(load_policy, options)
        first, second = await pids_of(engine)
        replies = await ask_while_one_dies(engine, first)
        assert texts(replies) == texts(await alone(options))
        value = (await engine.evaluate(Evaluate("3 + 1 = "))).value
        assert value == pytest.approx(replies[3].value, abs=1e-5)
        while len(pids := await pids_of(engine)) < 2:  # another actor comes up in its place
            await asyncio.sleep(0.2)
        assert second in pids
        assert first not in pids
        await errors_and_cancelling(engine)
        await engine.close()
        await engine.close()
        with pytest.raises(EngineError, match="closed"):
            await engine.generate(requests()[0])

    asyncio.run(scene())


async def errors_and_cancelling(engine: Any) -> None:
    """An actor costs too much time to have one for each test."""
    with pytest.raises(EngineError, match="num_samples must be at least 1"):
        await engine.generate(Generate("x", 0, Sampling(), 0))
    task = asyncio.ensure_future(engine.generate(Generate("x", 1, Sampling(1.0, max_tokens=100), 0)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await engine.generate(Generate("x", 1, Sampling(), 0))).samples


async def learn(engine: Any, question: str, after_each: Callable[[], None] = lambda: None) -> list[str]:
    """Three attempts at a question, with a step of its adapter after the first and the second."""
    written = []
    for trial in range(3):
        asked = Generate(
            question, 1, Sampling(0.8, max_tokens=30), trial, adapter=question if trial else "", task_id=question
        )
        written.append((await engine.generate(asked)).samples[0].text)
        if trial < 2:
            await engine.adapt(Adapt(question, (LossTerm(question + written[-1], " No. "),), trial))
        after_each()
    await engine.release(question)
    return written


@pytest.mark.slow
def test_what_a_killed_replica_had_learnt_is_learnt_again(options: EngineOptions) -> None:
    learning = replace(options, need_value=False, adapter=AdapterOptions(lr=0.05))
    questions = [f"{i} + 1 = " for i in range(12)]

    async def undisturbed() -> list[list[str]]:
        engine = await asyncio.to_thread(load_policy, replace(learning, num_replicas=1))
        texts = list(await asyncio.gather(*(learn(engine, question) for question in questions)))
        await engine.close()
        return texts

    async def with_a_loss() -> list[list[str]]:
        engine: Any = await asyncio.to_thread(load_policy, learning)
        pids, attempts = await pids_of(engine), []

        def count() -> None:
            attempts.append(1)
            if len(attempts) == 15:  # all have learnt by then, and most will go on
                os.kill(pids[0], signal.SIGKILL)

        texts = await asyncio.wait_for(asyncio.gather(*(learn(engine, q, count) for q in questions)), 120)
        assert not engine._sessions
        await engine.release("never heard of")
        await engine.close()
        return list(texts)

    expected = asyncio.run(undisturbed())
    assert asyncio.run(with_a_loss()) == expected
    assert any(first != later for first, *_, later in expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of vLLM's imports
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_a_killed_vllm_replica_takes_its_engine_along(options: EngineOptions) -> None:
    arguments = {"enforce_eager": True, "dtype": "float32", "max_num_seqs": 16, "kv_cache_memory_bytes": 64 << 20}

    async def scene() -> None:
        engine: Any = await asyncio.to_thread(load_policy, replace(options, engine="vllm", arguments=arguments))
        first, _ = await pids_of(engine)
        of_the_first = psutil.Process(first).children(recursive=True)
        assert of_the_first  # vLLM's engine runs in processes of its own
        replies = await ask_while_one_dies(engine, first)
        assert all(len(reply.samples) == 2 for reply in replies)
        _, left = psutil.wait_procs(of_the_first, timeout=60)
        assert not left
        await engine.close()

    asyncio.run(scene())


def test_more_replicas_than_the_cluster_has_room_for(options: EngineOptions) -> None:
    with pytest.raises(EngineError, match="need 64 CPUs, but Ray's cluster has 2"):
        load_policy(replace(options, num_replicas=64))


def test_a_replica_that_hangs_is_killed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        class call:  # noqa: N801 - as an actor's method looks
            @staticmethod
            def remote(method: str) -> asyncio.Future[None]:
                return futures[0]

    async def scene() -> None:
        futures.append(asyncio.get_running_loop().create_future())
        engine = object.__new__(replicas.ReplicatedEngine)
        engine._closed, engine._slots = False, [replicas._Slot(Hanging())]
        await engine.close()

    futures: list[asyncio.Future[None]] = []
    monkeypatch.setattr(replicas, "_CLOSING_S", 0.05)
    monkeypatch.setattr("ray.kill", lambda actor: futures[0].cancel())
    asyncio.run(scene())
    assert futures[0].cancelled()


class Starting:
    """An actor that is up a little after it is asked, or never."""

    def __init__(self, comes_up: bool, seconds: float = 0.01) -> None:
        self.pid, self._comes_up, self._seconds = self, comes_up, seconds

    async def remote(self) -> int:
        from ray.exceptions import ActorDiedError

        await asyncio.sleep(self._seconds)
        if not self._comes_up:
            raise ActorDiedError
        return 1


def with_one_lost(monkeypatch: pytest.MonkeyPatch, new: Starting) -> Any:
    """An engine of one replica, in whose place `new` will be started."""
    engine = object.__new__(replicas.ReplicatedEngine)
    engine._closed, engine._slots, engine._homes = False, [replicas._Slot("lost")], OrderedDict()
    monkeypatch.setattr(engine, "_new_actor", lambda: new)
    return engine


@pytest.mark.parametrize("comes_up", [True, False])
def test_while_all_replicas_are_started_anew_a_request_waits(monkeypatch: pytest.MonkeyPatch, comes_up: bool) -> None:
    engine = with_one_lost(monkeypatch, Starting(comes_up))

    async def scene() -> None:
        engine._lose(engine._slots[0], "lost")
        if comes_up:
            assert await engine._choose("q") is engine._slots[0]
        else:
            with pytest.raises(EngineError, match="all 1 replicas died"):
                await engine._choose("q")

    asyncio.run(scene())


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "loop closed"])
def test_a_replica_that_starts_when_a_run_ends_is_there_for_the_next(
    monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    """A run has an event loop of its own: what waits there for an actor ends with it."""
    engine = with_one_lost(monkeypatch, Starting(comes_up=True))

    async def first_run() -> None:
        engine._lose(engine._slots[0], "lost")
        await asyncio.sleep(0)

    async def second_run() -> None:
        assert await asyncio.wait_for(engine._choose("q"), 10) is engine._slots[0]

    if is_cancelled:
        asyncio.run(first_run())
    else:  # a loop that nobody tidied up
        loop = asyncio.new_event_loop()
        loop.run_until_complete(first_run())
        engine._slots[0].starting._log_destroy_pending = False
        loop.close()
    assert not engine._slots[0].is_up
    asyncio.run(second_run())
