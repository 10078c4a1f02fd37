"""What every search shares: samples become children, their code is run and their answers are checked. A sample that
can't be read becomes a terminal child and its siblings stand (the published code lost the whole round)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcts_math.messages import Conversation, Piece, Sample, text_of
from mcts_math.requests import (
    SEED_MASK,
    Cell,
    Check,
    Execute,
    Generate,
    Generation,
    Observation,
    Reply,
    Verification,
    Verify,
)
from mcts_math.search.expansion import Asking, Expansion, likelihood, num_tokens
from mcts_math.step import TOOL, Draft, Outcome, Run, Step, Verdict
from mcts_math.tree import Node, Tree


def grow(
    expansion: Expansion, tree: Tree, node: Node, generation: Generation, places: Sequence[str] | None = None
) -> Asking[list[Node]]:
    """Adds a child for every sample, running its code and checking its answer; returns the new nodes. `places`: for
    every sample a name that seeds its code, and what is put to it; None: by ids of nodes, which only a part of a search
    that grows alone can foretell."""
    samples = yield from complete(expansion, tree, node, generation.samples, places)
    read = [(sample, expansion.format.read(sample)) for sample in samples]
    read = _distinct(read) if expansion.remove_duplicate else read
    samples, drafts = [sample for sample, _ in read], [draft for _, draft in read]
    first_id = len(tree.nodes)
    seeds = [expansion.seed(tree, first_id + i if places is None else places[i]) for i in range(len(samples))]
    runs = yield from _run(tree, node, drafts, seeds)
    verdicts = yield from _judge(expansion, tree, node, drafts)
    before = tree.turn(node)
    return [
        tree.add_child(
            node, _step(expansion, before, *parts), prior=likelihood(parts[0].logprob / max(1, parts[0].num_tokens))
        )
        for parts in zip(samples, drafts, runs, verdicts, strict=True)
    ]


def complete(
    expansion: Expansion, tree: Tree, node: Node, samples: Sequence[Sample], places: Sequence[str] | None = None
) -> Asking[list[Sample]]:
    """Goes on with samples that ended before their step did, as the format says: in a thought, at its budget. `places`
    as in `grow`."""
    done, full, number = list(samples), set[int](), 0
    if places is None:  # samples of earlier requests went on with other numbers
        places = [f"{node.id} sample {i}" for i in range(len(node.children), len(node.children) + len(samples))]
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
                num_samples=1,
                sampling=resumption.sampling,
                seed=expansion.seed(tree, f"{places[i]} part {number}"),
                task_id=tree.task.id,
                adapter=expansion.adapter,
                more=True,
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
    written = sample.written + between
    return Sample(
        text_of(written) + more.text,
        sample.logprob + more.logprob,
        sample.num_tokens + more.num_tokens,
        more.finish,
        written + more.written,
        sample.opening,
        certainty=None if sample.certainty is None or more.certainty is None else sample.certainty + more.certainty,
    )


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
                cell = Cell(action.code, (seeds[i] + len(done[i])) & SEED_MASK)
                requests.append((i, Execute(tree.task.id, history + cells, cell)))
        replies = (yield [request for _, request in requests]) if requests else ()
        for (i, request), reply in zip(requests, replies, strict=True):
            assert isinstance(reply, Observation)
            action = drafts[i].actions[len(done[i])]
            run = Run(action.tool, action.input, reply.text, reply.status, request.cell.seed, action.call_id)
            done[i].append(run)
    return [tuple(runs) for runs in done]


def _judge(expansion: Expansion, tree: Tree, node: Node, drafts: Sequence[Draft]) -> Asking[list[bool | None]]:
    """Whether what each draft ends with is right; None where it ends with nothing, or nobody wants to know."""
    asked = [_question(expansion, tree, node, draft) for draft in drafts] if expansion.check_answers else []
    wanted = [request for request in asked if request is not None]
    if not wanted:
        return [None] * len(drafts)
    replies = iter((yield wanted))
    return [None if request is None else is_right(next(replies)) for request in asked]


def _question(expansion: Expansion, tree: Tree, node: Node, draft: Draft) -> Check | Verify | None:
    """Who is asked whether a draft is right: the checker of an answer, the verifier of a program's whole attempt."""
    if tree.task.is_code:
        if draft.actions or draft.goes_on or _final_outcome(draft) is Outcome.UNPARSABLE:
            return None
        return Verify(tree.task, tree.attempt_text(node, expansion.format.finished(draft)))
    return None if draft.answer is None else Check(draft.answer, tree.task.answers)


def is_right(reply: Reply) -> bool:
    return reply.verdict is Verdict.CORRECT if isinstance(reply, Verification) else reply is True


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
        certainty=sample.certainty,
    )
    return replace(step, outcome=_going_on(expansion, before, step)) if runs or draft.goes_on else step


def _going_on(expansion: Expansion, before: Sequence[Step], step: Step) -> Outcome:
    """What a step without an answer leads to: the solution goes on, unless too much failed or it is too long."""
    steps, threshold = [*before, step], expansion.errors_threshold
    failed_in_a_row = next((i for i, step in enumerate(reversed(steps)) if not step.failed), len(steps))
    if threshold is not None and failed_in_a_row > threshold:
        return Outcome.TOO_MANY_ERRORS
    is_full = 0 < expansion.max_solution_tokens <= num_tokens(steps)
    return Outcome.TOO_DEEP if is_full or len(steps) > expansion.max_depth else Outcome.CONTINUE


def _final_outcome(draft: Draft) -> Outcome:
    if draft.answer is not None:
        return Outcome.ANSWER
    return Outcome.REPLY if draft.whole else Outcome.UNPARSABLE
