"""What every strategy shares: asking for samples at a node, and turning them into children.

A sample that can't be read becomes a terminal child and its siblings stand (the published code lost the whole round).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

from mcts_math.formats import StepFormat
from mcts_math.messages import Conversation, Piece, Prompt, Sample, Sampling, text_of
from mcts_math.requests import (
    Cell,
    Check,
    Evaluate,
    Evaluation,
    Execute,
    Generate,
    Generation,
    Observation,
    PartialSolution,
    Reply,
    Request,
)
from mcts_math.step import TOOL, Draft, Outcome, Run, Step
from mcts_math.tree import Node, Tree

T = TypeVar("T")

_SEEDS: Final = (1 << 62) - 1

UNSCORED: Final = float("-inf")

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
        max_solution_tokens: most tokens of all steps of a solution; 0: as many as its steps may have.
    """

    format: StepFormat
    sampling: Sampling
    max_depth: int
    run_seed: int = 0
    use_values: bool = False
    errors_threshold: int | None = None
    remove_duplicate: bool = False
    check_answers: bool = False
    max_solution_tokens: int = 0

    def prompt(self, tree: Tree, node: Node) -> Prompt:
        return self.format.prompt(tree.task, tree.steps(node))

    @property
    def most_steps(self) -> int:
        """How many steps a solution can have: one deeper than `max_depth` may still give the answer."""
        return self.max_depth + 1

    def greedy(self) -> Expansion:
        """The same with the most likely samples."""
        return replace(self, sampling=replace(self.sampling, temperature=0.0))

    def generate(self, tree: Tree, node: Node, num_samples: int, want_value: bool = False) -> Generate:
        """The request for the steps that follow `node`; of one that has some already, for others."""
        place = f"{node.id} after {len(node.children)}" if node.children else node.id
        seed = derive_seed(self.run_seed, tree.task.id, place)
        sampling = self.format.begin(self.sampling_at(tree, node))
        partial = _partial(tree, node) if want_value else None
        return Generate(self.prompt(tree, node), num_samples, sampling, seed, want_value, tree.task.id, partial=partial)

    def sampling_at(self, tree: Tree, node: Node) -> Sampling:
        """How the step after `node` is sampled: it ends where its solution has no tokens left."""
        if not self.max_solution_tokens:
            return self.sampling
        left = self.max_solution_tokens - _tokens(tree.turn(node))
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


def grow(
    expansion: Expansion,
    tree: Tree,
    node: Node,
    generation: Generation,
    places: Sequence[str] | None = None,
    adapter: str = "",
) -> Asking[list[Node]]:
    """Adds a child for every sample, running its code and checking its answer; returns the new nodes.

    Args:
        expansion: how.
        tree, node: where.
        generation: the samples.
        places: for every sample a name that seeds its code; None: the ids of the new nodes.
        adapter: whose weights sampled.
    """
    samples = yield from complete(expansion, tree, node, generation.samples, adapter)
    read = [(sample, expansion.format.read(sample)) for sample in samples]
    read = _distinct(read) if expansion.remove_duplicate else read
    samples, drafts = [sample for sample, _ in read], [draft for _, draft in read]
    first_id = len(tree.nodes)
    seeds = [
        derive_seed(expansion.run_seed, tree.task.id, first_id + i if places is None else places[i])
        for i in range(len(samples))
    ]
    runs = yield from _run(tree, node, drafts, seeds)
    verdicts = yield from _judge(expansion, tree, drafts)
    before = tree.turn(node)
    return [
        tree.add_child(node, _step(expansion, before, *parts), prior=_prior(parts[0]))
        for parts in zip(samples, drafts, runs, verdicts, strict=True)
    ]


