"""A tiny checkpoint to train, and files of examples for it."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))
sys.path.insert(0, str(Path(__file__).parent))

from tiny_models import make_checkpoint

# Tiny models gain nothing from threads, and on a busy machine lose much by waiting for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def imports_are_no_garbage() -> None:
    """Each training looks for garbage, half of its time here among all that was imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(
        tmp_path_factory.mktemp("tiny"), "llama", max_position_embeddings=512, initializer_range=0.05
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes records as a JSONL file and returns its path."""

    def write(name: str, records: list[dict[str, Any]]) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        return str(path)

    return write
