"""Reading the replies of an OpenAI-compatible server."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from mcts_math.engine.checks import cut_sample
from mcts_math.engine.openai.server import ServedModel
from mcts_math.engine.value_token import decode_value
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, FinishReason, Message, Piece, Sample, ToolCall

THOUGHT_KEYS: Final = ("reasoning_content", "reasoning")
"""Under which servers tell a thought."""
_FINISHED: Final[dict[object, FinishReason]] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "tool_calls", "function_call"), "stop"),
    **dict.fromkeys(("length", "model_length", "max_tokens"), "length"),
}
"""What servers call the end of a sample that has come to one."""


@contextmanager
def reading(base_url: str) -> Iterator[None]:
    """While a reply is read: JSON of another form than the API's becomes a RefusedError that names the server."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise RefusedError(f"{base_url} answers in another form than OpenAI's API: {error!r}") from error


def checked(reply: Any, base_url: str) -> list[dict[str, Any]]:
    """The choices of a reply, in their order. Raises RefusedError where it has none."""
    if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list) or not reply["choices"]:
        raise RefusedError(f"{base_url} answered without choices: {str(reply)[:200]}")
    return sorted(reply["choices"], key=lambda choice: int(choice.get("index") or 0))


@dataclass(frozen=True, slots=True)
class Expected:
    served: ServedModel
    prompt: tuple[int, ...] | str | Conversation
    opening: str  # see `Sample`
    stop: tuple[str, ...]
    tells_logprobs: bool  # whether log-probabilities are told of all samples; where not, they are 0


def parse_samples(reply: Any, base_url: str, expected: Expected) -> list[Sample]:
    """The samples of a reply. Raises RefusedError, and what `reading` translates."""
    choices = checked(reply, base_url)
    total = int((reply.get("usage") or {}).get("completion_tokens") or 0)
    shares = [total * (i + 1) // len(choices) - total * i // len(choices) for i in range(len(choices))]
    return [_parse_sample(choice, expected, share) for choice, share in zip(choices, shares, strict=True)]


def _parse_sample(choice: dict[str, Any], expected: Expected, num_tokens: int) -> Sample:
    """A sample. `num_tokens` is its share of those that were written, where log-probabilities don't tell them."""
    finish = _finish(choice)
    message = parse_message(choice["message"]) if "message" in choice else None
    text = choice["text"] if message is None else message.content
    if not isinstance(text, str):
        raise TypeError(f"the text of a sample is {text!r}")
    if message is not None and isinstance(_stop(choice), str) and not (text or message.calls):
        raise RefusedError(
            "a stop string ended a thought that the server keeps apart, where it can't go on; give the model's folder "
            "as model_dir, or choose prompt_wrap: chat_tools or chat, without stop"
        )
    logprob = 0.0
    if expected.tells_logprobs:
        logprobs = logprobs_of(choice)
        logprob, num_tokens = math.fsum(logprobs) if logprobs else math.nan, len(logprobs)
        if not math.isfinite(logprob):
            raise RefusedError(f"the server tells no finite log-probabilities of a sample: {logprob}")
    text, written = _as_written(choice, text, finish, expected)
    return Sample(text, logprob, num_tokens, finish, written, expected.opening, message)


def _finish(choice: dict[str, Any]) -> FinishReason:
    told = choice.get("finish_reason")
    if told not in _FINISHED:
        raise RefusedError(f"the server gave up on a sample, or has its own word for its end: finish_reason {told!r}")
    return _FINISHED[told]


def _stop(choice: dict[str, Any]) -> Any:
    """The stop string, or the token, that ended a sample, as vLLM and SGLang tell it; None where nothing is told."""
    return choice.get("stop_reason", choice.get("matched_stop"))


def _as_written(
    choice: dict[str, Any], text: str, finish: FinishReason, expected: Expected
) -> tuple[str, tuple[Piece, ...]]:
    """The text of a sample, and what was written, stop string included, as tokens where they are told."""
    codec, prompt, ids = expected.served.codec, expected.prompt, choice.get("token_ids")
    stopped_by = _stop(choice)
    if codec is None or not ids or not isinstance(prompt, tuple):
        end = stopped_by if isinstance(stopped_by, str) else ""
        return text, (Piece(text + end),) if text and (end or finish == "length") else ()
    return cut_sample(codec, prompt, ids, finish, stopped_by=stopped_by, stop=expected.stop, fallback=text)


def parse_message(message: dict[str, Any]) -> Message:
    """A turn of the assistant as the server has read it. Raises TypeError where nothing is in it."""
    content, thought = message.get("content"), _thought(message)
    calls = tuple(_call(call, number) for number, call in enumerate(message.get("tool_calls") or ()))
    if content is None and not thought and not calls:
        raise TypeError("a message has neither content nor tool calls")
    return Message("assistant", "" if content is None else content, thought, calls)


def thought_key(reply: Any) -> str:
    """What a server calls a thought; "" where a reply has none."""
    messages = [choice.get("message") or {} for choice in reply["choices"]]
    return next((key for key in THOUGHT_KEYS for message in messages if message.get(key)), "")


def _thought(message: dict[str, Any]) -> str:
    thought = next((message[key] for key in THOUGHT_KEYS if message.get(key)), "")
    if not isinstance(thought, str):
        raise TypeError(f"a thought is {thought!r}")
    return thought


def _call(call: dict[str, Any], number: int) -> ToolCall:
    function = call["function"]
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(str(function["name"]), text, call.get("id") or f"call{number:05d}")


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
    return int(usage.get("prompt_tokens") or 0), int(cached or usage.get("prompt_cache_hit_tokens") or 0)  # DeepSeek's


def leaves_out_logprobs(reply: Any, base_url: str) -> bool:
    """Whether a sample that is no plain text has no log-probabilities: of a tool call or a thought many tell none."""
    return any(not logprobs_of(choice) and not _is_plain_text(choice) for choice in checked(reply, base_url))


def _is_plain_text(choice: dict[str, Any]) -> bool:
    """Whether there is a visible text, and no tool call beside it."""
    shown = choice.get("message") or choice
    return bool((shown.get("content") or shown.get("text") or "").strip()) and not shown.get("tool_calls")


def logprobs_of(choice: dict[str, Any]) -> list[float]:
    """Log-probabilities of a choice's tokens; none where it tells none. Raises what `reading` translates."""
    logprobs = choice.get("logprobs") or {}
    if "content" in logprobs:
        return [entry["logprob"] for entry in logprobs["content"] or ()]
    return [number for number in logprobs.get("token_logprobs") or () if number is not None]
