"""Settings of examples, training and rounds: YAML files with `key=value` overrides, as `mcts_math.config`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mcts_math.config import Real

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


class ExamplesConfig(BaseModel):
    """Which solutions of a tree are trained on."""

    model_config = _STRICT

    max_correct: int = Field(4, description="most right solutions of a tree", ge=0)
    max_incorrect: int = Field(4, description="most wrong solutions of a tree", ge=0)
    choose: Literal["diverse", "random", "shortest", "longest"] = Field(
        "diverse", description="which ones: diverse takes different programs and answers first"
    )
    failed: bool = Field(True, description="solutions that broke off without an answer count as wrong ones")
    seed: int = Field(0, description="seed of the choice", ge=0, lt=2**63)
    step_delim: str | None = Field(
        None, description=r'text between the steps of the trees; absent: "\n", or "\n\n" for few-shot trees'
    )
    pair_margin: Real = Field(0.5, description="preference pairs: least difference of Q between siblings", gt=0, le=2)
    max_pairs: int = Field(8, description="most preference pairs of a tree", ge=0)


class LoraConfig(BaseModel):
    """Low-rank adapters instead of all weights."""

    model_config = _STRICT

    r: int = Field(16, description="rank", ge=1)
    alpha: Real = Field(32, description="scale of the update is alpha / r", gt=0)
    dropout: Real = Field(0.05, description="dropout before the adapter", ge=0, lt=1)
    target_modules: list[str] | Literal["all-linear"] = Field(
        "all-linear", description="names of the layers that get one; all-linear: all but the output layer"
    )


class TrainConfig(BaseModel):
    """One training. The defaults are the published settings, as far as they are known (SPEC part C)."""

    model_config = _STRICT

    # What.
    model_dir: str = Field("", description="checkpoint to start from; its value head is taken up where it has one")
    fresh_value_head: bool = Field(False, description="start from a new value head even if the checkpoint has one")
    examples: list[str] = Field(default_factory=list, description="files of scripts/make_examples.py")
    pairs: list[str] = Field(default_factory=list, description="files with preference pairs; see preference_weight")
    output_dir: str = Field("", description="the new checkpoint; beside it stands OUTPUT_DIR.training until it is done")
    # Loss.
    value_weight: Real = Field(
        0.01, description="beta: weight of the value error (published; 0.0005 for Llama 3)", ge=0
    )
    observation_loss: bool = Field(True, description="the policy learns the interpreter's outputs too (published)")
    preference_weight: Real = Field(0.0, description="weight of the step-level value preference loss (SVPO)", ge=0)
    preference_scale: Real = Field(2.0, description="scale of the value difference in it", gt=0)
    # How.
    learning_rate: Real = Field(4e-5, description="at its peak", gt=0)
    value_learning_rate: Real = Field(
        0.0, description="of the value head, at its peak; 0: as learning_rate. A fresh head needs a higher one", ge=0
    )
    epochs: Real = Field(10, description="passes over the examples", gt=0)
    max_steps: int = Field(0, description="optimiser steps; 0: as many as epochs says", ge=0)
    batch_size: int = Field(1024, description="rows of one optimiser step, on all processes together", ge=1)
    micro_batch_size: int = Field(4, description="rows that one process computes at once", ge=1)
    max_length: int = Field(1024, description="tokens of a row; longer examples are left out and counted", ge=8)
    packing: bool = Field(True, description="several examples in a row, which don't see each other")
    pad_multiple: int = Field(64, description="rows are padded to a multiple of this many tokens", ge=1)
    warmup: Real = Field(0.03, description="share of the steps in which the learning rate rises", ge=0, lt=1)
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="how it falls afterwards")
    weight_decay: Real = Field(0.0, description="of AdamW", ge=0)
    max_grad_norm: Real = Field(1.0, description="gradients are clipped to this norm", gt=0)
    seed: int = Field(0, description="of the order, the dropout and the new value head", ge=0, lt=2**31)
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="in which the weights are kept")
    save_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the finished checkpoint; auto: as the checkpoint it started from"
    )
    bf16: bool = Field(True, description="compute in bfloat16 where that is safe (autocast), but on CPUs that lack it")
    gradient_checkpointing: bool = Field(False, description="compute activations twice, keep them once")
    attn: str | None = Field(None, description="attention of transformers, e.g. flash_attention_2")
    compile: bool = Field(False, description="torch.compile the transformer; its start takes a minute")
    num_threads: int = Field(0, description="threads on a CPU; 0 leaves them as they are", ge=0)
    lora: LoraConfig | None = Field(None, description="{r, alpha, dropout, target_modules}; absent: all weights")
    # Running.
    save_steps: int = Field(200, description="optimiser steps between two states that a stopped run goes on from", ge=1)
    log_steps: int = Field(10, description="optimiser steps between two lines of the log", ge=1)
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
        if self.max_length % self.pad_multiple:
            raise ValueError(f"max_length must be a multiple of pad_multiple ({self.pad_multiple})")
        return self


_Pair: TypeAlias = Annotated[list[str], Field(min_length=2, max_length=2)]


class MethodConfig(BaseModel):
    """One row of the evaluation."""

    model_config = _STRICT

    config: str = Field(description="config file of the search")
    overrides: dict[str, Any] = Field(default_factory=dict, description="keys that differ from it")
    seeds: list[int] = Field(default_factory=lambda: [42], description="one run each", min_length=1)
    vote: int = Field(0, description="also vote over this many runs each (Maj@k); the runs are split into such groups")
    top: int = Field(0, description="also vote over the first k solutions within a run")
    label: str = Field("", description="name of the vote's row, where not the method's own with + Maj@k")

    @model_validator(mode="after")
    def _agree(self) -> MethodConfig:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, not {self.seeds}")
        if self.vote > len(self.seeds):
            raise ValueError(f"a vote over {self.vote} runs needs as many seeds, not {len(self.seeds)}")
        return self


class RoundsConfig(BaseModel):
    """Rounds of self-training."""

    model_config = _STRICT

    output_dir: str = Field("", description="folder of the rounds")
    base_model: str = Field("", description="checkpoint of round 0; its value head is not used")
    train_questions: str = Field("", description="questions with final answers")
    test_questions: str = Field("", description="questions of the evaluation")
    num_rounds: int = Field(3, description="rounds after the base", ge=1)
    questions_per_round: int = Field(
        0, description="training questions of a round, in turn; 0: all in every round", ge=0
    )
    search: list[dict[str, Any]] = Field(
        default_factory=list,
        description="search of each round: {config, overrides}; the last one serves further rounds",
    )
    examples: ExamplesConfig = Field(
        default_factory=lambda: ExamplesConfig.model_validate({}), description="see scripts/make_examples.py --help"
    )
    train: list[dict[str, Any]] = Field(
        default_factory=list, description="training of each round: {config, overrides}; the last serves further rounds"
    )
    accumulate: bool = Field(False, description="a round trains on the examples of the rounds before it too")
    start_from: Literal["base", "previous"] = Field("previous", description="where each round's training starts")
    methods: dict[str, MethodConfig] = Field(
        default_factory=dict,
        description="rows of the evaluation; the base, which has no values, goes without need_value_func",
    )
    contrasts: list[_Pair] = Field(
        default_factory=list, description="pairs of rows; how far the first is above the second, question by question"
    )
    launch: str = Field(
        "", description="what starts scripts/train.py, e.g. torchrun --nproc-per-node 8; absent: one process here"
    )
    processes: int = Field(1, description="processes that search side by side (engine: hf)", ge=1)
    threads: int = Field(1, description="threads of each of them (CPU)", ge=1)
    chunk: int = Field(
        250, description="training questions that are searched together; a kill costs one such part", ge=1
    )
    seed: int = Field(0, description="of the searches for training data", ge=0)
