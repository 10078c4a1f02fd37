"""What an OpenAI-compatible server serves, found out before anything is asked of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcts_math.engine.checkpoint import download_tokenizer, is_hub_name
from mcts_math.engine.openai.client import Client, ServerRefusedError
from mcts_math.engine.openai.dialects import VLLM, Dialect, find_dialect
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.engine.value_token import value_token
from mcts_math.errors import CheckpointError, EngineError

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedModel:
    name: str  # how the server calls it
    dialect: Dialect  # what the server knows beyond the standard
    context_length: int | None  # most tokens of prompt and continuation; None where nobody tells
    codec: Codec | None  # its tokenizer; None where it is not at hand
    value_token: int | None  # see `value_token`; None where no values are wanted


def discover(client: Client, model: str, need_value: bool) -> ServedModel:
    """What the server and the model's folder, where it is here, tell; blocks, and raises as `OpenAIEngine.connect`."""
    card = find_card(client, model)
    dialect = find_dialect(card)
    folder = _find_folder(model, dialect, need_value)
    if need_value and (folder is None or dialect is not VLLM):
        raise EngineError(
            f"values need a vLLM server ({client.base_url} is {'one' if dialect is VLLM else 'not'}) and the model's "
            f"folder with config.json and tokenizer as model_dir ({model!r} is {'not' if folder is None else 'one'})"
        )
    codec = None if folder is None else load_codec(folder)
    token = value_token(folder) if need_value and folder is not None else None
    return ServedModel(card["id"], dialect, _context_length(card), codec, token)


def find_card(client: Client, model: str) -> dict[str, Any]:
    """What a server lists of the model that is meant: the one of its name, else the only one; this blocks. Raises
    EngineError where the server can't be reached, or does not have the model."""
    try:
        reply = client.get("models")
        if not reply["data"]:
            raise EngineError(f"{client.base_url}/models lists no models: {str(reply)[:200]}")
        return _choose(list(reply["data"]), model, client)
    except ServerRefusedError as error:
        raise EngineError(f"{error.as_error(f'{client.base_url}/models')}; has base_url /v1 at its end?") from error
    except (LookupError, TypeError, AttributeError) as error:
        raise EngineError(f"{client.base_url}/models answers in another form than OpenAI's API: {error!r}") from error


def _find_folder(model: str, dialect: Dialect, need_value: bool) -> Path | None:
    """Where the model's config and tokenizer are: the folder that was given, or what the hub gives for a name, which is
    asked only for servers that can be sent tokens. Where it gives nothing, the server renders conversations, which is
    said."""
    folder = Path(model).expanduser()
    if (folder / "config.json").exists():
        return folder
    if not (dialect.takes_tokens and is_hub_name(model)):
        return None
    try:
        return download_tokenizer(model)
    except CheckpointError as error:
        if need_value:
            raise
        _log.warning(
            "%s. Until then the server makes tokens of prompts, and what it wrote is not kept as tokens", error
        )
        return None


def _context_length(card: dict[str, Any]) -> int | None:
    """Under the names that servers have for it; the API itself has none."""
    meta = card.get("meta")  # llama.cpp's
    facts = {**meta, **card} if isinstance(meta, dict) else card
    for name in ("max_model_len", "max_context_length", "context_length", "context_window", "n_ctx"):
        length = facts.get(name)
        if isinstance(length, int) and not isinstance(length, bool) and length > 0:
            return length
    return None


def _choose(cards: list[dict[str, Any]], model: str, client: Client) -> dict[str, Any]:
    served_name = client.arguments.served_name
    wanted = served_name or model
    for card in cards:
        if card["id"] == wanted:
            return card
    if len(cards) == 1 and served_name is None:
        only = cards[0]["id"]
        if wanted and Path(wanted).name != Path(only).name:
            _log.warning("%s does not serve %r; its only model, %r, is taken for it", client.base_url, wanted, only)
        return cards[0]
    raise EngineError(
        f"{client.base_url} does not serve {wanted!r} but {', '.join(card['id'] for card in cards[:5])}; name one with "
        f"served_name in {client.key}"
    )
