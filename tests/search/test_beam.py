"""Step-level beam search: who is kept, who leaves, and how wide the beam then is (SPEC A6)."""

from __future__ import annotations

from collections import Counter
from itertools import product

from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import code, final, grow_tree

from mcts_math.requests import Generate, Generation
from mcts_math.tree import Tree

BASE = {"mode": "sbs", "step_beam_width": 2, "n_generate_sample": 2, "max_depth": 4, "need_value_func": True}


def policy(steps: dict[tuple[str, ...], list[str]], values: dict[str, float]) -> ScriptedPolicy:
    """`steps` maps the names of the steps so far to samples; `values` the last step's name to its value."""

    def reply(request: Generate) -> Generation:
        names = tuple(line for line in request.prompt.split("\n") if line.startswith("n:") or "Final Answer" in line)
        key = tuple(name.removeprefix("n:").removeprefix("Final Answer: ") for name in names)
        texts = [final(t[1:]) if t.startswith("=") else code(f"n:{t}") if t else "?" for t in steps.get(key, [])]
        return scripted(*texts, value=values.get(key[-1] if key else "", 0.0))

    return ScriptedPolicy(reply)


def names(tree: Tree) -> list[str | None]:
    return [tree.nodes[i].answer for i in tree.solutions]


def test_the_root_draws_b1_times_b2_and_later_steps_b2() -> None:
    requests: list[Generate] = []
    engine = RandomPolicy(3)

    class Spy:
        async def generate(self, request: Generate) -> Generation:
            requests.append(request)
            return await engine.generate(request)

        evaluate = engine.evaluate
        close = engine.close

    grow_tree(BASE, Spy())
    assert requests[0].num_samples == 4
    assert {request.num_samples for request in requests[1:]} == {2}


def test_best_values_are_kept_and_a_solution_narrows_the_beam() -> None:
    tree = grow_tree(
        BASE,
        policy(
            {(): ["a", "b", "=1", "c"], ("b",): ["=2", "=3"]},
            {"a": 0.1, "b": 0.6, "1": 0.5, "c": 0.4, "2": 0.3, "3": 0.7},
        ),
    )
    # kept: b and the answer 1; the beam is then one wide: of b's children only 3 is kept.
    assert names(tree) == ["3", "1"]
    assert len(tree.nodes) == 1 + 4 + 2
    assert tree.solutions == sorted(tree.solutions, key=lambda i: -(tree.nodes[i].value or 0))


def test_a_dead_node_that_is_kept_narrows_the_beam_too() -> None:
    tree = grow_tree(
        BASE | {"step_beam_width": 1},
        policy({(): ["", "a"], ("a",): ["=1", "=2"]}, {"": 0.0, "a": -0.5, "1": 0.1, "2": 0.0}),
    )
    assert names(tree) == []  # the unparsable sample had the better value (0.0) and took the only place


def test_equal_values_keep_sampling_order() -> None:
    tree = grow_tree(
        BASE | {"step_beam_width": 1},
        policy({(): ["a", "b"], ("a",): ["=1", "=2"]}, {"a": 0.5, "b": 0.5, "1": 0.2, "2": 0.2}),
    )
    assert names(tree) == ["1"]


def test_it_ends_after_max_depth_steps() -> None:
    tree = grow_tree(BASE | {"max_depth": 3}, ScriptedPolicy(lambda r: scripted(*["x"] * 4, value=0.0)))
    assert max(node.depth for node in tree.nodes) == 1  # all unparsable
    deep = ScriptedPolicy(lambda r: scripted(*map(code, "abcd"), value=0.0))
    tree = grow_tree(BASE | {"max_depth": 3}, deep)
    assert max(node.depth for node in tree.nodes) == 3
    assert tree.solutions == []


def test_without_values_sampling_order_decides_and_nothing_is_scored() -> None:
    engine = policy({(): ["=9", "=8"]}, {})
    tree = grow_tree(BASE | {"need_value_func": False, "step_beam_width": 1}, engine)
    assert names(tree) == ["9"]
    assert all(node.value is None for node in tree.nodes)


def test_width_one_at_temperature_zero_is_greedy_decoding() -> None:
    for seed, max_depth in product(range(20), (12, 2)):
        greedy = {"temperature": 0.0, "max_depth": max_depth}
        chain = grow_tree({"mode": "react", **greedy}, RandomPolicy(seed))
        beam = grow_tree({"mode": "sbs", **greedy}, RandomPolicy(seed))
        assert chain == beam


def test_a_chain_beyond_the_context_is_greedy_decoding_too() -> None:
    long_after_two = Behaviour(final_rate=0.0, unparsable_rate=0.0, max_prompt_chars=200)
    limits = {"temperature": 0.0, "max_depth": 9, "negative_reward": -0.5}
    chain = grow_tree({"mode": "react", **limits}, RandomPolicy(1, long_after_two))
    beam = grow_tree({"mode": "sbs", **limits}, RandomPolicy(1, long_after_two))
    assert chain.nodes[-1].terminal
    assert [node.value for node in chain.nodes] == [node.value for node in beam.nodes]
    assert [node.value for node in chain.nodes][-2:] == [None, -0.5]


def test_a_beam_beyond_the_context_leaves() -> None:
    def reply(request: Generate) -> Generation:
        if "a" in request.prompt.split("```python\n")[-1][:1] and request.num_samples == 2:
            return Generation((), too_long=True)
        first = not request.prompt.count("</step>")
        return scripted(*(map(code, "abab") if first else [final("1")] * 4), value=0.5 if first else 0.1)

    tree = grow_tree(BASE, ScriptedPolicy(reply))
    assert [node.value for node in tree.nodes if node.terminal and node.answer is None] == [-1.0]
    assert names(tree) == ["1"]


def test_more_samples_than_the_tree_can_use_are_not_lost() -> None:
    for seed in range(10):
        tree = grow_tree(BASE | {"max_depth": 8}, RandomPolicy(seed))
        by_depth = Counter(node.depth for node in tree.nodes)
        assert by_depth[1] == 4
        assert all(count <= 4 for count in by_depth.values())
        assert all(tree.nodes[i].answer is not None for i in tree.solutions)
        assert len(tree.solutions) <= 2
