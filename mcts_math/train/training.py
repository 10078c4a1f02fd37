"""One training: what is checked before, the data, the run, the finished checkpoint; a stopped one goes on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import ConfigError, MctsMathError, TrainingError
from mcts_math.tasks import JsonObject
from mcts_math.train.config import TrainConfig
from mcts_math.train.data import DataReport, Encoder, encode_files
from mcts_math.train.export import save_checkpoint
from mcts_math.train.model import load_model
from mcts_math.train.packing import Collator, Rows, make_rows
from mcts_math.train.stages import file_digest, locked, write_json
from mcts_math.train.trainer import ValueTrainer

NEUTRAL_KEYS = frozenset({"save_steps", "log_steps", "num_threads", "output_dir"})
"""Keys that a resumed training may change, as they don't change what is learned."""
_STATE = "trainer_state.json"  # written last: a state that holds it is complete
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
    """Trains and writes the checkpoint; a stopped training goes on from its last state.

    Args:
        config: what to do.
        overwrite: start anew, and replace a finished checkpoint.
        restart_changed: start anew where a stopped training had other settings or data, instead of refusing.
        report: takes the lines meant for the user; called on the first process only.

    Returns:
        The folder of the checkpoint.

    Raises:
        MctsMathError: bad config or data, a loss that is not finite, a disk that is full.
    """
    source, output = _check(config, overwrite)
    work = output.with_name(output.name + ".training")
    tell = report if _rank() == 0 else lambda text: None
    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    facts = describe(config)
    with ExitStack() as stack:
        found = _take_folder(stack, work, facts, overwrite, restart_changed) if _rank() == 0 else None
        if isinstance(found, MctsMathError) and _world() == 1:
            raise found
        arguments = make_arguments(config, work)
        state = _tell_all(found, arguments)
        source = checkpoints.download(source)
        rows, collator, data = load_rows(config, source)
        tell(str(data))
        if config.bf16 and not arguments.bf16:
            tell("this CPU has no instructions for bfloat16, so it computes in float32, which is faster here")
        set_seed(config.seed)  # of the adapters; Trainer sets it for the rest
        model = load_model(source, config)
        if (config.packing or config.pairs) and not model.keeps_sequences_apart():
            raise ConfigError(
                f"the sequences of a row would see each other in a {type(model.policy).__name__}. Set packing: false, "
                "and leave out pairs."
            )
        trainer = ValueTrainer(model, arguments, rows, collator, config, tell)
        if state is not None:
            tell(f"going on from {state}")
        _run(trainer, state)
        recipe = facts | {"bfloat16": arguments.bf16, "data": asdict(data), "log": trainer.state.log_history}
        _finish(trainer, source, config, recipe, output)
    if _rank() == 0:
        shutil.rmtree(work, ignore_errors=True)
    return output


def describe(config: TrainConfig) -> JsonObject:
    """What identifies a training: its config, and what its files hold."""
    files = {str(path): file_digest(Path(path)) for path in [*config.examples, *config.pairs]}
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "accelerate")}
    return {"config": config.model_dump(), "files": files, "versions": versions}


