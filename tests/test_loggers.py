"""Numbers of runs and rounds reach a logger; one that is missing, or fails, is said to be so and harms no run."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripted import Behaviour, RandomPolicy
from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.config import make_config
from mcts_math.errors import ConfigError
from mcts_math.loggers import LoggerName, check_logger, open_logger
from mcts_math.monitor import Totals
from mcts_math.run.description import compare_descriptions, describe_run
from mcts_math.run.run import solve_file
from mcts_math.solver import solve
from mcts_math.tasks import load_tasks
from mcts_math.train.summary import numbers_of

CONFIG = {"mode": "react", "prompt_wrap": "react_sft", "max_total_time": 0}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"question": f"{i}?", "answer": str(i)}) + "\n" for i in range(6)))
    return path


def run(questions: Path, log_to: str, notes: list[str] | None = None) -> Totals:
    return solve_file(
        make_config(CONFIG | {"log_to": log_to}),
        questions,
        questions.with_name("run.jsonl"),
        report=(notes if notes is not None else list[str]()).append,
        policy=RandomPolicy(1, Behaviour(min_delay_s=0.01, max_delay_s=0.02)),
        interpreter=EchoInterpreter(),
        checker=EqualChecker(),
    )


class Tracker(ModuleType):
    """A package with the interface of wandb, which trackio has too."""

    def __init__(self, name: str, fails_at: int = -1) -> None:
        super().__init__(name)
        self.told: list[Any] = []
        self.fails_at = fails_at
        self.__spec__ = importlib.util.spec_from_loader(name, None)

    def init(self, *, project: str, name: str, config: dict[str, Any]) -> None:
        self.told.append((project, name, config["config"]["mode"]))

    def log(self, numbers: dict[str, float], step: int) -> None:
        if len(self.told) == self.fails_at:
            raise OSError("no network")
        self.told.append((step, numbers))

    def finish(self) -> None:
        self.told.append("finished")


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_run_tells_a_tracker(questions: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tracker = Tracker(name)
    monkeypatch.setitem(sys.modules, name, tracker)
    totals = run(questions, name)
    begun, *logged, end = tracker.told
    assert begun == ("mcts_math", "run", "react")
    assert end == "finished"
    assert [step for step, _ in logged] == sorted(step for step, _ in logged)
    step, numbers = logged[-1]
    assert (step, numbers["done"], numbers["accuracy"]) == (6, 6, totals.correct / 6)
    assert all(isinstance(number, float) for number in numbers.values())


def test_solve_from_python_tells_a_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker("trackio")
    monkeypatch.setitem(sys.modules, "trackio", tracker)
    services = {"policy": RandomPolicy(1), "interpreter": EchoInterpreter(), "checker": EqualChecker()}
    tasks = [{"question": f"{i}?", "answer": str(i)} for i in range(6)]
    solved = solve(CONFIG | {"log_to": "trackio"}, tasks, **services)  # type: ignore[arg-type]
    begun, *logged, end = tracker.told
    assert begun == ("mcts_math", "react", "react")
    assert end == "finished"
    step, numbers = logged[-1]
    assert (step, numbers["accuracy"]) == (6, sum(one.tree.correct is True for one in solved) / 6)


def test_a_tracker_that_fails_is_told_no_more_and_the_run_goes_on(
    questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, notes = Tracker("wandb", fails_at=1), list[str]()
    monkeypatch.setitem(sys.modules, "wandb", tracker)
    assert run(questions, "wandb", notes).questions == 6
    assert len(tracker.told) == 1
    assert [note for note in notes if "log_to: wandb: OSError: no network. Nothing more is logged." in note]


def test_tensorboard_itself_has_the_numbers(questions: Path) -> None:
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    totals = run(questions, "tensorboard")
    read = events.EventAccumulator(str(questions.with_name("run.tensorboard")))
    read.Reload()
    tensors = read.Tensors("accuracy")
    assert tensors[-1].step == 6
    assert tensors[-1].tensor_proto.float_val[0] == pytest.approx(totals.correct / 6)


@pytest.mark.parametrize("name", ["wandb", "trackio", "tensorboard"])
def test_a_logger_that_is_not_installed_is_named_before_anything_is_loaded(
    questions: Path, monkeypatch: pytest.MonkeyPatch, name: LoggerName
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"log_to: {name} is not installed: pip install {name}"):
        check_logger(name)
    with pytest.raises(ConfigError, match="is not installed"):
        run(questions, name)
    assert not questions.with_name("run.jsonl").exists()
    check_logger("none")


def test_a_logger_that_can_not_begin_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))  # some other package of this name
    with pytest.raises(ConfigError, match="log_to: wandb can't begin: AttributeError"):
        open_logger("wandb", "run", tmp_path, {}, print)


def test_where_numbers_go_changes_no_result(questions: Path) -> None:
    tasks = load_tasks(questions)
    one, other = (describe_run(make_config(CONFIG | {"log_to": name}), questions, tasks) for name in ("none", "wandb"))
    assert compare_descriptions(one, other) == []


def test_numbers_of_a_round() -> None:
    row = {"name": "sbs", "accuracy": 0.5, "low": 0.4, "high": 0.6, "runs": [0.5], "tokens": 7, "seconds": None}
    assert numbers_of({"rows": [row]}) == {"sbs/accuracy": 0.5, "sbs/low": 0.4, "sbs/high": 0.6, "sbs/tokens": 7.0}
