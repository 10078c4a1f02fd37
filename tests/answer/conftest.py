"""Makes the suite's and the hostile texts' modules importable from the tests beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The folder of the benchmark data; tests that need it are skipped without."""
    folder = os.environ.get("MCTS_MATH_DATA", "")
    if not folder or not (Path(folder) / "math" / "math_testset_annotation.json").exists():
        pytest.skip("set MCTS_MATH_DATA to the folder of the benchmark data to run this")
    return Path(folder)
