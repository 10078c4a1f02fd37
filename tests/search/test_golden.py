"""Golden trees: whole trees of every solver, compared node by node with what is stored.

A change of any number here is a change of results for every user. Where it is meant, run this file as a script to store
the new trees, and say in the commit message why they changed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripted import Behaviour, RandomPolicy
from stand_ins import grow_tree, line_of

from mcts_math.common import Common
from mcts_math.methods import METHODS
from mcts_math.requests import Adapt, Adaptation, Generate, Generation

GOLDEN = Path(__file__).parent / "golden.json"
SHARED: dict[str, Any] = {"n_generate_sample": 3, "max_depth": 5, "temperature": 0.6, "seed": 7}
CASES: dict[str, dict[str, Any]] = {
    "react": {"mode": "react", "n_generate_sample": 1},
    "sbs": {"mode": "sbs", "step_beam_width": 2, "need_value_func": True, "remove_duplicate": True},
    "mcts": {"mode": "mcts", "iterations": 9, "need_value_func": True, "errors_threshold": 1, "c_puct": 1.25},
    "mcts_sampling": {
        "mode": "mcts",
        "iterations": 9,
        "is_sampling": True,
        "errors_threshold": 1,
        "need_value_func": True,
    },
    "best_of_n": {"mode": "best_of_n", "trials": 4, "stop_at_success": False},
    "self_consistency": {"mode": "self_consistency", "trials": 5, "n_generate_sample": 2},
    "revision": {"mode": "revision", "trials": 4, "temperature": 0.0},
    "self_refine": {"mode": "self_refine", "trials": 4, "seed": 8},
    "token_beam": {"mode": "token_beam", "trials": 4, "temperature": 0.0},
    "fttt": {"mode": "fttt", "trials": 4, "seed": 8},
    "fttt_reflection": {"mode": "fttt", "trials": 4, "self_reflection": True, "seed": 8},
    "mcts_leaf": {"mode": "mcts", "iterations": 6, "need_value_func": True, "update_leaf_value": True},
}


class Learner(RandomPolicy):
    """Another model after every step: prompts sampled with an adapter are hashed with the number of its steps."""

    def __init__(self, seed: int, behaviour: Behaviour) -> None:
        super().__init__(seed, behaviour)
        self.steps: Counter[str] = Counter()

    async def generate(self, request: Generate) -> Generation:
        return await super().generate(replace(request, seed=request.seed + 1000 * self.steps[request.adapter]))

    async def adapt(self, request: Adapt) -> Adaptation:
        self.steps[request.session] += 1
        return Adaptation(0.5 / self.steps[request.session], 10 * len(request.terms))

    async def release(self, session: str) -> None:
        self.steps.pop(session, None)


def grown(name: str) -> Any:
    policy = Learner(11, Behaviour(error_rate=0.3, num_answers=3))
    settings = SHARED | CASES[name]
    known = {*Common.model_fields, *METHODS[settings["mode"]].options.model_fields}
    tree = grow_tree({key: value for key, value in settings.items() if key in known}, policy)
    record = line_of(tree, settings["mode"])
    for attempt in record.get("attempts", ()):
        del attempt["seconds"]
    return json.loads(json.dumps(record))


@pytest.mark.parametrize("name", CASES)
def test_tree_is_the_stored_one(name: str) -> None:
    assert grown(name) == json.loads(GOLDEN.read_text())[name]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: grown(name) for name in CASES}, indent=1) + "\n")
