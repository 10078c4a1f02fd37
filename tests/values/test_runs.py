"""Reward models in whole runs: records, costs, resuming, training data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reward_checkpoints import published_qwen, published_skywork
from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker
from test_local import change

from mcts_math.config import Config, make_config
from mcts_math.errors import ConfigError, MctsMathError, RecordError
from mcts_math.evaluate.accuracy import evaluate_file
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.report import Summary
from mcts_math.files import read_records
from mcts_math.monitor import Totals
from mcts_math.requests import Generate, Generation
from mcts_math.run.description import compare_descriptions, describe_run
from mcts_math.run.run import solve_file
from mcts_math.tasks import make_tasks
from mcts_math.train.collect import write_examples
from mcts_math.train.config import ExamplesConfig

QUESTION = "How much is 1 + 1?"
TEXTS = ["<p>\nIt is 2.\n</p>\n<p>\nFinal Answer: 2\n</p>", "<p>\nIt is 3.\n</p>\n<p>\nFinal Answer: 3\n</p>"]


def config_of(folder: Path, value: str = "prm", mode: str = "dvts", **more: Any) -> Config:
    arguments = {"model": str(folder), "device": "cpu"} | more.pop("value_args", {})
    settings: dict[str, Any] = {"mode": mode, "prompt_wrap": "react_sft", "value": value, "max_depth": 3}
    settings |= {"n_generate_sample": 2} | ({"step_beam_width": 1} if mode == "dvts" else {})
    return make_config(settings | {"value_args": arguments} | more)


def reply(request: Generate) -> Generation:
    return scripted(*TEXTS, *TEXTS)


def solve(config: Config, out: Path, **more: Any) -> Totals:
    """Solves one question with a policy that writes two answers, a right one and a wrong one."""
    qaf = out.with_name("q.jsonl")
    qaf.write_text(json.dumps({"question": QUESTION, "answer": "2"}) + "\n")
    services: Any = {"policy": ScriptedPolicy(reply), "interpreter": EchoInterpreter(), "checker": EqualChecker()}
    return solve_file(config, qaf, out, report=lambda text: None, **services, **more)


def the_record(path: Path) -> dict[str, Any]:
    ((_, record),) = read_records(path)
    return record


def test_a_run_with_a_prm_records_values_their_source_and_their_cost(
    reward_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, out = reward_checkpoint("skywork"), tmp_path / "out.jsonl"
    solve(config_of(folder), out)
    record = the_record(out)
    assert record["value_source"] == f"prm {folder.name}"
    assert str(folder) not in json.dumps(record)
    for tag in ("0.0", "0.1"):
        text = record["react"][tag]["text"]
        assert record["react"][tag]["value"] == pytest.approx(
            2 * published_skywork(folder, QUESTION, [text])[-1] - 1, abs=1e-4
        )
    cost = record["cost"]
    assert cost["value_tokens"] > 100
    assert cost["evaluations"] == 2
    with Grader() as grader:
        report = evaluate_file(out, grader)
    assert report.to_json()["mean_value_tokens"] == cost["value_tokens"]
    assert "value" in Summary([report]).render().splitlines()[0].split()
    line = {key: value for key, value in record["cost"].items() if key != "value_tokens"}  # as before there were any
    out.write_text(json.dumps(record | {"cost": line}) + "\n")
    with Grader() as grader:
        assert "value" not in Summary([evaluate_file(out, grader)]).render().splitlines()[0].split()


def test_mcts_with_a_prm_scores_leaf_and_children(reward_checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder, out = reward_checkpoint("qwen"), tmp_path / "out.jsonl"
    solve(config_of(folder, mode="mcts", iterations=2), out)
    nodes = the_record(out)["react"]
    assert nodes["0"]["estimate"] == 0.0  # a question alone
    expected = published_qwen(folder, QUESTION, [nodes["0.1"]["text"].strip()])[-1]
    assert nodes["0.1"]["estimate"] == pytest.approx(2 * expected - 1, abs=1e-4)


@pytest.mark.parametrize("mode", ["dvts", "mcts"])
def test_training_data_of_trees_that_a_prm_scored(
    reward_checkpoint: Callable[[str], Path], tmp_path: Path, mode: str
) -> None:
    folder, out = reward_checkpoint("skywork"), tmp_path / "out.jsonl"
    more = {"is_sampling": True, "iterations": 2} if mode == "mcts" else {}
    solve(config_of(folder, mode=mode, **more), out)
    examples, pairs = tmp_path / "examples.jsonl", tmp_path / "pairs.jsonl"
    with Grader() as grader:
        write_examples([out], examples, ExamplesConfig(pair_margin=1e-6), grader, pairs=pairs)
    right, wrong = (example for _, example in read_records(examples))
    assert (right["correct"], wrong["correct"]) == (True, False)
    assert right["value_source"] == f"prm {folder.name}"
    (pair, *_) = (pair for _, pair in read_records(pairs))
    nodes = the_record(out)["react"]
    key = "q_value" if mode == "mcts" else "value"
    assert pair["margin"] == pytest.approx(abs(nodes["0.0"][key] - nodes["0.1"][key]))


def test_trees_without_any_values_make_no_examples(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    solve(make_config({"mode": "sbs", "prompt_wrap": "react_sft", "n_generate_sample": 2, "step_beam_width": 1}), out)
    with Grader() as grader, pytest.raises(RecordError, match="no step has a q_value or a value"):
        write_examples([out], tmp_path / "examples.jsonl", ExamplesConfig(), grader)


def test_a_run_goes_on_only_with_the_same_reward_model(
    reward_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, out = reward_checkpoint("qwen"), tmp_path / "out.jsonl"
    solve(config_of(folder), out)
    moved = change(tmp_path / "moved", folder)
    solve(config_of(moved, value_args={"max_batch_tokens": 7}), out, resume=True)  # the same, elsewhere
    with pytest.raises(MctsMathError, match=r"value_args: .*last.*min"):
        solve(config_of(folder, value_args={"aggregate": "min"}), out, resume=True)
    other = change(tmp_path / "other", folder, num_labels=3)
    with pytest.raises(MctsMathError, match="reward_model: "):
        solve(config_of(other), out, resume=True)


def test_a_run_goes_on_only_with_the_same_scorer() -> None:
    """Nothing but a name in the config, or else the address, tells scorers apart."""

    def described(**arguments: Any) -> dict[str, Any]:
        config = make_config({"mode": "dvts", "value": "scorer", "value_args": arguments})
        return describe_run(config, "q.jsonl", make_tasks([{"question": "q"}]))

    before = described(base_url="http://u:secret@host:1/a/")
    assert "secret" not in str(before["config"])
    assert compare_descriptions(before, described(base_url="http://host:1/a", timeout_s=1)) == []
    (told,) = compare_descriptions(before, described(base_url="http://host:1/b"))
    assert told == "reward_model: 'host:1/a' -> 'host:1/b'"
    named = described(base_url="http://host:1", model="judge-2")
    assert compare_descriptions(named, described(base_url="http://other:2", model="judge-2")) == []
    assert compare_descriptions(named, described(base_url="http://host:1", model="judge-3")) != []
    before["config"]["reward_model"] = ""  # of an earlier version
    assert compare_descriptions(before, described(base_url="http://host:1/b")) == []


def test_a_method_that_needs_values_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mode dvts needs values as it is set: set value"):
        solve(make_config({"mode": "dvts", "prompt_wrap": "react_sft"}), tmp_path / "out.jsonl")


def test_a_reward_model_that_can_not_be_used_costs_no_loading(tmp_path: Path) -> None:
    """It is refused before the sandbox is set up and before the policy is loaded."""
    out = tmp_path / "out.jsonl"
    with pytest.raises(MctsMathError, match="the model in value_args"):
        solve(config_of(tmp_path / "nowhere"), out)
    assert not out.exists()
