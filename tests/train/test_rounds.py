"""Rounds: lock-step searches, parts, stages, tables; and on request the whole loop, killed and resumed."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest
from stand_ins import EchoInterpreter, EqualChecker, started
from tiny_models import make_checkpoint

from mcts_math.config import Config, make_config
from mcts_math.cost import Cost
from mcts_math.engine.hf import lockstep
from mcts_math.engine.hf import prefix_cache as prefix
from mcts_math.engine.hf.arguments import BatchLimits, HFArguments
from mcts_math.engine.hf.lockstep import Lockstep
from mcts_math.engine.hf.model import load_model
from mcts_math.errors import CheckpointError, ConfigError, EngineError, MctsMathError, RecordError
from mcts_math.evaluate.comparison import compare_rows, render_accuracies, render_differences
from mcts_math.evaluate.experiments import MethodConfig, check_contrasts, rows_of, run_path
from mcts_math.evaluate.grading import Grader
from mcts_math.files import read_records
from mcts_math.requests import Evaluate, Generate
from mcts_math.run.program import terminable, without_interrupts
from mcts_math.run.record import nodes_of
from mcts_math.scheduler import Solved
from mcts_math.settings import load_settings, make_settings
from mcts_math.solver import solve_async
from mcts_math.tasks import Task, load_tasks
from mcts_math.train.analysis import (
    ValuePoint,
    answer_outcomes,
    area_under_curve,
    count_outcomes,
    describe_values,
    render_outcomes,
    render_values,
)
from mcts_math.train.collect import Statistics
from mcts_math.train.config import ExamplesConfig, RoundsConfig, TrainConfig
from mcts_math.train.plan import Plan
from mcts_math.train.rounds import Rounds
from mcts_math.train.slices import Slice, _begin_process, solve_slice
from mcts_math.train.stages import finished, run_stage
from mcts_math.train.summary import show
from mcts_math.tree import new_tree

QUESTIONS = [{"id": f"q{n}", "question": f"{n}+{n}?", "answer": str(2 * n)} for n in range(12)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    # Steps as flat as these tip with the least rounding: what is equal here is equal to the bit.
    folder = make_checkpoint(
        tmp_path_factory.mktemp("flat"), "llama", max_position_embeddings=512, initializer_range=0.05
    )
    return load_model(folder, HFArguments(dtype="float32", device="cpu"), need_value=True)


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices run no code: a sandbox takes longer to start than all that is looked at here."""

    async def echo(*_: object, needed: bool) -> EchoInterpreter:
        return EchoInterpreter()

    monkeypatch.setattr("mcts_math.train.slices.open_interpreter", echo)


def grow(
    model: Any, *, delay_s: float, shuffle: int, interpreter: Any = None, in_flight: int = 1024
) -> list[tuple[Any, ...]]:
    """All that was written and scored, in the order of the questions."""

    async def run() -> list[tuple[Any, ...]]:
        inner = interpreter or EchoInterpreter(delay_s)
        engine = Lockstep(model, inner, EqualChecker(), BatchLimits(max_batch_size=8))
        config = make_config(
            {
                "mode": "sbs",
                "prompt_wrap": "react_sft",
                "step_beam_width": 2,
                "n_generate_sample": 2,
                "max_tokens": 12,
                "need_value_func": True,
                "stop": ["a", "e", "i"],
                "max_in_flight": in_flight,
            }
        )
        tasks = random.Random(shuffle).sample(QUESTIONS, len(QUESTIONS))
        solved = await solve_async(config, tasks, policy=engine, interpreter=engine.interpreter, checker=engine.checker)
        await engine.close()
        assert not [one.error for one in solved if one.error]
        return sorted(
            (one.tree.task.id, node.step.text, node.step.logprob, node.value)
            for one in solved
            for node in one.tree.nodes
            if node.step is not None
        )

    return asyncio.run(run())


@pytest.mark.parametrize("in_flight", [1024, 5])
def test_lockstep_gives_equal_bits_whatever_the_timing(model: Any, in_flight: int) -> None:
    """Where not all questions are in flight at once, the next ones take their places in the same rounds."""
    runs = [grow(model, delay_s=delay, shuffle=0, in_flight=in_flight) for delay in (0.0, 0.02, 0.02)]
    assert len(runs[0]) > 20
    assert runs[0] == runs[1] == runs[2]


def test_lockstep_tells_a_long_prompt_and_a_broken_model(model: Any) -> None:
    async def run() -> None:
        engine = Lockstep(model, EchoInterpreter(), EqualChecker())
        long = "x" * 600
        assert (await engine.evaluate(Evaluate(long))).too_long
        request = Generate(long, 1, make_sampling(), 0)
        assert (await engine.generate(request)).too_long
        engine._batch.step = lambda: 1 / 0  # type: ignore[method-assign, assignment]
        with pytest.raises(EngineError, match="ZeroDivisionError"):
            await engine.generate(replace(request, prompt="x"))
        await engine.close()

    asyncio.run(run())


