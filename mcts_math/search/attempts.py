"""What the solvers of SPEC part B share: make an attempt, have it judged, note what it cost.

An attempt is a chain of steps below some node, ended by a terminal one: a single step where a step is a whole reply, a
ReAct chain with its code run where the format is one of steps. Attempt n draws with seeds that depend on (run seed,
task id, n) alone, so that it is the same attempt whether it is made alone or beside others, and, for a given prompt
and model, the same under every solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

from pydantic import Field

from mcts_math.requests import Generate, Generation, Meter, Reply, Request, Spent, Verdict, Verification, Verify
from mcts_math.search.expand import grow
from mcts_math.search.expansion import CONTEXT_LENGTH, Asking, Expansion, T, by_value, derive_seed, score
from mcts_math.settings import Integer
from mcts_math.step import Outcome
from mcts_math.tree import Attempt, Node, Tree

_RETRIES: Final = 2  # attempts in all, as a multiple of the trials that count

Trials = Annotated[Integer, Field(description="attempts at a question that count", ge=1)]
StopAtSuccess = Annotated[
    bool,
    Field(description="end with the first attempt that the verifier passes; false goes on to `trials` for pass@k"),
]
AtOnce = Annotated[Integer, Field(description="attempts that are made side by side", ge=1)]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many attempts a question gets.

    Attributes:
        trials: attempts that count. One without an answer is tried again without counting, up to twice as many in all.
        stop_at_success: end with the first attempt that passes the verifier.
        at_once: independent attempts that are made side by side.
    """

    trials: int
    stop_at_success: bool = True
    at_once: int = 1

    def left(self, tree: Tree) -> int:
        """How many more attempts may be asked for now; 0 ends the search."""
        if self.stop_at_success and any(attempt.verdict is Verdict.CORRECT for attempt in tree.attempts):
            return 0
        counted = sum(attempt.verdict is not Verdict.NO_ANSWER for attempt in tree.attempts)
        return max(0, min(self.trials - counted, _RETRIES * self.trials - len(tree.attempts)))


def telling_certainty(expansion: Expansion) -> Expansion:
    """The same, with samples that tell how certain the model is of them."""
    return replace(expansion, sampling=replace(expansion.sampling, want_certainty=True))


def certainty(tree: Tree, end: Node) -> float:
    """Self-certainty of the attempt that ends here: the mean over its tokens of `Sample.certainty`, nats, >= 0."""
    steps = tree.turn(end)
    return sum(step.certainty or 0.0 for step in steps) / max(1, sum(step.num_tokens for step in steps))


def try_once(
    tree: Tree, expansion: Expansion, node: Node, spent: Spent, adapter: str = ""
) -> Asking[tuple[Node, Verdict, Spent] | None]:
    """One attempt below `node`, judged and noted.

    Args:
        tree, expansion: see `make_attempts`.
        node: what the attempt goes on from.
        spent: until the last attempt had been noted.
        adapter: of the question, or "".

    Returns:
        The node that ends it, its verdict, what was spent until now. None where the prompt does not fit the context:
        the tree is then marked as stopped.
    """
    ends = yield from make_attempts(tree, expansion, node, 1, adapter)
    if not ends:
        tree.stopped = CONTEXT_LENGTH
        return None
    (verification,) = verdicts = yield from judge(tree, ends)
    spent = yield from record(tree, ends, verdicts, spent)
    return ends[0], verification.verdict, spent


def make_attempts(
    tree: Tree, expansion: Expansion, node: Node, count: int, adapter: str = "", *, beside: int = 0
) -> Asking[list[Node]]:
    """`count` chains below `node`, side by side; returns the nodes that end them, none where the prompt is too long.

    `beside`: attempts below other nodes that are made at the same time and come first.
    """
    first = len(tree.attempts) + beside
    numbers = range(first, first + count)
    request = expansion.generate(tree, node, count)
    # Sample i of a request draws with its seed + i: attempt n is the same however many are asked for at once.
    seed = derive_seed(expansion.run_seed, tree.task.id, "attempts") + first
    (generation,) = yield [replace(request, seed=seed, adapter=adapter)]
    assert isinstance(generation, Generation)
    if generation.too_long:
        return []
    steps = yield from grow(expansion, tree, node, generation, [_place(number, 0) for number in numbers], adapter)
    chains = [_continue(tree, expansion, step, number, adapter) for step, number in zip(steps, numbers, strict=True)]
    return (yield from side_by_side(chains))


def judge(tree: Tree, ends: Sequence[Node], *, ask: bool = True) -> Asking[list[Verification]]:
    """The verifier's word on attempts; a chain that failed holds no answer and is not shown to it.

    Args:
        tree: where they are.
        ends: the nodes that end them.
        ask: False leaves the ground truth alone: an attempt with an answer counts as incorrect for now.
    """
    verify = [None if failed(node) else Verify(tree.task, text_of(tree, node), node.answer) for node in ends]
    asked = [request for request in verify if request is not None]
    replies = iter((yield asked) if ask and asked else ())
    verdicts: list[Verification] = []
    for request in verify:
        if request is None:
            verdicts.append(Verification(Verdict.NO_ANSWER))
        elif ask:
            reply = next(replies)
            assert isinstance(reply, Verification)
            verdicts.append(reply)
        else:
            there = request.answer is not None or tree.task.is_code
            verdict = Verdict.INCORRECT if there else Verdict.NO_ANSWER
            verdicts.append(Verification(verdict, request.answer))
    return verdicts


