"""The engines that the conformance suite runs on. Another engine joins by one more entry in ENGINES."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from tiny_models import FAMILIES, Reference, Served, make_checkpoint

from mcts_math.engine.hf import HFEngine

# Tiny models gain nothing from threads, and on a busy machine lose much by waiting for each other.
torch.set_num_threads(1)


def load_hf(folder: Path, **limits: int) -> HFEngine:
    return HFEngine.load(folder, need_value=True, device="cpu", **limits)


ENGINES: dict[str, Callable[..., Any]] = {"hf": load_hf}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> folder of its checkpoint, made once."""
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            made[family] = make_checkpoint(tmp_path_factory.mktemp(family), family)
        return made[family]

    return get


@pytest.fixture(
    scope="session", params=[f"{engine}-{family}" for engine in ENGINES for family in FAMILIES], ids=lambda name: name
)
def served(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path]) -> Iterator[Served]:
    engine, _, family = request.param.partition("-")
    yield from _serve(engine, checkpoint(family))


@pytest.fixture(scope="session", params=list(ENGINES))
def llama(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path]) -> Iterator[Served]:
    """One family, for what does not depend on the architecture."""
    yield from _serve(request.param, checkpoint("llama"))


def _serve(engine: str, folder: Path) -> Iterator[Served]:
    def load(**limits: int) -> Any:
        return ENGINES[engine](folder, **limits)

    loaded = load()
    yield Served(folder, loaded, Reference(folder), load)
    asyncio.run(loaded.close())