def make_sampling() -> Any:
    from mcts_math.messages import Sampling

    return Sampling(max_tokens=4)


def test_area_under_the_curve() -> None:
    assert area_under_curve([0.1, 0.9, 0.5], [False, True, True]) == 1.0
    assert area_under_curve([0.9, 0.1], [False, True]) == 0.0
    assert area_under_curve([0.5, 0.5], [False, True]) == 0.5
    points = [ValuePoint(0.9, True, True, 2), ValuePoint(-0.5, False, True, 2), ValuePoint(0.0, True, False, 1)]
    found = describe_values(points)
    assert (found["auc_final"], found["auc_inner"], found["final_steps"]) == (1.0, None, 2)
    assert (found["auc_within"], found["mixed_questions"], found["questions_with_right"]) == (1.0, 1, 1)
    assert found["error_by_depth"] == {"1": 1.0, "2": pytest.approx((0.01 + 0.25) / 2)}
    finals = ((0.9, True, 0), (0.8, False, 0), (-0.5, True, 1), (0.1, False, 1), (-0.7, False, 1), (0.2, False, 2))
    found = describe_values([ValuePoint(value, right, True, 2, question) for value, right, question in finals])
    assert found["auc_within"] == (1.0 + 0.5) / 2  # of the questions that have both
    assert (found["mixed_questions"], found["questions_with_right"]) == (2, 2)
    assert found["auc_final"] == 0.625
    shown = render_values({"method": "SBS", **found})
    assert "compete for 2, and within these the area is 0.750" in shown
    assert shown.endswith("by depth: 1.37 at 2.")
    all_right = describe_values([ValuePoint(0.5, True, True, 1)])
    assert "area under the curve –; on inner steps –." in render_values({"method": "SBS", **all_right})


def test_what_became_of_right_answers(tmp_path: Path) -> None:
    """`kept`: the answers of the beam's solutions, best first; `left`: those of other leaves; 1 is right."""
    searches = {"a": ("1", "2"), "b": ("21", ""), "c": ("2", "1"), "d": ("23", "2"), "e": ("", ""), "f": ("1", "")}
    records = []
    for name, (kept, left) in searches.items():
        nodes = {f"0.{n}": node(answer) for n, answer in enumerate(kept + left)}
        solutions = [{"final_answer": answer, "tag": f"0.{n}", "value": 0.5} for n, answer in enumerate(kept)]
        react = {"0": {"text": "", "extra_info": f"question: {name}", "value": -100}} | nodes
        records.append({"id": name, "question": name, "answer": "1", "react": react, "solutions": solutions})
    path = tmp_path / "trees.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with Grader(1) as grader:
        found = answer_outcomes(path, grader)
    assert list(found.values()) == ["right", "outranked", "dropped", "not found", "not found", "right"]
    counts = count_outcomes(found, {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0, "e": 0.0})  # f is not known
    assert render_outcomes("SBS", counts).splitlines()[2:] == [
        "| greedy right | 1 | 1 | 0 | 0 |",
        "| greedy wrong | 0 | 0 | 1 | 2 |",
    ]


def node(answer: str) -> dict[str, Any]:
    """A final step of a saved tree."""
    text = f"<step>\n<p>\nFinal Answer: {answer}\n</p>\n</step>"
    return {"text": text, "extra_info": "", "action": "", "action_input": "", "final_answer": answer, "value": 0.5}


FIRST = 40  # questions of each file


@pytest.fixture
def settings(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RoundsConfig]:
    """The bundled rounds with the first of their questions: to read all of them takes longer than most tests."""
    monkeypatch.chdir(repo)
    first = {}
    for name in ("train", "test"):
        lines = (repo / f"data/mini-guess/{name}.jsonl").read_text("utf-8").splitlines(keepends=True)[:FIRST]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines), "utf-8")
        first[f"{name}_questions"] = str(tmp_path / f"{name}.jsonl")

    def settings(**changes: Any) -> RoundsConfig:
        path = repo / "configs" / "mini" / "rounds.yaml"
        found = load_settings(RoundsConfig, path).model_dump(exclude_unset=True)
        return make_settings(RoundsConfig, found | first | {"output_dir": str(tmp_path / "rounds")} | changes)

    return settings


def small(**changes: Any) -> Config:
    """A search of one short step with the bundled model."""
    settings = {
        "mode": "react",
        "prompt_wrap": "react_sft",
        "model_dir": "models/mini",
        "max_tokens": 9,
        "max_depth": 1,
    }
    return make_config(settings | changes)


