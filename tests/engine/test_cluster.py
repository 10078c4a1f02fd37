"""Replicas on a Ray cluster of several nodes: while a run goes on one is killed, one becomes slow, and one joins."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from engines import pids_of
from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.config import Config, load_config
from mcts_math.engine.load import load_policy
from mcts_math.files import read_records
from mcts_math.messages import Sampling
from mcts_math.requests import Generate
from mcts_math.run.run import solve_file
from mcts_math.services import engine_options
from mcts_math.tasks import load_tasks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra `ray`)"),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own
]
COUNT = 24
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}
HEAD = NODE | {"num_cpus": 0, "include_dashboard": False}
HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_failure_threshold": 3}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without room for engines, and two nodes with room for one each."""
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "240")  # a busy machine takes long to start so many processes
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=HEAD | {"_system_config": HEALTH})
    try:
        made.first, made.second = made.add_node(**NODE), made.add_node(**NODE)
        ray.init(address=made.address, log_to_driver=False)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@contextmanager
def slowed(pid: int) -> Iterator[None]:
    """A process that stands still four fifths of the time."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            over.wait(0.4)
            os.kill(pid, signal.SIGCONT)
            over.wait(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def settings(repo: Path, replicas: int) -> Config:
    """Float64, so that no sample depends on what else is in a batch."""
    arguments = "engine_args={device: cpu, num_threads: 1, dtype: float64}"
    changes = [f"model_dir={repo / 'models/mini'}", f"num_replicas={replicas}", arguments, "batch_size=8"]
    return load_config(repo / "configs/mini/sbs.yaml", changes)


def flat(data: Any, path: str = "") -> dict[str, Any]:
    """All that a record's data holds, by its place. A head's float32 values depend on the batch in their last digits,
    so numbers are compared with `pytest.approx`, which takes no nested data."""
    if isinstance(data, dict | list):
        entries = data.items() if isinstance(data, dict) else enumerate(data)
        return {place: leaf for key, part in entries for place, leaf in flat(part, f"{path}/{key}").items()}
    return {path: data}


def wait_for(what: Callable[[], bool], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def nodes_of(engine: Any, cluster: Any) -> dict[Any, int]:
    """The nodes that the replicas run on, which are the parents of their processes, each with its replica's process."""
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.list_all_nodes()}
    pids = asyncio.run(pids_of(engine))
    return {
        raylets[parent.pid]: pid for pid in pids for parent in psutil.Process(pid).parents() if parent.pid in raylets
    }


async def both_are_up(engine: Any, seconds: float = 240) -> None:
    """Asks until both replicas are up. One whose run ended while it started is waited for by the next who asks."""
    until = time.monotonic() + seconds
    while len(await pids_of(engine)) < 2:
        assert time.monotonic() < until
        await engine.generate(Generate("1 + 1 = ", 1, Sampling(), 0))
        await asyncio.sleep(0.2)


def test_each_result_is_appended_once_whatever_happens_to_the_nodes(repo: Path, tmp_path: Path, cluster: Any) -> None:
    qaf, output, alone = tmp_path / "questions.jsonl", tmp_path / "out.jsonl", tmp_path / "alone.jsonl"
    lines = (repo / "data/mini/test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    qaf.write_text("".join(lines[:COUNT]), encoding="utf-8")
    provided: dict[str, Any] = {"interpreter": EchoInterpreter(), "checker": EqualChecker()}
    engine: Any = load_policy(engine_options(settings(repo, 2)))
    before = nodes_of(engine, cluster)
    assert before.keys() == {cluster.first, cluster.second}

    def run() -> None:
        solve_file(settings(repo, 2), qaf, output, policy=engine, report=lambda text: None, **provided)

    def done() -> int:
        return output.read_bytes().count(b"\n") if output.exists() else 0

    worker = threading.Thread(target=run)
    with slowed(before[cluster.second]):
        worker.start()
        wait_for(lambda: done() >= 3)
        assert done() < COUNT
        cluster.remove_node(cluster.first, allow_graceful=False)
        third = cluster.add_node(**NODE)
        worker.join(400)
    assert not worker.is_alive()
    asyncio.run(both_are_up(engine))
    assert nodes_of(engine, cluster).keys() == {cluster.second, third}
    asyncio.run(engine.close())

    found = [record for _, record in read_records(output)]
    assert sorted(record["id"] for record in found) == sorted(task.id for task in load_tasks(qaf))
    solve_file(settings(repo, 1), qaf, alone, report=lambda text: None, **provided)
    expected = {record["id"]: record["react"] for _, record in read_records(alone)}
    assert flat({record["id"]: record["react"] for record in found}) == pytest.approx(flat(expected), abs=1e-4)
