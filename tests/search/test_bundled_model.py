"""Every method that asks for values, on the bundled model with its own head."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from stand_ins import solve_one

from mcts_math.config import make_config
from mcts_math.engine.load import load_policy
from mcts_math.engine.spec import EngineOptions
from mcts_math.methods import METHODS
from mcts_math.services import engine_options

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {
    "prompt_wrap": "react_sft", "value": "head", "temperature": 0.7, "max_tokens": 48, "max_depth": 5,
    "max_total_time": 0, "max_question_samples": 24,
}  # fmt: skip
MORE: dict[str, dict[str, Any]] = {
    "sbs": {"lookahead": 1, "step_beam_width": 2, "n_generate_sample": 2},
    "mcts": {"iterations": 12, "n_generate_sample": 2, "widening": 2.0},
    "self_consistency": {"vote_weight": "value", "trials": 4, "n_generate_sample": 4},
    "selection": {"trials": 4, "n_generate_sample": 4},
    "ab_mcts": {"trials": 4, "n_generate_sample": 4},
    "ab_mcts_steps": {"iterations": 8, "n_generate_sample": 4},
}
MODES = [name for name, method in METHODS.items() if method.uses_values(method.options()) or name in MORE]


def test_they_run_on_its_own_values(repo: Path) -> None:
    shared = {"model_dir": str(repo / "models" / "mini")} | SETTINGS
    options: EngineOptions = engine_options(make_config({"mode": "sbs"} | shared))
    policy = load_policy(options)
    task = {"id": "t", "question": "Find the Greatest Common Divisor (GCD) of these numbers: 295, 296.", "answer": "1"}
    for mode in MODES:
        solved = solve_one({"mode": mode} | shared | MORE.get(mode, {}), policy, task)
        assert solved.error == "", mode
        assert solved.cost.samples >= 4, mode
        values = [node.value for node in solved.tree.nodes if node.value is not None]
        assert values, mode
        assert all(-1 <= value <= 1 for value in values), mode
    asyncio.run(policy.close())
