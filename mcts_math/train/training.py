"""One training: what is checked before, the data, the run, the finished checkpoint; a stopped one goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState, TrainingArguments, set_seed

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.checkpoint import HEAD_BIAS, HEAD_WEIGHT, Checkpoint
from mcts_math.engine.tokenizer import load_codec, load_tokenizer
from mcts_math.engine.value_head import ValueHead
from mcts_math.errors import ConfigError, TrainingError
from mcts_math.tasks import JsonObject
from mcts_math.train import resume
from mcts_math.train.config import TrainConfig
from mcts_math.train.data import DataReport, Encoder, encode_files
from mcts_math.train.export import save_checkpoint
from mcts_math.train.model import load_model
from mcts_math.train.packing import Collator, Rows, pack
from mcts_math.train.processes import rank, world
from mcts_math.train.trainer import NothingLeftError, ValueTrainer

_CHECKPOINTING = next(  # the name before transformers 5.24, else the one since then
    field.name
    for field in sorted(fields(TrainingArguments), key=lambda field: field.name)
    if field.name in ("activation_checkpointing", "gradient_checkpointing")
)


def train(
    config: TrainConfig,
    *,
    overwrite: bool = False,
    restart_changed: bool = False,
    report: Callable[[str], None] = print,
) -> Path:
    """Trains and writes the checkpoint, whose folder it returns; a stopped training goes on from its last state.
    `overwrite` starts anew, and a finished one becomes a backup; `restart_changed` starts anew where a stopped training
    had other settings or data, instead of refusing. The first process alone reports. Raises MctsMathError."""
    files = {"examples": config.examples, "pairs": config.pairs}
    source, output = resume.check_settings(config, files, overwrite)
    work = output.with_name(output.name + ".training")
    tell = report if rank() == 0 else lambda text: None
    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    facts = resume.describe(config, [*config.examples, *config.pairs], ("torch", "transformers", "accelerate"))
    early = make_arguments(config, work) if world() > 1 else None  # this makes the processes know each other
    with resume.holding(work, facts, overwrite, restart_changed=restart_changed) as state:
        arguments = early or make_arguments(config, work)
        source = checkpoints.download(source)
        trainer, data = _make_trainer(config, source, arguments, tell)
        if state is not None:
            tell(f"going on from {state}")
        _run(trainer, state, config)
        recipe = facts | {"bfloat16": arguments.bf16, "data": asdict(data), "log": trainer.state.log_history}
        _finish(trainer, source, config, recipe, output)
    tell(f"checkpoint: {output}")
    return output


def _make_trainer(
    config: TrainConfig, source: Checkpoint, arguments: TrainingArguments, tell: Callable[[str], None]
) -> tuple[ValueTrainer, DataReport]:
    rows, collator, data = load_rows(config, source)
    tell(str(data))
    if config.bf16 and not arguments.bf16:
        tell("this CPU has no instructions for bfloat16, so it computes in float32, which is faster here")
    set_seed(config.seed)  # of the adapters; Trainer sets it for the rest
    model = load_model(source, config)
    if (config.packing or config.pairs) and not model.keeps_sequences_apart():
        kind = type(model.policy).__name__
        raise ConfigError(f"sequences in a row would see each other in a {kind}. Set packing: false, leave out pairs.")
    try:
        return ValueTrainer(model, arguments, rows, collator, config, tell), data
    except (ValueError, ImportError, RuntimeError) as error:  # a logger whose package is missing is a RuntimeError
        is_ours = isinstance(error, RuntimeError) and "report_to" not in config.trainer
        if is_ours or isinstance(error, torch.OutOfMemoryError):
            raise
        raise _refused(error) from error


def load_rows(config: TrainConfig, source: Checkpoint) -> tuple[Rows, Collator, DataReport]:
    tokenizer = load_tokenizer(source.folder)
    if source.context_length is not None and config.max_length > source.context_length:
        told = f"but the context of {source.name} is {source.context_length} tokens."
        raise ConfigError(f"max_length is {config.max_length}, {told}")
    encoder = Encoder(load_codec(source.folder), observation_loss=config.observation_loss)
    items, data = encode_files(encoder, config.examples, config.pairs, config.max_length)
    rows = pack(items, config.max_length, config.seed) if config.packing else [[item] for item in items]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return rows, Collator(pad or 0, config.pad_multiple), data


def make_arguments(config: TrainConfig, work: Path) -> TrainingArguments:
    """Our settings in Trainer's words. Raises ConfigError where they don't fit together."""
    processes, on_cpu = world(), not torch.cuda.is_available()
    _require_processes(config, processes)
    schedule = "constant_with_warmup" if config.schedule == "constant" and config.warmup else config.schedule
    settings: dict[str, Any] = {
        "output_dir": str(work),
        "learning_rate": config.learning_rate,
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.micro_batch_size,
        "gradient_accumulation_steps": config.batch_size // (config.micro_batch_size * processes),
        "warmup_steps": config.warmup,
        "weight_decay": config.weight_decay,
        "seed": config.seed,
        "data_seed": config.seed,
        "bf16": config.bf16 and not (on_cpu and lacks_bfloat16()),
        _CHECKPOINTING: config.gradient_checkpointing,
        "save_steps": config.save_steps,
        "logging_steps": config.log_steps,
        "lr_scheduler_type": schedule,
        "save_total_limit": 1,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "label_names": ["labels"],
        "ddp_find_unused_parameters": False,
        "ddp_backend": "gloo" if on_cpu and processes > 1 else None,
    }
    try:
        return TrainingArguments(**(settings | config.trainer))
    except (TypeError, ValueError, ImportError) as error:
        raise _refused(error) from error


def _refused(error: Exception) -> ConfigError:
    return ConfigError(f"trainer: transformers refuses the arguments: {error}.")


def _require_processes(config: TrainConfig, processes: int) -> None:
    """Raises ConfigError where GPUs or a batch can't be shared among so many processes."""
    if torch.cuda.device_count() > 1 and processes == 1:
        raise ConfigError(
            f"{torch.cuda.device_count()} GPUs are visible to one process: start it with `torchrun --nproc-per-node N "
            "-m mcts_math.train …`, or set CUDA_VISIBLE_DEVICES."
        )
    if config.batch_size % (config.micro_batch_size * processes):
        raise ConfigError(
            f"batch_size ({config.batch_size}) must be a multiple of micro_batch_size ({config.micro_batch_size}) "
            f"times the number of processes ({processes})."
        )


