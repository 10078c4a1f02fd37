"""Reading the replies of an OpenAI-compatible server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcts_math.engine.checks import cut_sample
from mcts_math.engine.openai.server import ServedModel
from mcts_math.engine.value_token import decode_value
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Sample


@contextmanager
def reading(base_url: str) -> Iterator[None]:
    """While a reply is read: JSON of another form than the API's becomes a RefusedError that names the server."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise RefusedError(f"{base_url} answers in another form than OpenAI's API: {error!r}") from error


def is_chat(prompt: Any) -> bool:
    """Whether a prompt is sent as a conversation."""
    return isinstance(prompt, Conversation)


def checked(reply: Any, base_url: str) -> list[dict[str, Any]]:
    """The choices of a reply, in their order. Raises RefusedError where it has none."""
    if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list) or not reply["choices"]:
        raise RefusedError(f"{base_url} answered without choices: {str(reply)[:200]}")
    return sorted(reply["choices"], key=lambda choice: int(choice.get("index") or 0))


def parse_sample(served: ServedModel, prompt: Any, choice: dict[str, Any], stop: tuple[str, ...]) -> Sample:
    """A sample. Raises RefusedError, and what `reading` translates."""
    text = choice["message"]["content"] or "" if "message" in choice else choice["text"]
    if not isinstance(text, str):
        raise TypeError(f"the text of a sample is {text!r}")
    logprobs = _logprobs(choice)
    logprob = math.fsum(logprobs) if logprobs else math.nan
    if not math.isfinite(logprob):
        raise RefusedError(
            "the server tells no log-probabilities of its samples, which are needed; serve the model with vLLM, or "
            "with a server that fills in `logprobs`"
        )
    finish, ids = choice.get("finish_reason"), choice.get("token_ids")
    if finish not in ("stop", "length"):
        raise RefusedError(f"the server gave up on a sample: finish_reason {finish!r}")
    if ids is not None and isinstance(prompt, tuple) and not is_chat(prompt) and served.codec is not None:
        if finish == "length":
            text = served.codec.continuation(prompt, ids)
        else:
            stopped_by = choice.get("stop_reason")
            text = cut_sample(served.codec, prompt, ids, stopped_by=stopped_by, stop=stop, fallback=text)
    return Sample(text, logprob, len(logprobs), finish)


def parse_value(choice: dict[str, Any], value_token: int | None) -> float:
    """The value that a choice brings. Raises EngineError where it brings none, and what `reading` translates."""
    score = choice["logprobs"]["top_logprobs"][0].get(f"token_id:{value_token}")
    if score is None:
        raise EngineError("the server does not tell the score of one token; is it vLLM 0.32 or newer?")
    return decode_value(score)


def parse_usage(reply: dict[str, Any]) -> tuple[int, int]:
    """Tokens of the prompt, and how many of them came from a prefix cache (vLLM tells with one of its arguments)."""
    usage = reply.get("usage") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return int(usage.get("prompt_tokens") or 0), int(cached or 0)


def _logprobs(choice: dict[str, Any]) -> list[float]:
    logprobs = choice.get("logprobs") or {}
    if "content" in logprobs:
        return [entry["logprob"] for entry in logprobs["content"] or ()]
    return [number for number in logprobs.get("token_logprobs") or () if number is not None]
