"""MCTS followed by hand: every visit count, sum and value of small trees with known replies."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import code, final, grow_tree, outline

from mcts_math.requests import Generate, Generation
from mcts_math.search.extract import extract
from mcts_math.search.mcts import MctsOptions, select
from mcts_math.step import Outcome, Step
from mcts_math.tasks import Task
from mcts_math.tree import new_tree, puct

ROOT_PROMPT = "<question> Q </question>\n"
BASE = {
    "mode": "mcts",
    "n_generate_sample": 2,
    "iterations": 3,
    "max_depth": 4,
    "need_value_func": True,
    "c_puct": 1.0,
    "errors_threshold": 3,
}


def after(prompt: str, step: str, observation: str) -> str:
    return f"{prompt}{step}\n</code>\n<output>\n{observation}\n</output>\n</step>\n"


def test_three_simulations_at_inference() -> None:
    """Root: A (likely) and B. A: an answer and a dead sample. B: an answer."""
    a = after(ROOT_PROMPT, code("A"), "ok after 0")
    b = after(ROOT_PROMPT, code("B"), "ok after 0")
    script = {
        ROOT_PROMPT: scripted(code("A"), code("B"), value=0.1, logprobs=(-0.1, -2.0)),
        a: scripted(final("1"), "no idea", value=0.5),
        f"{a}{final('1')}\n</step>\n": scripted(value=0.9),
        b: scripted(final("2"), final("3"), value=-0.2),
        f"{b}{final('2')}\n</step>\n": scripted(value=-0.6),
        f"{b}{final('3')}\n</step>\n": scripted(value=0.2),
    }
    tree = grow_tree(BASE, ScriptedPolicy(script))
    assert outline(tree) == {
        # root: own 0.1; through A: -1 (dead sample), 0.5, 0.9; through B: -0.2, -0.6, 0.2
        "0": ("root", 7, pytest.approx(-0.1), 0.1, True),
        # A's value is its own, though its dead child is backed up through it first
        "0.0": ("continue", 3, pytest.approx(0.4), 0.5, True),
        "0.1": ("continue", 3, pytest.approx(-0.6), -0.2, True),
        "0.0.0": ("answer", 1, 0.9, 0.9, True),
        "0.0.1": ("unparsable", 1, -1.0, -1.0, True),
        "0.1.0": ("answer", 1, -0.6, -0.6, True),
        "0.1.1": ("answer", 1, 0.2, 0.2, True),
    }
    assert tree.nodes[1].prior == pytest.approx(math.exp(-0.1))
    # A has the better Q, and its answer the best value
    assert [tree.nodes[i].answer for i in tree.solutions] == ["1"]


def test_ground_truth_rewards_answers_when_sampling() -> None:
    script = {ROOT_PROMPT: scripted(final("1"), final("2"), value=0.3)}
    tree = grow_tree(BASE | {"is_sampling": True}, ScriptedPolicy(script))
    assert outline(tree) == {
        "0": ("root", 3, pytest.approx(0.3), 0.3, True),  # not the reward of its first child
        "0.0": ("answer", 1, 1.0, 1.0, True),
        "0.1": ("answer", 1, -1.0, -1.0, True),
    }
    assert [tree.nodes[1].step.correct, tree.nodes[2].step.correct] == [True, False]  # type: ignore[union-attr]


def test_rewards_come_from_the_config() -> None:
    script = {ROOT_PROMPT: scripted(final("1"), "?", value=0.0)}
    config = BASE | {"is_sampling": True, "positive_reward": 0.5, "negative_reward": -0.25}
    tree = grow_tree(config, ScriptedPolicy(script))
    assert [node.value_sum for node in tree.nodes] == [0.25, 0.5, -0.25]


def test_update_leaf_value_backs_up_every_unvisited_child() -> None:
    a = after(ROOT_PROMPT, code("A"), "ok after 0")
    script = {
        ROOT_PROMPT: scripted(code("A"), final("1"), "?", value=0.7),
        a: scripted(value=0.2),
        f"{ROOT_PROMPT}{final('1')}\n</step>\n": scripted(value=0.4),
    }
    config = BASE | {"update_leaf_value": True, "iterations": 1, "n_generate_sample": 3}
    tree = grow_tree(config, ScriptedPolicy(script))
    assert outline(tree) == {
        "0": ("root", 3, pytest.approx(-0.4), 0.7, False),  # backed up: -1 + 0.4 + 0.2, and not its own 0.7
        "0.0": ("continue", 1, 0.2, 0.2, False),
        "0.1": ("answer", 1, 0.4, 0.4, True),
        "0.2": ("unparsable", 1, -1.0, -1.0, True),
    }


def test_an_exhausted_branch_sends_the_search_elsewhere() -> None:
    """The published code stopped at the first dead end, after 1 of 3 simulations here."""
    a = after(ROOT_PROMPT, code("A"), "ok after 0")
    b = after(ROOT_PROMPT, code("B"), "ok after 0")
    script = {
        ROOT_PROMPT: scripted(code("A"), code("B"), value=0.0, logprobs=(-0.01, -3.0)),
        a: scripted("?", "??", value=0.9),
        b: scripted(final("1"), "?", value=-0.9),
        f"{b}{final('1')}\n</step>\n": scripted(value=-0.5),
    }
    tree = grow_tree(BASE, ScriptedPolicy(script))
    assert tree.root.terminal
    # Q of A is higher: a walk by Q ends there, unless branches without answers are cut first.
    assert extract(tree, strategy="q_value") == []
    assert [tree.nodes[i].answer for i in tree.solutions] == ["1"]


def test_a_prompt_beyond_the_context_ends_its_node_not_the_run() -> None:
    a = after(ROOT_PROMPT, code("A"), "ok after 0")
    script = {
        ROOT_PROMPT: scripted(code("A"), final("1"), value=0.0, logprobs=(-0.1, -0.1)),
        a: Generation((), too_long=True),
        f"{ROOT_PROMPT}{final('1')}\n</step>\n": Generation((), too_long=True),
    }
    tree = grow_tree(BASE, ScriptedPolicy(script))
    assert outline(tree) == {
        "0": ("root", 3, -2.0, 0.0, True),
        "0.0": ("continue", 1, -1.0, -1.0, True),
        "0.1": ("answer", 1, -1.0, -1.0, True),
    }


def test_errors_in_a_row_are_counted_and_forgiven() -> None:
    """errors_threshold 1: the second failure in a row ends the branch, a success in between resets the count."""

    def script(request: Generate) -> Generation:
        depth = request.prompt.count("</step>")
        fails = {0: "1 / 0", 1: "fine", 2: "2 / 0", 3: "3 / 0"}
        return scripted(code(fails[depth]), value=0.0)

    config = BASE | {"errors_threshold": 1, "n_generate_sample": 1, "iterations": 9, "max_depth": 9}
    tree = grow_tree(config, ScriptedPolicy(script))
    outcomes = [node.step.outcome for node in tree.nodes if node.step is not None]
    assert outcomes == [Outcome.CONTINUE, Outcome.CONTINUE, Outcome.CONTINUE, Outcome.TOO_MANY_ERRORS]
    assert tree.nodes[-1].value == -1.0


def test_too_deep_is_one_step_beyond_max_depth() -> None:
    policy = ScriptedPolicy(lambda request: scripted(code("x"), value=0.0))
    tree = grow_tree(BASE | {"n_generate_sample": 1, "iterations": 20, "max_depth": 2}, policy)
    outcomes = [node.step.outcome for node in tree.nodes if node.step is not None]
    assert outcomes == [Outcome.CONTINUE, Outcome.CONTINUE, Outcome.TOO_DEEP]


def test_an_answer_one_step_beyond_max_depth_counts() -> None:
    policy = ScriptedPolicy(
        lambda request: scripted(final("1") if request.prompt.count("</step>") >= 2 else code("x"), value=0.0)
    )
    tree = grow_tree(BASE | {"n_generate_sample": 1, "iterations": 20, "max_depth": 2}, policy)
    assert tree.correct is True


@pytest.mark.parametrize("remove", [True, False])
def test_remove_duplicate_keeps_the_first(remove: bool) -> None:
    policy = ScriptedPolicy({ROOT_PROMPT: scripted(code("b"), code("a"), code("b") + "\n", code("c"), value=0.0)})
    tree = grow_tree(BASE | {"n_generate_sample": 4, "iterations": 1, "remove_duplicate": remove}, policy)
    expected = ["b", "a", "c"] if remove else ["b", "a", "b", "c"]
    assert [node.step.code for node in tree.nodes[1:]] == [f"```python\n{name}\n```" for name in expected]  # type: ignore[union-attr]


def test_finds_the_one_good_leaf_behind_a_low_prior() -> None:
    """Toy problem: of four first steps only the unlikeliest leads on to the answer; its value says so."""

    def script(request: Generate) -> Generation:
        good = "```python\ngood" in request.prompt
        if request.prompt == ROOT_PROMPT:
            names = ("w1", "w2", "w3", "good")
            return replace(scripted(*map(code, names), logprobs=(-0.1, -0.2, -0.3, -3.0)), value=0.0)
        if "Final Answer" in request.prompt:
            return scripted(value=0.9 if good else -0.9)
        texts = [final("1")] * 4 if good else [code("more"), code("still"), final("7"), final("8")]
        return scripted(*texts[: request.num_samples], value=0.8 if good else -0.8)

    tree = grow_tree(BASE | {"n_generate_sample": 4, "iterations": 12}, ScriptedPolicy(script))
    assert tree.correct is True


def test_select_breaks_ties_at_random_but_seeded() -> None:
    tree = new_tree(Task("t", "Q"))
    for _ in range(3):
        tree.add_child(tree.root, Step("s", Outcome.CONTINUE), prior=0.5)
    tree.backup(tree.root, 0.0)
    picks = [select(tree, MctsOptions(c_puct=1.0), random.Random(seed)).id for seed in range(60)]
    assert set(picks) == {1, 2, 3}
    assert picks == [select(tree, MctsOptions(c_puct=1.0), random.Random(seed)).id for seed in range(60)]


def test_puct_formula() -> None:
    tree = new_tree(Task("t", "Q"))
    child = tree.add_child(tree.root, Step("s", Outcome.CONTINUE), prior=0.25)
    assert puct(child, 16, 2.0) == 0.25 * 2.0 * 4
    child.visit_count, child.value_sum = 3, 1.5
    assert puct(child, 16, 2.0) == 0.5 + 2.0 * 0.25 * 4 / 4


@pytest.mark.parametrize("is_sampling", [True, False])
@pytest.mark.parametrize("update_leaf_value", [True, False])
def test_invariants_of_random_trees(is_sampling: bool, update_leaf_value: bool) -> None:
    config = BASE | {
        "n_generate_sample": 4,
        "iterations": 30,
        "is_sampling": is_sampling,
        "update_leaf_value": update_leaf_value,
    }
    for seed in range(5):
        tree = grow_tree(config, RandomPolicy(seed))
        expanded = sum(1 for node in tree.nodes if node.children)
        assert expanded == 30 or tree.root.terminal
        for node in tree.nodes:
            assert abs(node.q_value) <= 1
            assert 0 < node.prior <= 1
            children = tree.children(node)
            own = node.visit_count - sum(child.visit_count for child in children)
            assert own == (0 if node.visit_count == 0 or (update_leaf_value and node.parent < 0) else 1)
            assert not children or node.terminal == all(child.terminal for child in children)


def test_without_widening_a_node_is_expanded_once_and_with_it_again() -> None:
    keys = {"mode": "mcts", "iterations": 40, "n_generate_sample": 1, "max_depth": 8, "need_value_func": True}
    policy = RandomPolicy(3, Behaviour(unparsable_rate=0.0))
    narrow = grow_tree(keys, policy)
    assert all(len(node.children) <= 1 for node in narrow.nodes)
    wide = grow_tree(keys | {"widening": 1.5, "widening_exponent": 0.5}, policy)
    assert len(wide.nodes) == 1 + 40  # every simulation expands, though each chain ends soon
    for node in wide.nodes:
        if any(not child.terminal for child in wide.children(node)):
            assert len(node.children) <= 1.5 * node.visit_count**0.5 + 1
    children = wide.children(wide.root)
    assert len(children) > 3
    assert len({child.step for child in children}) > 1  # samples of their own


def test_a_prompt_that_is_too_long_ends_a_widened_tree_only_at_the_root() -> None:
    keys = {"mode": "mcts", "iterations": 30, "n_generate_sample": 2, "max_depth": 30, "widening": 1.0}
    endless = Behaviour(final_rate=0.0, unparsable_rate=0.0, error_rate=0.0, max_prompt_chars=200)
    tree = grow_tree(keys, RandomPolicy(3, endless))
    assert tree.stopped == "context_length"
    assert not tree.root.terminal
    assert grow_tree(keys, RandomPolicy(3, Behaviour(max_prompt_chars=1))).root.terminal
