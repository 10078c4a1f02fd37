"""What an OpenAI-compatible server serves, found out before anything is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts_math.engine.openai.client import Client, ServerRefusedError
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.engine.value_token import value_token
from mcts_math.errors import EngineError


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What is known of the model that a server serves.

    Attributes:
        name: how the server calls it.
        is_vllm: the server is vLLM and knows more than the standard asks for.
        context_length: most tokens of prompt and continuation; None where nobody tells.
        codec: its tokenizer; None where the model's folder is not here.
        value_token: see `value_token`; None where no values are wanted.
    """

    name: str
    is_vllm: bool
    context_length: int | None
    codec: Codec | None
    value_token: int | None


def discover(client: Client, model: str, need_value: bool) -> ServedModel:
    """What the server and the model's folder, where it is here, tell; this blocks.

    Arguments as in `OpenAIEngine.connect`.

    Raises:
        EngineError: the server can't be reached, does not have the model, or can't give values that are wanted.
        CheckpointError: the model's folder is here, but incomplete.
    """
    try:
        card = _choose(_cards(client), model, client.arguments.served_name, client.base_url)
    except (LookupError, TypeError, AttributeError) as error:
        raise EngineError(f"{client.base_url}/models answers in another form than OpenAI's API: {error!r}") from error
    folder, is_vllm = Path(model).expanduser(), card.get("owned_by") == "vllm"
    here = (folder / "config.json").exists()
    if need_value and not (here and is_vllm):
        raise EngineError(
            f"values need a vLLM server ({client.base_url} is {'one' if is_vllm else 'not'}) and the model's folder "
            f"with config.json and tokenizer as model_dir ({model!r} is {'one' if here else 'not'})"
        )
    codec = load_codec(folder) if here else None
    token = value_token(folder) if need_value else None
    return ServedModel(card["id"], is_vllm, _context_length(card), codec, token)


def _context_length(card: dict[str, Any]) -> int | None:
    """Under the names that servers have for it; the API itself has none."""
    for name in ("max_model_len", "max_context_length", "context_length", "context_window"):
        length = card.get(name)
        if isinstance(length, int) and not isinstance(length, bool) and length > 0:
            return length
    return None


def _cards(client: Client) -> list[dict[str, Any]]:
    try:
        reply = client.get("models")
    except ServerRefusedError as error:
        raise EngineError(
            f"{client.base_url}/models answers HTTP {error.status}, {error.message}; is base_url the address of an "
            "OpenAI-compatible API, with /v1 at its end?"
        ) from error
    cards = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(cards, list) or not cards:
        raise EngineError(f"{client.base_url}/models lists no models: {str(reply)[:200]}")
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
