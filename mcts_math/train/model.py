"""A causal language model and its value head as one module, whose forward pass gives the sums of the losses. The
output layer is applied to learned tokens only, unless a trial tells that the model scales or caps its logits
afterwards.

The losses are sums; whoever calls divides by the counts of the whole optimiser step (SPEC A9).

policy      cross-entropy of the tokens of right solutions, nats
value       squared error of v = tanh(w·h + b) against Q, at the ends of the steps of right and wrong ones
preference  -log sigmoid(2 · (v(better) - v(worse))) of two steps after one prompt: the values are asked for the
            right order only, after Bradley and Terry (1952)
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.engine.hf.model import decoder_of, load_weights
from mcts_math.engine.value_head import ValueHead, fresh_head_of, load_value_head, require_width
from mcts_math.errors import ConfigError, require_package
from mcts_math.train.config import LoraConfig, TrainConfig
from mcts_math.train.data import IGNORED


class PolicyWithValue(nn.Module):
    """What transformers' Trainer trains; v = tanh(v_head.summary(h)), h the last hidden state after the final norm."""

    def __init__(self, policy: Any, head: ValueHead) -> None:
        super().__init__()
        self.policy = policy  # the causal language model, with adapters where asked for
        summary = nn.Linear(head.weight.shape[0], 1)
        summary.load_state_dict({"weight": head.weight.reshape(1, -1), "bias": head.bias.reshape(1)})
        self.v_head = nn.ModuleDict({"summary": summary})
        self._no_split_modules = getattr(policy, "_no_split_modules", None)  # where FSDP cuts
        self._flat_rows = str(getattr(policy.config, "_attn_implementation", "")).startswith("flash")
        self._hidden: Tensor | None = None
        decoder_of(policy).register_forward_hook(self._keep_hidden)
        self._plain_output = self._try_output_layer()

    @property
    def config(self) -> Any:
        """The policy's, which Trainer and DeepSpeed look at."""
        return self.policy.config

    def activation_checkpointing_enable(self, **options: Any) -> None:
        """Called by Trainer."""
        enable = getattr(self.policy, "activation_checkpointing_enable", None)
        (enable or self.policy.gradient_checkpointing_enable)(**options)
        if hasattr(self.policy, "enable_input_require_grads"):
            self.policy.enable_input_require_grads()  # else nothing before the first adapter has a gradient

    gradient_checkpointing_enable = activation_checkpointing_enable  # its name before transformers 5.24

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        labels: Tensor,
        value_targets: Tensor,
        value_mask: Tensor,
        preference: Tensor,
    ) -> Tensor:
        """Sums [3], float32, of policy loss, value loss and preference loss over a batch of `data.Collator`."""
        learned = labels[:, 1:].flatten() != IGNORED  # the token before each predicts it
        before = torch.zeros_like(labels, dtype=torch.bool)
        before[:, :-1] = learned.view(len(labels), -1)
        places = before.flatten().nonzero().flatten()
        hidden, logits = self._run(input_ids, position_ids, places)
        values = self.values(hidden)
        better, worse = pair_places(preference)
        marked = value_mask.flatten()
        return torch.stack(
            [
                policy_loss(logits, labels[:, 1:].flatten()[learned]),
                value_loss(values[marked], value_targets.flatten()[marked]),
                preference_loss(values[better], values[worse]),
            ]
        )

    def values(self, hidden: Tensor) -> Tensor:
        """v in [-1, 1] of hidden states [N, H], in float32 also under autocast."""
        summary: Any = self.v_head["summary"]
        with torch.autocast(hidden.device.type, enabled=False):
            return torch.tanh(hidden.float() @ summary.weight.float().T + summary.bias.float()).squeeze(-1)

    def hidden(self, input_ids: Tensor, position_ids: Tensor) -> Tensor:
        """Last hidden states [B·T, H] of rows of tokens [B, T]."""
        return self._run(input_ids, position_ids, torch.empty(0, dtype=torch.long, device=input_ids.device))[0]

    def _run(self, input_ids: Tensor, position_ids: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states [B·T, H] and the logits [N, V] at `places` of the flattened batch."""
        if self._flat_rows:  # flash attention knows packed sequences in one row only
            input_ids, position_ids = input_ids.view(1, -1), position_ids.view(1, -1)
        inputs = {"input_ids": input_ids, "position_ids": position_ids, "use_cache": False}
        if self._plain_output:
            decoder_of(self.policy)(**inputs)
            hidden = self._take_hidden()
            return hidden, self.policy.get_output_embeddings()(hidden[places])
        output = self.policy(**inputs)
        return self._take_hidden(), output.logits.flatten(0, 1)[places]

    def _keep_hidden(self, module: Any, inputs: Any, output: Any) -> None:
        self._hidden = output[0]

    def _take_hidden(self) -> Tensor:
        hidden, self._hidden = self._hidden, None
        assert hidden is not None  # the hook has just run
        return hidden.flatten(0, 1)

    @torch.no_grad()
    def keeps_sequences_apart(self) -> bool:
        """Whether a second sequence in a row does not see the first one, as it would with Mamba, convolutions or
        ALiBi."""
        with self._trial() as device:
            ids = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3], [3, 2, 1, 0, 0, 1, 2, 3]], device=device)
            positions = torch.arange(4, device=device).repeat(2, 2)
            self.policy(input_ids=ids, position_ids=positions, use_cache=False)
            one, two = self._take_hidden().view(2, 8, -1)[:, 4:]
        rounding = 16 * torch.finfo(one.dtype).eps * float(one.abs().max())
        return bool((one - two).abs().max() <= rounding)

    @contextmanager
    def _trial(self) -> Iterator[torch.device]:
        """For a forward pass of a few tokens, wherever the model is; yields its device."""
        training, attention = self.policy.training, self.policy.config._attn_implementation
        self.policy.eval()
        if self._flat_rows:  # flash attention has no kernels for a CPU, where models are loaded
            self.policy.set_attn_implementation("eager")
        try:
            yield next(self.policy.parameters()).device
        finally:
            if self._flat_rows:
                self.policy.set_attn_implementation(attention)
            self.policy.train(training)

    @torch.no_grad()
    def _try_output_layer(self) -> bool:
        """Whether the output layer alone gives the model's logits; also looks whether the head fits."""
        with self._trial() as device:
            ids = torch.arange(4, device=device).unsqueeze(0)
            logits = self.policy(input_ids=ids, use_cache=False).logits.flatten(0, 1)
            hidden = self._take_hidden()
        summary: Any = self.v_head["summary"]
        remedy = " fresh_value_head: true makes a new one"
        require_width(summary.in_features, hidden.shape[-1], type(self.policy).__name__, remedy)
        output = self.policy.get_output_embeddings()
        if output is None:
            return False
        plain = output(hidden)
        return plain.shape == logits.shape and torch.allclose(plain.float(), logits.float(), atol=1e-3, rtol=1e-3)


def load_model(checkpoint: Checkpoint, config: TrainConfig) -> PolicyWithValue:
    """Loads policy and value head for training, on the CPU. Raises CheckpointError, and ConfigError as
    `add_adapters`."""
    policy = load_weights(checkpoint.folder, getattr(torch, config.dtype), config.attn)
    if config.lora is not None:
        policy = add_lora(policy, config.lora)
    has_head = checkpoint.head_files and not config.fresh_value_head
    head = load_value_head(checkpoint) if has_head else fresh_head_of(checkpoint, config.seed)
    return PolicyWithValue(policy, head)


def add_lora(policy: Any, lora: LoraConfig) -> Any:
    """The policy with LoRA adapters. Raises ConfigError as `add_adapters`."""
    given = {"r": lora.r, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout, "target_modules": lora.target_modules}
    return add_adapters(policy, "LoraConfig", given, "lora")


def add_adapters(policy: Any, kind: str, arguments: Mapping[str, Any], key: str) -> Any:
    """The policy with adapters of peft (`kind` is its configuration), which alone are trained. Raises ConfigError,
    naming `key`: no peft, no fit layers, or a weight that two layers share: merging would change both."""
    peft = require_package("peft", key, "train", ConfigError)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Unsupported layer type")  # peft says so of every norm that it tunes
            adapted = peft.get_peft_model(policy, getattr(peft, kind)(task_type="CAUSAL_LM", **arguments))
    except (TypeError, ValueError) as error:  # peft's words for arguments and targets that it can't take
        raise ConfigError(f"{key}: peft refuses it for {kind}: {str(error).rstrip('.')}.") from error
    uses = Counter(id(weight) for _, weight in adapted.named_parameters(remove_duplicate=False))
    for name, module in adapted.named_modules():
        weight = getattr(getattr(module, "base_layer", None), "weight", None)
        if weight is not None and uses[id(weight)] > 1:
            raise ConfigError(
                f"{key}: {name.rpartition('.')[2]} shares its weight with another layer (tie_word_embeddings), which "
                "merging would change too. Leave it out of target_modules."
            )
    return adapted


TERMS: Final = ("policy", "value", "preference")
"""The order in which every tensor [3] of sums, counts or weights holds them."""


def policy_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross-entropies, float32: logits [N, V] of any dtype, targets [N]."""
    if not len(targets):
        return logits.sum().float()  # 0, and keeps the graph: every process must take part in the backward pass
    return functional.cross_entropy(logits.float(), targets, reduction="sum")


def value_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Sum of the squared errors: values [N] and targets [N] in [-1, 1]."""
    return (values - targets.float()).square().sum()


def preference_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Sum over pairs: values [N] of the better and of the worse steps."""
    return -functional.logsigmoid(2 * (better - worse)).sum()


def pair_places(preference: Tensor) -> tuple[Tensor, Tensor]:
    """Places (in the flattened batch) of the better and the worse step of every pair, in the order of the pairs."""
    flat = preference.flatten()
    better, worse = (flat > 0).nonzero().flatten(), (flat < 0).nonzero().flatten()
    return better[flat[better].argsort()], worse[(-flat[worse]).argsort()]


def total(sums: Tensor, counts: Tensor, weights: Tensor) -> Tensor:
    """The loss: each sum [3] over its count (0 where there is nothing to count), times its weight."""
    return torch.dot(sums / counts.clamp(min=1).to(sums.dtype), weights.to(sums.dtype))
