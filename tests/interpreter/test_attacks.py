"""The attack suite, as root and as an ordinary user, with and without namespaces. What is tried: `attacks.py`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NUM_ATTACKS_AT_LEAST = 510


def load_attacks() -> Any:
    spec = importlib.util.spec_from_file_location("interpreter_attacks", HERE / "attacks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ATTACKS = load_attacks().ATTACKS
CONFIGURATIONS = [
    pytest.param((who, which, every), id=f"{who}-{which}-{every}", marks=pytest.mark.slow if is_slow else ())
    for who, which, every, is_slow in [
        ("root", "full", 4, False),  # all of them take a minute and more
        ("user", "no-namespaces", 8, False),
        ("root", "full", 1, True),
        ("user", "no-namespaces", 1, True),
        ("user", "full", 1, True),
        ("root", "no-namespaces", 1, True),
    ]
]


@pytest.fixture(scope="module")
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    who, which, every = request.param
    return run_suite(who, which, every, tmp_path_factory.getbasetemp())


@cache
def run_suite(who: str, which: str, every: int, base: Path) -> dict[str, Any]:
    if who == "root" and os.getuid() != 0:
        pytest.skip("the tests do not run as root")
    folder = Path("/tmp") / f"attacks-{os.getpid()}-{who}-{which}-{every}"
    folder.mkdir()
    folder.chmod(0o777)
    secret = folder / "secret"
    secret.write_text("hush")
    secret.chmod(0o666)
    program = [str(HERE / "attack_run.py"), which, str(folder), str(every)]
    if who == "user" and os.getuid() == 0:
        program = [str(HERE / "ordinary_user.py"), *program]
    try:
        done = subprocess.run(
            [sys.executable, *program],
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        result: dict[str, Any] = json.loads(done.stdout)
        return result
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


@pytest.mark.parametrize("report", CONFIGURATIONS, indirect=True)
def test_all_attacks_hold(report: dict[str, Any], request: pytest.FixtureRequest) -> None:
    _, _, every = request.node.callspec.params["report"]
    assert len(report["results"]) == len({a.name for a in ATTACKS[::every]}) >= NUM_ATTACKS_AT_LEAST // every
    assert {name: fault for name, fault in report["results"].items() if fault} == {}


@pytest.mark.parametrize("report", CONFIGURATIONS, indirect=True)
def test_host_is_unchanged_and_nothing_is_left(report: dict[str, Any]) -> None:
    assert report["changed"] == []
    assert report["left"] == []
    assert report["other"] == "False"


@pytest.mark.parametrize("report", CONFIGURATIONS, indirect=True)
def test_ran_as_said(report: dict[str, Any], request: pytest.FixtureRequest) -> None:
    who, which, _ = request.node.callspec.params["report"]
    assert report["level"] == ("full" if which == "full" else "confined")
    assert (report["uid"] == 0) == (who == "root")


def test_names_are_unique() -> None:
    names = [a.name for a in ATTACKS]
    assert sorted(set(names)) == sorted(names)
