"""The service needs the extra `serve`; its tests need the official client too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("openai", reason="the official client is not installed: pip install openai")
pytest.importorskip("prometheus_client", reason="the extra `serve` is not installed")
