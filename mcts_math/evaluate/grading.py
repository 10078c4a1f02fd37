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
    """Compares answers in so many processes (None: one a core), in the order of the input. Use as a context manager."""

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
        """Each item with whether its prediction equals an accepted answer; None where `pair_of` gives no such pair."""
        ahead, again = tee((item, pair_of(item)) for item in items)
        verdicts = self.verdicts(pair for _, pair in ahead if pair is not None)
        for item, pair in again:
            yield item, None if pair is None else next(verdicts)

    def votes(self, questions: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[bool]:
        """Of (accepted answers, answers that vote) whether the majority is right; where none votes it is wrong."""
        ahead, again = tee(questions)
        chosen = zip(again, self.winners(votes for _, votes in ahead), strict=True)
        for _, verdict in self.judged(chosen, lambda one: None if one[1] is None else (one[0][0], one[1])):
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
