"""The engine of repeatable runs: what it counts as being elsewhere, beams, adapters, and which models it keeps."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcts_math.engine.hf.arguments import HFArguments
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.grafts import base_fingerprint, make_grafts
from mcts_math.engine.hf.lockstep import Lockstep, load_model
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.model import load_model as load_uncached
from mcts_math.engine.hf.parts import save_parts
from mcts_math.engine.part_settings import TUNED, TunedSettings
from mcts_math.engine.spec import EngineOptions
from mcts_math.errors import ConfigError, EngineError, RefusedError
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate, Generation

SAMPLING = Sampling(0.8, max_tokens=5)


class Service:
    """Whatever kind of service: a call takes a while."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def _serve(self, request: str) -> str:
        await asyncio.sleep(0.05)
        self.calls.append(request)
        return request

    execute = check = verify = evaluate = release = _serve

    async def close(self) -> None:
        pass


def load(folder: Path) -> CausalModel:
    return load_uncached(folder, HFArguments(device="cpu"), need_value=True)


@pytest.mark.parametrize("call", ["execute", "check", "verify", "evaluate", "release"])
def test_a_batch_waits_for_every_counted_service(checkpoint: Callable[[str], Path], call: str) -> None:
    """The tree that is at the service is in the batch of the tree that waits for the model."""
    model = load(checkpoint("llama"))

    async def scene() -> list[int]:
        service: Any = Service()
        engine = Lockstep(model, service, service)
        counted = engine.counted(service)
        sizes: list[int] = []
        compute = engine._compute
        engine._compute = lambda jobs: (sizes.append(len(jobs)), compute(jobs))[1]  # type: ignore[method-assign]

        async def busy() -> None:
            assert await getattr(counted, call)("r") == "r"
            await engine.generate(Generate("b", 1, SAMPLING, 0))

        await asyncio.gather(engine.generate(Generate("a", 1, SAMPLING, 0)), busy())
        await engine.close()
        return sizes

    assert asyncio.run(scene()) == [2]