def slice_of(config: Config, questions: str, span: tuple[int, int], output: Path, inputs: str) -> Slice:
    first, count = span
    return Slice.make("s", config, questions, first, load_tasks(questions)[first : first + count], output, inputs)


def test_a_slice_is_done_only_with_its_own_inputs(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo)
    shutil.copytree("models/mini", tmp_path / "moved")
    shutil.copytree("models/mini-guess", tmp_path / "other")
    (tmp_path / "examples.json").write_text('[{"question": "1?", "solution": "1"}]')

    def make(config: Config, span: tuple[int, int] = (0, 5), inputs: str = "x") -> Slice:
        return slice_of(config, "data/mini/test.jsonl", span, tmp_path / "s.jsonl", inputs)

    one = make(small())
    assert not one.is_done
    Path(one.output).write_text("")
    assert not one.is_done
    one.results.meta_path.write_text(json.dumps({"slice": {"fingerprint": one.fingerprint}}))
    assert one.is_done
    for same in ({"model_dir": str(tmp_path / "moved")}, {"verbose": True}, {"seed": 0}, {"top_k": -1}):
        assert make(small(**same)).is_done, same
    assert not make(small(), span=(0, 4)).is_done
    assert not make(small(), span=(1, 5)).is_done
    assert not make(small(), inputs="y").is_done
    few_shot = {"prompt_wrap": "react", "num_few_shot": 1}
    for other in (
        {"mode": "sbs"}, {"temperature": 0.1}, {"model_dir": str(tmp_path / "other")}, {"max_in_flight": 3},
        {"engine_args": {"dtype": "float32"}}, few_shot,
    ):  # fmt: skip
        assert not make(small(**other)).is_done, other
    shown = [
        make(small(**few_shot, **more)).fingerprint for more in ({}, {"few_shot_path": f"{tmp_path}/examples.json"})
    ]
    assert shown[0] != shown[1]  # what the prompt's files hold counts
    one.results.meta_path.write_text("{")
    assert not one.is_done


