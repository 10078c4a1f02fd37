"""Settings of examples, training, tuning and rounds: YAML files with `key=value` overrides, see `settings`."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from mcts_math.evaluate.experiments import CONTRASTS, ConfigFile, MethodConfig, Pair
from mcts_math.formats import FORMATS
from mcts_math.loggers import LOG_TO, LoggerName
from mcts_math.settings import Integer, Real, Settings, UserPath

SHORT: Final = 10
"""A training of at most so many steps logs each."""


class ExamplesConfig(Settings):
    """Which solutions of a tree are trained on."""

    max_correct: Integer = Field(4, description="most right solutions of a tree", ge=0)
    max_incorrect: Integer = Field(4, description="most wrong solutions of a tree", ge=0)
    choose: Literal["diverse", "random"] = Field(
        "diverse", description="which ones: diverse takes different programs and answers first"
    )
    failed: bool = Field(True, description="solutions that broke off without an answer count as wrong ones")
    seed: Integer = Field(0, description="seed of the choice", ge=0, lt=2**63)
    format: str | None = Field(
        None,
        description="format of the steps, of trees that don't tell: " + ", ".join(FORMATS) + "; absent: recognised",
    )
    step_delim: str | None = Field(
        None, description="text between the steps, of trees that don't tell; absent: that of their format"
    )
    pair_margin: Real = Field(0.5, description="preference pairs: least difference of Q between siblings", gt=0, le=2)

    @model_validator(mode="after")
    def _agree(self) -> ExamplesConfig:
        if self.format is not None and self.format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {self.format!r}")
        if not self.max_correct and not self.max_incorrect:
            raise ValueError("max_correct and max_incorrect are both 0, which leaves no example")
        return self


class LoraConfig(Settings):
    """Low-rank adapters instead of all weights."""

    r: Integer = Field(16, description="rank", ge=1)
    alpha: Real = Field(32, description="scale of the update is alpha / r", gt=0)
    dropout: Real = Field(0.05, description="dropout before the adapter", ge=0, lt=1)
    target_modules: list[str] | Literal["all-linear"] = Field(
        "all-linear", description="names of the layers that get one; all-linear: all but the output layer"
    )


_OWN: Final = {
    "output_dir": "output_dir", "learning_rate": "learning_rate", "weight_decay": "weight_decay", "seed": "seed",
    "data_seed": "seed", "num_train_epochs": "epochs", "max_steps": "max_steps", "warmup_steps": "warmup",
    "bf16": "bf16", "per_device_train_batch_size": "micro_batch_size", "save_steps": "save_steps",
    "gradient_accumulation_steps": "batch_size", "gradient_checkpointing": "gradient_checkpointing",
    "activation_checkpointing": "gradient_checkpointing", "logging_steps": "log_steps",
}  # fmt: skip
"""Arguments of transformers that keys of ours set, and these."""
_REFUSED: Final = {
    "save_only_model": "a stopped training could not go on from such a state",
    "resume_from_checkpoint": "the same command goes on by itself",
    "auto_find_batch_size": "batch_size would not be what the config says",
    "push_to_hub": "the finished checkpoint is not Trainer's to push",
    "dataloader_drop_last": "the last rows of an epoch would not be learned",
    "label_smoothing_factor": "the losses here don't know it",
    "neftune_noise_alpha": "the model here does not take it",
}
"""Arguments of transformers that would be taken without effect, or would break what is promised: why."""


class TrainConfig(Settings):
    """One training. The defaults are the published settings, as far as they are known (SPEC part C)."""

    # What.
    model_dir: str = Field("", description="checkpoint to start from; its value head is taken up where it has one")
    fresh_value_head: bool = Field(False, description="start from a new value head even if the checkpoint has one")
    examples: list[UserPath] = Field(default_factory=list, description="files of scripts/make_examples.py")
    pairs: list[UserPath] = Field(
        default_factory=list, description="files with preference pairs; see preference_weight"
    )
    output_dir: UserPath = Field(
        "", description="the new checkpoint; beside it stands OUTPUT_DIR.training until it is done"
    )
    # Loss.
    value_weight: Real = Field(
        0.01, description="beta: weight of the value error (published; 0.0005 for Llama 3)", ge=0
    )
    observation_loss: bool = Field(
        True, description="the policy learns the interpreter's outputs too (published); not of conversations"
    )
    preference_weight: Real = Field(0.0, description="weight of the step-level value preference loss (SVPO)", ge=0)
    # How.
    learning_rate: Real = Field(4e-5, description="at its peak", gt=0)
    value_learning_rate: Real = Field(
        0.0, description="of the value head, at its peak; 0: as learning_rate. A fresh head needs a higher one", ge=0
    )
    epochs: Real = Field(10, description="passes over the examples", gt=0)
    max_steps: Integer = Field(0, description="optimiser steps; 0: as many as epochs says", ge=0)
    batch_size: Integer = Field(1024, description="rows of one optimiser step, on all processes together", ge=1)
    micro_batch_size: Integer = Field(4, description="rows that one process computes at once", ge=1)
    max_length: Integer = Field(1024, description="tokens of a row; longer examples are left out and counted", ge=8)
    packing: bool = Field(True, description="several examples in a row, which don't see each other")
    pad_multiple: Integer = Field(64, description="rows are padded to a multiple of this many tokens", ge=1)
    warmup: Real = Field(
        0.03,
        description="share of the steps in which the learning rate rises, from 0 at the first; none of a single step",
        ge=0,
        lt=1,
    )
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="how it falls afterwards")
    weight_decay: Real = Field(0.0, description="of AdamW", ge=0)
    seed: Integer = Field(0, description="of the order, the dropout and the new value head", ge=0, lt=2**31)
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="in which the weights are kept")
    save_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the finished checkpoint; auto: as the checkpoint it started from"
    )
    bf16: bool = Field(True, description="compute in bfloat16 where that is safe (autocast), but on CPUs that lack it")
    gradient_checkpointing: bool = Field(False, description="compute activations twice, keep them once")
    attn: str | None = Field(None, description="attention of transformers, e.g. flash_attention_2")
    num_threads: Integer = Field(0, description="threads on a CPU; 0 leaves them as they are", ge=0)
    lora: LoraConfig | None = Field(None, description="{r, alpha, dropout, target_modules}; absent: all weights")
    # Running.
    save_steps: Integer = Field(
        200, description="optimiser steps between two states that a stopped run goes on from", ge=1
    )
    log_steps: Integer = Field(
        10,
        description="optimiser steps between two lines of the log, which has the first and the last step too, and "
        f"all where there are at most {SHORT}",
        ge=1,
    )
    trainer: dict[str, Any] = Field(
        default_factory=dict,
        description="more arguments of transformers.TrainingArguments: fsdp, deepspeed, report_to, optim, …",
    )

    @model_validator(mode="after")
    def _agree(self) -> TrainConfig:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size ({self.batch_size}) must be a multiple of micro_batch_size ({self.micro_batch_size})"
            )
        if self.preference_weight and not self.pairs:
            raise ValueError("preference_weight needs pairs: files of scripts/make_examples.py --pairs")
        if self.pairs and not self.preference_weight:
            raise ValueError("pairs teach nothing while preference_weight is 0: set it, or leave out pairs")
        for key in self.trainer:
            if key in _OWN:
                raise ValueError(f"trainer: {key} is what the key {_OWN[key]} says. Set that in its place")
            if key in _REFUSED and self.trainer[key]:  # they may be said to be off
                raise ValueError(f"trainer: {key}: {_REFUSED[key]}. Leave it out")
        if self.max_length % self.pad_multiple:
            raise ValueError(f"max_length must be a multiple of pad_multiple ({self.pad_multiple})")
        return self


NEUTRAL_KEYS = frozenset({"save_steps", "log_steps", "num_threads", "output_dir"})
"""Keys that a resumed training may change, as they don't change what is learned."""


