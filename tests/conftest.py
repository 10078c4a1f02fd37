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

# Files that take half a minute or more. Begun first, so that in the end no process waits for another's.
LONG = ("engine/test_conformance.py", "judge/test_kinds.py", "train/test_trainer.py", "train/test_rounds.py",
        "test_programs.py", "view/test_browser.py", "judge/test_service.py", "interpreter/test_machine.py",
        "interpreter/test_hostile.py", "interpreter/test_interpreter.py", "engine/test_llamacpp.py",
        "engine/test_replicas.py", "engine/test_vllm.py", "train/test_tuning.py", "engine/test_openai.py",
        "judge/test_attacks.py", "judge/test_judge.py", "judge/test_code.py", "answer/test_pool.py",
        "interpreter/test_attacks.py", "answer/test_suite.py")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((i for i, name in enumerate(LONG) if path.endswith(f"tests/{name}")), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def repo() -> Path:
    return ROOT
