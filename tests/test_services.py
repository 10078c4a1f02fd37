"""Opening services: what is passed in is used, and what was loaded is closed."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
from scripted import RandomPolicy
from stand_ins import EchoInterpreter

from mcts_math import services
from mcts_math.config import make_config
from mcts_math.engine.spec import EngineOptions
from mcts_math.errors import InterpreterError
from mcts_math.interpreter import SandboxInterpreter
from mcts_math.services import open_services

CONFIG = make_config({"mode": "react", "prompt_wrap": "react_sft", "model_dir": "models/mini"})


def test_an_object_that_is_passed_in_is_used_whatever_its_truth_value() -> None:
    class Sized(EchoInterpreter):
        def __len__(self) -> int:
            return 0

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            given = Sized()
            opened = await open_services(CONFIG, stack, {"policy": RandomPolicy(1), "interpreter": given})
            assert opened.interpreter is given

    asyncio.run(scene())


def test_a_model_that_is_there_after_a_cancellation_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread, or its processes, would stay until the program ends."""
    closed: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    class Model(RandomPolicy):
        async def close(self) -> None:
            closed.append("model")

    def load(options: EngineOptions) -> Model:
        begun.set()
        go_on.wait()
        return Model(1)

    monkeypatch.setattr(services, "load_policy", load)

    async def run() -> None:
        async with AsyncExitStack() as stack:
            await open_services(CONFIG, stack, {"interpreter": EchoInterpreter()})

    async def scene() -> None:
        task = asyncio.create_task(run())
        await asyncio.to_thread(begun.wait)
        for one in asyncio.all_tasks() - {asyncio.current_task()}:  # as Ctrl-C does on Python 3.10
            one.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    assert closed == ["model"]


@pytest.mark.parametrize("prompt_wrap", ["chat", "chat_steps"])
def test_where_no_code_is_run_no_sandbox_is_needed(prompt_wrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(limits: object) -> None:
        raise InterpreterError("no sandbox here")

    monkeypatch.setattr("mcts_math.interpreter.interpreter.probe", refuse)
    config = make_config({"mode": "best_of_n", "prompt_wrap": prompt_wrap, "model_dir": "models/mini"})

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            opened = await open_services(config, stack, {"policy": RandomPolicy(1)})
            assert isinstance(opened.interpreter, SandboxInterpreter)
            assert opened.interpreter.level is None
            with pytest.raises(InterpreterError, match="no sandbox here"):
                await open_services(CONFIG, stack, {"policy": RandomPolicy(1)})

    asyncio.run(scene())
