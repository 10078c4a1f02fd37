"""The tokens of a checkpoint that an engine must know of without loading the model: which end a sample, which is never
written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.text import Codec
from mcts_math.errors import CheckpointError


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer. Raises CheckpointError where transformers can't load it."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # a boundary: transformers raises whatever its loaders happen to raise
        raise CheckpointError(
            f"transformers can't load the tokenizer in {folder}: {type(error).__name__}: {error}"
        ) from error


def load_codec(folder: Path) -> Codec:
    """Tokenizer and ends of samples of a model folder."""
    return Codec(load_tokenizer(folder), eos_ids(folder))


def eos_ids(folder: Path) -> list[int]:
    """Tokens that `generation_config.json` and `config.json` say end a sample."""
    found: list[int] = []
    for content in (_generation_config(folder), checkpoints.read_config(folder)):
        eos = content.get("eos_token_id")
        found.extend(eos if isinstance(eos, list) else [] if eos is None else [eos])
    return found


def value_token(folder: Path, tokenizer: Any = None) -> int:
    """The token whose score carries the value where an engine hands out scores of tokens only (`vllm_head`).

    It can't be written any more, so it is one that never is: a row of the vocabulary that belongs to no token, else the
    token that begins texts, fills them up, or stands for what is unknown. Everyone who asks gets the same answer, since
    it depends on the checkpoint's files alone.

    Raises:
        CheckpointError: every token may be written.
    """
    tokenizer = load_tokenizer(folder) if tokenizer is None else tokenizer
    config = checkpoints.read_config(folder)
    size = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size") or 0
    used = set(tokenizer.get_vocab().values())
    unused = size - 1
    while unused in used:
        unused -= 1
    if unused >= 0:
        return int(unused)
    ends = {tokenizer.eos_token_id, *eos_ids(folder)}
    for token in (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id):
        if token is not None and token not in ends:
            return int(token)
    raise CheckpointError(
        f"{folder}: vLLM can hand out values only in the place of a token that is never written, and this model has "
        "none: no unused row, and no token for the beginning, padding or the unknown. Add a row to its vocabulary "
        "(model.resize_token_embeddings), or use engine: hf"
    )


def _generation_config(folder: Path) -> dict[str, Any]:
    file = folder / "generation_config.json"
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} can't be read as JSON: {error}") from error
    return content if isinstance(content, dict) else {}
