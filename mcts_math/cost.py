"""What a tree costs, and whether a reply is one to its request.

Machine time: where R requests are in flight, each is charged 1/R of the wall clock. A question's seconds are so the
time it would have cost by itself, and all questions' seconds add up to the run's.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

from mcts_math.errors import EngineError, RefusedError
from mcts_math.requests import (
    Adapt,
    Adaptation,
    Check,
    Evaluate,
    Evaluation,
    Execute,
    Generate,
    Generation,
    Observation,
    Reply,
    Request,
    Verification,
    Verify,
)

_LARGEST_VALUE: Final = 1 + 1e-6  # with what rounding may add


@dataclass(slots=True)
class Cost:
    seconds: float = 0.0  # machine time
    wall_s: float = 0.0  # from start to end
    tokens: int = 0  # generated
    prompt_tokens: int = 0  # of all prompts
    cached_tokens: int = 0  # those of `prompt_tokens` that a prefix cache held
    requests: int = 0  # requests of all kinds
    samples: int = 0  # samples generated; one that was cut and went on is one
    evaluations: int = 0  # values asked for by themselves
    value_tokens: int = 0  # read for values by another model than the policy
    cells: int = 0  # runs of the interpreter
    cell_s: float = 0.0  # seconds of these
    verifications: int = 0  # attempts judged by the verifier
    adaptations: int = 0  # optimiser steps at test time
    adapted_tokens: int = 0  # tokens run through the model for these

    def charge(self, request: Request, reply: Reply) -> int:
        """Adds what a request has cost; returns the tokens that were generated for it. Raises EngineError where the
        reply is none to this request, RefusedError where a sample is broken and other requests may be fine."""
        match request, reply:
            case Generate(), Generation():
                _check_samples(request, reply)
                self._charge_prompt(reply)
                tokens = sum(sample.num_tokens for sample in reply.samples)
                self.tokens += tokens
                self.samples += 0 if request.more else len(reply.samples)
                return tokens
            case Evaluate(), Evaluation():
                require_value(reply)
                self._charge_prompt(reply)
                self.evaluations += 1
            case Execute(), Observation():
                self.cells += 1
                self.cell_s += reply.seconds
            case Check(), bool():
                pass
            case Verify(), Verification():
                self.verifications += 1
            case Adapt(), Adaptation():
                self.adaptations += 1
                self.adapted_tokens += reply.num_tokens
            case _:
                raise EngineError(f"{type(request).__name__} was answered by {type(reply).__name__}: see requests.py.")
        return 0

    def _charge_prompt(self, reply: Generation | Evaluation) -> None:
        value = reply.value
        if value is not None and not (isinstance(value, (float, int)) and abs(value) <= _LARGEST_VALUE):  # nor NaN
            raise EngineError(
                f"the value source answered {value!r}. Values are plain finite numbers in [-1, 1], not tensors."
            )
        self.prompt_tokens += reply.num_prompt_tokens
        self.cached_tokens += reply.num_cached_tokens
        self.value_tokens += reply.num_value_tokens


class MachineClock:
    """Wall clock divided by the number of requests in flight."""

    def __init__(self) -> None:
        self._active = 0
        self._shared = 0.0
        self._last = time.monotonic()

    def now(self) -> float:
        wall = time.monotonic()
        if self._active:
            self._shared += (wall - self._last) / self._active
        self._last = wall
        return self._shared

    def start(self) -> float:
        now = self.now()
        self._active += 1
        return now

    def stop(self) -> float:
        now = self.now()
        self._active -= 1
        return now


def require_value(reply: Evaluation) -> None:
    """Raises EngineError where there is no value, though the prompt fits."""
    if reply.value is None and not reply.too_long:
        raise EngineError("the value source answered no value, and not that the prompt is too long either.")


def _check_samples(request: Generate, reply: Generation) -> None:
    """Raises EngineError where there are not as many samples as were asked for, RefusedError where one is broken."""
    if not reply.too_long and len(reply.samples) != request.num_samples:
        raise EngineError(
            f"the policy answered {len(reply.samples)} samples where {request.num_samples} were asked for. A prompt "
            "that does not fit the context is answered by too_long."
        )
    if math.isnan(sum([sample.logprob for sample in reply.samples])):
        raise RefusedError("the model's log-probabilities are not numbers (NaN). Try engine_args={dtype: float32}.")
    if request.sampling.want_certainty and any(sample.certainty is None for sample in reply.samples):
        raise EngineError("the policy does not tell how certain it is of its samples (`Sample.certainty`).")
