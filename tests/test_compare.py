"""The comparison of solvers at equal budgets, and the shell commands of the published system."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from test_trials import line

from mcts_math.errors import ConfigError, MctsMathError
from mcts_math.evaluate import plots
from mcts_math.evaluate.budgets import Curve, scores_within
from mcts_math.evaluate.experiments import ExperimentConfig, MethodConfig, check_contrasts, runs_of
from mcts_math.evaluate.plots import draw_budgets
from mcts_math.evaluate.trials import read_questions
from mcts_math.settings import load_settings, make_settings
from mcts_math.train.config import Kind, TuningConfig

SHELLS = ("greedy", "revision", "beam_search", "best_of_n", "self_refine", "self_consistency", "fttt")


needs_plots = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="the extra `plots`")


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
        "sbs": [single("a", True, 25), single("b", False, 40)],
        "greedy": [single("a", True, 25), single("b", False, 5)],
    }

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command)
        output = Path(command[command.index("--output") + 1])
        kind = next(name for name in lines if name in output.name)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("".join(json.dumps(record) + "\n" for record in lines[kind]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(compare, "ROOT", tmp_path)
    monkeypatch.setattr(compare.subprocess, "run", run)
    return commands


@needs_plots
def test_methods_of_both_systems_at_equal_budgets(
    compare: ModuleType, solved: list[list[str]], tmp_path: Path, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("attempts/best_of_n", "attempts/revision", "mini/sbs@n_generate_sample=2")
    configs = [f"{repo}/configs/{name}".replace("@", ".yaml@") + ("" if "@" in name else ".yaml") for name in names]
    arguments = ["--name", "t", "--qaf", "q.jsonl", "--seeds", "1", "2", "--cfgs", *configs, "--set", "max_tokens=4"]
    assert compare.main(arguments) == 0
    assert len(solved) == 5  # revision is at temperature 0: one seed will do
    assert all("max_tokens=4" in command for command in solved)
    text = capsys.readouterr().out
    verified, own = text.split("chooses by itself", 1)[0], text.split("chooses by itself", 1)[1]
    rows = {row.split(":")[0].split("  ")[0]: row for row in verified.splitlines()}
    assert "12.5" in rows["best_of_n"]  # pass@1 = (1/4 + 0) / 2
    assert rows["revision"].split()[3] == "0.00"
    assert "sbs n_generate_sample=2" in own
    assert "best_of_n: majority" in own
    legend = next(row for row in verified.splitlines() if row.startswith("NAME"))
    assert all(f"NAME{what}: " in legend for what in (": any right", ": majority", ""))
    (costs,) = (row.split()[-2:] for row in own.splitlines() if re.match(r"sbs n_\S+ +2 +1.00", row))
    assert f"| {costs[1]} | {costs[0]} |" in own  # seconds and tokens, the same in both tables
    folder = tmp_path / "outputs/compare/t"
    assert (folder / "budgets.txt").read_text().strip() in text
    assert "| revision | **" in (folder / "table.md").read_text()
    assert all((folder / name).stat().st_size > 10_000 for name in ("budgets.png", "cost.png"))
    assert compare.main(arguments) == 0
    assert all("--resume" in command for command in solved[5:])


def test_failed_questions_do_not_end_a_comparison(
    compare: ModuleType, solved: list[list[str]], monkeypatch: pytest.MonkeyPatch, repo: Path
) -> None:
    run = compare.subprocess.run
    monkeypatch.setattr(compare.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(run(*a, **k).args, 1))
    configs = [f"{repo}/configs/mini/{name}.yaml" for name in ("greedy", "sbs")]
    assert compare.main(["--name", "t", "--qaf", "q.jsonl", "--seeds", "1", "--cfgs", *configs]) == 0
    assert len(solved) == 2
    (runs,) = compare.ROOT.glob("outputs/compare/t")
    (runs / "greedy.seed1.meta.json").write_text(json.dumps({"to_solve": 3}))  # of which two have a line
    with pytest.raises(MctsMathError, match="greedy with seed 1 ended with exit code 1"):
        compare.main(["--name", "t", "--qaf", "q.jsonl", "--seeds", "1", "--cfgs", *configs])
    monkeypatch.setattr(compare.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 2))
    with pytest.raises(MctsMathError, match="exit code 2"):
        compare.main(["--name", "t", "--qaf", "q.jsonl", "--seeds", "1", "--cfgs", *configs])


def test_methods_that_read_verdicts_are_marked(compare: ModuleType, tmp_path: Path, repo: Path) -> None:
    """Also one that makes no attempts, such as MCTS that is rewarded by the ground truth."""
    methods = {name: {"config": f"{repo}/configs/mini/mcts.yaml", "seeds": [1]} for name in ("trained", "chosen")}
    experiment = make_settings(ExperimentConfig, {"questions": "q.jsonl", "methods": methods})
    for name, more in (("trained", {"oracle": True, "method": "mcts"}), ("chosen", {"method": "mcts"})):
        (run,) = (run for run in runs_of(experiment.methods, tmp_path) if run.name == name)
        run.output.write_text(json.dumps(single("a", True, 5) | more) + "\n")
    text = compare.write(experiment, tmp_path)
    assert "| trained (oracle) | **100.00**" in text
    assert "| chosen | **100.00**" in text
    reads, chooses = text.split("chooses by itself", 1)
    assert "trained" in reads
    assert text.splitlines()[0].startswith("NAME: what the method chose is right")
    assert "NAME: any right" not in text
    assert "trained" not in chooses.split("\n\n", 1)[0]


def test_an_experiment_of_a_file(
    compare: ModuleType, solved: list[list[str]], tmp_path: Path, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first table of docs/results.md is one: rows, votes over groups of runs, differences by question."""
    path = tmp_path / "small.yaml"
    path.write_text(
        f"questions: q.jsonl\n"
        f"methods:\n"
        f"  greedy: {{config: {repo}/configs/mini/greedy.yaml}}\n"
        f"  sbs: {{config: {repo}/configs/mini/sbs.yaml, overrides: {{step_beam_width: 2}}, seeds: [1, 2], vote: 2}}\n"
        f"  best_of_n: {{config: {repo}/configs/mini/best_of_n.yaml, seeds: [1, 2], top: 2, label: majority}}\n"
        f"contrasts: [[sbs, greedy], ['sbs, 2 runs + Maj@2', sbs], [majority, best_of_n]]\n"
    )
    assert compare.main(["--cfg", str(path)]) == 0
    assert [command[-1] for command in solved] == ["seed=42", *["seed=1", "seed=2"] * 2]
    assert "step_beam_width=2" in solved[1]
    table = (tmp_path / "outputs/compare/small/table.md").read_text()
    assert "| sbs, 2 runs + Maj@2 | **50.00**" in table
    assert "| sbs − greedy | **+0.00** (-49.0 to +49.0) |" in table
    assert "| majority − best_of_n | **" in table
    assert table.strip() in capsys.readouterr().out
    path.write_text(path.read_text().replace("[[sbs, greedy]", "[[sps, greedy]"))
    with pytest.raises(ConfigError, match="there is no row 'sps'"):
        compare.main(["--cfg", str(path)])