@pytest.mark.usefixtures("no_sandbox")
def test_a_slice_gives_its_memory_back_before_the_next(
    tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefix cache is made of cycles: with a lazy collector those of all slices would stay, gigabytes each."""

    class Node(prefix._Node):
        """Counted by its type, which no other test's cache has."""

    def held() -> int:
        return sum(type(one) is Node for one in gc.get_objects())

    load, seen = lockstep.load_model, list[int]()
    monkeypatch.setattr(prefix, "_Node", Node)
    monkeypatch.setattr(lockstep, "load_model", lambda *args: (seen.append(held()), load(*args))[1])
    monkeypatch.chdir(repo)
    gc.disable()
    try:
        for n in range(2):
            output = tmp_path / f"{n}.jsonl"
            solve_slice(slice_of(small(), "data/mini/test.jsonl", (n, 1), output, "x"))
            assert held()
    finally:
        gc.enable()
        gc.unfreeze()
    assert seen == [0, 0]


@pytest.mark.usefixtures("no_sandbox")
def test_round_1_asks_a_fresh_head_nothing_unless_it_is_told_to(
    settings: Callable[..., RoundsConfig], tmp_path: Path
) -> None:
    """The checkpoint holds a head, so only the config can decide."""
    for first_round_values in (False, True):
        plan = Plan(settings(first_round_values=first_round_values))
        config = plan.search(1).changed(model_dir="models/mini", iterations=2, max_tokens=24)
        one = slice_of(config, "data/mini/train.jsonl", (0, 2), tmp_path / f"{first_round_values}.jsonl", "x")
        solve_slice(one)
        records = [record for _, record in read_records(one.output)]
        estimates = {node.get("estimate") for record in records for node in nodes_of(record).values()}
        assert {record["value_source"] for record in records} == {"head" if first_round_values else "none"}
        assert (estimates == {None}) is not first_round_values
        if not first_round_values:  # a leaf counts 0: only rewards of ±1 are backed up
            backed = [n["q_value"] * n["visit_count"] for r in records for n in nodes_of(r).values()]
            assert all(value == pytest.approx(round(value)) for value in backed)


def test_overrides_do_not_freeze_what_follows_from_other_keys(settings: Callable[..., RoundsConfig]) -> None:
    few_shot = {"prompt_wrap": "react", "num_few_shot": 0, "is_sampling": True}
    plan = Plan(settings(search=[{"config": "configs/mini/mcts.yaml", "overrides": few_shot}]))
    resolved = plan.search(2).resolved()
    assert (resolved["step_delim"], resolved["result_unwrap"]) == ("\n\n", "react")
    assert "Observation:" in resolved["stop"]
    backed = {"update_leaf_value": True, "is_sampling": True}
    plan = Plan(settings(search=[{"config": "configs/mini/mcts.yaml", "overrides": backed}]))
    with pytest.raises(ConfigError, match="round 1 backs up values"):
        plan.search(1)
    assert plan.search(2).value_source == "head"
    assert Plan(settings(search=plan.config.search, first_round_values=True)).search(1).value_source == "head"


def test_questions_are_loaded_as_everywhere(settings: Callable[..., RoundsConfig], tmp_path: Path) -> None:
    path = tmp_path / "gsm8k.jsonl"
    path.write_text(json.dumps({"question": "Q", "answer": "7 + 8 = <<7+8=15>>15\n#### 15"}) + "\n")
    assert Plan(settings(train_questions=str(path))).spans(1) == [(0, 1)]


def test_a_stage_whose_output_is_gone_runs_again(tmp_path: Path) -> None:
    runs: list[str] = []

    def make() -> None:
        runs.append("made")
        (tmp_path / "trees").mkdir(exist_ok=True)
        for name in ("trees/a.jsonl", "trees/b.jsonl", "table.md"):
            (tmp_path / name).write_text("whole")

    def stage(inputs: str = "x") -> int:
        run_stage(tmp_path, "search", inputs, ["trees", "table.md"], make)
        return len(runs)

    assert [stage(), stage()] == [1, 1]
    (tmp_path / "trees/b.jsonl").unlink()
    assert finished(tmp_path, "search") is None
    assert [stage(), stage()] == [2, 2]
    (tmp_path / "table.md").write_text("cut")
    assert [stage(), stage(), stage("y")] == [3, 3, 4]
    (tmp_path / ".search.json").write_text("{")
    assert stage("y") == 5
    with pytest.raises(RecordError, match="pictures was not made"):
        run_stage(tmp_path, "draw", "x", ["pictures"], make)


def test_names_of_files_and_tables() -> None:
    assert run_path(Path("e"), "SBS(3,5)", 42) == Path("e/SBS_3_5.seed42.jsonl")
    assert run_path(Path("e"), "../x", 1).parent == Path("e")
    row = {"name": "greedy", "accuracy": 0.5, "low": 0.4, "high": 0.6}
    table = render_accuracies({"base": [row], "round 1": [row | {"accuracy": 0.6}, row | {"name": "MCTS"}]})
    assert table.splitlines() == [
        "| accuracy % | base | round 1 |",
        "|---|---|---|",
        "| greedy | **50.00** (40.0–60.0) | **60.00** (40.0–60.0) |",
        "| MCTS | – | **50.00** (40.0–60.0) |",
    ]


def test_rows_are_compared_question_by_question(tmp_path: Path) -> None:
    answers = {"greedy": {1: "1010"}, "sample": {1: "1100", 2: "1000", 3: "1101"}}  # 1: right
    for method, runs in answers.items():
        for seed, run in runs.items():
            records = [
                {
                    "id": str(i),
                    "question": str(i),
                    "answer": "1",
                    "react": {"0": {}},
                    "solutions": [{"final_answer": c}],
                }
                for i, c in enumerate(run)
            ]
            run_path(tmp_path, method, seed).write_text("".join(json.dumps(record) + "\n" for record in records))
    methods = {
        "greedy": MethodConfig(config="c", seeds=[1]),
        "sample": MethodConfig(config="c", seeds=[1, 2, 3], vote=3, label="Maj@3"),
    }
    check_contrasts([["Maj@3", "greedy"]], methods)
    with Grader(1) as grader:
        rows = rows_of(methods, tmp_path, grader)
    assert [row.name for row in rows] == ["greedy", "sample", "Maj@3"]
    assert "scores" not in rows[0].to_json()
    found = compare_rows(rows, [["sample", "greedy"], ["Maj@3", "sample"], ["SBS", "greedy"]])
    assert [each["difference"] for each in found] == pytest.approx([0.0, 0.0])
    spread = 1.959964 * ((4 / 9 + 1 + 1 / 9) / 3 / 4) ** 0.5  # the differences are 0, 2/3, -1 and 1/3
    assert (found[0]["low"], found[0]["high"]) == pytest.approx((-spread, spread))
    lines = render_differences({"base": found[:1], "round 1": found}).splitlines()
    assert lines[0] == "| points (95 % interval, paired by question) | base | round 1 |"
    assert lines[2].count("(-70.6 to +70.6)") == 2
    assert lines[3].startswith("| Maj@3 − sample | – | **")


@pytest.mark.parametrize("name", ["rounds", "rounds_slips"])
def test_the_bundled_configs_agree(repo: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(repo)
    Plan(load_settings(RoundsConfig, f"configs/mini/{name}.yaml")).check()


def test_the_plan_of_the_bundled_rounds(settings: Callable[..., RoundsConfig]) -> None:
    files = {f"{name}_questions": f"data/mini-guess/{name}.jsonl" for name in ("train", "test")}
    plan = Plan(settings(**files))
    assert [plan.spans(n)[0][0] for n in (1, 2, 3, 4)] == [0, 667, 1334, 2001]
    assert plan.spans(2) == [(667, 334), (1001, 333)]
    assert [plan.search(n).value_source for n in (1, 2, 3)] == ["none", "head", "head"]
    for accumulate, number in ((False, 1), (True, 3)):
        assert len(Plan(settings(accumulate=accumulate)).training(3).examples) == number
    assert plan.scored_method(1) == ("SBS(5,5)", 42)
    assert plan.greedy_method() == "greedy"
    assert plan.training(1).model_dir.endswith("round_0/checkpoint")
    runs = plan.runs(1)
    assert len(runs) == sum(len(method.seeds) for method in plan.config.methods.values())
    assert {config.seed for run, config in runs if run.seed == 44} == {44}


def test_the_base_has_no_values_to_search_with(settings: Callable[..., RoundsConfig]) -> None:
    plan = Plan(settings())
    assert list(plan.methods(0)) == ["greedy", "Maj@5"]
    assert plan.methods(1) == plan.config.methods
    assert plan.scored_method(0) is None
    assert {run.output.name for run, _ in plan.runs(0)} == {
        "greedy.seed42.jsonl",
        *(f"Maj_5.seed{seed}.jsonl" for seed in (42, 43, 44)),
    }


def test_rounds_whose_methods_all_need_values_begin(settings: Callable[..., RoundsConfig], tmp_path: Path) -> None:
    """The base has no rows then; before, its evaluation "was not made", however often it was run."""
    beam = {"config": "configs/mini/sbs.yaml"}
    lines: list[str] = []
    rounds = Rounds(settings(methods={"SBS": beam}, contrasts=[]), lines.append)
    rounds._log, plan = Mock(), rounds.plan
    rounds._evaluate(0, "checkpoint")
    assert json.loads((plan.round(0) / "summary.json").read_text())["rows"] == []
    row = {"name": "SBS", "accuracy": 0.5, "low": 0.4, "high": 0.6, "tokens": 9.0, "seconds": 1.0}
    (plan.round(1)).mkdir(parents=True)
    (plan.round(1) / "summary.json").write_text(json.dumps({"round": 1, "rows": [row], "differences": []}))
    (plan.round(1) / "table.md").write_text("table")
    show(plan.folder, 1, lines.append)
    assert "SBS" in lines[-1]


def test_a_search_process_whose_parent_went_while_it_began_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = multiprocessing.get_context("spawn").Process()
    monkeypatch.setattr(gone, "is_alive", lambda: False)
    monkeypatch.setattr("multiprocessing.parent_process", lambda: gone)
    monkeypatch.setattr("mcts_math.train.slices.ends_with_us", lambda: lambda: None)
    monkeypatch.setattr("os._exit", sys.exit)
    with pytest.raises(SystemExit):
        _begin_process(1)


def test_ctrl_c_waits_for_no_search(tmp_path: Path, repo: Path) -> None:
    """A terminal interrupts the search processes, too. Before, they took the next part then, and were waited for."""
    questions = tmp_path / "never.jsonl"
    os.mkfifo(questions)  # who reads it waits
    code = (
        "from mcts_math.run.program import run_script; from mcts_math.train.slices import Slice, solve_slices; "
        f"slices = [Slice('s', {{'mode': 'mcts'}}, {str(questions)!r}, 0, 1, f'/none/{{n}}', '') for n in range(3)]; "
        "run_script(lambda: solve_slices(slices, processes=1, threads=1, report=print))"
    )
    command, deadline = [sys.executable, "-c", code], time.monotonic() + 120
    with started(command, repo, alone=True) as run:
        while True:
            try:
                os.close(os.open(questions, os.O_WRONLY | os.O_NONBLOCK))
                break
            except OSError:  # nobody reads yet
                assert time.monotonic() < deadline
                time.sleep(0.1)
        os.killpg(run.pid, signal.SIGINT)
        told = run.communicate(timeout=60)[1]
    assert (run.returncode, told) == (130, "\ninterrupted\n")


def test_ctrl_c_while_the_searches_are_handed_over_waits_for_none(tmp_path: Path, repo: Path) -> None:
    questions = tmp_path / "never.jsonl"
    os.mkfifo(questions)
    code = f"""
import contextlib, os, signal
from mcts_math.run.program import run_script
from mcts_math.train import slices

real = slices.without_interrupts

@contextlib.contextmanager
def interrupted():
    with real():
        yield
        os.kill(os.getpid(), signal.SIGINT)

slices.without_interrupts = interrupted
some = [slices.Slice("s", {{"mode": "mcts"}}, {str(questions)!r}, 0, 1, f"/none/{{n}}", "") for n in range(3)]
run_script(lambda: slices.solve_slices(some, processes=1, threads=1, report=print))
"""
    with started([sys.executable, "-c", code], repo) as run:
        told = run.communicate(timeout=120)[1]
    assert (run.returncode, told) == (130, "\ninterrupted\n")


def test_a_question_of_a_slice_that_failed_is_tried_once_more(
    settings: Callable[..., RoundsConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    async def failing(config: Config, tasks: Sequence[Task], **_: Any) -> AsyncIterator[Solved]:
        asked.append([task.id for task in tasks])
        for task in reversed(tasks):
            fails = task.id == "q2" or (task.id == "q1" and len(asked) == 1)
            yield Solved(new_tree(task), Cost(), error="lost" if fails else "")

    monkeypatch.setattr("mcts_math.train.slices.solve_stream", failing)
    questions = tmp_path / "q.jsonl"
    questions.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS[:4]))
    config = make_config({"mode": "mcts", "engine": "openai"})
    one = slice_of(config, str(questions), (0, 4), tmp_path / "part.jsonl", "")
    totals = solve_slice(one)
    assert asked == [["q0", "q1", "q2", "q3"], ["q1", "q2"]]
    assert (totals.questions, totals.errors) == (4, 1)
    assert [record["id"] for _, record in read_records(one.output)] == ["q0", "q1", "q2", "q3"]


def test_what_rounds_refuse(settings: Callable[..., RoundsConfig], tmp_path: Path) -> None:
    def refused(error: type[Exception], match: str, **changes: Any) -> None:
        with pytest.raises(error, match=match):
            Rounds(settings(**changes)).run()

    questions = tmp_path / "q.jsonl"
    questions.write_text('{"id": "open", "question": "?"}\n')
    refused(ConfigError, "question 'open' has no `answer`", train_questions=str(questions))
    refused(CheckpointError, "does not exist", base_model=str(tmp_path / "none"))
    refused(ConfigError, "output_dir is not set", output_dir="")
    refused(ConfigError, "launch: no program 'torchrum' is found", launch="torchrum --nproc-per-node 8")
    refused(ConfigError, "is no command: No closing quotation", launch="torchrun '")
    refused(ConfigError, "methods must each have an entry", methods={})
    refused(
        ConfigError, "there is no row 'SBS\\(9,5\\)' to compare. There are greedy,", contrasts=[["SBS(9,5)", "greedy"]]
    )
    refused(ConfigError, "is_sampling: true", search=[{"config": "configs/mini/sbs.yaml"}])
    refused(
        ConfigError, "unknown key 'epoch'", train=[{"config": "configs/mini/train.yaml", "overrides": {"epoch": 1}}]
    )
    for key, entry in (("search", "mcts"), ("train", "train"), ("methods", "greedy")):
        taken = {"config": f"configs/mini/{entry}.yaml", "overrides": {"is_sampling": True, "model_dir": "x"}}
        given: dict[str, Any] = {key: [taken]} if key != "methods" else {key: {"greedy": taken}, "contrasts": []}
        refused(ConfigError, "overrides: model_dir is given to each run by itself", **given)
    with pytest.raises(ConfigError, match="are both 0, which leaves no example"):
        settings(examples={"max_correct": 0, "max_incorrect": 0})
    with pytest.raises(ConfigError, match=r"train\.0\.file"):
        settings(train=[{"file": "x"}])
    served = {"config": "configs/mini/mcts.yaml", "overrides": {"is_sampling": True, "engine": "vllm"}}
    refused(ConfigError, r"set processes to 1 \(and num_replicas\)", search=[served])
    greedy = {"config": "configs/mini/greedy.yaml"}
    refused(ConfigError, "two of them would write", methods={"SBS(1,5)": greedy, "SBS_1_5": greedy}, contrasts=[])
    with pytest.raises(ConfigError, match="needs as many seeds"):
        settings(methods={"greedy": greedy | {"vote": 5}})
    with pytest.raises(ConfigError, match="seeds must differ"):
        settings(methods={"greedy": greedy | {"seeds": [1, 1]}})
    with pytest.raises(ConfigError, match=r"methods\.greedy\.sed"):
        settings(methods={"greedy": {"config": "configs/mini/greedy.yaml", "sed": [1]}})


def test_a_full_disk_is_one_line(settings: Callable[..., RoundsConfig]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(MctsMathError, match="Make room and run the same command again"):
            Rounds(settings(), report=lambda text: None).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rounds whose stages write something at once; the names of what was made."""
    made: list[str] = []

    def solve(slices: Sequence[Slice], **_: Any) -> None:
        for one in slices:
            if not one.is_done:
                made.append(Path(one.output).name)
                Path(one.output).parent.mkdir(exist_ok=True)
                one.results.meta_path.write_text(json.dumps({"slice": {"fingerprint": one.fingerprint}}))
                Path(one.output).write_text(one.fingerprint)

    def examples(trees: Any, output: Path, config: ExamplesConfig, *_: Any, pairs: Path) -> Statistics:
        for path in (output, pairs):
            made.append(path.name)
            path.write_text(config.model_dump_json())
        return Statistics()

    def training(command: str, config: TrainConfig, *_: Any, **__: Any) -> None:
        made.append("checkpoint")
        shutil.copytree("models/mini", config.output_dir)
        (Path(config.output_dir) / "training.json").write_text(config.model_dump_json())

    def summary(plan: Plan, number: int) -> None:
        for name in ("summary.json", "table.md"):
            (plan.round(number) / name).write_text('{"rows": []}')

    for name, stage in {
        "solve_slices": solve, "write_examples": examples, "launch_training": training, "summarise": summary,
        "show": lambda *_: None,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"mcts_math.train.rounds.{name}", stage)
    return made


@pytest.mark.parametrize(
    ("changes", "said", "kept"),
    [
        ({"seed": 7}, "seed: 42 -> 7", {"part_000.jsonl", "part_000.meta.json", "checkpoint"}),
        ({"examples": {"max_correct": 1}}, "examples.max_correct: not set -> 1", {"examples.jsonl", "checkpoint"}),
        (
            {"train": [{"config": "configs/mini/train.yaml", "overrides": {"epochs": 9}}]},
            r"train.0.overrides.epochs: 1 -> 9", {"checkpoint"},
        ),
        (
            {"methods": {"SBS": {"config": "configs/mini/sbs.yaml"}}},
            "(methods.greedy: {…} -> not set)",
            {"greedy.seed42.jsonl", "greedy.seed42.meta.json"},
        ),
    ],
)  # fmt: skip
def test_rounds_drop_nothing_that_other_settings_made(
    settings: Callable[..., RoundsConfig], played: list[str], changes: dict[str, Any], said: str, kept: set[str]
) -> None:
    """A resumed run whose overrides were forgotten began anew, and removed checkpoints and results."""
    common = {"num_rounds": 1, "methods": {"greedy": {"config": "configs/mini/greedy.yaml"}}, "contrasts": []}
    common["train"] = [{"config": "configs/mini/train.yaml", "overrides": {"epochs": 1}}]
    config, other = settings(**common), settings(**(common | changes))
    folder = Path(config.output_dir)

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    Rounds(config).run()
    before = files()
    with pytest.raises(ConfigError, match=rf"was made with other settings .*{re.escape(said)}.*add --overwrite"):
        Rounds(other).run()
    (folder / "settings.json").rename(folder.parent / "settings.json")  # as of a folder of an earlier version
    with pytest.raises(ConfigError, match="was made from other settings, questions or weights"):
        Rounds(other).run()
    (folder.parent / "settings.json").rename(folder / "settings.json")
    assert files() == before
    played.clear()
    Rounds(settings(**common, processes=2)).run()  # a key that nothing finished depends on
    assert not played
    Rounds(other, overwrite=True).run()
    backups = {path.name.removesuffix(".bak"): path for path in folder.glob("round_1/**/*.bak")}
    assert kept <= backups.keys()
    for path in backups.values():
        for file in [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]:
            assert file.read_bytes() == before[Path(str(file).replace(".bak", ""))]
    assert ("part_000.jsonl" in played) is ("seed" in changes)  # what is not concerned stands
    played.clear()
    Rounds(other).run()
    assert not played


def test_a_training_is_known_by_what_its_config_changes(
    settings: Callable[..., RoundsConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys at their defaults, which come and go with versions, made finished trainings look like others."""
    monkeypatch.setattr(Rounds, "_stage", lambda self, number, name, facts, *_: facts["config"])
    known: Any = Rounds(settings())._train(1, "examples")
    assert "output_dir" in known
    assert known["epochs"] == 1
    assert not {"attn", "dtype", "lora"} & known.keys()


def test_rows_and_contrasts_can_be_added_to_finished_rounds(
    settings: Callable[..., RoundsConfig], played: list[str]
) -> None:
    greedy, sbs = ({"config": f"configs/mini/{name}.yaml"} for name in ("greedy", "sbs"))
    Rounds(settings(num_rounds=1, methods={"greedy": greedy}, contrasts=[])).run()
    played.clear()
    more = settings(num_rounds=1, methods={"greedy": greedy, "SBS": sbs}, contrasts=[["SBS", "greedy"]])
    for made in ({"SBS.seed42.jsonl"}, set()):
        Rounds(more).run()
        assert {name for name in played if name.endswith(".jsonl")} == made
        played.clear()
    with pytest.raises(ConfigError, match=r"\(methods.SBS: {…} -> not set\)"):
        Rounds(settings(num_rounds=1, methods={"greedy": greedy}, contrasts=[])).run()


def test_two_runs_in_one_folder(settings: Callable[..., RoundsConfig]) -> None:
    config = settings()
    refusals: list[str] = []

    def meanwhile(text: str) -> None:
        with pytest.raises(MctsMathError, match="another run is going on"):
            Rounds(config).run()
        refusals.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Rounds(config, report=meanwhile).run()
    assert len(refusals) == 1


def test_a_process_that_begins_while_a_scheduler_ends_us_can_be_ended() -> None:
    """It inherited that the signal is ignored, and the rounds waited for its searches."""
    before, late = signal.getsignal(signal.SIGTERM), []
    interrupts = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a script it is ignored

    def begin() -> None:
        with terminable(), without_interrupts():
            signal.raise_signal(signal.SIGTERM)
            late.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))

    try:
        with pytest.raises(KeyboardInterrupt):
            begin()
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupts)
    late[0].terminate()
    assert late[0].wait(30) == -signal.SIGTERM


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "scheduler"])
def test_an_interrupt_of_the_rounds_says_how_to_go_on(tmp_path: Path, repo: Path, told: signal.Signals) -> None:
    """And nothing else: a scheduler's SIGTERM left a warning of leaked semaphores."""
    words = ["scripts/self_train.py", "--cfg", "configs/mini/rounds.yaml", f"output_dir={tmp_path / 'rounds'}"]
    with started([sys.executable, *words], repo) as run:
        assert run.stdout is not None
        while not run.stdout.readline().endswith("base: eval\n"):
            assert run.poll() is None
        deadline = time.monotonic() + 60
        while len(psutil.Process(run.pid).children()) < 2:  # what tracks semaphores, and a search process
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(told)
        said = run.communicate(timeout=60)[1]
    assert (run.returncode, said) == (130, "\ninterrupted. The same command goes on with what is not done yet.\n")


