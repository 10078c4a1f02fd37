"""The notebook runs from top to bottom, and shows what it promises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")


def test_the_tour_runs_from_top_to_bottom(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(repo / "notebooks" / "tour.ipynb", as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []  # stored clean
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(repo), *filter(None, [os.environ.get("PYTHONPATH")])]))
    resources = {"metadata": {"path": str(repo / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = ["".join(str(output) for output in cell.get("outputs", [])) for cell in notebook.cells]
    assert any("mini-test-0000" in text for text in shown)
    assert any("tokens a question" in text and "/10" in text for text in shown)
    assert any("0.0.0" in text and "answer 1" in text for text in shown)
    assert any("<iframe srcdoc=" in text for text in shown)