Kind = Literal["rule", "full", "lora", "ia3", "layernorm", "prefix", "bottleneck", "reft"]


class RuleConfig(Settings):
    """Options of kind: rule."""

    layers: Integer | list[Integer] = Field(2, description="how many of the last layers, or the layers' numbers")
    targets: list[str] = Field(default_factory=lambda: ["q_proj", "v_proj"], description="linear modules", min_length=1)
    rank: Integer = Field(16, description="of the networks", ge=1)
    dropout: Real = Field(0.1, description="in the networks", ge=0, lt=1)


class TuningConfig(Settings):
    """One training. The defaults are the published settings of OpTune (SPEC B2); configs/optune/ has the others'."""

    # What.
    kind: Kind = Field("rule", description="rule: the learned optimiser; else which weights learn the gold solutions")
    model_dir: str = Field("", description="the base model, whose own weights stay as they are (but with kind: full)")
    feedback: list[UserPath] = Field(default_factory=list, description="files of scripts/make_feedback.py")
    output_dir: UserPath = Field("", description="the result; beside it stands OUTPUT_DIR.training until it is done")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="of the kind: rule {layers: 2 (how many of the last, or a list of numbers), targets: [q_proj, "
        "v_proj], rank: 16, dropout: 0.1}; bottleneck {reduction: 16}; reft {rank: 1, positions: 3}; the others take "
        "the arguments of peft's configuration",
    )
    # How.
    learning_rate: Real = Field(1e-5, description="of AdamW, without weight decay; at its peak", gt=0)
    schedule: Literal["constant", "cosine"] = Field("constant", description="how the rate goes on; cosine falls to 0")
    epochs: Integer = Field(3, description="passes over the examples", ge=1)
    batch_size: Integer = Field(20, description="examples of one step, on all processes together", ge=1)
    max_length: Integer = Field(4096, description="tokens; longer conversations or solutions are left out", ge=8)
    seed: Integer = Field(0, description="of the first weights, the order and the dropout", ge=0, lt=2**31)
    dtype: Literal["float32", "bfloat16", "float64"] = Field(
        "float32", description="of the base; what learns is float32"
    )
    device: str = Field("auto", description="cpu, cuda, cuda:N, or auto: the GPU of this process if there is one")
    num_threads: Integer = Field(0, description="threads on a CPU; 0 leaves them as they are", ge=0)
    # Running.
    save_steps: Integer = Field(50, description="steps between two states that a stopped run goes on from", ge=1)
    log_steps: Integer = Field(10, description=f"steps between two lines of the log; 1 for at most {SHORT} steps", ge=1)


