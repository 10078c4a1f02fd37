"""Votes with weights, votes that end early, and a choice among attempts by value or by the model itself."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, code, final, grow_tree, solve_one

from mcts_math.config import load_config_as, make_config
from mcts_math.errors import ConfigError, EngineError
from mcts_math.requests import Check, Evaluate, Evaluation, Generate, Generation
from mcts_math.search.selection import COMPARE
from mcts_math.search.votes import is_certain, lead_is_lasting, totals, winner
from mcts_math.solver import solve
from mcts_math.step import Outcome
from mcts_math.tree import Tree

SERVICES: Any = {"interpreter": EchoInterpreter(), "checker": EqualChecker()}
ASKED = COMPARE.partition(". ")[2]  # the part without a number


class Texts(ScriptedPolicy):
    """Writes texts one after another, each with a mean log-probability; an answer is worth what `worth` says."""

    def __init__(self, *texts: str | tuple[str, float], worth: dict[str, float] | None = None) -> None:
        self.left = [(text, -0.5) if isinstance(text, str) else text for text in texts]
        self.worth = worth or {}
        self.prompts: list[str] = []
        super().__init__(self.write)

    def write(self, request: Generate) -> Generation:
        self.prompts.append(str(request.prompt))
        pairs = [self.left.pop(0) for _ in range(request.num_samples)]
        if pairs[0][0] == "long":
            return Generation((), too_long=True)
        return scripted(*(text for text, _ in pairs), logprobs=tuple(mean for _, mean in pairs))

    async def evaluate(self, request: Evaluate) -> Evaluation:
        answer = str(request.prompt).rpartition("Final Answer: ")[2].split("\n")[0]
        return Evaluation(self.worth[answer])


def answers(tree: Tree) -> list[str | None]:
    return [tree.nodes[i].answer for i in tree.solutions]


def vote(*given: str, **keys: Any) -> Tree:
    policy = keys.pop("policy", None) or Texts(*map(final, given))
    return grow_tree({"mode": "self_consistency", "trials": len(given), "max_depth": 3, **keys}, policy)


WORTH = {"1": -0.9, "2": 0.8, "3": 0.6}


def test_a_vote_weighs_by_value() -> None:
    given = [final(text) for text in ("1", "1", "1", "2", "3", "3")]
    by_sum = vote(*given, policy=Texts(*given, worth=WORTH), vote_weight="value", value="head")
    assert answers(by_sum) == ["3", "3", "1", "1", "1", "2"]  # 0.15, 0.9, 1.6
    by_best = vote(*given, policy=Texts(*given, worth=WORTH), vote_weight="value", vote_total="max", value="head")
    assert answers(by_best)[0] == "2"
    assert answers(vote("1", "1", "1", "2", "3", "3"))[0] == "1"


def test_a_vote_weighs_by_confidence() -> None:
    texts = [(final("1"), -2.0), (final("1"), -2.0), (final("2"), -0.1)]
    assert 2 * math.exp(-2.0) < math.exp(-0.1)
    tree = vote("", "", "", policy=Texts(*texts), vote_weight="confidence")
    assert answers(tree) == ["2", "1", "1"]


class Certain(ScriptedPolicy):
    """Writes an answer with a certainty a token, one pair after another."""

    def __init__(self, *pairs: tuple[str, float | None]) -> None:
        self.left = list(pairs)
        super().__init__(self.write)

    def write(self, request: Generate) -> Generation:
        reply = scripted(*(final(self.left[i][0]) for i in range(request.num_samples)))
        told, self.left = self.left[: request.num_samples], self.left[request.num_samples :]
        assert request.sampling.want_certainty
        samples = [
            replace(sample, certainty=None if mean is None else mean * sample.num_tokens)
            for sample, (_, mean) in zip(reply.samples, told, strict=True)
        ]
        return replace(reply, samples=tuple(samples))


def test_certainty_votes_by_borda() -> None:
    pairs = [("1", 3.0), ("1", 4.0), ("2", 9.0), ("2", 5.0), ("1", 1.0)]  # shares of 5: 2 + 3 + 1 against 5 + 4
    assert answers(vote(*"12345", policy=Certain(*pairs), vote_weight="certainty")) == ["2", "2", "1", "1", "1"]
    tree = vote(*"12345", policy=Certain(*pairs), vote_weight="certainty", borda_power=0.1)
    assert answers(tree)[0] == "1"  # nearly a majority
    assert tree.nodes[tree.attempts[0].node].step.certainty == 3.0 * tree.nodes[tree.attempts[0].node].step.num_tokens


def test_certainty_chooses_among_attempts() -> None:
    keys = {"mode": "selection", "choose": "certainty", "trials": 3, "n_generate_sample": 2, "max_depth": 3}
    tree = grow_tree(keys, Certain(("1", 3.0), ("2", 4.0), ("3", 3.5)))
    assert answers(tree) == ["2", "3", "1"]


def test_a_policy_that_does_not_tell_its_certainty_is_refused() -> None:
    keys = {"mode": "selection", "choose": "certainty", "prompt_wrap": "react_sft"}
    with pytest.raises(EngineError, match="does not tell how certain it is"):
        solve(keys, [{"question": "Q"}], policy=Certain(("1", None)), **SERVICES)
    with pytest.raises(
        ConfigError, match="needs the certainty of a sample, which engine: vllm has not; use engine: hf"
    ):
        make_config(keys | {"engine": "vllm"})


@pytest.mark.parametrize("how", ["sum", "max"])
def test_a_vote_is_certain_exactly_where_nothing_can_change_it(how: Any) -> None:
    """Against every way in which the votes that are left can fall, with weights 0 and 1 and one more answer."""
    further = [(answer, weight) for answer in "abn" for weight in (0.0, 1.0)]
    for given in itertools.product([("a", 1.0), ("b", 1.0), ("b", 0.5), ("a", 0.75)], repeat=3):
        for left in range(4):
            standing = totals(given, how)
            ends = {winner(totals([*given, *more], how)) for more in itertools.product(further, repeat=left)}
            assert is_certain(standing, left, how) == (ends == {winner(standing)}), (given, left)


def test_nothing_is_certain_before_the_first_answer() -> None:
    assert not is_certain({}, 1, "sum")
    assert is_certain({}, 0, "sum")


def test_the_chance_that_a_lead_lasts_is_that_of_its_beta_distribution() -> None:
    for first, second in [(0, 0), (1, 0), (3, 1), (4, 4), (12, 5)]:
        steps = 20_000
        density = [x**first * (1 - x) ** second for x in ((i + 0.5) / steps for i in range(steps))]
        expected = sum(density[steps // 2 :]) / sum(density)
        assert lead_is_lasting({"a": second, "b": first, "c": 0}) == pytest.approx(expected, abs=1e-6)
    assert lead_is_lasting({}) == 0.5


def test_a_vote_that_can_not_change_any_more_ends() -> None:
    tree = vote(*"1211121121", vote_stop="certain")
    assert len(tree.attempts) == 7  # 5 against 2, and 3 left: of equal ones the first leads
    assert answers(tree)[0] == "1"
    tree = vote(*"121112112122", vote_stop="certain")
    assert answers(tree)[0] == answers(vote(*"121112112122"))[0] == "1"


def test_a_vote_ends_by_the_beta_bound() -> None:
    assert len(vote(*"1111111111", vote_stop="beta").attempts) == 4  # 1 - 1/32 is the first above 0.95
    assert len(vote(*"1111111111", vote_stop="beta", vote_confidence=0.99).attempts) == 6
    assert len(vote(*"1212121212", vote_stop="beta").attempts) == 10


def test_equal_answers_count_together_before_the_end() -> None:
    class Halves(EqualChecker):
        async def check(self, request: Check) -> bool:
            return {request.answer, *request.golds} <= {"1/2", "0.5"}

    solved = solve_one(
        {"mode": "self_consistency", "trials": 9, "vote_stop": "beta"},
        Texts(*map(final, ["1/2", "0.5"] * 5)),
        {"id": "t", "question": "Q"},
        checker=Halves(),
    )
    assert len(solved.tree.attempts) == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"vote_stop": "beta", "vote_weight": "confidence"}, "beta counts whole votes"),
        ({"vote_stop": "certain", "vote_weight": "certainty"}, "certain needs weights that stay"),
        ({"value": "head"}, "asks for no values as it is set"),
        ({"vote_confidence": 0.4}, "vote_confidence"),
        ({"mode": "selection", "choose": "model", "value": "head"}, "asks for no values as it is set"),
        ({"mode": "selection", "compare": 1}, "compare"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_config({"mode": "self_consistency"} | settings)


@pytest.mark.parametrize(
    "keys",
    [{"mode": "selection"}, {"mode": "self_consistency", "vote_weight": "value"}, {"mode": "sbs", "lookahead": 1}],
)
def test_what_needs_values_says_so(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs values as it is set: set value=head"):
        grow_tree(keys, Texts())


def test_a_file_that_has_values_serves_modes_that_ask_for_none(tmp_path: Any) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mode: sbs\nvalue: head\n")
    assert load_config_as("self_consistency", path).value_source == "none"
    assert load_config_as("self_consistency", path, ["vote_weight=value"]).value_source == "head"
    assert load_config_as("selection", path).value_source == "head"


def choose(*texts: str, trials: int, **keys: Any) -> tuple[Tree, Texts]:
    policy = Texts(*texts, worth=WORTH)
    config = {"mode": "selection", "trials": trials, "n_generate_sample": trials, "max_depth": 3, **keys}
    return grow_tree(config, policy), policy


def test_values_choose() -> None:
    tree, _ = choose(final("1"), final("2"), final("3"), trials=3, value="head")
    assert answers(tree) == ["2", "3", "1"]
    assert tree.correct is False  # judged as any other, at the end
    assert [attempt.verdict for attempt in tree.attempts] == [None] * 3


def test_the_model_chooses_by_knock_out() -> None:
    attempts = [final(text) for text in ("1", "2", "3", "4", "5")]
    tree, policy = choose(*attempts, "Take 2.", "2 is wrong, so 1", "Solution 2", "2", trials=5, choose="model")
    # 1-2 to 2, 3-4 to 3, 5 rests; 2-3 to 3, 5 rests; 3-5 to 5.
    assert answers(tree) == ["5", "3", "2", "1", "4"]
    asked = [prompt for prompt in policy.prompts if ASKED in prompt]
    assert len(asked) == 4
    assert all("Solution 1:" in prompt and "Solution 2:" in prompt for prompt in asked)
    said = [node for node in tree.nodes if node.step is not None and node.step.outcome is Outcome.USER]
    assert len(said) == 4  # comparisons stand in the record
    assert len(tree.attempts) == 5  # and are no attempts


def test_the_model_chooses_from_a_list() -> None:
    tree, _ = choose(*map(final, "1234"), "The best is 3", trials=4, choose="model", compare=4)
    assert answers(tree) == ["3", "1", "2", "4"]


@pytest.mark.parametrize("reply", ["I can't say.", "Number 7", "0", "9" * 5000])
def test_a_reply_that_names_none_leaves_the_first(reply: str) -> None:
    tree, _ = choose(final("1"), final("2"), reply, trials=2, choose="model")
    assert answers(tree) == ["1", "2"]


def test_equal_answers_are_not_compared_and_a_list_that_is_too_long_says_so() -> None:
    tree, _ = choose(final("1"), final("1"), "?", "?", trials=2, choose="model")
    assert answers(tree) == ["1", "1"]
    tree, _ = choose(final("1"), final("2"), "long", trials=2, choose="model")
    assert (answers(tree), tree.stopped) == (["1", "2"], "context_length")


def test_a_chain_of_steps_is_shown_with_its_observations() -> None:
    _, policy = choose(code("A"), final("2"), final("1"), "1", trials=2, choose="model")
    assert "ok after 0" in policy.prompts[-1].partition(ASKED)[2]
