"""Searches that values guide: DVTS, REBASE, particle filtering, on scripts that can be followed by hand."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from scripted import Behaviour, RandomPolicy, scripted
from stand_ins import code, final, solve_one

from mcts_math.errors import ConfigError
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation
from mcts_math.search.particle_filter import weights
from mcts_math.search.rebase import share
from mcts_math.solver import solve
from mcts_math.tree import Tree

TASK = {"id": "t", "question": "Q", "answer": "7"}
GUIDED = {"dvts": {"step_beam_width": 2, "n_generate_sample": 2}, "rebase": {"n_generate_sample": 8},
          "particle_filter": {"n_generate_sample": 8}, "particle_gibbs": {"n_generate_sample": 8}}  # fmt: skip


class Guide:
    """Samples `a`, `b`, … in turn, an answer at `depth`; a step is worth what its letters say, all on the path."""

    def __init__(self, worth: dict[str, float], depth: int = 3) -> None:
        self.worth, self.depth = worth, depth
        self.asked: list[tuple[str, int]] = []

    def path(self, prompt: object) -> str:
        assert isinstance(prompt, str)
        return "".join(part[0] for part in prompt.split("x = '")[1:])

    async def generate(self, request: Generate) -> Generation:
        path = self.path(request.prompt)
        self.asked.append((path, request.num_samples))
        letters = [chr(ord("a") + i) for i in range(request.num_samples)]
        ends = len(path) == self.depth - 1
        return scripted(*(final(path + letter) if ends else code(f"x = '{letter}'") for letter in letters))

    async def evaluate(self, request: Evaluate) -> Evaluation:
        return Evaluation(self.worth.get(self.path(request.prompt)[-1:], 0.0))

    async def close(self) -> None:
        return None


def grow(mode: str, guide: Any, **keys: Any) -> Tree:
    config = {"mode": mode, "max_depth": 4, "value": "head", **GUIDED.get(mode, {}), **keys}
    solved = solve_one(config, guide, TASK)
    assert solved.error == ""
    return solved.tree


def test_dvts_keeps_one_step_of_each_subtree() -> None:
    guide = Guide({"a": 0.9, "b": 0.8, "c": 0.1, "d": 0.2})
    tree = grow("dvts", guide)
    # Four first steps in two groups, (a, c) and (b, d): a and b are kept though one beam would hold a's children alone.
    assert guide.asked == [("", 4), ("a", 2), ("b", 2), ("aa", 2), ("ba", 2)]
    assert {tree.nodes[i].answer for i in tree.solutions} == {"aaa", "aab", "baa", "bab"}


def test_rebase_shares_samples_by_value() -> None:
    assert share(8, [0.0, 0.0], 0.2) == [4, 4]
    assert share(8, [1.0, -1.0], 0.2) == [8, 0]
    assert share(0, [1.0], 0.2) == [0]
    e = math.exp(0.5 / 0.2)
    assert share(10, [0.5, 0.0], 0.2) == [round(10 * e / (e + 1)), round(10 / (e + 1))]
    assert share(3, [0.0] * 8, 0.2) == [1, 1, 1, 0, 0, 0, 0, 0]
    guide = Guide({"a": 1.0, "b": -1.0, "c": -1.0})
    grow("rebase", guide, n_generate_sample=3)
    assert guide.asked == [("", 3), ("a", 3), ("aa", 3)]


def test_a_solution_that_has_ended_takes_its_sample_from_the_budget() -> None:
    class Early(Guide):
        async def generate(self, request: Generate) -> Generation:
            if self.path(request.prompt):
                return await super().generate(request)
            self.asked.append(("", request.num_samples))
            return scripted(final("7"), *[code("x = 'a'")] * (request.num_samples - 1))

    guide = Early({"a": 0.0}, depth=2)
    tree = grow("rebase", guide, n_generate_sample=3)
    assert [count for _, count in guide.asked] == [3, 1, 1]
    assert tree.nodes[tree.solutions[0]].answer is not None


def test_weights_are_the_softmax_of_logits() -> None:
    values = [0.8, -0.4, 0.0, None]
    logits = [math.log(p / (1 - p)) for p in (0.9, 0.3, 0.5, 1e-7)]
    total = sum(map(math.exp, logits))
    assert weights(values) == pytest.approx([math.exp(logit) / total for logit in logits])
    assert weights([1.0, -1.0])[0] == pytest.approx(1.0)


def test_a_good_particle_goes_on_in_the_place_of_bad_ones() -> None:
    guide = Guide({"a": 1.0})
    grow("particle_filter", guide, n_generate_sample=4)
    assert guide.asked == [("", 4), ("a", 4), ("aa", 4)]  # drawn four times, so sampled four times in one request


def test_particles_are_drawn_in_proportion_to_their_weights() -> None:
    guide = Guide({"a": 0.5, "b": -0.5}, depth=2)
    counts: Counter[str] = Counter()
    for seed in range(60):
        guide.asked.clear()
        grow("particle_filter", guide, n_generate_sample=2, seed=seed)
        counts.update(dict(guide.asked[1:]))
    expected = weights([0.5, -0.5])[0]
    share_of_a = counts["a"] / (counts["a"] + counts["b"])
    assert abs(share_of_a - expected) < 4 * math.sqrt(expected * (1 - expected) / 120)


@pytest.mark.parametrize("mode", GUIDED)
def test_searches_end_within_their_budget_and_are_reproducible(mode: str) -> None:
    trees = [grow(mode, RandomPolicy(3, Behaviour(unparsable_rate=0.1)), max_depth=6) for _ in range(2)]
    assert [node.step for node in trees[0].nodes] == [node.step for node in trees[1].nodes]
    assert max(node.depth for node in trees[0].nodes) <= 7
    values = [trees[0].nodes[i].value for i in trees[0].solutions]
    assert values == sorted(values, key=lambda v: -math.inf if v is None else v, reverse=True)


@pytest.mark.parametrize("mode", GUIDED)
def test_without_values_they_are_refused(mode: str) -> None:
    with pytest.raises(ConfigError, match="needs values"):
        solve({"mode": mode, "value": "none"}, [TASK], policy=RandomPolicy(0))


@pytest.mark.parametrize("mode", GUIDED)
def test_a_prompt_that_is_too_long_ends_its_branch(mode: str) -> None:
    tree = grow(mode, RandomPolicy(3, Behaviour(final_rate=0.0, max_prompt_chars=600)), max_depth=20)
    assert tree.stopped == "context_length"


@pytest.mark.parametrize("mode", GUIDED)
def test_a_search_that_is_cut_short_keeps_the_answers_that_have_no_value_yet(mode: str) -> None:
    class Slow(Guide):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            if "Final Answer" in str(request.prompt):
                await asyncio.sleep(60)
            return await super().evaluate(request)

    tree = grow(mode, Slow({}, depth=2), max_total_time=0.3)
    assert tree.stopped == "max_total_time"
    assert tree.solutions == [node.id for node in tree.nodes if node.answer is not None] != []


@pytest.mark.parametrize("mode", ["sbs", "dvts"])
def test_lookahead_ranks_a_step_by_what_it_leads_to(mode: str) -> None:
    """`a` looks good and leads to `x`, which is bad; at temperature 0 the first letter is written."""

    class Ahead(Guide):
        async def generate(self, request: Generate) -> Generation:
            if request.sampling.temperature > 0:
                return await super().generate(request)
            self.asked.append((f"{self.path(request.prompt)} ahead", request.num_samples))
            return scripted(code(f"x = '{'x' if self.path(request.prompt)[-1] == 'a' else 'y'}'"))

    worth = {"a": 0.9, "b": 0.1, "x": -0.9, "y": 0.8}
    keys = {"step_beam_width": 1, "n_generate_sample": 2, "temperature": 0.7}
    near = Ahead(worth)
    grow(mode, near, **keys)
    assert near.asked[1] == ("a", 2)
    far = Ahead(worth)
    tree = grow(mode, far, **keys, lookahead=1)
    assert far.asked[:4] == [("", 2), ("a ahead", 1), ("b ahead", 1), ("b", 2)]
    a, b = tree.children(tree.root)
    assert (a.value, b.value) == (-0.9, 0.8)
    # What was written ahead is no solution.
    assert next(tree.nodes[i].answer for i in tree.solutions) in ("bba", "bbb")


def test_lookahead_goes_as_far_as_it_is_told_and_no_further_than_an_answer() -> None:
    guide = Guide({}, depth=3)
    tree = grow("sbs", guide, step_beam_width=1, n_generate_sample=1, temperature=0.7, lookahead=5)
    depths = Counter(node.depth for node in tree.nodes)
    assert max(depths) == 3
    assert [path for path, _ in guide.asked] == ["", "a", "aa", "a", "aa", "aa"]


def test_every_guided_search_goes_one_step_beyond_max_depth() -> None:
    for mode in GUIDED:
        tree = grow(mode, Guide({}, depth=4), max_depth=3)
        assert max(node.depth for node in tree.nodes) == 4
        assert tree.solutions, mode


def test_particle_gibbs_samples_a_node_anew_in_each_sweep() -> None:
    class Seeds(Guide):
        def __init__(self) -> None:
            super().__init__({})
            self.roots: list[int] = []

        async def generate(self, request: Generate) -> Generation:
            if not self.path(request.prompt):
                self.roots.append(request.seed)
            return await super().generate(request)

    guide = Seeds()
    tree = grow("particle_gibbs", guide, n_generate_sample=4, sweeps=3)
    assert len(set(guide.roots)) == len(guide.roots) == 3
    assert len(tree.root.children) == 4 + 3 + 3  # one is retained


def test_a_sweep_has_a_new_particle_however_few_there_are() -> None:
    tree = grow("particle_gibbs", Guide({}), n_generate_sample=1, sweeps=2, retained_particles=2)
    assert len(tree.root.children) == 2


@pytest.mark.parametrize("too_long", [1, 2])
def test_a_sweep_that_outgrows_the_context_leaves_the_later_ones_their_chance(too_long: int) -> None:
    class Narrow(Guide):
        async def generate(self, request: Generate) -> Generation:
            reply = await super().generate(request)
            steps = [path for path, _ in self.asked if path]
            return Generation((), too_long=True) if self.asked[-1][0] and len(steps) <= too_long else reply

    tree = grow("particle_gibbs", Narrow({}), n_generate_sample=1, sweeps=too_long + 1)
    assert len(tree.root.children) == too_long + 1
    assert [tree.nodes[i].answer for i in tree.solutions] == ["aaa"]


def test_a_beam_that_is_cut_while_values_come_keeps_its_answers_behind_earlier_ones() -> None:
    class Slow(Guide):
        async def generate(self, request: Generate) -> Generation:
            reply = await super().generate(request)
            early = scripted(final("early")).samples if not self.path(request.prompt) else ()
            return replace(reply, samples=(early + reply.samples)[: request.num_samples])

        async def evaluate(self, request: Evaluate) -> Evaluation:
            if "Final Answer: a" in str(request.prompt):
                await asyncio.sleep(60)
            return await super().evaluate(request)

    tree = grow("sbs", Slow({}, depth=2), step_beam_width=2, n_generate_sample=2, max_total_time=0.3)
    assert tree.stopped == "max_total_time"
    assert [tree.nodes[i].answer for i in tree.solutions] == ["early", "aa", "ab"]
