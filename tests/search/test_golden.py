"""Golden trees: whole trees of every solver, compared node by node with what is stored.

A change of any number here is a change of results for every user. Where it is meant, run this file as a script to store
the new trees, and say in the commit message why they changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from stand_ins import grow_tree

from mcts_math.engine.scripted import Behaviour, RandomPolicy
from mcts_math.record import tree_to_record

GOLDEN = Path(__file__).parent / "golden.json"
SHARED = {"n_generate_sample": 3, "max_depth": 5, "temperature": 0.6, "seed": 7}
CASES: dict[str, dict[str, Any]] = {
    "react": {"mode": "react"},
    "sbs": {"mode": "sbs", "step_beam_width": 2, "need_value_func": True, "remove_duplicate": True},
    "mcts": {"mode": "mcts", "iterations": 9, "need_value_func": True, "errors_threshold": 1, "c_puct": 1.25},
    "mcts_sampling": {"mode": "mcts", "iterations": 9, "is_sampling": True, "errors_threshold": 1},
    "mcts_leaf": {"mode": "mcts", "iterations": 6, "need_value_func": True, "update_leaf_value": True},
}


def grown(name: str) -> Any:
    policy = RandomPolicy(11, Behaviour(error_rate=0.3, num_answers=3))
    tree = grow_tree(SHARED | CASES[name], policy)
    record = tree_to_record(tree, mcts=CASES[name]["mode"] == "mcts", step_delim="\n")
    return json.loads(json.dumps(record))


@pytest.mark.parametrize("name", CASES)
def test_tree_is_the_stored_one(name: str) -> None:
    assert grown(name) == json.loads(GOLDEN.read_text())[name]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: grown(name) for name in CASES}, indent=1) + "\n")