def lacks_bfloat16() -> bool:
    """Whether this CPU has no instructions for bfloat16: it then takes several times as long as float32."""
    able = torch.cpu.get_capabilities()
    return able["architecture"] == "x86_64" and not (able["avx512_bf16"] or able["amx_bf16"])


def _run(trainer: ValueTrainer, state: Path | None, config: TrainConfig) -> None:
    if state is not None:
        trainer.state = TrainerState.load_from_json(str(state / resume.STATE))
        trainer.logged_at = trainer.state.global_step
    begun = trainer.state.global_step
    try:
        trainer.train(resume_from_checkpoint=None if state is None else str(state))
    except NothingLeftError:
        return
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"out of GPU memory: lower micro_batch_size or max_length, or set gradient_checkpointing: true ({error})"
        ) from error
    except (ValueError, ImportError) as error:  # of what Trainer looks at late
        if trainer.state.global_step > begun or not config.trainer:
            raise
        raise _refused(error) from error
    except resume.DAMAGES as error:
        if isinstance(error, RuntimeError) and not re.search("inline_container|PytorchStream", str(error)):
            raise
        raise resume.damaged(trainer.args.output_dir, error) from error


def _finish(trainer: ValueTrainer, source: Checkpoint, config: TrainConfig, recipe: JsonObject, output: Path) -> None:
    """Gathers the weights (on all processes) and writes the checkpoint (on the first)."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    else:
        state = model.state_dict()
    if trainer.args.should_save:
        if broken := [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]:
            raise TrainingError(f"the last step made {broken[0]} not finite. Lower learning_rate, or set bf16: false.")
        policy = {name.removeprefix("policy."): t.cpu() for name, t in state.items() if name.startswith("policy.")}
        head = ValueHead(state[HEAD_WEIGHT], state[HEAD_BIAS])
        save_checkpoint(policy, head, model.policy, source, config, recipe, output)
    trainer.accelerator.wait_for_everyone()
