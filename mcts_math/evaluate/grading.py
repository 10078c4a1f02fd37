"""Grading on all cores: verdicts and majority votes as streams, on the killable pool of the answer checker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mcts_math.answer import CheckerPool, majority

T = TypeVar("T")


class Grader:
    """Compares answers; results come in the order of the input, with a bounded number read ahead.

    Use as a context manager.

    Args:
        num_workers: processes; None: one a core.
    """

    def __init__(self, num_workers: int | None = None) -> None:
        self._pool = CheckerPool(num_workers)
        self._voters = ThreadPoolExecutor(self._pool.num_workers)  # each waits for the pool most of the time

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self._voters.shutdown(cancel_futures=True)
        self._pool.close()

    def verdicts(self, pairs: Iterable[tuple[Sequence[str], str]]) -> Iterator[bool]:
        """Whether each prediction equals one of its accepted answers."""
        for verdict in self._pool.check_many(pairs):
            yield verdict.equal

    def judged(
        self, items: Iterable[T], pair_of: Callable[[T], tuple[Sequence[str], str] | None]
    ) -> Iterator[tuple[T, bool | None]]:
        """Each item, in its order, with whether its prediction equals one of its accepted answers.

        Args:
            pair_of: accepted answers and prediction of an item; None, as then the verdict, where there are none.
        """
        waiting: deque[tuple[T, bool]] = deque()

        def pairs() -> Iterator[tuple[Sequence[str], str]]:
            for item in items:
                pair = pair_of(item)
                waiting.append((item, pair is not None))
                if pair is not None:
                    yield pair

        for verdict in self.verdicts(pairs()):
            while not waiting[0][1]:
                yield waiting.popleft()[0], None
            yield waiting.popleft()[0], verdict
        while waiting:
            yield waiting.popleft()[0], None

    def votes(self, questions: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[bool]:
        """Whether the majority of a question's answers is right; where there are none it is wrong.

        Args:
            questions: for each its accepted answers, and the answers that vote.
        """
        golds: list[Sequence[str]] = []

        def answers() -> Iterator[Sequence[str]]:
            for accepted, votes in questions:
                golds.append(accepted)
                yield votes

        winners = list(self.winners(answers()))
        verdicts = self.verdicts((gold, one) for gold, one in zip(golds, winners, strict=True) if one is not None)
        for winner in winners:
            yield winner is not None and next(verdicts)

    def winners(self, votes: Iterable[Sequence[str]]) -> Iterator[str | None]:
        """The majority of each list of answers, equal ones counted as one; None of an empty list."""
        window: deque[Future[str | None]] = deque()
        for answers in votes:
            window.append(self._voters.submit(self._winner, answers))
            if len(window) > 16 * self._pool.num_workers:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()

    def _winner(self, answers: Sequence[str]) -> str | None:
        winner = majority(answers, same=lambda first, second: self._pool.check(first, second).equal)
        return None if winner is None else winner.answer