def test_the_published_table_can_be_planned(compare: ModuleType, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo)
    experiment = load_settings(ExperimentConfig, "configs/mini/table.yaml")
    runs = runs_of(experiment.methods, Path("f"))
    assert len({run.output for run in runs}) == len(runs) == 35
    check_contrasts(experiment.contrasts, experiment.methods)
    assert all(run.method.load(seed=run.seed).run_seed == run.seed for run in runs)


def test_a_single_run_counts_from_the_tokens_that_it_took(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(single(n, True, t)) + "\n" for n, t in (("a", 25), ("b", 40))))
    run = read_questions(path, others=True)
    assert [scores_within([run], "tokens", budget, None) for budget in (24, 25, 40)] == [
        [0.0, 0.0], [1.0, 0.0], [1.0, 1.0],
    ]  # fmt: skip


@needs_plots
@pytest.mark.parametrize("oracle", [True, False])
def test_a_plot_of_methods_of_one_kind_has_no_empty_row(tmp_path: Path, oracle: bool) -> None:
    points = {1.0: (0.1, 0.0, 0.2), 2.0: (0.2, 0.1, 0.3)}
    heights = []
    for kinds in ([oracle], [True, False]):
        curves = [Curve(f"m{kind}", ": any", kind, points) for kind in kinds]
        draw_budgets({"trials": curves}, tmp_path / "p.png")
        heights.append(struct.unpack(">I", (tmp_path / "p.png").read_bytes()[20:24])[0])
    assert 2 * heights[0] == pytest.approx(heights[1], rel=0.05)


