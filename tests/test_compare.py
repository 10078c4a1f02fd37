"""The comparison of solvers at equal budgets, and the shell commands of the published system."""

from __future__ import annotations

import importlib.util
import json
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_trials import line

from mcts_math.errors import ConfigError

SHELLS = ("greedy", "revision", "beam_search", "best_of_n", "self_refine", "self_consistency", "fttt")


@pytest.fixture(scope="module")
def compare(repo: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_script", repo / "scripts/compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compare_script"] = module
    spec.loader.exec_module(module)
    return module


def single(name: str, right: bool, tokens: int) -> dict[str, Any]:
    """A line of a method that makes no attempts."""
    record = line(name, "-") | {"correct": right, "cost": {"tokens": tokens, "seconds": 0.5}}
    record["solutions"] = [{"final_answer": "1" if right else "2", "tag": "0.0"}]
    del record["method"], record["attempts"]
    return record


@pytest.fixture
def solved(compare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Runs of the solver replaced by lines written by hand; the commands that would have been run."""
    commands: list[list[str]] = []
    lines = {
        "best_of_n": [line("a", "-+--", answers="2122"), line("b", "----", answers="1333")],
        "revision": [line("a", "--+", "revision"), line("b", "----", "revision")],
        "mini_sbs": [single("a", True, 25), single("b", False, 40)],
        "greedy": [single("a", True, 25)],
    }

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command)
        output = Path(command[command.index("--output") + 1])
        kind = next(name for name in lines if name in output.name)
        output.write_text("".join(json.dumps(record) + "\n" for record in lines[kind]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(compare, "ROOT", tmp_path)
    monkeypatch.setattr(compare.subprocess, "run", run)
    return commands


def test_methods_of_both_systems_at_equal_budgets(
    compare: ModuleType, solved: list[list[str]], tmp_path: Path, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = [str(repo / f"configs/{name}.yaml") for name in ("best_of_n", "revision", "mini_sbs")]
    arguments = ["--name", "t", "--qaf", "q.jsonl", "--seeds", "1", "2", "--cfgs", *configs, "--set", "trials=4"]
    assert compare.main(arguments) == 0
    assert len(solved) == 5  # revision is at temperature 0: one seed will do
    assert all("trials=4" in command for command in solved)
    text = capsys.readouterr().out
    verified, own = text.split("chooses by itself", 1)[0], text.split("chooses by itself", 1)[1]
    rows = {row.split(":")[0].split("  ")[0]: row for row in verified.splitlines()}
    assert "12.5" in rows["best_of_n"]  # pass@1 = (1/4 + 0) / 2
    assert rows["revision"].split()[3] == "0.0"
    assert "mini_sbs" in own
    assert "best_of_n: majority" in own
    assert (tmp_path / "outputs/compare/t/table.txt").read_text().strip() in text
    assert (tmp_path / "outputs/compare/t/accuracy.png").stat().st_size > 10_000
    assert compare.main(arguments) == 0
    assert all("--resume" in command for command in solved[5:])


def test_a_single_run_counts_from_the_tokens_that_it_took(compare: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(single(n, True, t)) + "\n" for n, t in (("a", 25), ("b", 40))))
    run = compare.read_questions(path, others=True)
    assert [compare.scores([run], "tokens", budget, None) for budget in (24, 25, 40)] == [
        [0.0, 0.0], [1.0, 0.0], [1.0, 1.0],
    ]  # fmt: skip


@pytest.mark.parametrize("oracle", [True, False])
def test_a_plot_of_methods_of_one_kind_has_no_empty_row(compare: ModuleType, tmp_path: Path, oracle: bool) -> None:
    points = {1.0: (0.1, 0.0, 0.2), 2.0: (0.2, 0.1, 0.3)}
    heights = []
    for kinds in ([oracle], [True, False]):
        compare.draw({"trials": [compare.Curve(f"m{kind}: any", kind, points) for kind in kinds]}, tmp_path / "p.png")
        heights.append(struct.unpack(">I", (tmp_path / "p.png").read_bytes()[20:24])[0])
    assert 2 * heights[0] == pytest.approx(heights[1], rel=0.05)


def test_greedy_comes_first_and_the_others_get_what_it_fails(
    compare: ModuleType, solved: list[list[str]], repo: Path
) -> None:
    compare.main(
        ["--name", "t", "--qaf", "q.jsonl", "--greedy", str(repo / "configs/mini/sbs.yaml"), "--seeds", "1",
         "--cfgs", str(repo / "configs/attempts/best_of_n.yaml") + "@trials=2,temperature=0.9"]
    )  # fmt: skip
    first, second = solved
    assert first[first.index("--save_correct") + 1] == second[second.index("--exclude") + 1]
    assert second[-3:] == ["trials=2", "temperature=0.9", "seed=1"]


def test_names_and_variants(compare: ModuleType) -> None:
    parse = compare.Method.parse
    assert parse("configs/a.yaml").name == "a"
    assert parse("configs/a.yaml@x=1,y=2").name == "a x=1 y=2"
    named = parse("best of n=configs/a.yaml@x=1")
    assert (named.name, named.config, named.overrides) == ("best of n", Path("configs/a.yaml"), ("x=1",))
    assert parse("a.yaml@x=1").overrides == ("x=1",)


def test_a_config_twice_is_refused(compare: ModuleType, repo: Path) -> None:
    path = str(repo / "configs/attempts/best_of_n.yaml")
    with pytest.raises(ConfigError, match="twice"):
        compare.main(["--name", "t", "--qaf", "q.jsonl", "--cfgs", path, path])


def test_the_results_of_greedy_are_not_those_of_a_method(compare: ModuleType, repo: Path) -> None:
    path = str(repo / "configs/attempts/greedy.yaml")
    with pytest.raises(ConfigError, match="--cfgs calls a config greedy"):
        compare.main(["--name", "t", "--qaf", "q.jsonl", "--greedy", path, "--cfgs", path])


def test_a_failed_run_ends_the_comparison(
    compare: ModuleType, solved: list[list[str]], repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 2))
    with pytest.raises(Exception, match="best_of_n with seed 1 ended with exit code 2"):
        compare.main(
            ["--name", "t", "--qaf", "q", "--seeds", "1", "--cfgs", str(repo / "configs/attempts/best_of_n.yaml")]
        )


@pytest.mark.parametrize("name", SHELLS)
def test_shell_commands_say_how_they_are_used(repo: Path, name: str) -> None:
    script = repo / f"scripts/{name}.sh"
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    told = subprocess.run(["bash", script, "models/mini"], capture_output=True, text=True)
    assert told.returncode == 2
    assert "MODEL" in told.stderr
    wrong = subprocess.run(["bash", script, "models/mini", "q.jsonl", "many"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "whole number" in wrong.stderr
    config = script.read_text().splitlines()[-1].split()[-2]
    assert (repo / f"configs/{config}.yaml").exists()
