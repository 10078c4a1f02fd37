"""Where a Chromium is that tests may drive."""

from __future__ import annotations

import shutil


def chromium_path() -> str | None:
    """The system's Chromium; None where there is none (Playwright then looks for one of its own)."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
