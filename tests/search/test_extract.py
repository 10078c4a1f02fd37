"""Offline inference on a tree whose every number is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted import RandomPolicy
from stand_ins import grow_tree

from mcts_math.config import Config
from mcts_math.run.offline import rescore_file
from mcts_math.search.extract import Strategy, extract, prune
from mcts_math.step import Outcome, Step
from mcts_math.tasks import Task
from mcts_math.tree import Node, Tree, new_tree


def known_tree() -> Tree:
    """Root with A (high Q, dead end), B (an answer below), and the answer C."""
    tree = new_tree(Task("t", "Q"))

    def add(parent: Node, answer: str | None, q: float, visits: int, value: float, prior: float = 0.5) -> Node:
        step = Step("s", Outcome.ANSWER, answer=answer) if answer else Step("s", Outcome.CONTINUE)
        node = tree.add_child(parent, step, prior)
        node.visit_count, node.value_sum, node.value = visits, q * visits, value
        return node

    tree.root.visit_count = 20
    add(tree.root, None, q=0.9, visits=2, value=0.0)  # A
    b = add(tree.root, None, q=0.5, visits=10, value=0.9)  # B
    add(b, "b", q=0.4, visits=4, value=-0.5)
    add(tree.root, "c", q=0.1, visits=3, value=0.3, prior=1.0)  # C
    return tree


def answers(tree: Tree, strategy: Strategy, **options: object) -> list[str | None]:
    return [tree.nodes[i].answer for i in extract(tree, strategy=strategy, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("q_value", []), ("value", ["b"]), ("visit_count", ["b"]), ("puct", [])],
)
def test_each_strategy_without_pruning(strategy: Strategy, expected: list[str]) -> None:
    assert answers(known_tree(), strategy) == expected


@pytest.mark.parametrize(
    ("strategy", "c_puct", "expected"),
    [("q_value", 1.0, ["b"]), ("value", 1.0, ["b"]), ("visit_count", 1.0, ["b"]), ("puct", 4.0, ["c"])],
)
def test_each_strategy_with_pruning(strategy: Strategy, c_puct: float, expected: list[str]) -> None:
    assert answers(known_tree(), strategy, pruned=True, c_puct=c_puct) == expected


def test_a_wider_beam_finds_more_and_sorts_by_the_strategy() -> None:
    tree = known_tree()
    assert answers(tree, "q_value", pruned=True, beam_width=2) == ["b", "c"]
    assert answers(tree, "value", pruned=True, beam_width=2) == ["c", "b"]
    assert answers(tree, "q_value", beam_width=2) == ["b"]  # A takes a place and dies


def test_prune_keeps_what_leads_to_answers() -> None:
    assert prune(known_tree()) == {0, 2, 3, 4}
    assert prune(new_tree(Task("t", "Q"))) == {0}


def test_walking_a_beam_search_tree_finds_its_own_solutions() -> None:
    """SPEC A8: offline inference on SBS trees gives what the search itself chose."""
    for seed in range(30):
        config = {"mode": "sbs", "step_beam_width": 3, "n_generate_sample": 3, "max_depth": 9, "need_value_func": True}
        tree = grow_tree(config, RandomPolicy(seed))
        assert extract(tree, strategy="value", beam_width=3) == tree.solutions


def test_solutions_carry_the_tags_of_their_file(tmp_path: Path) -> None:
    """A file of another program may count children otherwise, as from 1 or with gaps."""
    node = {"text": "s", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": -100}
    node |= {"q_value": 0.5, "prior": 0.5, "visit_count": 3}
    react = {"0": node, "0.2": node, "0.2.3": node | {"final_answer": "5"}, "0.1": node | {"q_value": 0.1}}
    path = tmp_path / "trees.jsonl"
    path.write_text(json.dumps({"question": "Q", "answer": "5", "react": react}) + "\n")
    (line,) = rescore_file(path, Config())
    assert [solution["tag"] for solution in line.record["react"]["solutions"]] == ["0.2.3"]
    assert line.answer == "5"