def complete(
    expansion: Expansion, tree: Tree, node: Node, samples: Sequence[Sample], adapter: str = ""
) -> Asking[list[Sample]]:
    """Goes on with samples that ended before their step did, as the format says: in a thought, at its budget."""
    done, full, number = list(samples), set[int](), 0
    sampling = expansion.sampling_at(tree, node)
    while True:
        wanted = [(i, expansion.format.resume(done[i], sampling)) for i in range(len(done)) if i not in full]
        resumed = [(i, resumption) for i, resumption in wanted if resumption is not None]
        if not resumed:
            return done
        prompt = expansion.prompt(tree, node)
        assert isinstance(prompt, Conversation), "only steps of a conversation go on in pieces"
        requests = [
            Generate(
                prompt.going_on(done[i].written + resumption.pieces),
                1,
                resumption.sampling,
                derive_seed(expansion.run_seed, tree.task.id, f"{node.id} sample {i} part {number}"),
                task_id=tree.task.id,
                adapter=adapter,
            )
            for i, resumption in resumed
        ]
        number += 1
        replies = yield requests
        for (i, resumption), reply in zip(resumed, replies, strict=True):
            assert isinstance(reply, Generation)
            if reply.too_long:
                full.add(i)
                continue
            done[i] = _joined(done[i], resumption.pieces, reply.samples[0])
            if not reply.samples[0].num_tokens:  # nothing came, or a server does not count: it might never end
                full.add(i)


def _joined(sample: Sample, between: tuple[Piece, ...], more: Sample) -> Sample:
    """A sample and its continuation as one."""
    written = sample.written + between
    return Sample(
        text_of(written) + more.text,
        sample.logprob + more.logprob,
        sample.num_tokens + more.num_tokens,
        more.finish,
        written + more.written,
        sample.opening,
    )


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
    return UNSCORED if node.value is None else node.value


def _distinct(read: Sequence[tuple[Sample, Draft]]) -> list[tuple[Sample, Draft]]:
    """The first of equal ones. Calls that a server has read, and whether the turn goes on, are not in the text."""
    first: dict[tuple[object, ...], tuple[Sample, Draft]] = {}
    for sample, draft in read:
        asked = tuple((action.tool, action.input, action.note) for action in draft.actions)
        first.setdefault((sample.text.strip(), asked, draft.goes_on), (sample, draft))
    return list(first.values())


def _run(tree: Tree, node: Node, drafts: Sequence[Draft], seeds: Sequence[int]) -> Asking[list[tuple[Run, ...]]]:
    """What the actions of each draft show. Drafts are beside each other, the actions of one follow each other."""
    history = tuple(Cell(run.code, run.seed) for step in tree.steps(node) for run in step.runs if run.code is not None)
    done: list[list[Run]] = [[] for _ in drafts]
    while wanted := [i for i, draft in enumerate(drafts) if len(done[i]) < len(draft.actions)]:
        requests: list[tuple[int, Execute]] = []
        for i in wanted:
            action = drafts[i].actions[len(done[i])]
            if action.code is None:
                shown = "" if action.tool == TOOL else action.input
                done[i].append(Run(action.tool, shown, action.note, call_id=action.call_id))
            else:
                cells = tuple(Cell(run.code, run.seed) for run in done[i] if run.code is not None)
                cell = Cell(action.code, (seeds[i] + len(done[i])) & _SEEDS)
                requests.append((i, Execute(tree.task.id, history + cells, cell)))
        replies = (yield [request for _, request in requests]) if requests else ()
        for (i, request), reply in zip(requests, replies, strict=True):
            assert isinstance(reply, Observation)
            action = drafts[i].actions[len(done[i])]
            run = Run(action.tool, action.input, reply.text, reply.status, request.cell.seed, action.call_id)
            done[i].append(run)
    return [tuple(runs) for runs in done]


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
    runs: tuple[Run, ...],
    correct: bool | None,
) -> Step:
    if runs or draft.goes_on:
        text = expansion.format.observed(draft, [run.observation or "" for run in runs])
    else:
        text = expansion.format.finished(draft)
    step = Step(
        text=text,
        outcome=_final_outcome(draft),
        runs=runs,
        answer=draft.answer,
        logprob=sample.logprob,
        num_tokens=sample.num_tokens,
        correct=correct,
        message=draft.message,
    )
    return replace(step, outcome=_going_on(expansion, before, step)) if runs or draft.goes_on else step


def _going_on(expansion: Expansion, before: Sequence[Step], step: Step) -> Outcome:
    """What a step without an answer leads to: the solution goes on, unless too much failed or it is too long."""
    threshold = expansion.errors_threshold
    if threshold is not None and step.failed and _failed_in_a_row(before) + 1 > threshold:
        return Outcome.TOO_MANY_ERRORS
    is_full = 0 < expansion.max_solution_tokens <= _tokens([*before, step])
    return Outcome.TOO_DEEP if is_full or len(before) + 1 > expansion.max_depth else Outcome.CONTINUE


def _tokens(steps: Sequence[Step]) -> int:
    return sum(step.num_tokens for step in steps)


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
