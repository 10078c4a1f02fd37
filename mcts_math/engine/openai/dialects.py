"""How the servers that people run differ from the standard, a row each; and how their own words are read.

The standard has no word for much that decides what is sampled: a server that is not told otherwise cuts the model's
distribution as it likes (llama.cpp and Ollama keep 40 tokens). So servers that can be told are told to sample as asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcts_math.messages import Sampling


@dataclass(frozen=True, slots=True)
class Dialect:
    all_tokens: int | None = None  # the `top_k` that keeps all tokens; None where it knows no `top_k`
    # with every request: sample as asked for, and tell all tokens
    always: Mapping[str, Any] = field(default_factory=dict)
    of_texts: Mapping[str, Any] = field(default_factory=dict)  # sent with every prompt that is no conversation
    texts: str = "completions"  # where prompts that are no conversations go
    takes_tokens: bool = False  # a prompt may be tokens, and samples come with theirs
    tells_stops: bool = False  # it tells which stop string ended a sample of its chat endpoint
    counts_seeds: bool = False  # of n samples of a request, number i gets seed + i; else they are n requests
    is_known: bool = False  # it tells log-probabilities and reads all that we send; of others that is tried out

    def fields(self, sampling: Sampling, *, is_chat: bool) -> dict[str, Any]:
        """What requests get beside the standard's fields. `top_k` stands there only where the server knows it."""
        more = dict(self.always) if is_chat else {**self.always, **self.of_texts}
        if self.all_tokens is not None:
            more["top_k"] = sampling.top_k if sampling.top_k > 0 else self.all_tokens
        return more


STANDARD: Final = Dialect()
_TOLD: Final = {
    "min_p": 0.0,  # the model's generation_config.json would have its say else
    "repetition_penalty": 1.0,
    "skip_special_tokens": False,
    "return_token_ids": True,
}
VLLM: Final = Dialect(
    all_tokens=0,
    always={**_TOLD, "spaces_between_special_tokens": False},
    of_texts={"logprobs": 0, "return_tokens_as_token_ids": True},
    takes_tokens=True,
    tells_stops=True,
    counts_seeds=True,
    is_known=True,
)
_DIALECTS: Final = {
    "vllm": VLLM,
    "sglang": Dialect(all_tokens=-1, always=_TOLD, takes_tokens=True, tells_stops=True, is_known=True),
    # Its own endpoint tells tokens and stop strings, which the standard one does not.
    "llamacpp": Dialect(
        all_tokens=0,
        always={"min_p": 0.0, "repeat_penalty": 1.0},
        of_texts={"return_tokens": True},
        texts="/completion",
        takes_tokens=True,
        is_known=True,
    ),
}
"""By what the list of models says of who owns them."""


def find_dialect(card: Mapping[str, Any]) -> Dialect:
    return _DIALECTS.get(str(card.get("owned_by")), STANDARD)


def to_standard(reply: Any) -> Any:
    """A reply of llama.cpp's own endpoint in the standard's form; any other one as it is."""
    if not isinstance(reply, dict) or "stop_type" not in reply:
        return reply
    choice = {
        "text": reply["content"],
        "finish_reason": "length" if reply["stop_type"] == "limit" else "stop",
        "stop_reason": reply["stopping_word"] if reply["stop_type"] == "word" else None,
        "token_ids": reply["tokens"],
        "logprobs": {"content": reply.get("completion_probabilities")},
    }
    cached = {"cached_tokens": (reply.get("timings") or {}).get("cache_n")}
    usage = {
        "prompt_tokens": reply.get("tokens_evaluated"),
        "completion_tokens": reply.get("tokens_predicted"),
        "prompt_tokens_details": cached,
    }
    return {"choices": [choice], "usage": usage}
