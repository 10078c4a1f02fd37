"""What engines on a model do alike: check a request, turn its prompt to tokens, cut a sample."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from mcts_math.engine.table import find_lack
from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import EngineError
from mcts_math.messages import FinishReason, Message, Piece, Prompt, Sampling
from mcts_math.requests import Evaluate, Evaluation, Generate, Policy

NO_HEAD = "a value was asked of a model that was loaded without value head; load with need_value"
_LONG_TEXT = 20_000  # characters from which on a prompt is tokenised off the event loop


def free_bytes() -> int:
    """Memory of this machine that is to be had, copies of files included; 4 GiB where the system does not tell."""
    try:
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(facts["MemAvailable"].removesuffix("kB")) << 10
    except (OSError, LookupError):
        return 4 << 30


def check_request(request: Generate) -> None:
    """Raises EngineError for a request that makes no sense."""
    num_samples, sampling = request.num_samples, request.sampling
    wrong = (
        ("num_samples must be at least 1", num_samples < 1),
        ("temperature must be 0 or more", not sampling.temperature >= 0),
        ("top_p must be above 0 and at most 1", not 0 < sampling.top_p <= 1),
        ("top_k must be at least 1, or -1 for no limit", sampling.top_k < 1 and sampling.top_k not in (-1, 0)),
        ("max_tokens must be at least 1", sampling.max_tokens < 1),
        ("a stop string must not be empty", "" in sampling.stop),
    )
    for rule, broken in wrong:
        if broken:
            raise EngineError(f"{rule} (num_samples={num_samples}, {sampling})")


def refuse_undeclared(request: Generate, engine: str) -> None:
    """Raises EngineError where a request wants what the engine does not declare."""
    sampling = request.sampling
    needed = {"token_beams": sampling.beam_width > 1, "tells_certainty": sampling.want_certainty}
    if lack := find_lack(engine, adapts=bool(request.adapter), **needed):
        raise EngineError(f"the request needs {lack}")


async def evaluate_by_generating(engine: Policy, request: Evaluate) -> Evaluation:
    """The value of a prompt from an engine that gives values with samples, at the cost of one token."""
    greedy = Sampling(0.0, max_tokens=1)
    reply = await engine.generate(Generate(request.prompt, 1, greedy, 0, want_value=True, task_id=request.task_id))
    return Evaluation(reply.value, reply.too_long, reply.num_prompt_tokens, reply.num_cached_tokens)


async def encode_prompt(codec: Codec, prompt: Prompt, context_length: int) -> tuple[int, ...] | int:
    """Tokens of a prompt, or their number where they leave no room for another one. Raises EngineError where the prompt
    is no text, or a conversation that the model's template refuses."""
    size = len(prompt) if isinstance(prompt, str) else sum(map(len_of, prompt.messages))
    encode = codec.encode_prompt
    tokens = await asyncio.to_thread(encode, prompt) if size > _LONG_TEXT else encode(prompt)
    return tokens if len(tokens) < context_length else len(tokens)


def len_of(message: Message) -> int:
    return len(message.content) + len(message.thought) + sum(len(piece.text) for piece in message.written)


def cut_sample(
    codec: Codec,
    prompt: tuple[int, ...],
    ids: Sequence[int],
    finish: FinishReason,
    *,
    stopped_by: object,
    stop: tuple[str, ...],
    fallback: str,
) -> tuple[str, tuple[Piece, ...]]:
    """The text of a finished sample, and what was written, by our own codec: so they are the same on every engine.

    `ids` are its tokens, the one that ended it included; `stopped_by` the stop string that ended it, anything else
    where none did; `fallback` what the engine itself made of it, should our codec not find the stop string.
    """
    by_string = finish == "stop" and isinstance(stopped_by, str)
    is_closed = finish == "stop" and not by_string and ids[-1] in codec.eos_ids
    text = written = codec.continuation(prompt, ids[:-1] if is_closed else ids)
    if by_string:
        ends = [at for at in map(written.find, stop) if at >= 0]
        text = written[: min(ends)] if ends else fallback
    return text, (Piece(written, tuple(ids)),)
