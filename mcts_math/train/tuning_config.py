"""Settings of `scripts/train_optune.py`: a learned optimiser, or a baseline that is tuned on gold solutions."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mcts_math.settings import Integer, Real, Settings

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
    feedback: list[str] = Field(default_factory=list, description="files of scripts/make_feedback.py")
    output_dir: str = Field("", description="the result; beside it stands OUTPUT_DIR.training until it is done")
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
    log_steps: Integer = Field(10, description="steps between two lines of the log", ge=1)
