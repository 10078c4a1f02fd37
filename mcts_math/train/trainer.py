"""transformers' Trainer with our losses, each divided by its count over the whole optimiser step, on all processes:
neither gradient accumulation nor the number of processes changes the curve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler  # type: ignore[import-untyped]
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from torch import Tensor
from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import OPTIMIZER_NAME

from mcts_math.errors import ConfigError, TrainingError
from mcts_math.train.config import SHORT, TrainConfig
from mcts_math.train.model import TERMS, PolicyWithValue, total
from mcts_math.train.packing import Collator, Rows, counts

_WEIGHTS = "pytorch_model.bin"  # of a state
_HEAD = "v_head."  # in the names of its parameters, however the model is wrapped


class ValueTrainer(Trainer):  # type: ignore[misc]
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: PolicyWithValue,
        arguments: TrainingArguments,
        rows: Rows,
        collator: Collator,
        config: TrainConfig,
        report: Callable[[str], None],
    ) -> None:
        deepspeed = getattr(arguments, "hf_deepspeed_config", None)
        if config.value_learning_rate and deepspeed is not None and "optimizer" in deepspeed.config:
            raise ConfigError(
                "value_learning_rate has no effect on DeepSpeed's own optimizer: take it out of its config."
            )
        self._num_rows = len(rows)
        if arguments.world_size > 1:
            share = arguments.per_device_train_batch_size * arguments.world_size
            rows = [*rows, *([] for _ in range(-len(rows) % share))]
        super().__init__(model=model, args=arguments, train_dataset=rows, data_collator=collator)
        self.logged_at = 0  # the step up to which losses were logged; where a stopped training goes on, that one
        self.model_accepts_loss_kwargs = True  # ours is divided by counts over the whole step
        self._weights = torch.tensor([1.0, config.value_weight, config.preference_weight])
        self._value_learning_rate = config.value_learning_rate
        self._terms = torch.zeros(len(TERMS))
        self._tokens, self._since = 0, time.monotonic()
        self.remove_callback(PrinterCallback)
        self._report = report
        self.add_callback(_Ends())

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        """Trainer's order. (Several processes would repeat rows where these are no multiple of a batch's shares.)"""
        if self.args.world_size == 1 or self.args.train_sampling_strategy != "random":
            sampler: Sampler[int] | None = super()._get_train_sampler(train_dataset)
            return sampler
        return _EmptyLast(self._num_rows, len(self.train_dataset), self.args.data_seed)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Trainer's, with a learning rate of its own for the value head where one is set."""
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if self._value_learning_rate:
            named = (self.model if model is None else model).named_parameters()
            set_learning_rate(optimizer, [p for name, p in named if _HEAD in name], self._value_learning_rate)
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Trainer's; but a warm-up begins at a rate of 0, with which a single step would learn nothing."""
        if num_training_steps == 1:
            self.args.warmup_steps = 0
        return super().create_scheduler(num_training_steps, optimizer)

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Tensor | None:
        if not batch_samples:
            return None
        counted = torch.stack([counts(batch) for batch in batch_samples]).sum(0).to(device)
        self._tokens += sum(batch["input_ids"].numel() for batch in batch_samples) * self.args.world_size
        return self.accelerator.reduce(counted, "sum") if self.args.world_size > 1 else counted

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        """The loss of one micro-batch: its share of the loss of the optimiser step."""
        ids = inputs.pop("example_ids", [])
        sums = model(**inputs)
        counted = counts(inputs) if num_items_in_batch is None else num_items_in_batch
        loss = total(sums, counted, self._weights.to(sums.device))
        self._require_finite(loss, sums, ids)
        self._terms = self._terms.to(sums.device) + (sums.detach() / counted.clamp(min=1)).float()
        loss = loss * self.args.world_size  # the mean over processes that follows makes a sum of it
        return (loss, sums) if return_outputs else loss

    def _require_finite(self, loss: Tensor, sums: Tensor, ids: Sequence[str]) -> None:
        """Raises TrainingError, on all processes, where the loss of one is not finite: the others would wait for it."""
        is_bad = ~torch.isfinite(loss.detach())
        if not bool(self.accelerator.reduce(is_bad.float(), "sum") if self.args.world_size > 1 else is_bad):
            return
        told = (
            f"the loss is {loss.item()} at step {self.state.global_step + 1} (losses {sums.tolist()}), in the "
            f"batch of {', '.join(ids)}. Look at these examples; else lower learning_rate, or set bf16: false."
        )
        raise TrainingError(next(text for text in gather_object([told if is_bad else ""]) if text))

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Adds the single losses, and tokens (padding included) per second; tells them in a line."""
        if "loss" in logs:
            terms = self._terms
            if self.args.world_size > 1:
                terms = self.accelerator.reduce(terms.to(self.args.device), "sum")
            steps = self.state.global_step - self.logged_at
            self.logged_at = self.state.global_step
            shown = zip(TERMS, (terms / max(steps, 1)).tolist(), self._weights.tolist(), strict=True)
            logs |= {f"{name}_loss": value for name, value, weight in shown if weight}
            logs["tokens_per_second"] = round(self._tokens / max(time.monotonic() - self._since, 1e-9), 1)
            self._terms = torch.zeros(len(TERMS))
            self._tokens, self._since = 0, time.monotonic()
            losses = " ".join(f"{name} {logs[f'{name}_loss']:.4f}" for name in TERMS if f"{name}_loss" in logs)
            self._report(
                f"step {self.state.global_step}/{self.state.max_steps}  loss {logs['loss']:.4f}  {losses}  "
                f"gradient {logs.get('grad_norm', math.nan):.2f}  rate {logs.get('learning_rate', math.nan):.2e}  "
                f"{logs['tokens_per_second']:,.0f} tokens/s"
            )
        super().log(logs, *args, **kwargs)

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Tensor] | None = None) -> None:
        """A state to resume from: what is trained. (Trainer's own can't write tied weights of a model like ours.)"""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        model = self.accelerator.unwrap_model(self.model)
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        state = model.state_dict() if state_dict is None else state_dict
        torch.save({name: tensor for name, tensor in state.items() if name in trained}, folder / _WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """What `_save` wrote. (Trainer's own takes weights that are tied or not trained for missing ones.)"""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        target = self.model if model is None else model
        state = torch.load(Path(resume_from_checkpoint) / _WEIGHTS, map_location="cpu", weights_only=True)
        unknown = target.load_state_dict(state, strict=False).unexpected_keys
        trained = {name for name, parameter in target.named_parameters() if parameter.requires_grad}
        has_moments = (Path(resume_from_checkpoint) / OPTIMIZER_NAME).exists()  # else Trainer would begin new ones
        if unknown or trained != set(state) or not has_moments:
            raise TrainingError(f"{resume_from_checkpoint} is no whole state of this training. Add --overwrite.")


class _EmptyLast(Sampler[int]):
    """The order of one process, then the rows that are empty; these have no losses."""

    def __init__(self, num_rows: int, num_all: int, seed: int | None) -> None:
        self._order = SeedableRandomSampler(range(num_rows), data_seed=seed)
        self._num_rows, self._num_all = num_rows, num_all

    def __iter__(self) -> Iterator[int]:
        yield from self._order
        yield from range(self._num_rows, self._num_all)

    def __len__(self) -> int:
        return self._num_all

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate: each epoch has its own order."""
        self._order.set_epoch(epoch)


def set_learning_rate(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], rate: float) -> None:
    """Moves parameters of an optimizer that has no scheduler yet into groups with a rate of their own. Raises
    ConfigError where it does not hold them one by one."""
    wanted = {id(parameter) for parameter in parameters}
    found = 0
    for group in list(optimizer.param_groups):
        if moved := [parameter for parameter in group["params"] if id(parameter) in wanted]:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) not in wanted]
            optimizer.add_param_group({**group, "params": moved, "lr": rate})
            found += len(moved)
    if not wanted or found < len(wanted):
        raise ConfigError(
            f"value_learning_rate: {type(optimizer).__name__} holds {found} of the value head's {len(wanted)} weights "
            "by themselves. Set it to 0, or choose another `optim` or way of sharding in `trainer`."
        )


class NothingLeftError(Exception):
    """All steps of a training that goes on were made before. Its state is loaded."""


class _Ends(TrainerCallback):  # type: ignore[misc]
    """Trainer makes a step before it looks how many there are to be, and logs the last one only by chance."""

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps:
            raise NothingLeftError

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_log |= state.global_step >= state.max_steps or state.max_steps <= SHORT
