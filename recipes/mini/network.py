"""The model: a stock Llama of about 3.9 million parameters, and its value head; saving in the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import vocabulary
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WIDTH = 256


def fresh_model(seed: int) -> LlamaForCausalLM:
    """A randomly initialised model, float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary.VOCABULARY_SIZE,
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=5,
        num_attention_heads=8,
        num_key_value_heads=8,
        head_dim=32,
        max_position_embeddings=vocabulary.CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.02,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


class ValueHead(nn.Module):
    """v = tanh(w.h + b)."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.summary = nn.Linear(width, 1)
        nn.init.normal_(self.summary.weight, std=0.02)
        nn.init.zeros_(self.summary.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [..., width] to values [...] in (-1, 1)."""
        values: torch.Tensor = torch.tanh(self.summary(hidden.float()).squeeze(-1))
        return values


def save_checkpoint(
    model: LlamaForCausalLM, head: ValueHead | None, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Weights in bfloat16, the head in float32; `"value_model"` in the configuration tells whether there is a head."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    copy = LlamaForCausalLM(model.config).to(torch.bfloat16)
    copy.load_state_dict(state)
    copy.config.value_model = head is not None
    copy.config.dtype = torch.bfloat16
    copy.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _plain_tokenizer_config(folder / "tokenizer_config.json")
    assert json.loads((folder / "config.json").read_text())["value_model"] is (head is not None)
    if head is not None:
        weights = {f"v_head.{name}": tensor.detach().float().clone() for name, tensor in head.state_dict().items()}
        torch.save(weights, folder / "value_head.pth")


def _plain_tokenizer_config(path: Path) -> None:
    """The class name that transformers 4 and 5 both know; nothing about where the tokenizer was loaded from."""
    config = json.loads(path.read_text())
    for key in ("backend", "is_local", "local_files_only"):
        config.pop(key, None)
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2) + "\n")
