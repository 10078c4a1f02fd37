"""What a reward model is told beside the prompt: the question, and the steps of this attempt."""

from __future__ import annotations

import asyncio

from mcts_math.formats import FormatOptions, make_format
from mcts_math.messages import Sample, Sampling
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, PartialSolution
from mcts_math.search.expansion import Expansion
from mcts_math.step import Outcome, Step
from mcts_math.tasks import Task
from mcts_math.tree import new_tree
from mcts_math.values import ValuedPolicy

EXPANSION = Expansion(make_format("react_sft", FormatOptions()), Sampling(), max_depth=4)


def test_requests_for_values_tell_question_and_steps() -> None:
    tree = new_tree(Task("a", "How much is 1 + 1?"))
    first = tree.add_child(tree.root, Step("one and one", Outcome.CONTINUE), 1.0)
    second = tree.add_child(first, Step("is two", Outcome.ANSWER, answer="2"), 1.0)
    again = tree.add_child(tree.say(second, "Are you sure?"), Step("yes", Outcome.ANSWER, answer="2"), 1.0)
    told = [EXPANSION.evaluate(tree, node).partial for node in (tree.root, second, again)]
    steps = [(), ("one and one", "is two"), ("yes",)]
    assert told == [PartialSolution("How much is 1 + 1?", texts) for texts in steps]
    assert EXPANSION.generate(tree, second, 2, want_value=True).partial == told[1]
    assert EXPANSION.generate(tree, second, 2).partial is None


class Policy:
    async def generate(self, request: Generate) -> Generation:
        return Generation((Sample("x", -1.0, 1),), num_prompt_tokens=7, num_cached_tokens=3)

    async def close(self) -> None: ...


class Scorer:
    """Says how long the solution is, as a value."""

    async def evaluate(self, request: Evaluate) -> Evaluation:
        assert request.partial is not None
        return Evaluation(len(request.partial.steps) / 10, num_prompt_tokens=50, num_cached_tokens=10)

    async def close(self) -> None: ...


def test_tokens_of_a_value_model_are_counted_apart() -> None:
    policy = ValuedPolicy(Policy(), Scorer())
    partial = PartialSolution("?", ("a", "b"))
    generate = Generate("p", 1, Sampling(), 0, want_value=True, partial=partial)
    reply = asyncio.run(policy.generate(generate))
    assert (reply.value, reply.num_prompt_tokens, reply.num_cached_tokens, reply.num_value_tokens) == (0.2, 7, 3, 40)
    evaluation = asyncio.run(policy.evaluate(Evaluate("p", "", partial)))
    assert (evaluation.value, evaluation.num_prompt_tokens, evaluation.num_value_tokens) == (0.2, 0, 40)