@needs_plots
def test_both_rows_of_a_plot_have_one_scale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One attempt, and 50 %, stand in both rows at the same place."""
    limits = []
    monkeypatch.setattr(
        plots, "save", lambda _, figure, path: limits.extend((p.get_xlim(), p.get_ylim()) for p in figure.axes)
    )
    one = {1.0: (0.1, 0.0, 0.2)}
    curves = [Curve("a", "", False, one), Curve("b", ": any", True, one | {8.0: (0.2, 0.1, 0.3)})]
    draw_budgets({"trials": curves}, tmp_path / "p.png")
    assert limits == [limits[0]] * 2


@needs_plots
def test_a_single_point_of_a_plot_shows_its_interval(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = []
    monkeypatch.setattr(plots, "save", lambda _, figure, path: drawn.extend(figure.axes[0].collections))
    draw_budgets({"trials": [Curve("a", "", False, {1.0: (0.5, 0.25, 0.75)})]}, tmp_path / "p.png")
    (band,) = drawn
    assert min(band.get_linewidth()) > 0
    assert {(x, y) for x, y in band.get_paths()[0].vertices.tolist()} == {(1.0, 25.0), (1.0, 75.0)}


def test_greedy_comes_first_and_the_others_get_what_it_fails(
    compare: ModuleType, solved: list[list[str]], repo: Path
) -> None:
    compare.main(
        ["--name", "t", "--qaf", "q.jsonl", "--greedy", f"{repo}/configs/mini/sbs.yaml", "--seeds", "1",
         "--cfgs", f"{repo}/configs/attempts/best_of_n.yaml@trials=2,temperature=0.9"]
    )  # fmt: skip
    first, second = solved
    assert first[first.index("--save_correct") + 1] == second[second.index("--exclude") + 1]
    assert second[-3:] == ["trials=2", "temperature=0.9", "seed=1"]


def test_without_matplotlib_the_tables_come_and_what_to_install_is_told(
    compare: ModuleType, solved: list[list[str]], repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = ["--name", "t", "--qaf", "q", "--seeds", "1", "--cfgs", f"{repo}/configs/attempts/best_of_n.yaml"]
    assert compare.main(words) == 0
    told, folder = capsys.readouterr().out, tmp_path / "outputs/compare/t"
    assert "pip install 'mcts_math[plots]'; the same command then draws them" in told
    assert (folder / "table.md").read_text().strip() in told
    assert not list(folder.glob("*.png"))


def test_names_and_variants(compare: ModuleType, repo: Path) -> None:
    def parse(text: str) -> tuple[str, str, dict[str, Any]]:
        name, method = compare.parse_method(text, [1, 2], ["max_tokens=9"])
        return name, Path(method.config).name, method.overrides

    path, common = f"{repo}/configs/mini/sbs.yaml", {"max_tokens": 9}
    assert parse(path) == ("sbs", "sbs.yaml", common)
    variant = {"step_beam_width": 1, "seed": 2} | common
    assert parse(f"{path}@step_beam_width=1,seed=2") == ("sbs step_beam_width=1 seed=2", "sbs.yaml", variant)
    assert parse(f"narrow beam={path}@step_beam_width=1")[0] == "narrow beam"
    assert compare.parse_method(f"{path}@temperature=0", [1, 2], [])[1].seeds == [1]  # nothing is drawn


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cfgs", "PATH", "PATH"], "two of --cfgs are called 'best_of_n': write NAME=CFG"),
        (["--greedy", "PATH", "--cfgs", "greedy=PATH"], "a method is called greedy"),
        (["--greedy", "PATH", "--exclude", "e.json", "--cfgs", "PATH"], "leave out exclude"),
        (["--seeds", "1", "1", "--cfgs", "PATH"], "seeds must differ"),
        (["--cfgs", "a b=PATH@trials=2", "a_b=PATH@trials=3"], "two of them would write a_b.seed42.jsonl"),
        (["--cfgs", "PATH", "n=PATH@step_beam_width=2"], "best_of_n does not take step_beam_width"),
    ],
)
def test_what_is_refused(compare: ModuleType, repo: Path, words: list[str], message: str) -> None:
    words = [word.replace("PATH", f"{repo}/configs/attempts/best_of_n.yaml") for word in words]
    with pytest.raises(ConfigError, match=message):
        compare.main(["--name", "t", "--qaf", "q.jsonl", *words])


@pytest.mark.parametrize("words", [["--greedy", "g.yaml"], ["--exclude", "e.json"], ["--seeds", "1"]])
def test_an_experiment_takes_no_keys_of_configs(compare: ModuleType, words: list[str], repo: Path) -> None:
    with pytest.raises(SystemExit):
        compare.main(["--cfg", f"{repo}/configs/mini/equal_tokens.yaml", *words])


def test_a_vote_leaves_no_seed_over() -> None:
    with pytest.raises(ConfigError, match="leave some of 7 seeds over"):
        make_settings(MethodConfig, {"config": "c.yaml", "seeds": list(range(7)), "vote": 5})


def test_a_failed_run_ends_the_comparison(
    compare: ModuleType, solved: list[list[str]], repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 2))
    words = ["--name", "t", "--qaf", "q", "--seeds", "1", "--cfgs", f"{repo}/configs/attempts/best_of_n.yaml"]
    with pytest.raises(MctsMathError, match="best_of_n with seed 1 ended with exit code 2"):
        compare.main(words)
    assert not (compare.ROOT / "outputs").exists()


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
    assert (repo / f"configs/attempts/{config}.yaml").exists()


@pytest.mark.parametrize("name", ["gen", "train", "scale", "baseline", "baseline_scale"])
def test_shell_commands_of_optune_say_how_they_are_used(repo: Path, name: str) -> None:
    script = repo / f"scripts/optune/{name}.sh"
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    told = subprocess.run(["bash", script, "models/mini"], capture_output=True, text=True)
    assert told.returncode == 2
    assert f"Usage: bash scripts/optune/{name}.sh MODEL" in told.stderr
    for config in re.findall(r"configs/\w+/\w+\.yaml", script.read_text()):
        assert (repo / config).exists()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_tuning_has_its_published_config(repo: Path, kind: str) -> None:
    config = load_settings(TuningConfig, repo / f"configs/optune/{kind}.yaml")
    assert config.kind == kind
    assert config.batch_size == 20


def test_compare_takes_a_rule_and_what_is_put_on_a_model(compare: ModuleType, repo: Path) -> None:
    name, rule = compare.parse_method(f"{repo}/configs/attempts/optune.yaml@optune_dir=RULE", [1, 2], ["trials=8"])
    assert (name, rule.load().options.optune_dir) == ("optune optune_dir=RULE", "RULE")
    name, tuned = compare.parse_method(
        f"reft={repo}/configs/attempts/best_of_n.yaml@engine_args={{tuned_dir: T}},model_dir=M", [1, 2], []
    )
    assert (name, tuned.load().engine_args, tuned.load().model_dir) == ("reft", {"tuned_dir": "T"}, "M")
