"""AB-MCTS: what is believed of scores, and where the next attempt or step is made."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import EqualVerifier, code, final, grow_tree, solve_one

from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, Verification, Verify
from mcts_math.search.ab_mcts import IMPROVE
from mcts_math.search.expansion import CONTEXT_LENGTH
from mcts_math.search.thompson import Beta, Chooser, Gaussian
from mcts_math.step import Outcome, Verdict
from mcts_math.tree import Node, Tree

SCORES = [0.9, 0.2, 0.7, 0.7]


def test_a_gaussian_belief_draws_from_the_students_t_of_its_posterior() -> None:
    belief, rng = Gaussian(), random.Random(5)
    for score in SCORES:
        belief.tell(score)
    n, mean = len(SCORES), statistics.fmean(SCORES)
    scale = (0.1 + sum((s - mean) ** 2 for s in SCORES) + n / (n + 1) * mean**2) / (n + 1)
    draws = sorted(belief.draw(rng) for _ in range(20_000))
    center = n * mean / (n + 1)
    width = math.sqrt(scale / (n + 1))
    # Quartiles of Student's t with 5 degrees of freedom lie at 0 and ±0.72669.
    assert draws[10_000] == pytest.approx(center, abs=0.01)
    assert draws[15_000] == pytest.approx(center + 0.72669 * width, abs=0.01)
    assert draws[5_000] == pytest.approx(center - 0.72669 * width, abs=0.01)


def test_a_beta_belief_counts_a_score_as_a_share_of_a_success() -> None:
    belief, rng = Beta(), random.Random(5)
    for score in SCORES:
        belief.tell(score)
    a, b = 0.5 + sum(SCORES), 0.5 + 4 - sum(SCORES)
    draws = [belief.draw(rng) for _ in range(20_000)]
    assert statistics.fmean(draws) == pytest.approx(a / (a + b), abs=0.01)
    assert statistics.variance(draws) == pytest.approx(a * b / (a + b) ** 2 / (a + b + 1), abs=0.003)


def test_scores_reach_the_beliefs_they_speak_of() -> None:
    told: dict[int, list[float]] = {}

    class Noting:
        def __init__(self) -> None:
            self.scores = told.setdefault(len(told), [])

        def tell(self, score: float) -> None:
            self.scores.append(score)

        def draw(self, rng: random.Random) -> float:
            return 0.0

    chooser = Chooser(0, Noting, random.Random(0))  # beliefs 0, 1: new and old at the root
    chooser.tell(0, 1, 0.5)  # 2, 3: new and old at 1; 4: in 1
    chooser.tell(1, 2, 0.75)  # 5, 6; 7: in 2
    chooser.tell(2, 3, 0.25, is_open=False)
    assert [told[i] for i in range(8)] == [
        [0.5], [0.75, 0.25], [0.75], [0.25], [0.5, 0.75, 0.25], [0.25], [], [0.75, 0.25],
    ]  # fmt: skip
    assert len(told) == 8  # nothing goes on from 3


def test_a_node_that_is_closed_is_not_chosen_again() -> None:
    for seed in range(20):
        chooser = Chooser(0, Beta, random.Random(seed))
        for child in range(1, 6):
            chooser.tell(0, child, 1.0)
            chooser.close(child)
        assert {chooser.choose() for _ in range(20)} == {0}


class Rising(ScriptedPolicy):
    """Attempts are poor from the bare question, and better with each refinement."""

    def __init__(self, *, longest: int = 100) -> None:
        self.longest = longest
        super().__init__(self.write)

    def write(self, request: Generate) -> Generation:
        asked = str(request.prompt).count(IMPROVE)
        if asked > self.longest:
            return Generation((), too_long=True)
        return scripted(*[final(str(asked))] * request.num_samples)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        return Evaluation(min(0.9, 0.6 * str(request.prompt).count(IMPROVE) - 0.9))


def attempts(tree: Tree) -> list[Node]:
    return [tree.nodes[attempt.node] for attempt in tree.attempts]


def grow(policy: Any, **keys: Any) -> Tree:
    config = {"mode": "ab_mcts", "value": "head", "trials": 24, "temperature": 1.0, "max_depth": 3}
    return grow_tree(config | keys, policy)


@pytest.mark.parametrize("belief", ["gaussian", "beta"])
def test_it_refines_where_that_helps(belief: str) -> None:
    tree = grow(Rising(), belief=belief)
    assert len(tree.attempts) == 24
    best = tree.nodes[tree.solutions[0]]
    assert best.value == pytest.approx(0.9)
    assert int(best.answer or 0) >= 3
    values = [tree.nodes[i].value or 0.0 for i in tree.solutions]
    assert values == sorted(values, reverse=True)
    said = [node.step.text for node in tree.nodes if node.step is not None and node.step.outcome is Outcome.USER]
    assert set(said) == {IMPROVE}
    assert all(attempt.verdict is None for attempt in tree.attempts)  # the ground truth was not asked


def test_where_nothing_helps_it_tries_anew() -> None:
    class Falling(Rising):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            return Evaluation(-1.0 if IMPROVE in str(request.prompt) else 0.9)

    tree = grow(Falling(), trials=40)
    anew = sum(node.answer == "0" for node in attempts(tree))
    assert anew > 30


def test_attempts_of_a_batch_have_numbers_and_seeds_of_their_own() -> None:
    tree = grow(RandomPolicy(1, Behaviour(final_rate=1.0, unparsable_rate=0.0, num_answers=10**6)), n_generate_sample=6)
    assert len(tree.attempts) == 24
    assert len({node.answer for node in attempts(tree)}) == 24
    tokens = sum(node.step.num_tokens for node in tree.nodes if node.step is not None)
    assert sum(attempt.tokens for attempt in tree.attempts) == tokens


@pytest.mark.parametrize("seed", range(8))
def test_no_attempt_is_made_twice_where_others_beside_it_were_too_long(seed: int) -> None:
    policy = Rising(longest=0)
    assert grow(policy, n_generate_sample=4, seed=seed).stopped == CONTEXT_LENGTH
    asked = [r for r in policy.requests if isinstance(r, Generate) and IMPROVE not in str(r.prompt)]
    seeds = [request.seed + i for request in asked for i in range(request.num_samples)]
    assert len(set(seeds)) == len(seeds) == 24


def test_a_conversation_that_is_too_long_is_left() -> None:
    tree = grow(Rising(longest=1))
    assert tree.stopped == "context_length"
    assert len(tree.attempts) == 24
    assert {node.answer for node in attempts(tree)} == {"0", "1"}


def test_an_attempt_without_answer_scores_nothing_and_is_not_asked_about() -> None:
    policy = ScriptedPolicy(lambda request: scripted(*["?"] * request.num_samples))  # has no values
    tree = grow(policy, trials=3)
    assert tree.solutions == []
    assert [node.value for node in attempts(tree)] == [None] * 3


def test_over_steps_it_goes_on_from_good_ones_and_never_from_an_answer() -> None:
    class Steps(ScriptedPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            return Evaluation(0.9 if "good" in str(request.prompt) else -0.9)

    def write(request: Generate) -> Generation:
        depth = str(request.prompt).count("</step>")
        texts = [code("good"), code("bad"), final("1")] if depth < 3 else [final("1")]
        return scripted(texts[request.seed % len(texts)])

    tree = grow_tree(
        {"mode": "ab_mcts_steps", "value": "head", "iterations": 60, "temperature": 1.0, "max_depth": 9}, Steps(write)
    )
    assert len(tree.nodes) == 61
    assert all(not node.children for node in tree.nodes if node.answer is not None)
    below = dict.fromkeys(("good", "bad"), 0)
    for node in tree.nodes[1:]:
        parent = tree.nodes[node.parent].step
        for word in below:
            below[word] += parent is not None and word in parent.text
    assert below["good"] > 3 * below["bad"]
    assert tree.nodes[tree.solutions[0]].answer == "1"


@pytest.mark.parametrize("mode", ["ab_mcts", "selection"])
def test_programs_are_chosen_by_value_and_the_choice_alone_is_tested(mode: str) -> None:
    class Programs(ScriptedPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            return Evaluation(0.9 if "def good" in str(request.prompt) else -0.5)

    class Tests(EqualVerifier):
        async def verify(self, request: Verify) -> Verification:
            self.requests.append(request)
            return Verification(
                Verdict.CORRECT if request.attempt == "def good" else Verdict.INCORRECT, request.attempt
            )

    texts = iter(["def bad", "def good", "def bad"])
    solved = solve_one(
        {"mode": mode, "prompt_wrap": "chat", "trials": 3, "value": "head", "n_generate_sample": 3},
        Programs(lambda request: scripted(*[next(texts) for _ in range(request.num_samples)])),
        {"id": "p", "question": "Write f.", "prompt": "", "test": "assert f() == 1", "entry_point": "f"},
        verifier=(tests := Tests()),
    )
    assert solved.error == ""
    assert solved.tree.correct is True
    assert len(tests.requests) == 1
    assert [attempt.verdict for attempt in solved.tree.attempts] == [None] * 3


@pytest.mark.parametrize("mode", ["ab_mcts", "ab_mcts_steps"])
def test_the_tree_depends_on_the_seed_alone(mode: str) -> None:
    keys = {"trials": 12} if mode == "ab_mcts" else {"iterations": 12}
    config = {"mode": mode, "value": "head", "n_generate_sample": 3, "max_depth": 5, **keys}
    trees = [grow_tree(config | {"seed": seed}, RandomPolicy(3)) for seed in (1, 1, 2)]
    first, again, other = [[node.step for node in tree.nodes] for tree in trees]
    assert first == again != other
