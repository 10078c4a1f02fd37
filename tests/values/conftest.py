"""Reward models that the tests of this folder share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))

from fake_server import FakeServer
from reward_checkpoints import KINDS

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def reward_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Kind -> folder of a reward model, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            make, _ = KINDS[kind]
            made[kind] = make(tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """One that answers as told, until the test is over."""
    with FakeServer() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()