def load_rows(config: TrainConfig, source: Checkpoint) -> tuple[Rows, Collator, DataReport]:
    """The training data as rows of tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.path)
    if source.context_length is not None and config.max_length > source.context_length:
        raise ConfigError(
            f"max_length is {config.max_length}, but the context of {source.name} is {source.context_length} tokens."
        )
    encoder = Encoder(Codec(tokenizer), observation_loss=config.observation_loss)
    items, data = encode_files(encoder, config.examples, config.pairs, config.max_length)
    rows = make_rows(items, packing=config.packing, max_length=config.max_length, seed=config.seed)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    fixed = config.max_length if config.compile else 0
    return rows, Collator(pad or 0, config.pad_multiple, fixed), data


def make_arguments(config: TrainConfig, work: Path) -> TrainingArguments:
    """Our settings in Trainer's words. Raises ConfigError where they don't fit together."""
    world = _world()
    if torch.cuda.device_count() > 1 and world == 1:
        raise ConfigError(
            f"{torch.cuda.device_count()} GPUs are visible to one process. Start it with "
            "`torchrun --nproc-per-node N -m mcts_math.train …`, or set CUDA_VISIBLE_DEVICES to one of them."
        )
    if config.batch_size % (config.micro_batch_size * world):
        raise ConfigError(
            f"batch_size ({config.batch_size}) must be a multiple of micro_batch_size ({config.micro_batch_size}) "
            f"times the number of processes ({world})."
        )
    on_cpu = not torch.cuda.is_available()
    settings: dict[str, Any] = {
        "output_dir": str(work),
        "learning_rate": config.learning_rate,
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.micro_batch_size,
        "gradient_accumulation_steps": config.batch_size // (config.micro_batch_size * world),
        "warmup_steps": config.warmup,
        "lr_scheduler_type": config.schedule
        if config.warmup == 0 or config.schedule != "constant"
        else "constant_with_warmup",
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "seed": config.seed,
        "data_seed": config.seed,
        "bf16": config.bf16 and not (on_cpu and lacks_bfloat16()),
        _CHECKPOINTING: config.gradient_checkpointing,
        "save_strategy": "steps",
        "save_steps": config.save_steps,
        "save_total_limit": 1,
        "logging_strategy": "steps",
        "logging_steps": config.log_steps,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "label_names": ["labels"],
        "ddp_find_unused_parameters": False,
    }
    if on_cpu and world > 1:
        settings["ddp_backend"] = "gloo"
    try:
        return TrainingArguments(**(settings | config.trainer))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"trainer: transformers refuses the arguments: {error}.") from error


def lacks_bfloat16() -> bool:
    """Whether this CPU has no instructions for bfloat16: it then takes several times as long as float32."""
    able = torch.cpu.get_capabilities()
    return able["architecture"] == "x86_64" and not (able["avx512_bf16"] or able["amx_bf16"])


def last_state(work: Path) -> Path | None:
    """The last complete state; what a kill has left half-written is removed."""
    while (found := get_last_checkpoint(str(work)) if work.is_dir() else None) is not None:
        try:
            json.loads((Path(found) / _STATE).read_text("utf-8"))
            return Path(found)
        except (OSError, ValueError):
            shutil.rmtree(found, ignore_errors=True)
    return None


def _run(trainer: ValueTrainer, state: Path | None) -> None:
    if state is not None:
        trainer.resumed_at = int(json.loads((state / _STATE).read_text("utf-8"))["global_step"])
    try:
        trainer.train(resume_from_checkpoint=None if state is None else str(state))
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"out of GPU memory: lower micro_batch_size or max_length, or set gradient_checkpointing: true ({error})"
        ) from error
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise  # torch reports a file that it can't write as one of these
        raise TrainingError(
            f"a state can't be written to {trainer.args.output_dir}: {error}. Make room and run the same command again."
        ) from error


def _finish(trainer: ValueTrainer, source: Checkpoint, config: TrainConfig, recipe: JsonObject, output: Path) -> None:
    """Gathers the weights (on all processes) and writes the checkpoint (on the first)."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    else:
        state = model.state_dict()
    if trainer.args.should_save:
        if broken := [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]:
            raise TrainingError(
                f"the last step made {broken[0]} NaN or infinite. Lower learning_rate, or set bf16: false."
            )
        policy = {name.removeprefix("policy."): t.cpu() for name, t in state.items() if name.startswith("policy.")}
        save_checkpoint(policy, model.value_head(state), model.policy, source, config, recipe, output)
    trainer.accelerator.wait_for_everyone()


def _check(config: TrainConfig, overwrite: bool) -> tuple[Checkpoint, Path]:
    """What can be refused at little cost. Raises ConfigError, CheckpointError or RecordError."""
    if not config.model_dir or not config.output_dir:
        raise ConfigError("set model_dir (where to start from) and output_dir (the new checkpoint).")
    if not config.examples and not config.pairs:
        raise ConfigError("no training data: set examples to one or more files of scripts/make_examples.py.")
    for path in [*config.examples, *config.pairs]:
        if not Path(path).is_file():
            raise ConfigError(f"examples: {path}: no such file. Make it with scripts/make_examples.py.")
    output = Path(config.output_dir)
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists. Choose another output_dir, or add --overwrite.")
    return checkpoints.inspect(config.model_dir), output


def _take_folder(
    stack: ExitStack, work: Path, facts: JsonObject, overwrite: bool, restart_changed: bool
) -> Path | MctsMathError | None:
    """Takes the work folder for this training, on its first process; `stack` holds its lock.

    Returns the state to go on from, or why the training is refused, which is for all processes to hear.
    """
    try:
        stack.enter_context(locked(work))
        return _begin(work, facts, overwrite, restart_changed)
    except MctsMathError as error:
        return error


def _tell_all(found: Path | MctsMathError | None, arguments: TrainingArguments) -> Path | None:
    """What the first process found in the work folder, on all of them. Raises what it was refused for."""
    told = [found]
    if arguments.world_size > 1:  # to ask for it makes the processes know each other
        torch.distributed.broadcast_object_list(told, src=0)
    if isinstance(told[0], MctsMathError):
        raise told[0]
    return told[0]


def _begin(work: Path, facts: JsonObject, overwrite: bool, restart_changed: bool) -> Path | None:
    """Marks the work folder as this training's; returns the state to go on from."""
    mark = work / "run.json"
    state = None if overwrite or not mark.exists() else last_state(work)
    if state is not None:
        changed = _changes(json.loads(mark.read_text("utf-8")), facts)
        if not changed:
            return state
        if not restart_changed:
            raise ConfigError(
                f"{work} holds a stopped training with other settings ({', '.join(changed)}). Add --overwrite to "
                "start anew, or choose another output_dir."
            )
    for old in work.glob("checkpoint-*"):
        shutil.rmtree(old)
    write_json(mark, facts)
    return None


def _changes(before: JsonObject, facts: JsonObject) -> list[str]:
    """The settings and the data in which a stopped training differs."""
    old, now = before["config"], json.loads(json.dumps(facts["config"]))
    changed = [f"{k}: {old.get(k)!r} -> {now[k]!r}" for k in now if k not in NEUTRAL_KEYS and old.get(k) != now[k]]
    return changed + [
        f"{path} has changed" for path, digest in facts["files"].items() if before["files"].get(path) != digest
    ]


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
