"""For all tests of the interpreter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from processes import OTHERS


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Remembers which processes are not the interpreter's."""
    OTHERS[:] = psutil.Process().children(recursive=True)
    yield
    OTHERS.clear()
