"""Grading on all cores: verdicts and majority votes as streams, on the killable pool of the answer checker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import tee
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
        ahead, again = tee((item, pair_of(item)) for item in items)
        verdicts = self.verdicts(pair for _, pair in ahead if pair is not None)
        for item, pair in again:
            yield item, None if pair is None else next(verdicts)

    def votes(self, questions: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[bool]:
        """Whether the majority of a question's answers is right; where there are none it is wrong.

        Args:
            questions: for each its accepted answers, and the answers that vote.
        """
        ahead, again = tee(questions)
        winners = self.winners(votes for _, votes in ahead)
        chosen = ((golds, winner) for (golds, _), winner in zip(again, winners, strict=True))
        for _, verdict in self.judged(chosen, lambda pair: None if pair[1] is None else (pair[0], pair[1])):
            yield bool(verdict)

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