@pytest.mark.slow
def test_the_whole_loop_killed_and_resumed(tmp_path: Path, repo: Path) -> None:
    """`kill -9` at random moments; the tables and the weights are those of a run that was left alone."""
    questions = tmp_path / "test.jsonl"
    questions.write_text("\n".join((repo / "data/mini/test.jsonl").read_text().split("\n")[:4]))
    methods = {
        "greedy": {"config": "configs/mini/greedy.yaml"},
        "SBS(2,5)": {"config": "configs/mini/sbs.yaml", "overrides": {"step_beam_width": 2}, "top": 2},
    }
    small = {"max_steps": 4, "batch_size": 2, "micro_batch_size": 2, "num_threads": 1, "save_steps": 1}
    train = [{"config": "configs/mini/train.yaml", "overrides": small}]

    def command(name: str) -> list[str]:
        changes = {"questions_per_round": 4, "chunk": 2, "num_rounds": 2, "methods": methods, "train": train}
        changes |= {"contrasts": [["SBS(2,5)", "greedy"]]}
        changes |= {"output_dir": str(tmp_path / name), "test_questions": str(questions)}
        overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        return [sys.executable, "scripts/self_train.py", "--cfg", "configs/mini/rounds.yaml", *overrides]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), cwd=repo, env=environment, check=True, timeout=900)
    rng, stops = random.Random(3), 0
    while True:
        run = subprocess.Popen(command("killed"), cwd=repo, env=environment, stdout=subprocess.DEVNULL)
        try:
            assert run.wait(rng.uniform(6, 25) * (1 + stops / 4)) == 0
            break
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            stops += 1
            time.sleep(0.5)  # its children notice, and give up their locks
    assert stops > 1

    def facts(name: str) -> list[Any]:
        rows = [json.loads((tmp_path / name / f"round_{n}/summary.json").read_text())["rows"] for n in range(3)]
        kept = [[{k: v for k, v in row.items() if k != "seconds"} for row in some] for some in rows]
        return [kept, (tmp_path / name / "round_2/checkpoint/model.safetensors").read_bytes()]

    assert facts("killed") == facts("whole")
