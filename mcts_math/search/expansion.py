"""How nodes are expanded and scored: what a search asks for at a node. `expand` makes children of the replies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

from mcts_math.formats import StepFormat
from mcts_math.messages import Prompt, Sampling
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, PartialSolution, Reply, Request
from mcts_math.step import Step
from mcts_math.tree import Node, Tree

T = TypeVar("T")

CONTEXT_LENGTH: Final = "context_length"
"""Why a tree was cut short: a prompt does not fit the model's context."""

Asking: TypeAlias = Generator[Sequence[Request], Sequence[Reply], T]
"""Part of a search: asks, and returns what it found."""

Search: TypeAlias = Generator[Sequence[Request], Sequence[Reply], None]
"""A search works on the tree that it was given; where it is stopped, the tree is what it was at the last request."""


@dataclass(frozen=True, slots=True)
class Expansion:
    format: StepFormat
    sampling: Sampling
    max_depth: int  # a step deeper than this without an answer ends its solution
    run_seed: int = 0  # every seed derives from (run_seed, task id, node id)
    use_values: bool = False  # there is a value source, and the search may ask it
    errors_threshold: int | None = None  # code steps in a row that may fail; None: any number
    remove_duplicate: bool = False  # keep the first of equal samples only
    check_answers: bool = False  # ask whether answers are right (training data generation)
    max_solution_tokens: int = 0  # most tokens of all steps of a solution; 0: as many as its steps may have
    adapter: str = ""  # whose weights sample, see `Generate.adapter`

    def prompt(self, tree: Tree, node: Node) -> Prompt:
        return self.format.prompt(tree.task, tree.steps(node))

    @property
    def most_steps(self) -> int:
        """How many steps a solution can have: one deeper than `max_depth` may still give the answer."""
        return self.max_depth + 1

    def seed(self, tree: Tree, place: int | str) -> int:
        return derive_seed(self.run_seed, tree.task.id, place)

    def generate(self, tree: Tree, node: Node, num_samples: int, want_value: bool = False) -> Generate:
        """The request for the steps that follow `node`; of one that has some already, for others."""
        place = f"{node.id} after {len(node.children)}" if node.children else node.id
        return Generate(
            self.prompt(tree, node),
            num_samples,
            sampling=self.format.begin(self.sampling_at(tree, node)),
            seed=self.seed(tree, place),
            want_value=want_value,
            task_id=tree.task.id,
            adapter=self.adapter,
            partial=_partial(tree, node) if want_value else None,
        )

    def sampling_at(self, tree: Tree, node: Node) -> Sampling:
        """How the step after `node` is sampled: it ends where its solution has no tokens left."""
        if not self.max_solution_tokens:
            return self.sampling
        left = self.max_solution_tokens - num_tokens(tree.turn(node))
        return replace(self.sampling, max_tokens=max(min(left, self.sampling.max_tokens), 1))

    def evaluate(self, tree: Tree, node: Node) -> Evaluate:
        """The request for the value of the partial solution that ends at `node`."""
        return Evaluate(self.prompt(tree, node), tree.task.id, _partial(tree, node))


def _partial(tree: Tree, node: Node) -> PartialSolution:
    return PartialSolution(tree.task.question, tuple([step.text for step in tree.turn(node)]))


def derive_seed(run_seed: int, task_id: str, place: int | str) -> int:
    """A seed in [0, 2**62) that depends on these three alone. `place` is a node's id, or some other name."""
    key = f"{run_seed}\x1f{place}\x1f{task_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 2


def ask_samples(request: Generate) -> Asking[Generation]:
    (reply,) = yield [request]
    assert isinstance(reply, Generation)
    return reply


def score(expansion: Expansion, tree: Tree, nodes: Sequence[Node]) -> Asking[list[float | None]]:
    """Asks for the value of every node and notes it as its estimate; None where a prompt does not fit the context."""
    if not nodes:
        return []
    replies = yield [expansion.evaluate(tree, node) for node in nodes]
    for node, reply in zip(nodes, replies, strict=True):
        assert isinstance(reply, Evaluation)
        node.estimate = None if reply.too_long else reply.value
        if reply.too_long:
            tree.stopped = CONTEXT_LENGTH
    return [node.estimate for node in nodes]


def chance(node: Node) -> float:
    """The value of a node as a probability in [0, 1]; 0 of one that has none."""
    return 0.0 if node.value is None else min(max((node.value + 1) / 2, 0.0), 1.0)


def by_value(node: Node) -> float:
    """What ranks a node that was scored; one without a value comes last."""
    return -math.inf if node.value is None else node.value


def rank_solutions(tree: Tree) -> None:
    """Puts the solutions in the order of their values, best first; equal ones keep their order."""
    tree.solutions.sort(key=lambda i: by_value(tree.nodes[i]), reverse=True)


def num_tokens(steps: Sequence[Step]) -> int:
    return sum(step.num_tokens for step in steps)


def mean_logprob(steps: Sequence[Step]) -> float:
    """Mean log-probability of the tokens, nats; 0 where there are none."""
    return sum(step.logprob for step in steps) / max(1, num_tokens(steps))


def likelihood(mean_logprob: float) -> float:
    """The geometric mean of the tokens' probabilities, in [0, 1]."""
    return math.exp(min(mean_logprob, 0.0))
