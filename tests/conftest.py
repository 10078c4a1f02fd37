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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With pytest-xdist the tests of a folder run in one process: they share engines that take long to start."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            place = item.path.relative_to(ROOT / "tests")
            item.add_marker(pytest.mark.xdist_group(place.parts[0]))
