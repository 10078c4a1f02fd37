"""Samples on their way: rows of the running batch, each the samples of one job that have written the same so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mcts_math.engine.jobs import Job
from mcts_math.engine.model import CausalModel
from mcts_math.engine.sampling import BatchSampling, UniformStream
from mcts_math.engine.text import StopMatcher
from mcts_math.errors import EngineError
from mcts_math.requests import FinishReason, Sample


@dataclass(eq=False, slots=True)
class Draw:
    """One sample on its way: its place among the job's, and its random numbers."""

    index: int
    stream: UniformStream


@dataclass(eq=False, slots=True)
class Row:
    """Samples that have written the same so far, and so are computed once.

    In the batch, the keys and values of all its tokens but the last are computed.
    """

    job: Job
    draws: list[Draw]
    matcher: StopMatcher
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0

    @property
    def num_tokens(self) -> int:
        """Of prompt and sample so far."""
        return len(self.job.prompt) + len(self.ids)

    def take(self, drawn: Sequence[tuple[int, float]]) -> list[Row]:
        """Takes a token, with its log-probability, for each of its samples.

        Returns:
            The rows that it parts into, itself first; one for each different token.
        """
        groups: dict[int, list[Draw]] = {}
        for draw, (token, _) in zip(self.draws, drawn, strict=True):
            groups.setdefault(token, []).append(draw)
        logprobs = dict(drawn)
        rows = [self, *(Row(self.job, [], self.matcher, list(self.ids), self.logprob) for _ in range(len(groups) - 1))]
        for row, (token, draws) in zip(rows, groups.items(), strict=True):
            row.draws = draws
            row.ids.append(token)
            row.logprob += logprobs[token]
        return rows

    def finish(self, text: str, finish: FinishReason) -> None:
        """Gives the job what its samples have become."""
        for draw in self.draws:
            self.job.samples[draw.index] = Sample(text, self.logprob, len(self.ids), finish)
        self.job.num_rows += 1


@dataclass(eq=False, slots=True)
class Prefill:
    """Tokens to compute, for the sake of a row or of a value; those of a row that was put off are among them."""

    job: Job
    tokens: tuple[int, ...]
    row: Row | None


def draw(sampling: BatchSampling, logits: Tensor, rows: Sequence[Row]) -> tuple[Tensor, list[list[tuple[int, float]]]]:
    """Draws a token for each sample of each row.

    Returns:
        Tokens [rows, most samples of one], and each row's with their log-probabilities, one a sample.
    """
    most = max(len(row.draws) for row in rows)
    numbers = [[draw.stream.at(len(row.ids)) for draw in row.draws] for row in rows]
    tokens, logprobs = sampling.draw(logits, [some + [0.0] * (most - len(some)) for some in numbers])
    # One transfer for both; a token id is exact in float64.
    pairs = torch.stack((tokens.double(), logprobs.double()), dim=-1).tolist()
    each = [[(int(token), logprob) for token, logprob in drawn] for drawn in pairs]
    return tokens, [drawn[: len(row.draws)] for row, drawn in zip(rows, each, strict=True)]


def advance(row: Row, drawn: Sequence[tuple[int, float]], model: CausalModel) -> tuple[list[Row], list[Row]]:
    """Takes a token, with its log-probability, for each sample of a row.

    Where a log-probability is not finite, the model is broken; but with an adapter it is the session's own weights that
    are: its samples end with that log-probability.

    Returns:
        The rows that go on, itself first if it does, and those that have finished.
    """
    broken = next((logprob for _, logprob in drawn if not math.isfinite(logprob)), 0.0)
    if not row.job.adapter:
        require_finite(broken, "log-probability")
    elif broken:
        row.logprob = broken
        row.finish("", "length")
        return [], [row]
    going: list[Row] = []
    ended: list[Row] = []
    for part in row.take(drawn):
        (ended if _ends(part, model) else going).append(part)
    return going, ended


def require_finite(number: float, what: str) -> None:
    """Raises EngineError where the model gave a number that is none."""
    if not math.isfinite(number):
        raise EngineError(
            f"the model gave a {what} that is {number}: its weights are broken, or overflow in float16 "
            "(use dtype bfloat16 or float32)"
        )


def _ends(row: Row, model: CausalModel) -> bool:
    """Whether the last token of a row ends it; then its samples are finished."""
    job, codec = row.job, model.codec
    text: str | None
    finish: FinishReason = "stop"
    if row.ids[-1] in codec.eos_ids:
        text = codec.continuation(job.prompt, row.ids[:-1])
    else:
        text = row.matcher.text_before(job.prompt, row.ids)
        if text is None:
            if len(row.ids) < job.sampling.max_tokens and row.num_tokens < model.context_length:
                return False
            text, finish = codec.continuation(job.prompt, row.ids), "length"
    row.finish(text, finish)
    return True
