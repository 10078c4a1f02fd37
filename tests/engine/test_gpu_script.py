"""The GPU's benchmark, the very same path on a CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch


@pytest.fixture
def gpu(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str]], int]:
    """The program, in this process: to import torch and transformers again takes longer than all of it."""
    monkeypatch.syspath_prepend(str(repo / "benchmarks"))
    monkeypatch.delitem(sys.modules, "training", raising=False)  # of the tests of training: it has that name, too
    import gpu

    main: Callable[[Sequence[str]], int] = gpu.main
    return main


@pytest.mark.slow
def test_the_gpu_benchmark_runs_on_a_cpu(
    gpu: Callable[[Sequence[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    assert gpu(["--device", "cpu", "--tiny", "--output", str(tmp_path / "gpu.json")]) == 0
    found, table = json.loads((tmp_path / "gpu.json").read_text()), capsys.readouterr().out
    assert found["largest error against float32 on the CPU"]["passed"] is True
    for solver in ("SBS(3,5)", "MCTS(40)", "best-of-8"):
        assert found[f"tiny, {solver}"]["share_of_flat"] > 0
        assert solver in table
    assert found["tiny, training"]["ours"] > 0
    assert found["tiny, FTTT with 4 in flight"]["steps_per_s"] > 0
    assert "NOT RUN" not in table


def test_the_engine_is_exact_and_what_the_time_does_not_allow_is_named(
    gpu: Callable[[Sequence[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu(["--device", "cpu", "--tiny", "--seconds", "0", "--output", str(tmp_path / "gpu.json")]) == 0
    assert json.loads((tmp_path / "gpu.json").read_text())["largest error against float32 on the CPU"]["passed"] is True
    assert capsys.readouterr().out.count("NOT RUN: the time is up") == 3


def test_a_machine_that_lacks_a_package_is_told_what_to_do(repo: Path) -> None:
    """-S: a Python without packages."""
    environment = {"PYTHON": "python-without-packages", "PATH": os.environ["PATH"]}
    shim = f'python-without-packages() {{ "{sys.executable}" -S "$@"; }}; export -f python-without-packages'
    command = ["bash", "-c", f"{shim}; exec bash benchmarks/gpu.sh --tiny"]
    done = subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install --no-deps --target gpu-packages torch transformers" in done.stderr