class RoundsConfig(Settings):
    """Rounds of self-training."""

    output_dir: UserPath = Field("", description="folder of the rounds")
    base_model: str = Field("", description="checkpoint of round 0; its value head is not used")
    train_questions: UserPath = Field("", description="questions with final answers")
    test_questions: UserPath = Field("", description="questions of the evaluation")
    num_rounds: Integer = Field(3, description="rounds after the base", ge=1)
    questions_per_round: Integer = Field(
        0, description="training questions of a round, in turn; 0: all in every round", ge=0
    )
    search: list[ConfigFile] = Field(
        default_factory=list,
        description="search of each round: {config, overrides}; the last one serves further rounds",
    )
    first_round_values: bool = Field(
        False,
        description="round 1 asks the base's fresh value head for values, as published; else a leaf counts 0 there",
    )
    examples: ExamplesConfig = Field(
        default_factory=lambda: ExamplesConfig.model_validate({}), description="see scripts/make_examples.py --help"
    )
    train: list[ConfigFile] = Field(
        default_factory=list, description="training of each round: {config, overrides}; the last serves further rounds"
    )
    accumulate: bool = Field(False, description="a round trains on the examples of the rounds before it too")
    start_from: Literal["base", "previous"] = Field("previous", description="where each round's training starts")
    methods: dict[str, MethodConfig] = Field(
        default_factory=dict,
        description="rows of the evaluation; of the base, which has no values, those that ask for none",
    )
    contrasts: list[Pair] = Field(default_factory=list, description=CONTRASTS)
    launch: str = Field(
        "", description="what starts the training, e.g. torchrun --nproc-per-node 8; absent: one process of Python"
    )
    processes: Integer = Field(1, description="processes that search side by side (engine: hf)", ge=1)
    threads: Integer = Field(1, description="threads of each of them (CPU)", ge=1)
    chunk: Integer = Field(
        250, description="training questions that are searched together; a kill costs one such part", ge=1
    )
    seed: Integer = Field(0, description="of the searches for training data", ge=0)
    log_to: LoggerName = Field("none", description=LOG_TO)


NEUTRAL_ROUNDS_KEYS = frozenset({"output_dir", "num_rounds", "contrasts", "launch", "processes", "threads", "log_to"})
"""Keys that rounds which go on may change, as nothing that is finished depends on them but tables."""