def test_beams_are_those_of_the_other_engine(checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint("llama")
    wide = Generate("1+1=", 4, Sampling(0.0, max_tokens=9, beam_width=4), 0)

    async def scene() -> None:
        service: Any = Service()
        lockstep, engine = Lockstep(load(folder), service, service), HFEngine.load(folder, device="cpu")
        plain = Generate("1+1=", 4, replace(wide.sampling, beam_width=1), 0)
        mine, beside, senseless = await asyncio.gather(
            *map(lockstep.generate, (wide, plain, replace(wide, want_value=True))), return_exceptions=True
        )
        theirs = await engine.generate(wide)
        assert isinstance(mine, Generation)
        assert isinstance(beside, Generation)
        assert mine.samples == theirs.samples
        assert len({sample.text for sample in mine.samples}) > len({sample.text for sample in beside.samples}) == 1
        assert isinstance(senseless, EngineError)  # which costs the others nothing
        assert "beam search" in str(senseless)
        await lockstep.close()
        await engine.close()

    asyncio.run(scene())


def test_closing_ends_the_round_that_is_under_way(checkpoint: Callable[[str], Path]) -> None:
    """Else a thread would go on with the model, which the next engine of the process uses too."""

    async def scene() -> None:
        service: Any = Service()
        engine = Lockstep(load(checkpoint("llama")), service, service)
        begun, step = threading.Event(), engine._batch.step
        engine._batch.step = lambda: (begun.set(), step())[1]  # type: ignore[method-assign]
        many = [
            asyncio.ensure_future(engine.generate(Generate("x", 9, Sampling(1.0, max_tokens=99), seed)))
            for seed in range(30)
        ]
        await asyncio.to_thread(begun.wait)
        await engine.close()
        steps = engine._batch.counters.num_decode_steps
        replies = await asyncio.gather(*many, engine.evaluate(Evaluate("y")), return_exceptions=True)
        assert {str(reply) for reply in replies if not isinstance(reply, Generation)} == {"the engine is closed"}
        assert not engine._batch.is_idle
        assert engine._batch.counters.num_decode_steps == steps

    asyncio.run(scene())


def test_closing_tells_those_who_wait_for_a_busy_service(checkpoint: Callable[[str], Path]) -> None:
    async def scene() -> None:
        service: Any = Service()
        engine = Lockstep(load(checkpoint("llama")), service, service)
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        busy = asyncio.ensure_future(engine._count(never))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(engine.generate(Generate("x", 1, SAMPLING, 0)))
        while not engine._waiting:
            await asyncio.sleep(0)
        await engine.close()
        with pytest.raises(EngineError, match="the engine is closed"):
            await asyncio.wait_for(waiting, 5)
        never.set_result(None)
        await busy

    asyncio.run(scene())


def test_what_broke_one_round_is_not_in_the_next(checkpoint: Callable[[str], Path]) -> None:
    """Its questions are tried again, and must not share the batch with rows that nobody waits for."""
    model = load(checkpoint("llama"))

    async def scene() -> list[int]:
        service: Any = Service()
        engine = Lockstep(model, service, service)
        forward, rows = model.forward, list[int]()

        def breaking(block: Any, *arguments: Any, **more: Any) -> Any:
            rows.append(block.num_rows)
            if len(rows) == 2:  # the first token behind the prompt
                raise RuntimeError("out of memory")
            return forward(block, *arguments, **more)

        model.forward = breaking  # type: ignore[method-assign]
        with pytest.raises(EngineError, match="broke down: RuntimeError: out of memory"):
            await engine.generate(Generate("a", 1, SAMPLING, 0))
        await engine.generate(Generate("b", 1, SAMPLING, 0))
        await engine.close()
        return rows

    assert set(asyncio.run(scene())) == {1}


def test_what_it_can_not_serve_is_refused(checkpoint: Callable[[str], Path]) -> None:
    service: Any = Service()
    engine = Lockstep(load(checkpoint("llama")), service, service)
    for request, error, says in (
        (Generate("x", 1, SAMPLING, 0, adapter="a"), EngineError, "keeps no adapters"),
        (Generate("x", 0, SAMPLING, 0), EngineError, "num_samples must be at least 1"),
        (Generate("\ud800", 1, SAMPLING, 0), RefusedError, "surrogate"),
    ):
        with pytest.raises(error, match=says):
            asyncio.run(engine.generate(request))


def test_a_model_is_kept_by_all_that_matters(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("llama"), folder)
    options = EngineOptions("hf", str(folder), {"device": "cpu", "dtype": "float32"}, need_value=True)
    first = load_model(options)
    assert load_model(replace(options, num_replicas=2)) is first
    for other in (
        replace(options, need_value=False),
        replace(options, arguments={"device": "cpu", "dtype": "float64"}),
        replace(options, arguments={"device": "cpu", "dtype": "float32", "context_length": 64}),
    ):
        loaded = load_model(other)
        assert loaded is not first
        assert (loaded.head is not None) == other.need_value
    before = load_model(options)
    (folder / "value_head.pth").write_bytes((checkpoint("qwen3") / "value_head.pth").read_bytes())
    assert load_model(options) is not before
    with pytest.raises(ConfigError, match="'max_batch_size' has no use here"):
        load_model(replace(options, arguments={"max_batch_size": 3}))


def test_a_model_is_loaded_anew_where_what_is_put_on_it_was_trained_anew(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    base = load(checkpoint("llama")).raw
    settings = TunedSettings(kind="bottleneck", options={}, base_fingerprint=base_fingerprint(base))
    options = EngineOptions("hf", str(checkpoint("llama")), {"device": "cpu", "tuned_dir": str(tmp_path)})
    loaded = []
    for _ in range(2):
        save_parts(tmp_path, TUNED, make_grafts("bottleneck", base, {}).state_dict(), settings.model_dump())
        loaded += [load_model(options), load_model(options)]
    assert loaded[0] is loaded[1] is not loaded[2] is loaded[3]


def test_an_evaluation_and_a_sample_of_one_prompt_agree(checkpoint: Callable[[str], Path]) -> None:
    service: Any = Service()

    async def scene() -> None:
        engine = Lockstep(load(checkpoint("llama")), service, service)
        reply = await engine.generate(Generate("abc", 1, SAMPLING, 0, want_value=True))
        value = (await engine.evaluate(Evaluate("abc"))).value
        assert value == pytest.approx(reply.value, abs=1e-5)

    asyncio.run(scene())
