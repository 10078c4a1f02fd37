"""The regression guard: what it marks, and what it says where it can't measure."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def guard(repo: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("guard", repo / "benchmarks/guard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("this", "mark"),
    [
        ([1.2, 1.25, 1.3, 1.2, 0.9], "SLOWER"),  # one round of five may say anything
        ([1.2, 1.25, 0.9, 1.2, 0.9], ""),
        ([1.02, 1.02, 1.02, 1.02, 1.02], ""),  # not worth a mark
        ([0.8, 0.8, 0.7, 0.9, 1.5], "faster"),
        ([1.0, 1.1, 0.9, 1.0, 1.0], ""),
        ([1.2, 1.2, 0.9], ""),  # of three rounds, all count
    ],
)
def test_a_slow_down_beyond_the_noise_is_marked(guard: ModuleType, this: list[float], mark: str) -> None:
    rows, slower = guard.judge({"probe": {"this": this, "other": [1.0] * len(this)}}, 0.03)
    assert rows[0][-1] == mark
    assert slower == (mark == "SLOWER")


def test_what_can_not_be_measured_is_one_line(guard: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.main(["--than", "no-such-version"]) == 2
    assert capsys.readouterr().err.startswith("error: git rev-parse --verify no-such-version^{commit}: ")
    with pytest.raises(SystemExit):
        guard.main(["--than", "HEAD", "--rounds", "2"])


def test_a_probe_that_fails_is_named(guard: ModuleType, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(guard.PROBES, "broken", "with measured():\n    raise SystemExit('no luck')")
    with pytest.raises(guard.GuardError, match=r"(?s)the probe 'broken' fails in .*no luck"):
        guard.probe("broken", repo)
    monkeypatch.setitem(guard.PROBES, "silent", "pass")
    with pytest.raises(guard.GuardError, match="the probe 'silent' fails"):
        guard.probe("silent", repo)


@pytest.mark.slow
def test_a_version_is_measured_against_itself_and_leaves_nothing_behind(repo: Path) -> None:
    def worktrees() -> str:
        return subprocess.run(["git", "worktree", "list"], cwd=repo, capture_output=True, text=True, check=True).stdout

    before = worktrees()
    command = [sys.executable, "benchmarks/guard.py", "--than", "HEAD", "--only", "checker", "--rounds", "3",
               "--tolerance", "9"]  # fmt: skip
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "checker" in done.stdout
    assert worktrees() == before
