"""Shared fixtures. `stand_ins` is importable from every test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parent.parent

# In what tests start, too: tiny models gain nothing from threads, and on a busy machine lose much by their waiting.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Files that take a minute or more. Begun first, so that in the end no process waits for another's.
LONG = ("engine/test_conformance.py", "test_programs.py", "interpreter/test_attacks.py", "engine/test_replicas.py",
        "judge/test_attacks.py", "engine/test_vllm.py", "engine/test_fttt.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((i for i, name in enumerate(LONG) if path.endswith(f"tests/{name}")), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def repo() -> Path:
    return ROOT
