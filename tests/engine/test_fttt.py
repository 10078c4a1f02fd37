"""FTTT on the real engine, sandbox and checker with the bundled model: what one question learns stays with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcts_math.config import make_config
from mcts_math.formats import make_format
from mcts_math.run.record import nodes_of
from mcts_math.run.run import to_record
from mcts_math.solver import solve
from mcts_math.tasks import Task, load_tasks

pytest.importorskip("peft", reason="learning at test time needs peft")


def settings(repo: Path, **more: Any) -> dict[str, Any]:
    return {
        "mode": "fttt", "model_dir": str(repo / "models/mini"), "prompt_wrap": "react_sft", "temperature": 0.6,
        "top_p": 0.95, "max_tokens": 128, "max_depth": 6, "max_total_time": 0, "adapter_lr": 1e-2, "trials": 4,
        "engine_args": {"num_threads": 1, "dtype": "float64", "device": "cpu"}, **more,
    }  # fmt: skip


def lines(repo: Path, tasks: list[Task], **more: Any) -> dict[str, Any]:
    """id -> what the record says, without the times and the prefix cache, which company does change."""
    config = make_config(settings(repo, **more))
    records = [to_record(solved, config, make_format(config.prompt_wrap)) for solved in solve(config, tasks)]
    for record in records:
        assert "error" not in record
        del record["cost"]
        for attempt in record["attempts"]:
            del attempt["seconds"]
        for node in nodes_of(record).values():
            node.pop("logprob", None)  # equal to many digits, not to the last
    return {record["id"]: record for record in records}


def adapted_tokens(records: dict[str, Any]) -> int:
    return sum(attempt.get("adapted_tokens", 0) for record in records.values() for attempt in record["attempts"])


@pytest.mark.slow
def test_a_question_is_solved_alike_alone_and_in_company(repo: Path) -> None:
    """Trees, answers, verdicts, tokens and losses, losses to the last bit where nothing is taken from the cache."""
    tasks = load_tasks(repo / "data/mini/test.jsonl")
    hard = [task for task in tasks if task.record["type"] in ("chain_sum", "letter_counting", "gsm_symbolic")][:6]
    together = lines(repo, hard, feedback_gradient="full")
    learnt = [attempt for record in together.values() for attempt in record["attempts"] if "loss" in attempt]
    assert len(learnt) >= 6
    for task in hard[:1]:
        assert json.dumps(lines(repo, [task], feedback_gradient="full")[task.id]) == json.dumps(together[task.id])
    cheap, alone = lines(repo, hard), lines(repo, hard[:1])[hard[0].id]
    assert 0 < 3 * adapted_tokens(cheap) < adapted_tokens(together)
    beside = cheap[hard[0].id]
    for mine, theirs in zip(alone.pop("attempts"), beside.pop("attempts"), strict=True):
        assert mine.pop("loss", None) == pytest.approx(theirs.pop("loss", None), abs=1e-9)
        assert mine == theirs
    assert json.dumps(alone) == json.dumps(beside)


def test_self_reflection_on_the_bundled_model(repo: Path) -> None:
    tasks = [task for task in load_tasks(repo / "data/mini/test.jsonl") if task.record["type"] == "letter_counting"][:2]
    for record in lines(repo, tasks, self_reflection=True, trials=2).values():
        assert record["method"] == "fttt"
        assert record["oracle"] is True
        if len(record["attempts"]) > 1:
            assert any(node.get("outcome") == "user" for node in nodes_of(record).values())
            assert record["attempts"][1]["adapted_tokens"] > 0
