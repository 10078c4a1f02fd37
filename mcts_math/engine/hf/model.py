"""A causal language model of transformers, loaded and made ready for `batch`: logits and last hidden states of a
`KVBlock`'s rows, nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.cache_utils import Cache, DynamicCache
from transformers.utils import logging as transformers_logging

from mcts_math.engine.checkpoint import obtain
from mcts_math.engine.hf.arguments import HFArguments
from mcts_math.engine.hf.attention import share_heads
from mcts_math.engine.hf.grafts import load_grafts
from mcts_math.engine.hf.kv_cache import KVBlock, KVLayout, Segments
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.engine.value_head import ValueHead, load_value_head, require_width
from mcts_math.errors import CheckpointError, EngineError, boundary

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,  # rounds so finely that no sample depends on what else is in the batch
}
# What transformers calls the caches of layers that `kv_cache` can stand in for.
_KEPT = {"DynamicLayer", "DynamicSlidingWindowLayer"}


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """Of the last column that was computed."""

    logits: Tensor  # [B, V]
    hidden: Tensor | None  # [B, H] after the final norm, or None where the model has no value head


class CausalModel:
    def __init__(
        self, model: Any, codec: Codec, context_length: int, head: ValueHead | None, prefix: Sequence[Segments] = ()
    ) -> None:
        self.raw = model  # of transformers
        self.device: torch.device = model.device  # where inputs go and logits come from
        self.codec = codec
        self.head = head
        parameters = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in parameters
        self._takes_logits_to_keep = "logits_to_keep" in parameters
        self._cache_argument = "cache" if "cache" in parameters else "past_key_values"  # before transformers 5.24
        self._hidden: Tensor | None = None
        if head is not None:
            decoder_of(model).register_forward_hook(self._keep_hidden)  # `_check_head` looks whether it is the one
        self.layout = self._probe(prefix)  # of the keys and values that it keeps
        self.context_length = context_length - self.layout.num_ahead  # most tokens of prompt and continuation together

    def forward(self, block: KVBlock, ids: Tensor, positions: Tensor, *, want_hidden: bool = False) -> ForwardResult:
        """Computes the columns behind a block's window and moves the window over them.

        `block`: its mask must already cover the new columns. `ids` and `positions` are [B, T], int64: tokens, and each
        token's place in its row (anything for padding). `want_hidden` needs a value head.
        """
        num_new = ids.shape[1]
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": block.window_mask(num_new)}
        if self._takes_positions:
            inputs["position_ids"] = positions + self.layout.num_ahead
        if self._takes_logits_to_keep:
            inputs["logits_to_keep"] = 1
        inputs[self._cache_argument] = block.cache
        output = self.raw(**inputs, use_cache=True)
        block.end += num_new
        hidden, self._hidden = self._hidden, None
        hidden = hidden[:, -1] if want_hidden and hidden is not None else None
        return ForwardResult(output.logits[:, -1], hidden)

    def logits(self, learner: Any, ids: Tensor, positions: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits [P, V] at some positions [P] of one sequence [T], of another model of this architecture, with
        gradient. `cache` holds the keys and values of what comes before the sequence."""
        more: dict[str, Any] = {"logits_to_keep": positions} if self._takes_logits_to_keep else {}
        kept = {} if cache is None else {self._cache_argument: cache}
        output = learner(input_ids=ids.unsqueeze(0), use_cache=cache is not None, **kept, **more)
        logits: Tensor = output.logits[0] if more else output.logits[0, positions]
        return logits

    def values(self, hidden: Tensor) -> list[float]:
        """v of hidden states [B, H]."""
        assert self.head is not None
        values: list[float] = self.head(hidden).tolist()
        return values

    def _keep_hidden(self, module: Any, inputs: Any, output: Any) -> None:
        self._hidden = output[0]

    def _check_head(self, name: str) -> None:
        """After the first forward pass: has it told its last hidden state, and is that of the head's width?"""
        hidden, self._hidden = self._hidden, None
        if self.head is None:
            return
        if not isinstance(hidden, Tensor) or hidden.ndim != 3:
            raise CheckpointError(f"{name} does not tell its last hidden state, which a value needs; use engine: vllm")
        require_width(self.head.weight.shape[0], hidden.shape[-1], name)

    @torch.inference_mode()
    def _probe(self, prefix: Sequence[Segments]) -> KVLayout:
        """Runs one token through the model to see what it keeps."""
        cache = DynamicCache()
        ids = torch.zeros((1, 1), dtype=torch.long, device=self.device)
        name = type(self.raw).__name__
        planned = DynamicCache(config=self.raw.config).layers
        if others := {type(layer).__name__ for layer in planned} - _KEPT:
            raise CheckpointError(
                f"{name} keeps other things than keys and values ({', '.join(sorted(others))}); use engine: vllm"
            )
        if prefix and any(layer.is_sliding for layer in planned):
            raise CheckpointError(f"tuned_dir: {name} slides its window, which a prefix would fall out of")
        # A decoder by its config is one, which saves the time.
        if not getattr(self.raw.config, "is_decoder", True) and sees_later_tokens(
            lambda ids: self.raw(input_ids=ids).logits, self.device
        ):
            raise CheckpointError(
                f"{name} reads texts in both directions, so it can't write; if it can, set is_decoder in config.json"
            )
        self.raw(input_ids=ids, use_cache=True, **{self._cache_argument: cache})
        self._check_head(name)
        layout = KVLayout(cache, prefix)
        if not layout.heads:
            raise CheckpointError(f"{name} keeps no keys and values in a transformers cache; use engine: vllm")
        return layout


