"""The token whose score carries a value, where an engine hands out scores of tokens and nothing else.

The value v in [-1, 1] is told as -1000 · (2 + v): below any log-probability that matters, so the token is never sampled
at whatever sane temperature, and a float32 of that size is exact to 2e-7 in v.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mcts_math.engine.tokenizer import eos_ids, load_tokenizer, vocab_size
from mcts_math.errors import CheckpointError, EngineError

if TYPE_CHECKING:
    from torch import Tensor

_SCALE = 1000.0
_SLACK = 1e-3


def value_token(folder: Path) -> int:
    """The token whose score carries the value where an engine hands out scores of tokens only (`vllm.value_head`).

    It can't be written any more, so it is one that never is: a row of the vocabulary that belongs to no token, else the
    token that begins texts, fills them up, or stands for what is unknown. It depends on the checkpoint's files alone.
    Raises CheckpointError where every token may be written.
    """
    tokenizer = load_tokenizer(folder)
    used = set(tokenizer.get_vocab().values())
    unused = vocab_size(folder) - 1
    while unused in used:
        unused -= 1
    if unused >= 0:
        return unused
    ends = {tokenizer.eos_token_id, *eos_ids(folder)}
    for token in (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id):
        if token is not None and token not in ends:
            return int(token)
    raise CheckpointError(
        f"{folder}: vLLM hands out values in the place of a token that is never written, and this model has none. Add "
        "a row to its vocabulary (model.resize_token_embeddings), or use engine: hf"
    )


def encode_value(value: Tensor) -> Tensor:
    """Values in [-1, 1] as scores."""
    return -_SCALE * (2.0 + value)


def decode_value(score: float) -> float:
    """The value that a score stands for. Raises EngineError where it stands for none: whoever answered does not know of
    the head."""
    value = -score / _SCALE - 2.0
    if not -1.0 - _SLACK <= value <= 1.0 + _SLACK:
        raise EngineError(
            f"the engine answered {score} where a value should be. Is the value head's plugin installed where vLLM "
            "runs, and vLLM started with its model_class_overrides and logprobs_mode raw_logits? (docs/usage.md)"
        )
    return min(1.0, max(-1.0, value))
