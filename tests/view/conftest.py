"""Results files of every kind, and a browser to look at their pages with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browser import chromium_path
from lines import Write, mcts_line


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes records as a results file."""

    def write(name: str, records: list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        return path

    return write


@pytest.fixture
def trees(write: Write) -> Path:
    """Twelve questions that were searched by MCTS."""
    return write("trees.jsonl", [mcts_line(i) for i in range(12)])


@pytest.fixture(scope="module")  # its event loop goes with it: other tests have loops of their own
def chromium() -> Iterator[Any]:
    playwright_api = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    with playwright_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        except playwright_api.Error as error:
            pytest.skip(f"no Chromium to drive (apt-get install chromium): {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")  # a new page costs more than most tests do with it
def page(chromium: Any) -> Any:
    page = chromium.new_page()
    page.set_default_timeout(10_000)
    return page


@pytest.fixture
def tab(page: Any) -> Iterator[Any]:
    """A page of the browser. A message of an error on its console, or any that the policy blocks, fails the test."""
    page.set_viewport_size({"width": 1300, "height": 800})
    page.emulate_media(media="screen", color_scheme="light")
    problems: list[str] = []
    listeners = {
        "console": lambda message: problems.append(message.text) if message.type in ("error", "warning") else None,
        "pageerror": lambda error: problems.append(str(error)),
        "dialog": lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield page
    page.goto("about:blank")
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert problems == []
