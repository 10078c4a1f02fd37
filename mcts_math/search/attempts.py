"""What the solvers of SPEC part B share: make an attempt, have it judged, note what it cost.

An attempt is a chain of steps below some node, ended by a terminal one: a single step where a step is a whole reply, a
ReAct chain with its code run where the format is one of steps. Attempt n draws with seeds that depend on (run seed,
task id, n) alone, so that it is the same attempt whether it is made alone or beside others, and, for a given prompt
and model, the same under every solver.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeVar

from pydantic import Field

from mcts_math.requests import Meter, Reply, Request, Spent, Verification, Verify
from mcts_math.search.expand import grow
from mcts_math.search.expansion import (
    CONTEXT_LENGTH,
    Asking,
    Expansion,
    Search,
    T,
    ask_samples,
    num_tokens,
    rank_solutions,
    score,
)
from mcts_math.settings import Integer
from mcts_math.step import Outcome, Verdict
from mcts_math.tree import Attempt, Node, Tree

Key = TypeVar("Key", bound=Hashable)

_RETRIES: Final = 2  # attempts in all, as a multiple of the trials that count

Trials = Annotated[Integer, Field(description="attempts at a question that count", ge=1)]
StopAtSuccess = Annotated[
    bool,
    Field(description="end with the first attempt that the verifier passes; false goes on to `trials` for pass@k"),
]
AtOnce = Annotated[Integer, Field(description="attempts that are made side by side", ge=1)]


@dataclass(frozen=True, slots=True)
class Budget:
    trials: int  # that count; without an answer one is tried again, up to twice as many in all
    stop_at_success: bool = True  # end with the first attempt that passes the verifier
    at_once: int = 1  # independent attempts that are made side by side

    def left(self, tree: Tree) -> int:
        """How many more attempts may be asked for now; 0 ends the search."""
        if self.stop_at_success and any(attempt.verdict is Verdict.CORRECT for attempt in tree.attempts):
            return 0
        counted = sum(attempt.verdict is not Verdict.NO_ANSWER for attempt in tree.attempts)
        return max(0, min(self.trials - counted, _RETRIES * self.trials - len(tree.attempts)))


def certainty(tree: Tree, end: Node) -> float:
    """Self-certainty of the attempt that ends here: the mean over its tokens of `Sample.certainty`, nats, >= 0."""
    steps = tree.turn(end)
    return sum(step.certainty or 0.0 for step in steps) / max(1, num_tokens(steps))


def try_once(tree: Tree, expansion: Expansion, node: Node) -> Asking[Node | None]:
    """One attempt that goes on from `node`, judged and noted as the last one of the tree: the node that ends it. None
    where the prompt does not fit the context: the tree is then marked as stopped."""
    ends = yield from make_attempts(tree, expansion, node, 1)
    if not ends:
        tree.stopped = CONTEXT_LENGTH
        return None
    yield from record(tree, ends)
    return ends[0]


def next_attempts(tree: Tree, expansion: Expansion, budget: Budget) -> Asking[list[Node]]:
    """The next independent attempts, side by side: the nodes that end them; [] where the budget is used up, or where
    the question does not fit the context, which marks the tree as stopped."""
    count = min(budget.left(tree), budget.at_once)
    ends = (yield from make_attempts(tree, expansion, tree.root, count)) if count else []
    if count and not ends:
        tree.stopped = CONTEXT_LENGTH
    return ends


def make_attempts(tree: Tree, expansion: Expansion, node: Node, count: int, *, beside: int = 0) -> Asking[list[Node]]:
    """`count` chains below `node`, side by side: the nodes that end them, none where the prompt is too long. `beside`:
    attempts below other nodes that are made at the same time and come first."""
    first = len(tree.attempts) + beside
    numbers = range(first, first + count)
    request = expansion.generate(tree, node, count)
    # Sample i of a request draws with its seed + i: attempt n is the same however many are asked for at once.
    seed = expansion.seed(tree, "attempts") + first
    generation = yield from ask_samples(replace(request, seed=seed))
    if generation.too_long:
        return []
    steps = yield from grow(expansion, tree, node, generation, [_place(number, 0) for number in numbers])
    chains = [_continue(tree, expansion, step, number) for step, number in zip(steps, numbers, strict=True)]
    return (yield from side_by_side(chains))


def record(tree: Tree, ends: Sequence[Node], *, judged: bool = True) -> Search:
    """Has attempts judged that were made side by side and end at these nodes, and notes them in the tree, so that a
    search that is cut short keeps what it found. Not `judged`: nothing but a missing answer is noted, and no solution
    chosen.

    Generated tokens are each attempt's own, those of a step that several share the first one's; whatever else was spent
    since the last attempts had been noted is shared evenly.
    """
    if judged:
        found = yield from _judge(tree, ends)
    else:
        found = [(None if tree.is_solution(node) else Verdict.NO_ANSWER, node.answer) for node in ends]
    (spent,) = yield [Meter()]
    assert isinstance(spent, Spent)
    first_of = {id(step): i for i in reversed(range(len(ends))) for step in tree.turn(ends[i])}
    own = [sum(step.num_tokens for step in tree.turn(node) if first_of[id(step)] == i) for i, node in enumerate(ends)]
    for i, (node, (verdict, answer)) in enumerate(zip(ends, found, strict=True)):
        tree.attempts.append(
            Attempt(
                node=node.id,
                verdict=verdict,
                answer=answer,
                tokens=own[i] + _share(spent.tokens - sum(own), i, len(ends)),
                prompt_tokens=_share(spent.prompt_tokens, i, len(ends)),
                adapted_tokens=_share(spent.adapted_tokens, i, len(ends)),
                seconds=spent.seconds / len(ends),
            )
        )
    if judged:
        _choose(tree)


def _share(total: int, place: int, count: int) -> int:
    """The share of one of `count`; all shares add up to the total."""
    return total * (place + 1) // count - total * place // count


def _judge(tree: Tree, ends: Sequence[Node]) -> Asking[list[tuple[Verdict | None, str | None]]]:
    """The verifier's word on attempts, and what it judged; a chain that failed is not shown to it."""
    shown = [node for node in ends if not _has_failed(node)]
    replies = iter((yield [Verify(tree.task, tree.attempt_text(node), node.answer) for node in shown]) if shown else ())
    found: list[tuple[Verdict | None, str | None]] = []
    for node in ends:
        reply = Verification(Verdict.NO_ANSWER) if _has_failed(node) else next(replies)
        assert isinstance(reply, Verification)
        found.append((reply.verdict, reply.answer))
    return found


