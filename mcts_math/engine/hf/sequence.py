"""Jobs, and their samples on their way: each row of the running batch is samples of one job that have written the same
so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.sampling import BatchSampling, UniformStream, certainty_of
from mcts_math.errors import EngineError
from mcts_math.messages import FinishReason, Piece, Sample, Sampling
from mcts_math.requests import Generation

End: TypeAlias = tuple[str, FinishReason, str]
"""Of a sample: its text, why it ended, and the text with its stop string."""


@dataclass(eq=False, slots=True)
class Job:
    prompt: tuple[int, ...]  # its tokens, fewer than the model's context
    num_samples: int = 0  # 0 asks for the value alone
    sampling: Sampling = field(default_factory=Sampling)  # as in `requests.Generate`
    seed: int = 0
    want_value: bool = False  # the value is wanted; the model must have a head
    adapter: str = ""  # the session whose adapter samples; "" is none
    samples: list[Sample | None] = field(init=False)  # None where not finished
    value: float | None = None  # v of the prompt
    num_cached: int = 0  # prompt tokens that came from the prefix cache
    num_rows: int = 0  # different rows that its finished samples came from
    serial: int = 0  # its number in the order of arrival
    cancelled: bool = False  # nobody waits for it any more
    namespace: str = ""  # what the keys and values of its tokens depend on beside the tokens
    opening: str = ""  # see `messages.Sample`

    def __post_init__(self) -> None:
        self.samples = [None] * self.num_samples

    @property
    def is_done(self) -> bool:
        return None not in self.samples and not self.needs_value

    @property
    def needs_value(self) -> bool:
        """Its value is wanted and not there yet."""
        return self.want_value and self.value is None

    def sample(self, ids: Sequence[int], logprob: float, end: End, certainty: float | None = None) -> Sample:
        text, finish, written = end
        pieces = (Piece(written, tuple(ids)),)
        return Sample(text, logprob, len(ids), finish, pieces, self.opening, certainty=certainty)

    def generation(self) -> Generation:
        samples = tuple(sample for sample in self.samples if sample is not None)
        return Generation(samples, self.value, False, len(self.prompt), self.num_cached)


@dataclass(slots=True)
class BatchCounters:
    num_generated_tokens: int = 0  # tokens of finished samples
    num_prompt_tokens: int = 0  # tokens of all prompts, those found in the prefix cache included
    num_cached_tokens: int = 0  # prompt tokens found in the prefix cache
    num_decode_steps: int = 0  # forward passes for running rows
    num_decoded_rows: int = 0  # rows of all those passes; fewer than the tokens that they gave where samples were alike
    num_preempted: int = 0  # rows that had to wait half-way because the batch outgrew its tokens


@dataclass(eq=False, slots=True)
class OpenSample:
    """One sample on its way: its index among the job's, and its random numbers."""

    index: int
    stream: UniformStream


@dataclass(eq=False, slots=True)
class Row:
    """Samples that have written the same so far, and so are computed once. In the batch, the keys and values of all its
    tokens but the last are computed."""

    job: Job
    samples: list[OpenSample]
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    certainty: float = 0.0

    @property
    def num_tokens(self) -> int:
        """Of prompt and sample so far."""
        return len(self.job.prompt) + len(self.ids)

    def fork(self, sampled: Sequence[tuple[int, float]]) -> list[Row]:
        """Takes a token, with its log-probability, for each of its samples. Returns the rows that it forks into, itself
        first; one for each different token."""
        groups: dict[int, list[OpenSample]] = {}
        for sample, (token, _) in zip(self.samples, sampled, strict=True):
            groups.setdefault(token, []).append(sample)
        logprobs = dict(sampled)
        others = (Row(self.job, [], list(self.ids), self.logprob, self.certainty) for _ in range(len(groups) - 1))
        rows = [self, *others]
        for row, (token, samples) in zip(rows, groups.items(), strict=True):
            row.samples = samples
            row.ids.append(token)
            row.logprob += logprobs[token]
        return rows

    def finish(self, end: End) -> None:
        """Gives the job what its samples have become."""
        certainty = self.certainty if self.job.sampling.want_certainty else None
        result = self.job.sample(self.ids, self.logprob, end, certainty)
        for sample in self.samples:
            self.job.samples[sample.index] = result
        self.job.num_rows += 1


def sample_tokens(
    sampling: BatchSampling, logits: Tensor, rows: Sequence[Row]
) -> tuple[Tensor, list[list[tuple[int, float]]]]:
    """Samples a token for each open sample of each row, and notes how certain the model is of it where that is asked.
    Returns tokens [rows, most samples of one], and each row's with their log-probabilities, one a sample."""
    most = max(len(row.samples) for row in rows)
    numbers = [[sample.stream.at(len(row.ids)) for sample in row.samples] for row in rows]
    tokens, logprobs = sampling.sample(logits, [some + [0.0] * (most - len(some)) for some in numbers])
    if sampling.wants_certainty:
        for row, certainty in zip(rows, certainty_of(logits), strict=True):
            row.certainty += certainty
    # One transfer for both; a token id is exact in float64.
    pairs = torch.stack((tokens.double(), logprobs.double()), dim=-1).tolist()
    each = [[(int(token), logprob) for token, logprob in sampled] for sampled in pairs]
    return tokens, [sampled[: len(row.samples)] for row, sampled in zip(rows, each, strict=True)]


def advance(row: Row, sampled: Sequence[tuple[int, float]], model: CausalModel) -> tuple[list[Row], list[Row]]:
    """Takes a token, with its log-probability, for each sample of a row. Returns the rows that go on, itself first if
    it does, and those that have finished.

    Where a log-probability is not finite, the model is broken; but with an adapter it is the session's own weights that
    are: its samples end with that log-probability.
    """
    broken = next((logprob for _, logprob in sampled if not math.isfinite(logprob)), 0.0)
    if not row.job.adapter:
        require_finite(broken, "log-probability")
    elif broken:
        row.logprob = broken
        row.finish(("", "length", ""))
        return [], [row]
    going: list[Row] = []
    ended: list[Row] = []
    for fork in row.fork(sampled):
        end = find_end(fork.job, fork.ids, model)
        if end is not None:
            fork.finish(end)
        (going if end is None else ended).append(fork)
    return going, ended


def require_finite(number: float, what: str) -> None:
    if not math.isfinite(number):
        remedy = "its weights are broken, or overflow in float16 (use dtype bfloat16 or float32)"
        raise EngineError(f"the model gave a {what} that is {number}: {remedy}")


def find_end(job: Job, ids: Sequence[int], model: CausalModel) -> End | None:
    """What a sample is that the last of its tokens ends."""
    codec = model.codec
    if ids[-1] in codec.eos_ids:
        text = codec.continuation(job.prompt, ids[:-1])
        return text, "stop", text
    before = codec.matcher(job.sampling.stop).text_before(job.prompt, ids)
    if before is not None:
        return before, "stop", codec.continuation(job.prompt, ids)
    if len(ids) < job.sampling.max_tokens and len(job.prompt) + len(ids) < model.context_length:
        return None
    text = codec.continuation(job.prompt, ids)
    return text, "length", text