def read_meter() -> Asking[Spent]:
    """What the tree has cost so far."""
    (reading,) = yield [Meter()]
    assert isinstance(reading, Spent)
    return reading


def record(
    tree: Tree, ends: Sequence[Node], verdicts: Sequence[Verification], before: Spent, *, judged: bool = True
) -> Asking[Spent]:
    """Notes attempts that were made side by side, and returns what was spent until after them.

    Generated tokens are each attempt's own; whatever else was spent since `before` is shared evenly.

    Args:
        tree: `tree.attempts`, `solutions` and `correct` are brought up to date, so that a search that is cut short
            keeps what it found.
        ends: the nodes that end the attempts.
        verdicts: one each.
        before: what was spent until the last attempts had been noted.
        judged: the verdicts are the verifier's; else nothing but a missing answer is noted.
    """
    after = yield from read_meter()
    own = [sum(step.num_tokens for step in tree.turn(node)) for node in ends]
    others = after.tokens - before.tokens - sum(own)
    for node, verdict, tokens in zip(ends, verdicts, own, strict=True):
        tree.attempts.append(
            Attempt(
                node=node.id,
                verdict=verdict.verdict if judged or verdict.verdict is Verdict.NO_ANSWER else None,
                answer=verdict.answer,
                tokens=tokens + others // len(ends),
                prompt_tokens=(after.prompt_tokens - before.prompt_tokens) // len(ends),
                adapted_tokens=(after.adapted_tokens - before.adapted_tokens) // len(ends),
                seconds=(after.seconds - before.seconds) / len(ends),
            )
        )
    if judged:
        choose(tree)
    return after


def choose(tree: Tree) -> None:
    """Solutions are the attempts that passed the verifier, then those with another answer; right if any passed."""
    passed = [attempt.node for attempt in tree.attempts if attempt.verdict is Verdict.CORRECT]
    others = [attempt.node for attempt in tree.attempts if attempt.verdict is Verdict.INCORRECT]
    tree.solutions = passed + [node for node in others if tree.nodes[node].answer is not None]
    tree.correct = bool(passed)


def side_by_side(parts: Sequence[Asking[T]]) -> Asking[list[T]]:
    """Advances several parts of a search together: what they ask at a time is asked at once."""
    results: dict[int, T] = {}
    open_parts: dict[int, Sequence[Request]] = {}

    def advance(index: int, replies: Sequence[Reply] | None) -> None:
        try:
            open_parts[index] = next(parts[index]) if replies is None else parts[index].send(replies)
        except StopIteration as stop:
            results[index] = stop.value
            open_parts.pop(index, None)

    for index in range(len(parts)):
        advance(index, None)
    while open_parts:
        asked = list(open_parts.items())
        replies = yield [request for _, requests in asked for request in requests]
        first = 0
        for index, requests in asked:
            advance(index, replies[first : first + len(requests)])
            first += len(requests)
    return [results[index] for index in range(len(parts))]


def _continue(tree: Tree, expansion: Expansion, node: Node, number: int, adapter: str) -> Asking[Node]:
    """Grows a chain on until it ends; one whose prompt has become too long ends there, without an answer."""
    while not node.terminal:
        place = _place(number, len(tree.turn(node)))
        request: Generate = expansion.generate(tree, node, 1)
        seed = derive_seed(expansion.run_seed, tree.task.id, place)
        (generation,) = yield [replace(request, seed=seed, adapter=adapter)]
        assert isinstance(generation, Generation)
        if generation.too_long:
            node.terminal = True
        else:
            (node,) = yield from grow(expansion, tree, node, generation, [f"{place} code"], adapter)
    return node


def _place(number: int, step: int) -> str:
    return f"attempt {number} step {step}"


def failed(node: Node) -> bool:
    """Whether an attempt ended without anything to judge."""
    return node.step is None or node.step.outcome not in (Outcome.ANSWER, Outcome.REPLY)


def candidates(tree: Tree, ends: Sequence[Node]) -> list[Node]:
    """The attempts that may be chosen: they have an answer, or are to be a program."""
    return [node for node in ends if not failed(node) and (tree.task.is_code or node.answer is not None)]


def appraise(tree: Tree, expansion: Expansion, ends: Sequence[Node]) -> Asking[None]:
    """Sets the value of the attempts that may be chosen, which are solutions from then on, best value first."""
    scored = candidates(tree, ends)
    tree.solutions += [node.id for node in scored]  # before they have values: a search that is cut short keeps them
    for node, value in zip(scored, (yield from score(expansion, tree, scored)), strict=True):
        node.value = value
    tree.solutions.sort(key=lambda i: by_value(tree.nodes[i]), reverse=True)


def text_of(tree: Tree, node: Node) -> str:
    """An attempt as it was written, observations included."""
    return "\n".join(step.text for step in tree.turn(node))