def _choose(tree: Tree) -> None:
    """Solutions are the attempts that passed the verifier, then the other ones; right if any passed."""
    passed = [attempt.node for attempt in tree.attempts if attempt.verdict is Verdict.CORRECT]
    others = [attempt.node for attempt in tree.attempts if attempt.verdict is Verdict.INCORRECT]
    tree.solutions = passed + tree.solutions_in(tree.nodes[node] for node in others)
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


def deal(keys: Sequence[Key], groups: Mapping[Key, Iterable[T]]) -> list[T | None]:
    """For each key the next one of its group; None where that is used up."""
    left = {key: iter(group) for key, group in groups.items()}
    return [next(left[key], None) for key in keys]


def _continue(tree: Tree, expansion: Expansion, node: Node, number: int) -> Asking[Node]:
    """Grows a chain on until it ends; one whose prompt has become too long ends there, without an answer."""
    while not node.terminal:
        place = _place(number, len(tree.turn(node)))
        request = replace(expansion.generate(tree, node, 1), seed=expansion.seed(tree, place))
        generation = yield from ask_samples(request)
        if generation.too_long:
            node.terminal = True
        else:
            (node,) = yield from grow(expansion, tree, node, generation, [f"{place} code"])
    return node


def _place(number: int, step: int) -> str:
    return f"attempt {number} step {step}"


def _has_failed(node: Node) -> bool:
    """Whether an attempt ended without anything to judge."""
    return node.step is None or node.step.outcome not in (Outcome.ANSWER, Outcome.REPLY)


def appraise(tree: Tree, expansion: Expansion, ends: Sequence[Node]) -> Asking[None]:
    """Sets the value of the attempts that may be chosen, which are solutions from then on, best value first."""
    scored = [node for node in ends if tree.is_solution(node)]
    tree.solutions += [node.id for node in scored]  # before they have values: a search that is cut short keeps them
    for node, value in zip(scored, (yield from score(expansion, tree, scored)), strict=True):
        node.value = value
    rank_solutions(tree)
