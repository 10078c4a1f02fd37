"""From a GGUF file, as llama.cpp and Ollama keep models, to a checkpoint folder that every engine here loads.

transformers reads the file and turns its blocks into plain weights. What it leaves out is added here: whether texts
begin with BOS, every token that ends a turn, and how texts are cut before they become tokens where digits stand alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import CheckpointError, boundary, require_package
from mcts_math.files import new_folder, reading, writing

_log: Final = logging.getLogger(__name__)
DTYPES: Final = ("bfloat16", "float16", "float32")
_MAGIC = b"GGUF"
# Names of cutting rules (tokenizer.ggml.pre) that transformers does not know and treats as GPT-2's, digit by digit.
_DIGIT_BY_DIGIT = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"})
_ENDS = ("eos", "eot", "eom")
"""Whose token ids end a sample: of a text, of a turn, of a message with a tool call."""


def convert(file: Path, out: Path, *, dtype: str = "bfloat16") -> Path:
    """Makes a checkpoint folder of a whole GGUF file: weights, config, generation config, tokenizer and chat template.

    `out` appears only when it is complete. `dtype` is one of `DTYPES`; a wider one than the file's brings no precision
    back. Raises CheckpointError where the file can't be read, the folder exists or can't be written, or a package is
    missing.
    """
    facts = read_facts(file)
    require_absent(out)
    with writing(out, "Make room, or choose another folder.", CheckpointError), new_folder(out) as part:
        ends = {facts.get(f"tokenizer.ggml.{name}_token_id") for name in _ENDS}
        _save_model(file, part, dtype, sorted(int(token) for token in ends if token is not None))
        _load_tokenizer(file, facts).save_pretrained(part)
    return out


def read_facts(file: Path) -> dict[str, Any]:
    """What the file says of itself beside tensors and vocabulary, by GGUF's names. Raises as `convert`."""
    with reading(file, "Give a GGUF file.", CheckpointError), file.open("rb") as stream:
        magic = stream.read(len(_MAGIC))
    if magic != _MAGIC:
        raise CheckpointError(f"{file} is no GGUF file: it begins with {magic!r}, not {_MAGIC!r}")
    reader = require_reader()
    with boundary(f"{file} is broken or cut off", CheckpointError):
        fields = reader(file).fields
        facts = {name: field.contents() for name, field in fields.items() if len(field.data) == 1}
    if facts.get("split.count", 1) > 1:
        raise CheckpointError(f"{file} is one of {facts['split.count']} parts; unite them (llama-gguf-split --merge)")
    return facts


def require_absent(out: Path) -> None:
    """Raises CheckpointError where a folder that is to be made is there."""
    if out.exists():
        raise CheckpointError(f"{out} exists already; give a new folder, or remove it first")


def require_reader() -> Any:
    return require_package("gguf", "reading GGUF", "gguf", CheckpointError).GGUFReader


def _save_model(file: Path, folder: Path, dtype: str, ends: list[int]) -> None:
    """Weights, config and generation config. Raises CheckpointError where transformers can't read the model whole."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import quantization_config

    plain = getattr(quantization_config, "GgufConfig", None)  # before 5.19 weights were always turned into plain ones
    more = {"quantization_config": plain(dequantize=True)} if plain else {}
    with boundary(f"transformers can't read the model in {file}", CheckpointError):
        model, info = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=getattr(torch, dtype), output_loading_info=True, **more
        )
    if missing := sorted(info["missing_keys"]):
        raise CheckpointError(f"{file} lacks weights of {type(model).__name__} ({len(missing)}, such as {missing[0]})")
    model.config.__dict__.pop("quantization_config", None)
    if ends:
        model.generation_config.eos_token_id = ends
    model.save_pretrained(folder)


def _load_tokenizer(file: Path, facts: Mapping[str, Any]) -> Any:
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    bos = facts.get("tokenizer.ggml.add_bos_token")
    more = {} if bos is None else {"add_bos_token": bool(bos)}
    with boundary(f"transformers can't read the tokenizer in {file}", CheckpointError):
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, **more)
    if facts.get("tokenizer.ggml.pre") in _DIGIT_BY_DIGIT:
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
    if not tokenizer.chat_template:
        _log.warning("%s has no chat template: conversations will need one", file)
    return tokenizer
