"""Engines without a model: one that replays a script, one that makes believe.

`ScriptedPolicy` answers from a table or a function, for golden-tree tests and for trying a search by hand.
`RandomPolicy` writes plausible steps in the `react_sft` format by hashing the request, for benchmarks and stress tests:
its reply is a pure function of (its own settings, prompt, sampling temperature, seed), so a tree grown on it is the
same whatever else is in flight, in any process and on any machine.

Neither imports torch; neither counts real tokens (a "token" here is four characters).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mcts_math.errors import EngineError
from mcts_math.messages import Prompt, Sample, Sampling, text_of
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation

_MASK = (1 << 64) - 1
_STRIDE = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio
_SEED_STRIDE = 0x632BE59BD9B4E019  # odd, so that a seed and the next are far apart and none collide
_CHARS_PER_TOKEN = 4


def scripted(*texts: str, value: float | None = None, logprobs: tuple[float, ...] = ()) -> Generation:
    """One entry of a script.

    Args:
        texts: the samples, in order, each as it stands before the stop string.
        value: v of the prompt in [-1, 1].
        logprobs: mean log-probability per token of each sample in nats; -0.5 where not given.

    Returns:
        What `ScriptedPolicy` replies to the prompt.
    """
    if logprobs and len(logprobs) != len(texts):
        raise ValueError(f"{len(texts)} texts, but {len(logprobs)} log-probabilities")
    means = logprobs or (-0.5,) * len(texts)
    samples = []
    for text, mean in zip(texts, means, strict=True):
        num_tokens = _num_tokens(text)
        samples.append(Sample(text, mean * num_tokens, num_tokens))
    return Generation(tuple(samples), value)


class ScriptedPolicy:
    """Replays a script; policy and value model in one.

    Attributes:
        requests: every request so far, in the order of arrival.
    """

    def __init__(
        self,
        script: Mapping[str, Generation] | Callable[[Generate], Generation],
        *,
        delay_s: Callable[[Generate | Evaluate], float] | None = None,
    ) -> None:
        """Args:
        script: prompt -> reply (see `scripted`), or a function that makes the reply. A request for fewer samples
            than the reply holds gets the first ones. `Evaluate` is answered by the reply's value; the function then
            gets a `Generate` for one sample with `want_value`.
        delay_s: seconds to wait before answering a request, to shuffle the order of replies; None answers at once.
        """
        self.requests: list[Generate | Evaluate] = []
        self._script = script
        self._delay_s = delay_s
        self._closed = False

    async def generate(self, request: Generate) -> Generation:
        """The scripted samples of the prompt. Raises EngineError where the script has none or too few."""
        await self._arrive(request)
        reply = self._look_up(request)
        if reply.too_long:
            return reply
        if len(reply.samples) < request.num_samples:
            raise EngineError(
                f"the script has {len(reply.samples)} samples for a prompt of which {request.num_samples} are asked: "
                f"{_quote(_text(request.prompt))}"
            )
        return replace(
            reply,
            samples=reply.samples[: request.num_samples],
            value=reply.value if request.want_value else None,
            num_prompt_tokens=reply.num_prompt_tokens or _num_tokens(_text(request.prompt)),
        )

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The scripted value of the prompt. Raises EngineError where the script has none."""
        await self._arrive(request)
        reply = self._look_up(Generate(request.prompt, 1, Sampling(), seed=0, want_value=True))
        num_tokens = reply.num_prompt_tokens or _num_tokens(_text(request.prompt))
        if reply.too_long:
            return Evaluation(None, too_long=True, num_prompt_tokens=num_tokens)
        if reply.value is None:
            raise EngineError(f"the script has no value for this prompt: {_quote(_text(request.prompt))}")
        return Evaluation(reply.value, num_prompt_tokens=num_tokens)

    async def close(self) -> None:
        """Later requests raise EngineError."""
        self._closed = True

    async def _arrive(self, request: Generate | Evaluate) -> None:
        if self._closed:
            raise EngineError("the scripted engine is closed")
        self.requests.append(request)
        if self._delay_s is not None:
            await asyncio.sleep(self._delay_s(request))

    def _look_up(self, request: Generate) -> Generation:
        if not isinstance(self._script, Mapping):
            return self._script(request)
        try:
            return self._script[_text(request.prompt)]
        except KeyError:
            raise EngineError(f"the script has no entry for this prompt: {_quote(_text(request.prompt))}") from None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How `RandomPolicy` behaves. Rates are probabilities in [0, 1].

    Attributes:
        final_rate: chance that the first step is a final answer; it grows by as much with every step taken.
        unparsable_rate: chance of a sample with neither code nor answer.
        error_rate: chance that a code step raises when it is run.
        num_answers: final answers are drawn from this many integers (few: votes agree, duplicates are common).
        min_delay_s, max_delay_s: a reply takes between these many seconds; 0 answers at once.
        failure_rate: chance that a request raises EngineError.
        max_prompt_chars: longer prompts are `too_long`.
    """

    final_rate: float = 0.15
    unparsable_rate: float = 0.05
    error_rate: float = 0.1
    num_answers: int = 10
    min_delay_s: float = 0.0
    max_delay_s: float = 0.0
    failure_rate: float = 0.0
    max_prompt_chars: int = 100_000


class RandomPolicy:
    """A make-believe policy and value model: a few microseconds a request, no model.

    Sample i of a request with seed s equals sample 0 of the same prompt with seed s + i; at temperature 0 the seed
    does not matter and all samples are equal. Values depend on the prompt alone.
    """

    def __init__(self, seed: int = 0, behaviour: Behaviour | None = None) -> None:
        """Args:
        seed: another seed is another "model".
        behaviour: how it behaves; None takes the defaults.
        """
        self._key = (seed & _MASK).to_bytes(8, "little")
        self._behaviour = behaviour or Behaviour()
        self._closed = False

    async def generate(self, request: Generate) -> Generation:
        """Samples made from the hash of the prompt and the seed."""
        prompt = _text(request.prompt)
        state = self._hash(prompt)
        await self._pretend_work(_mix(state ^ request.seed & _MASK))
        num_tokens = _num_tokens(prompt)
        if len(prompt) > self._behaviour.max_prompt_chars:
            return Generation((), too_long=True, num_prompt_tokens=num_tokens)
        depth = prompt.count("</step>")
        if request.sampling.temperature == 0:
            samples = (self._sample(_mix(state), depth),) * request.num_samples
        else:
            first = state + request.seed * _SEED_STRIDE  # seed s + i is i strides on, whoever asks
            seeds = range(request.num_samples)
            samples = tuple([self._sample(_mix(first + i * _SEED_STRIDE & _MASK), depth) for i in seeds])
        return Generation(samples, _value(state) if request.want_value else None, num_prompt_tokens=num_tokens)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The same value that `generate` reports for the prompt."""
        prompt = _text(request.prompt)
        state = self._hash(prompt)
        await self._pretend_work(state)
        num_tokens = _num_tokens(prompt)
        if len(prompt) > self._behaviour.max_prompt_chars:
            return Evaluation(None, too_long=True, num_prompt_tokens=num_tokens)
        return Evaluation(_value(state), num_prompt_tokens=num_tokens)

    async def close(self) -> None:
        """Later requests raise EngineError."""
        self._closed = True

    def _hash(self, prompt: str) -> int:
        # Not the built-in hash(): that differs from process to process.
        digest = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key)
        return int.from_bytes(digest.digest(), "little")

    async def _pretend_work(self, state: int) -> None:
        if self._closed:
            raise EngineError("the random engine is closed")
        behaviour = self._behaviour
        if behaviour.max_delay_s > 0:
            span = behaviour.max_delay_s - behaviour.min_delay_s
            await asyncio.sleep(behaviour.min_delay_s + span * _uniform(state, 1))
        if behaviour.failure_rate > 0 and _uniform(state, 2) < behaviour.failure_rate:
            raise EngineError("the random engine was told to fail now and then (Behaviour.failure_rate)")

    def _sample(self, state: int, depth: int) -> Sample:
        """One sample from 64 well mixed bits, of which every choice takes its own: mixing anew for each is slow."""
        text = self._step(state, depth)
        num_tokens = _num_tokens(text)
        return Sample(text, -num_tokens * (0.05 + 0.6 * (state >> 52) / 4096), num_tokens)

    def _step(self, state: int, depth: int) -> str:
        behaviour = self._behaviour
        a, b = state & 15, state >> 4 & 7
        if (state >> 7 & 0x7FFF) < behaviour.unparsable_rate * 0x8000:
            return f"<step>\n<p>\nPerhaps {a} has something to do with {b}.\n</p>\n"
        if (state >> 22 & 0x7FFF) < behaviour.final_rate * (depth + 1) * 0x8000:
            answer = (state >> 37) % behaviour.num_answers
            return f"<step>\n<p>\nThis settles it.\n</p>\n<p>\nFinal Answer: {answer}\n</p>\n"
        code = f"x = {a} // 0" if (state >> 37 & 0x7FFF) < behaviour.error_rate * 0x8000 else f"x = {a} + {b}"
        return f"<step>\n<p>\nAdd {b} to {a}.\n</p>\n<code>\n```python\n{code}\nprint(x)\n```"


def _num_tokens(text: str) -> int:
    return len(text) // _CHARS_PER_TOKEN + 1


def _text(prompt: Prompt) -> str:
    """A prompt as a script knows it; a conversation is a line of `role: content` for each message."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"{message.role}: {text_of(message.pieces)}" for message in prompt.messages)


def _quote(prompt: str) -> str:
    """The end of a prompt, where two prompts of one tree differ."""
    return repr(prompt if len(prompt) <= 300 else "…" + prompt[-300:])


def _mix(state: int) -> int:
    """SplitMix64 (Steele, Lea and Flood 2014): a cheap, well mixed 64-bit hash of an integer."""
    bits = state + _STRIDE & _MASK
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31


def _uniform(state: int, stream: int) -> float:
    """A number in [0, 1) that is a pure function of both arguments."""
    return (_mix(state + stream * _SEED_STRIDE & _MASK) >> 11) * 2.0**-53


def _value(state: int) -> float:
    return 2.0 * _uniform(state, 8) - 1.0
