"""Tiny random reward models of each published kind, and the published formula for each, written down by itself.

The formulas are those of the model cards: one solution at a time, no batch, no padding, no cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
CONTEXT = 400
CHAT_ML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "<s>{% for m in messages %}<|im_start|>{{ m['role'] }}\n\n{{ m['content'] | trim }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}"
)
SPECIAL = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<extra_0>"]
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
# vLLM knows no attention heads of less than 32 on a CPU, and takes the hidden size for what all heads are together.
SIZES: dict[str, Any] = {
    "hidden_size": 128, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": CONTEXT, "initializer_range": 0.15,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
}  # fmt: skip


def characters(template: str | None) -> PreTrainedTokenizerFast:
    """One token a byte, as Qwen's tokenizer without its merges, and some special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *alphabet))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", chat_template=template
    )


def pieces() -> PreTrainedTokenizerFast:
    """Pieces that begin with their space, as Mistral's: the tag and both words are one each, `ки` in a word is not."""
    letters = ["▁", *CHARACTERS, *"абвгдежзийклмнопрстуфхцчшщъыьэюя"]
    merged = ["ки", "▁ки", "▁+", "▁-"]
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", "<unk>", *letters, *merged])}
    merges = [("к", "и"), ("▁", "ки"), ("▁", "+"), ("▁", "-")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _config(family: str, tokenizer: Any, **more: Any) -> Any:
    torch.manual_seed(0)
    return AutoConfig.for_model(family, **SIZES, vocab_size=len(tokenizer), **more)


def _finish(folder: Path, tokenizer: Any, architecture: str, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    """Adds the tokenizer, the architecture's name, and further weights among the model's own."""
    tokenizer.save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"architectures": [architecture]}))
    if tensors:
        weights = load_file(folder / "model.safetensors")
        save_file(weights | tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def make_qwen(folder: Path) -> Path:
    """Qwen2.5-Math-PRM: two layers with ReLU on every token's last hidden state, two labels."""
    tokenizer = characters(CHAT_ML)
    model = AutoModelForCausalLM.from_config(_config("qwen2", tokenizer))
    model.save_pretrained(folder)
    width = SIZES["hidden_size"]
    head = {"score.0.weight": (width, width), "score.0.bias": (width,)}
    head |= {"score.2.weight": (2, width), "score.2.bias": (2,)}
    tensors = {name: torch.randn(shape) * 0.15 for name, shape in head.items()}
    return _finish(folder, tokenizer, "Qwen2ForProcessRewardModel", tensors)


def make_token_classifier(folder: Path) -> Path:
    """What transformers itself saves of a model for token classification."""
    tokenizer = characters(CHAT_ML)
    AutoModelForTokenClassification.from_config(_config("qwen2", tokenizer, num_labels=2)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_skywork(folder: Path) -> Path:
    """Skywork-o1-Open-PRM: a causal model, and a head of one number."""
    tokenizer = characters(None)
    AutoModelForCausalLM.from_config(_config("qwen2", tokenizer)).save_pretrained(folder)
    tensors = {
        "v_head.summary.weight": torch.randn(1, SIZES["hidden_size"]) * 0.15,
        "v_head.summary.bias": torch.randn(1),
    }
    return _finish(folder, tokenizer, "Qwen2ForPrmModel", tensors)


def make_shepherd(folder: Path) -> Path:
    """Math-Shepherd: a causal model that says + or - behind each tag."""
    tokenizer = pieces()
    AutoModelForCausalLM.from_config(_config("mistral", tokenizer, sliding_window=None)).save_pretrained(folder)
    return _finish(folder, tokenizer, "MistralForCausalLM")


def make_rlhflow(folder: Path) -> Path:
    """RLHFlow's: a causal chat model that says + or - after each step."""
    tokenizer = characters(LLAMA)
    AutoModelForCausalLM.from_config(_config("llama", tokenizer)).save_pretrained(folder)
    return _finish(folder, tokenizer, "LlamaForCausalLM")


def make_sequence(folder: Path) -> Path:
    """An outcome reward model, as transformers saves models for sequence classification."""
    tokenizer = characters(CHAT_ML)
    AutoModelForSequenceClassification.from_config(_config("qwen2", tokenizer, num_labels=1)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@torch.inference_mode()
def published_qwen(folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    tokenizer, weights = AutoTokenizer.from_pretrained(folder), load_file(folder / "model.safetensors")
    talk = [("system", SYSTEM), ("user", question), ("assistant", "<extra_0>".join(steps) + "<extra_0>")]
    messages = [{"role": role, "content": content} for role, content in talk]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
    ids = torch.tensor([tokenizer.encode(text)])
    hidden = AutoModel.from_pretrained(folder)(ids).last_hidden_state
    inner = torch.relu(hidden @ weights["score.0.weight"].T + weights["score.0.bias"])
    logits = inner @ weights["score.2.weight"].T + weights["score.2.bias"]
    return logits.softmax(-1)[ids == tokenizer.encode("<extra_0>")[0]][:, 1].tolist()  # type: ignore[no-any-return]


@torch.inference_mode()
def published_token_classifier(folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    talk = [("system", SYSTEM), ("user", question), ("assistant", "<extra_0>".join(steps) + "<extra_0>")]
    messages = [{"role": role, "content": content} for role, content in talk]
    ids = torch.tensor([tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False))])
    logits = AutoModelForTokenClassification.from_pretrained(folder).eval()(ids).logits
    return logits.softmax(-1)[ids == tokenizer.encode("<extra_0>")[0]][:, 1].tolist()  # type: ignore[no-any-return]


@torch.inference_mode()
def published_skywork(folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    tokenizer, weights = AutoTokenizer.from_pretrained(folder), load_file(folder / "model.safetensors")
    ids, flags = tokenizer.encode(tokenizer.bos_token + question + "\n"), list[int]()
    flags += [0] * len(ids)
    for step in steps:
        tokens = [*tokenizer.encode(step), tokenizer.encode("\n")[-1]]
        ids, flags = ids + tokens, flags + [0] * (len(tokens) - 1) + [1]
    output = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids]), output_hidden_states=True)
    values = output.hidden_states[-1][0] @ weights["v_head.summary.weight"][0] + weights["v_head.summary.bias"]
    return values.sigmoid()[torch.tensor(flags) == 1].tolist()  # type: ignore[no-any-return]


@torch.inference_mode()
def published_shepherd(folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    candidates, tag = tokenizer.encode("+ -")[1:], tokenizer.encode("ки")[-1]
    ids = torch.tensor([tokenizer.encode(f"{question} " + "\n".join(f"{step} ки" for step in steps))])
    logits = AutoModelForCausalLM.from_pretrained(folder)(ids).logits[:, :, candidates]
    return logits.softmax(-1)[:, :, 0][ids == tag].tolist()  # type: ignore[no-any-return]


@torch.inference_mode()
def published_rlhflow(folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    candidates = [tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]]
    conversation, scores = list[dict[str, str]](), list[float]()
    for k, step in enumerate(steps):
        conversation.append({"role": "user", "content": f"{question} {step}" if k == 0 else step})
        conversation.append({"role": "assistant", "content": "+"})
        ids = tokenizer.apply_chat_template(conversation, return_tensors="pt", return_dict=False)
        scores.append(model(ids).logits[:, -3, candidates].softmax(-1)[0, 0].item())
    return scores


@torch.inference_mode()
def published_sequence(folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    talk = [{"role": "user", "content": question}, {"role": "assistant", "content": "\n".join(steps)}]
    ids = tokenizer.apply_chat_template(talk, return_tensors="pt", return_dict=False)
    logits = AutoModelForSequenceClassification.from_pretrained(folder).eval()(ids).logits
    return [logits.sigmoid().item()]


KINDS = {
    "qwen": (make_qwen, published_qwen),
    "token_classifier": (make_token_classifier, published_token_classifier),
    "skywork": (make_skywork, published_skywork),
    "shepherd": (make_shepherd, published_shepherd),
    "rlhflow": (make_rlhflow, published_rlhflow),
    "sequence": (make_sequence, published_sequence),
}
"""How a checkpoint of a kind is made, and the published formula: (folder, question, steps) -> a score for each step."""
