"""Engines that the tests of this folder share."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from engines import ENGINES, SERVES, SLOW, Kept, close_while_busy
from fake_server import FakeServer
from tiny_models import Served, make_checkpoint

# Tiny models gain nothing from threads, and on a busy machine lose much by waiting for each other.
torch.set_num_threads(1)


def require(engine: str) -> None:
    if engine in ("vllm", "openai") and importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (bash scripts/test.sh installs it)")


@pytest.fixture(scope="package")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> folder of its checkpoint, made once."""
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            made[family] = make_checkpoint(tmp_path_factory.mktemp(family), family)
        return made[family]

    return get


@pytest.fixture(
    scope="package",
    params=[
        pytest.param(name, id=name, marks=pytest.mark.slow if name in SLOW else ())
        for name in (f"{engine}-{family}" for engine, families in SERVES.items() for family in families)
    ],
)
def served(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path], kept: Kept) -> Iterator[Served]:
    engine, _, family = request.param.partition("-")
    if family == "llama":
        yield kept(engine)
        return
    require(engine)
    served = ENGINES[engine](checkpoint(family))
    yield served
    asyncio.run(close_while_busy(served.engine))


@pytest.fixture(
    scope="package",
    params=[pytest.param(name, id=name, marks=pytest.mark.slow if f"{name}-llama" in SLOW else ()) for name in ENGINES],
)
def llama(request: pytest.FixtureRequest, kept: Kept) -> Served:
    """One family, for what does not depend on the architecture."""
    return kept(request.param)


@pytest.fixture(scope="package")
def kept(checkpoint: Callable[[str], Path]) -> Iterator[Kept]:
    """Engine -> the one that serves llama, kept until the end."""
    made: dict[str, Served] = {}

    def get(engine: str) -> Served:
        require(engine)
        if engine not in made:
            made[engine] = ENGINES[engine](checkpoint("llama"))
        return made[engine]

    yield get
    for served in made.values():
        asyncio.run(served.engine.close())


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """One that runs until the test is over."""
    with FakeServer() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()
