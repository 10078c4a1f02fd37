"""Tiny random checkpoints, and what a plain float32 forward pass says about them.

The tokenizer has one token a character, so that the tokens of a sample can be told from its text and every engine can
be checked from outside, log-probabilities included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from mcts_math.engine.value_head import fresh_value_head, save_value_head

CONTEXT = 128
BOS, EOS, UNK = "<s>", "</s>", "<unk>"
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
COMMON: dict[str, Any] = {
    "vocab_size": len(CHARACTERS) + 3,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,  # the least that vLLM knows on a CPU
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {"tie_word_embeddings": True},
    "mistral": {"sliding_window": 16, "tie_word_embeddings": True},
    "gemma2": {"sliding_window": 16},
}
PADDED: dict[str, dict[str, Any]] = {
    "granite": {"vocab_size": len(CHARACTERS) + 3 + 29, "hidden_size": 128, "initializer_range": 0.15}
}


def character_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character; BOS in front; characters beyond ASCII are unknown."""
    vocabulary = {token: i for i, token in enumerate((BOS, EOS, UNK, *CHARACTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([BOS, EOS, UNK])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, unk_token=UNK)


def make_checkpoint(folder: Path, family: str, *, head: bool = True, **changes: Any) -> Path:
    """Writes a random model of a family, its tokenizer and a value head."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **{**COMMON, **(FAMILIES | PADDED)[family], **changes})
    model = AutoModelForCausalLM.from_config(config)
    if config.vocab_size > COMMON["vocab_size"]:
        hide_padding(model)
    model.config.value_model = head
    model.save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    if head:
        save_value_head(fresh_value_head(config.hidden_size, initializer_range=0.3, seed=1), folder)
    return folder


@torch.no_grad()
def hide_padding(model: Any) -> None:
    """Makes sure that the rows of the vocabulary that belong to no token are not written, as training would.

    One dimension of the hidden state is kept positive, and those rows have a large negative weight on it.
    """
    model.model.embed_tokens.weight[:, 0] = 1.0
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight[0] = 0.0
        layer.mlp.down_proj.weight[0] = 0.0
    padding = model.lm_head.weight[COMMON["vocab_size"] :]
    padding.zero_()
    padding[:, 0] = -1000.0


class Reference:
    """The plain way to the same numbers: one sequence at a time, no cache, no batch, no padding."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = character_tokenizer()
        content = torch.load(folder / "value_head.pth", weights_only=True)
        self.weight, self.bias = content["v_head.summary.weight"], content["v_head.summary.bias"]

    def encode(self, text: str) -> list[int]:
        """Tokens of a prompt."""
        return list(self.tokenizer(text)["input_ids"])

    def count(self, written: str) -> int:
        """Tokens of what a sample wrote."""
        return len(self.encode(written)) - 1

    @torch.inference_mode()
    def value(self, prompt: str) -> float:
        """tanh(w·h + b) at the last token."""
        output = self.model(torch.tensor([self.encode(prompt)]), output_hidden_states=True)
        return float(torch.tanh(output.hidden_states[-1][0, -1] @ self.weight[0] + self.bias[0]))

    @torch.inference_mode()
    def logprob(self, prompt: str, written: str) -> float:
        """Sum of the log-probabilities of what was written after a prompt."""
        start, ids = len(self.encode(prompt)), torch.tensor([self.encode(prompt + written)])
        logprobs = self.model(ids).logits[0].float().log_softmax(dim=-1)
        return float(logprobs[start - 1 : -1].gather(1, ids[0, start:, None]).sum())

    def greedy(self, prompt: str, max_tokens: int, never: Sequence[int] = ()) -> str:
        """What `generate` writes; tokens of `never` are left out."""
        ids = torch.tensor([self.encode(prompt)])
        output = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=max_tokens,
            suppress_tokens=list(never) or None,
        )
        written = output[0, ids.shape[1] :].tolist()
        return str(self.tokenizer.decode([token for token in written if token != self.tokenizer.eos_token_id]))


@dataclass
class Served:
    """A checkpoint, an engine that serves it, and what a plain forward pass says."""

    folder: Path
    engine: Any
    reference: Reference
    load: Callable[..., Any]  # loads one more engine on the same checkpoint, with other limits
    never: tuple[int, ...] = ()  # tokens that the engine never writes
    cache_block: int = 1  # tokens; the prefix cache keeps multiples of it; 0: perhaps nothing
