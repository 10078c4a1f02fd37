"""What the running batch holds: jobs as they are asked for, rows on their way, prompts to compute."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcts_math.engine.sampling import UniformStream
from mcts_math.engine.text import StopMatcher
from mcts_math.requests import Sample, Sampling


@dataclass(eq=False, slots=True)
class Job:
    """A prompt, what is wanted of it, and what came of it.

    Attributes:
        prompt: its tokens, fewer than the model's context.
        num_samples: 0 asks for the value alone.
        sampling, seed: as in `requests.Generate`.
        want_value: the value is wanted; the model must have a head.
        adapter: the session whose adapter samples; "" is none.
        samples: None where not finished.
        value: v of the prompt.
        num_cached: prompt tokens that came from the prefix cache.
        serial: its place in the order of arrival.
        cancelled: nobody waits for it any more.
        space: what the keys and values of its tokens depend on beside the tokens.
    """

    prompt: tuple[int, ...]
    num_samples: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    want_value: bool = False
    adapter: str = ""
    samples: list[Sample | None] = field(init=False)
    value: float | None = None
    num_cached: int = 0
    serial: int = 0
    cancelled: bool = False
    space: str = ""

    def __post_init__(self) -> None:
        self.samples = [None] * self.num_samples

    @property
    def is_done(self) -> bool:
        """Nothing of it is wanting."""
        return None not in self.samples and (self.value is not None or not self.want_value)


@dataclass(eq=False, slots=True)
class Row:
    """One sample on its way. In the batch, the keys and values of all its tokens but the last are computed."""

    job: Job
    index: int
    stream: UniformStream
    matcher: StopMatcher
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0

    @property
    def num_tokens(self) -> int:
        """Of prompt and sample so far."""
        return len(self.job.prompt) + len(self.ids)


@dataclass(eq=False, slots=True)
class Prefill:
    """Tokens to compute for the sake of some rows; for a row that was put off, its own tokens are among them."""

    job: Job
    tokens: tuple[int, ...]
    rows: list[Row]


@dataclass(slots=True)
class Counters:
    """What a batch has done since it was made.

    Attributes:
        num_generated_tokens: tokens of finished samples.
        num_prompt_tokens: tokens of all prompts, those found in the prefix cache included.
        num_cached_tokens: prompt tokens found in the prefix cache.
        num_decode_steps, num_prefills: forward passes for running rows, and over prompts.
        num_put_off: rows that had to wait half-way because the batch outgrew its tokens.
    """

    num_generated_tokens: int = 0
    num_prompt_tokens: int = 0
    num_cached_tokens: int = 0
    num_decode_steps: int = 0
    num_prefills: int = 0
    num_put_off: int = 0
