"""Many questions, and runs divided among machines: nothing grows with what is done, and shards make the whole."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from scripted import RandomPolicy
from stand_ins import EchoInterpreter, EqualChecker, run_scripted

from mcts_math import services
from mcts_math.concurrency import patient_collector
from mcts_math.config import make_config
from mcts_math.errors import EngineError, InterpreterError, TaskError
from mcts_math.files import read_records
from mcts_math.interpreter import SandboxInterpreter
from mcts_math.run.merge import merge_files
from mcts_math.run.run import default_output
from mcts_math.solver import solve_stream
from mcts_math.tasks import make_tasks, take_shard
from mcts_math.tree import Tree

CONFIG = {"mode": "mcts", "prompt_wrap": "react_sft", "n_generate_sample": 3, "iterations": 3, "need_value_func": True}
STARTED, LOADED = threading.Event(), threading.Event()


def questions(count: int) -> list[dict[str, Any]]:
    return [{"id": str(i), "question": f"question {i}", "answer": str(i % 10)} for i in range(count)]


def test_a_stream_keeps_no_finished_tree() -> None:
    """Nor does it leave cycles, which would stay until the collector comes."""

    async def scene() -> None:
        provided = {"policy": RandomPolicy(1), "interpreter": EchoInterpreter(), "checker": EqualChecker()}
        stream = solve_stream(CONFIG | {"batch_size": 8}, questions(100), **provided)  # type: ignore[arg-type]
        async with aclosing(stream):
            done = 0
            async for _ in stream:
                done += 1
                if done == 80:
                    assert sum(type(each) is Tree for each in gc.get_objects()) - before <= 9

    gc.collect()
    before = sum(type(each) is Tree for each in gc.get_objects())
    gc.disable()
    try:
        asyncio.run(scene())
    finally:
        gc.enable()


def test_the_collector_is_as_it_was_when_the_last_run_is_done() -> None:
    usual = gc.get_threshold()
    one, other = patient_collector(), patient_collector()
    one.__enter__()
    assert gc.get_threshold()[0] == 50_000
    other.__enter__()
    one.__exit__(None, None, None)  # the one that came first leaves first
    assert gc.get_threshold()[0] == 50_000
    other.__exit__(None, None, None)
    assert gc.get_threshold() == usual


@pytest.mark.parametrize("own", [0, 90_000])
def test_a_collector_that_comes_more_seldom_or_never_is_left_alone(own: int) -> None:
    usual = gc.get_threshold()
    gc.set_threshold(own, 10, 10)
    try:
        with patient_collector():
            assert gc.get_threshold() == (own, 10, 10)
        assert gc.get_threshold() == (own, 10, 10)
    finally:
        gc.set_threshold(*usual)


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_shards_have_every_task_once_and_about_as_many_each(count: int) -> None:
    tasks = make_tasks(questions(20))
    shards = [take_shard(tasks, f"{index}/{count}") for index in range(count)]
    assert sorted(task.id for shard in shards for task in shard) == sorted(task.id for task in tasks)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("shard", ["", "/", "3", "2/2", "-1/2", "0/0", "1/x", "1/2/3", "0/21", "1_0/20", "٠/٢"])
def test_what_is_no_shard_is_an_error(shard: str) -> None:
    with pytest.raises(TaskError, match=f"^--shard {re.escape(shard)}: "):
        take_shard(make_tasks(questions(20)), shard)


def test_each_shard_has_an_output_of_its_own(tmp_path: Path) -> None:
    qaf = tmp_path / "questions.json"
    qaf.write_text('[{"question": "1 + 1"}, {"question": "1 + 2"}]')
    names = {default_output("configs/mini/sbs.yaml", qaf, make_config(CONFIG), shard) for shard in ("", "0/2", "1/2")}
    assert len(names) == 3
    assert len({name.parent for name in names}) == 1


RUN_SHARD = """
import sys
sys.path.insert(0, {tests!r})
from stand_ins import run_scripted
words = sys.argv[1:]
option = lambda name: words[words.index(name) + 1]
run_scripted(option("--qaf"), option("--output"), resume="--resume" in words, shard=option("--shard"))
"""


def test_the_documented_array_of_jobs_makes_the_whole(repo: Path, tmp_path: Path) -> None:
    """The script in docs/scale.md as Slurm runs it; in the place of the model stands a policy without one."""
    text = (repo / "docs/scale.md").read_text(encoding="utf-8")
    script = re.search(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", text, re.DOTALL)
    assert script is not None
    (tmp_path / "job.sh").write_text(script[1])
    (tmp_path / "solver_demo.py").write_text(RUN_SHARD.format(tests=str(repo / "tests")))
    lines = [f'{{"question": "question {i}", "answer": "{i}"}}\n' for i in range(10)]
    (tmp_path / "math.jsonl").write_text("".join(lines))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for index in (0, 1, 2, 1):  # Slurm starts a job anew that was stopped
        slurm = {"SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": "3", "PYTHONPATH": str(repo)}
        subprocess.run(["bash", "job.sh"], cwd=tmp_path, env=os.environ | slurm | {"PATH": path}, check=True)
    shards = sorted((tmp_path / "outputs").glob("shard*[0-9].jsonl"))
    assert [len(list(read_records(shard))) for shard in shards] == [4, 3, 3]
    assert merge_files(shards, tmp_path / "all.jsonl") == 10
    run_scripted(tmp_path / "math.jsonl", tmp_path / "alone.jsonl")
    assert trees(tmp_path / "all.jsonl") == trees(tmp_path / "alone.jsonl")
    assert run_scripted(tmp_path / "math.jsonl", tmp_path / "all.jsonl", resume=True).new == 0


def trees(results: Path) -> dict[str, Any]:
    return {record["id"]: record["react"] for _, record in read_records(results)}


class LateInterpreter(SandboxInterpreter):
    """Is up when the model is: had one waited for the other, neither would come."""

    fault = ""

    async def start(self) -> Any:
        STARTED.set()
        await asyncio.to_thread(LOADED.wait, 10)
        if self.fault:
            raise InterpreterError(self.fault)
        return self.level


@pytest.mark.parametrize(
    ("model", "sandbox", "raised"),
    [
        ("", "", ""),
        ("", "no room", "no room"),
        ("no weights", "", "no weights"),
        ("no weights", "no room", "no weights"),
    ],
)
def test_the_sandbox_starts_while_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, model: str, sandbox: str, raised: str
) -> None:
    closed: list[bool] = []

    class Engine(RandomPolicy):
        async def close(self) -> None:
            closed.append(True)

    def load(options: Any) -> Any:
        assert STARTED.wait(10)
        LOADED.set()
        if model:
            raise EngineError(model)
        return Engine()

    async def scene() -> None:
        async with AsyncExitStack() as stack:
            await services.open_services(config, stack, {"checker": EqualChecker()}, said.append)

    STARTED.clear()
    LOADED.clear()
    said: list[str] = []
    config = make_config(CONFIG | {"model_dir": "models/mini"})
    monkeypatch.setattr(services, "SandboxInterpreter", LateInterpreter)
    monkeypatch.setattr(LateInterpreter, "fault", sandbox)
    monkeypatch.setattr(services, "load_policy", load)
    if raised:
        with pytest.raises((EngineError, InterpreterError), match=raised):
            asyncio.run(scene())
    else:
        asyncio.run(scene())
    assert closed == ([] if model else [True])
    assert ("note: besides, the interpreter does not start: no room" in said) == bool(model and sandbox)
    assert said[0].startswith("interpreter isolation: ")
