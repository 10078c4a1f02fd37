"""A tiny random Llama as a GGUF file: characters as tokens, a few merges, a chat template with tools.

Characters beyond ASCII are left out: llama.cpp tells no log-probabilities of parts of a character.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

SPECIAL = ["<|end|>", "<|start|>", "<|stop|>"]
MERGES = [("Ġ", "Ġ"), ("Ċ", "Ċ"), ("1", "2")]
ALPHABET = [bytes_to_unicode()[byte] for byte in (*range(32, 127), 10)]
TOKENS = [*ALPHABET, *("".join(pair) for pair in MERGES), *SPECIAL]
END, START, STOP = range(len(TOKENS) - 3, len(TOKENS))
TEMPLATE = (
    "{%- if tools %}<|start|>tools\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|stop|>\n{% endif %}"
    "{%- for m in messages %}<|start|>{{ m.role }}\n{{ m.content or '' }}"
    "{%- for call in m.tool_calls or [] %}<tool_call>\n{{ call.function | tojson }}\n</tool_call>{% endfor %}<|stop|>\n"
    "{%- endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
CONTEXT, LAYERS, HEADS, KV_HEADS, WIDTH, INNER = 1024, 2, 4, 2, 64, 96
NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


def tiny_llama() -> LlamaForCausalLM:
    """The model that the file holds."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).eval()


def write_gguf(file: Path, *, packed: bool = False, without: str = "", **facts: Any) -> Path:
    """Writes the file.

    Args:
        file: where.
        packed: matrices in blocks of 8 bits, else float32.
        without: the tensor that is left out.
        facts: other values for what the file says of itself; dots as two underscores, None leaves it out.
    """
    import gguf

    told = {name.replace("__", "."): value for name, value in facts.items()}
    writer = gguf.GGUFWriter(file, told.pop("general.architecture", "llama"))
    for name, value in (_facts() | told).items():
        if value is not None:
            _add(writer, name, value)
    for name, tensor in tiny_llama().state_dict().items():
        if (called := _name(name)) != without:
            values = _permuted(name, tensor).numpy()
            if packed and values.ndim == 2:
                kind = gguf.GGMLQuantizationType.Q8_0
                writer.add_tensor(called, gguf.quants.quantize(values, kind), raw_dtype=kind)
            else:
                writer.add_tensor(called, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _facts() -> dict[str, Any]:
    return {
        "general.name": "tiny",
        "llama.block_count": LAYERS,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.rope.freq_base": 10000.0,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": len(TOKENS),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [1] * (len(TOKENS) - 3) + [3] * 3,
        "tokenizer.ggml.merges": [" ".join(pair) for pair in MERGES],
        "tokenizer.ggml.bos_token_id": START,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.eot_token_id": STOP,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def _add(writer: Any, name: str, value: Any) -> None:
    kinds = {bool: "bool", int: "uint32", float: "float32", str: "string", list: "array"}
    getattr(writer, f"add_{kinds[type(value)]}")(name, value)


def _name(name: str) -> str:
    """How llama.cpp calls a tensor."""
    if name in OUTER:
        return OUTER[name]
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def _permuted(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Rows of queries and keys in llama.cpp's order: the halves that turn together lie side by side."""
    heads = HEADS if "q_proj" in name else KV_HEADS if "k_proj" in name else 0
    if not heads:
        return tensor
    return tensor.reshape(heads, 2, -1, tensor.shape[1]).transpose(1, 2).reshape(tensor.shape).contiguous()
