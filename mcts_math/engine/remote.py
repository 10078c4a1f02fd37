"""What an OpenAI-compatible server serves, found out before anything is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts_math.engine.http import Server, ServerRefusedError
from mcts_math.engine.text import Codec
from mcts_math.engine.vocabulary import load_codec, value_token
from mcts_math.errors import EngineError


@dataclass(frozen=True, slots=True)
class Remote:
    """What is known of the model that a server serves.

    Attributes:
        name: how the server calls it.
        is_vllm: the server is vLLM and knows more than the standard asks for.
        context_length: most tokens of prompt and continuation; None where nobody tells.
        codec: its tokenizer; None where the model's folder is not here.
        value_token: see `vocabulary`; None where no values are wanted.
    """

    name: str
    is_vllm: bool
    context_length: int | None
    codec: Codec | None
    value_token: int | None


@contextmanager
def reading(base_url: str) -> Iterator[None]:
    """While a reply is read: JSON of another form than the API's becomes an EngineError that names the server."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise EngineError(f"{base_url} answers in another form than OpenAI's API: {error!r}") from error


def look(server: Server, model: str, served_name: str | None, need_value: bool) -> Remote:
    """What the server and the model's folder, where it is here, tell; this blocks.

    Arguments as in `OpenAIEngine.connect`.

    Raises:
        EngineError: the server can't be reached, does not have the model, or can't give values that are wanted.
        CheckpointError: the model's folder is here, but incomplete.
    """
    with reading(server.base_url):
        card = _choose(_cards(server), model, served_name, server.base_url)
    folder, is_vllm = Path(model).expanduser(), card.get("owned_by") == "vllm"
    here = (folder / "config.json").exists()
    if need_value and not (here and is_vllm):
        raise EngineError(
            f"values need a vLLM server ({server.base_url} is {'one' if is_vllm else 'not'}) and the model's folder "
            f"with config.json and tokenizer as model_dir ({model!r} is {'one' if here else 'not'})"
        )
    codec = load_codec(folder) if here else None
    token = value_token(folder) if need_value else None
    return Remote(card["id"], is_vllm, card.get("max_model_len"), codec, token)


def _cards(server: Server) -> list[dict[str, Any]]:
    try:
        reply = server.get("models")
    except ServerRefusedError as error:
        raise EngineError(
            f"{server.base_url}/models answers HTTP {error.status}, {error.message}; is base_url the address of an "
            "OpenAI-compatible API, with /v1 at its end?"
        ) from error
    cards = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(cards, list) or not cards:
        raise EngineError(f"{server.base_url}/models lists no models: {str(reply)[:200]}")
    return cards


def _choose(cards: list[dict[str, Any]], model: str, served_name: str | None, base_url: str) -> dict[str, Any]:
    """The card of the model that is meant: the one of its name, else the only one."""
    wanted = served_name or model
    for card in cards:
        if card["id"] == wanted:
            return card
    if len(cards) == 1 and served_name is None:
        return cards[0]
    raise EngineError(
        f"{base_url} does not serve {wanted!r} but {', '.join(card['id'] for card in cards[:5])}; name one with "
        "served_name in engine_args"
    )