def load_model(model_dir: str | Path, arguments: HFArguments, *, need_value: bool) -> CausalModel:
    """Loads a checkpoint, and its value head where `need_value` says so. Raises CheckpointError where it can't be
    loaded, lacks weights, or its head does not fit; EngineError where there is no such device, dtype or attention."""
    device = choose_device(arguments.device)
    dtype = choose_dtype(arguments.dtype, device)
    checkpoint = obtain(model_dir, need_value=need_value)
    head = load_value_head(checkpoint).to(device).requires_grad_(False) if need_value else None
    model = load_weights(checkpoint.folder, dtype, arguments.attn)
    codec = load_codec(checkpoint.folder, model.get_input_embeddings().weight.shape[0])
    model = place(model, device, checkpoint.name).eval()
    if arguments.attn is None:
        share_heads(model)
    prefix = load_grafts(arguments.tuned_dir, model) if arguments.tuned_dir else []
    return CausalModel(model, codec, arguments.context_length or checkpoint.context_length or 1 << 30, head, prefix)


def place(model: Any, device: torch.device, name: str) -> Any:
    """The model on a device. Raises EngineError where it does not fit."""
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        remedy = "use a smaller dtype (bfloat16), a smaller model or another device"
        raise EngineError(f"{name} does not fit into the memory of {device}; {remedy} ({error})") from error


@torch.inference_mode()
def sees_later_tokens(run: Callable[[Tensor], Tensor], device: torch.device) -> bool:
    """Whether what a model makes [B, T, …] of a token depends on those behind it, as in BERT: what is kept of a prefix
    would be wrong. `run` takes ids [B, T]."""
    first = run(torch.tensor([[0, 1], [0, 2]], device=device))[:, 0].float()
    return not torch.allclose(first[0], first[1], rtol=1e-3, atol=1e-4)


def decoder_of(model: Any) -> Any:
    """The part of a causal model that gives last hidden states; a few architectures do not name theirs."""
    decoder = model.get_decoder()
    return getattr(model, "model", model) if decoder is model else decoder


def choose_device(device: str) -> torch.device:
    """The device of a name; "auto" is the GPU if there is one. Raises EngineError where there is no such device."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise EngineError(f"device {device!r} is unknown; use auto, cpu, cuda or cuda:N") from error
    if chosen.type not in ("cpu", "cuda"):
        raise EngineError(f"device {device!r} is not supported; use auto, cpu, cuda or cuda:N")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise EngineError(
            f"device {device!r} is not there: torch sees {torch.cuda.device_count()} GPUs; use auto or cpu"
        )
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype | str:
    """ "auto" is the checkpoint's own on a GPU, and float32 on a CPU: only some, such as those with AMX, are faster in
    half precision."""
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    if dtype not in _DTYPES:
        raise EngineError(f"dtype {dtype!r} is unknown; use auto, {', '.join(_DTYPES)}")
    return _DTYPES[dtype]


@contextmanager
def quiet(*, errors_alone: bool = False) -> Iterator[None]:
    """Keeps transformers from showing bars, and from reports on `errors_alone`."""
    shown, before = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    if errors_alone:
        transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        if shown:
            transformers_logging.enable_progress_bar()


def load_weights(
    folder: Path, dtype: torch.dtype | str, attn: str | None = None, kind: Any = AutoModelForCausalLM
) -> Any:
    """The model of a folder, on the CPU, by one of transformers' automatic classes. Raises CheckpointError where it
    can't be loaded whole."""
    more = {} if attn is None else {"attn_implementation": attn}
    is_part = kind is not AutoModelForCausalLM  # whose other weights would be listed, such as a head's
    with boundary(f"transformers can't load {folder}", CheckpointError), quiet(errors_alone=is_part):
        model, info = kind.from_pretrained(folder, dtype=dtype, output_loading_info=True, **more)
    # transformers only warns about weights that it did not find, and makes them up.
    if missing := sorted(info["missing_keys"]):
        raise CheckpointError(
            f"{folder} lacks weights of {type(model).__name__} ({len(missing)}, such as {missing[0]})"
        )
    return model
