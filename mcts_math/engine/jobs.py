"""What is asked of the running batch, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

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
        num_rows: different rows that its finished samples came from.
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
    num_rows: int = 0
    serial: int = 0
    cancelled: bool = False
    space: str = ""

    def __post_init__(self) -> None:
        self.samples = [None] * self.num_samples

    @property
    def is_done(self) -> bool:
        """Nothing of it is wanting."""
        return None not in self.samples and (self.value is not None or not self.want_value)


@dataclass(slots=True)
class Counters:
    """What a batch has done since it was made.

    Attributes:
        num_generated_tokens: tokens of finished samples.
        num_prompt_tokens: tokens of all prompts, those found in the prefix cache included.
        num_cached_tokens: prompt tokens found in the prefix cache.
        num_decode_steps, num_prefills: forward passes for running rows, and over prompts.
        num_decoded_rows: rows of all those passes; fewer than the tokens that they gave where samples were alike.
        num_put_off: rows that had to wait half-way because the batch outgrew its tokens.
    """

    num_generated_tokens: int = 0
    num_prompt_tokens: int = 0
    num_cached_tokens: int = 0
    num_decode_steps: int = 0
    num_decoded_rows: int = 0
    num_prefills: int = 0
    num_put_off: int = 0
