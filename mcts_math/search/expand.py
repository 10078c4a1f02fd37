"""What every strategy shares: asking for samples at a node, and turning them into children.

A sample that can't be read becomes a terminal child and its siblings stand (the published code lost the whole round).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from mcts_math.formats import StepFormat
from mcts_math.requests import (
    Cell,
    CellStatus,
    Check,
    Evaluate,
    Evaluation,
    Execute,
    Generate,
    Generation,
    Observation,
    Prompt,
    Reply,
    Request,
    Sample,
    Sampling,
)
from mcts_math.step import Draft, Outcome, Step
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
    """How nodes are expanded.

    Attributes:
        format: prompt and step format.
        sampling: how steps are sampled.
        max_depth: a step deeper than this without an answer ends its solution.
        run_seed: every seed derives from (run_seed, task id, node id).
        use_values: there is a value source, and the search may ask it.
        errors_threshold: code steps in a row that may fail; None: any number.
        remove_duplicate: keep the first of equal samples only.
        check_answers: ask whether answers are right (training data generation).
    """

    format: StepFormat
    sampling: Sampling
    max_depth: int
    run_seed: int = 0
    use_values: bool = False
    errors_threshold: int | None = None
    remove_duplicate: bool = False
    check_answers: bool = False

    def prompt(self, tree: Tree, node: Node) -> Prompt:
        return self.format.prompt(tree.task, tree.steps(node))

    def generate(self, tree: Tree, node: Node, num_samples: int, want_value: bool = False) -> Generate:
        """The request for the steps that follow `node`."""
        seed = derive_seed(self.run_seed, tree.task.id, node.id)
        return Generate(self.prompt(tree, node), num_samples, self.sampling, seed, want_value, tree.task.id)

    def evaluate(self, tree: Tree, node: Node) -> Evaluate:
        """The request for the value of the partial solution that ends at `node`."""
        return Evaluate(self.prompt(tree, node), tree.task.id)


def derive_seed(run_seed: int, task_id: str, place: int | str) -> int:
    """A seed in [0, 2**62) that depends on these three alone. `place` is a node's id, or some other name."""
    key = f"{run_seed}\x1f{place}\x1f{task_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 2


def grow(
    expansion: Expansion, tree: Tree, node: Node, generation: Generation, places: Sequence[str] | None = None
) -> Asking[list[Node]]:
    """Adds a child for every sample, running its code and checking its answer; returns the new nodes.

    Args:
        expansion: how.
        tree, node: where.
        generation: the samples.
        places: for every sample a name that seeds its code; None: the ids of the new nodes.
    """
    samples = _distinct(generation.samples) if expansion.remove_duplicate else list(generation.samples)
    drafts = [expansion.format.read(sample.text) for sample in samples]
    first_id = len(tree.nodes)
    seeds = [
        derive_seed(expansion.run_seed, tree.task.id, first_id + i if places is None else places[i])
        for i in range(len(samples))
    ]
    cells = [None if draft.code is None else Cell(draft.code, seed) for draft, seed in zip(drafts, seeds, strict=True)]
    observations = yield from _run(tree, node, cells)
    verdicts = yield from _judge(expansion, tree, drafts)
    before = tree.turn(node)
    return [
        tree.add_child(node, _step(expansion, before, *parts), prior=_prior(parts[0]))
        for parts in zip(samples, drafts, cells, observations, verdicts, strict=True)
    ]


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


def _distinct(samples: Sequence[Sample]) -> list[Sample]:
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.text.strip(), sample)
    return list(first.values())


def _run(tree: Tree, node: Node, cells: Sequence[Cell | None]) -> Asking[list[Observation | None]]:
    wanted = [cell for cell in cells if cell is not None]
    if not wanted:
        return [None] * len(cells)
    history = tuple(Cell(step.code, step.seed) for step in tree.steps(node) if step.code is not None)
    replies = iter((yield [Execute(tree.task.id, history, cell) for cell in wanted]))
    observations: list[Observation | None] = []
    for cell in cells:
        reply = None if cell is None else next(replies)
        assert reply is None or isinstance(reply, Observation)
        observations.append(reply)
    return observations


def _judge(expansion: Expansion, tree: Tree, drafts: Sequence[Draft]) -> Asking[list[bool | None]]:
    answers = [draft.answer for draft in drafts if draft.answer is not None]
    if not expansion.check_answers or not answers:
        return [None] * len(drafts)
    replies = iter((yield [Check(answer, tree.task.answers) for answer in answers]))
    return [None if draft.answer is None else next(replies) is True for draft in drafts]


def _step(
    expansion: Expansion,
    before: Sequence[Step],
    sample: Sample,
    draft: Draft,
    cell: Cell | None,
    observation: Observation | None,
    correct: bool | None,
) -> Step:
    if cell is None and draft.note is None:
        return Step(
            text=expansion.format.finished(draft),
            outcome=_final_outcome(draft),
            answer=draft.answer,
            logprob=sample.logprob,
            num_tokens=sample.num_tokens,
            correct=correct,
        )
    shown = draft.note if observation is None else observation.text
    failed = observation is not None and observation.status is not CellStatus.OK
    return Step(
        text=expansion.format.observed(draft, shown or ""),
        outcome=_going_on(expansion, before, failed),
        action=draft.action,
        action_input=draft.action_input,
        observation=shown,
        status=None if observation is None else observation.status,
        seed=0 if cell is None else cell.seed,
        logprob=sample.logprob,
        num_tokens=sample.num_tokens,
    )


def _going_on(expansion: Expansion, before: Sequence[Step], failed: bool) -> Outcome:
    """What a step without an answer leads to: the solution goes on, unless too much failed or it is too deep."""
    threshold = expansion.errors_threshold
    if threshold is not None and failed and _failed_in_a_row(before) + 1 > threshold:
        return Outcome.TOO_MANY_ERRORS
    return Outcome.TOO_DEEP if len(before) + 1 > expansion.max_depth else Outcome.CONTINUE


def _final_outcome(draft: Draft) -> Outcome:
    if draft.answer is not None:
        return Outcome.ANSWER
    return Outcome.REPLY if draft.whole else Outcome.UNPARSABLE


def _failed_in_a_row(steps: Sequence[Step]) -> int:
    """Code steps that failed one after another, up to the last."""
    count = 0
    for step in reversed(steps):
        if not step.failed:
            break
        count += 1
    return count


def _prior(sample: Sample) -> float:
    """exp of the mean token log-probability (SPEC A7)."""
    return math.exp(min(sample.logprob / max(sample.num_tokens, 1), 0.0))
