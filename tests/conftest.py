"""Shared fixtures. `stand_ins` is importable from every test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repo() -> Path:
    return ROOT
