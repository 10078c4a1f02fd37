"""What an engine declares of itself, and what loading one needs. Light: nothing heavy is imported here.

A new engine is a package of its own and one more entry in `table.ENGINES`. Nobody else may compare engines by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mcts_math.messages import Conversation
from mcts_math.requests import Checker, Interpreter, Policy


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """How sessions learn at test time: a LoRA adapter each. The defaults are the published settings (SPEC B)."""

    rank: int = 4  # of both factors
    alpha: float = 16.0  # the product of the factors counts `alpha / rank` times
    dropout: float = 0.05  # on the adapter's inputs while it learns, in [0, 1)
    targets: tuple[str, ...] = ("q_proj", "v_proj")  # names of the adapted modules, as they end
    lr: float = 1e-5  # of AdamW, constant, without weight decay
    gradient: Literal["feedback", "full"] = "feedback"  # through what follows `Adapt.sampled` alone, or all positions


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """Sessions get the weight change that a trained rule makes of one wrong attempt (SPEC B2). `folder`: the rule's."""

    folder: str


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """All that loading an engine needs; can be pickled."""

    engine: str  # its name in `table.ENGINES`
    model_dir: str  # a checkpoint folder, a name on the Hugging Face hub, or a server's name of the model
    arguments: Mapping[str, Any] = field(default_factory=dict)
    need_value: bool = False  # the value head is loaded; it never is where this is false
    adapter: AdapterOptions | RuleOptions | None = None  # how sessions learn at test time; None: they don't
    num_replicas: int = 1
    example: Conversation | None = None  # which the chat template must be able to show; None: no conversations


@dataclass(frozen=True, slots=True)
class EngineSpec:
    summary: str
    load: Callable[[EngineOptions], Policy]  # imports what is heavy only now; takes no replicas
    gives_values: bool  # it can answer `Evaluate`, where the model has a value head
    adapts: bool  # it can answer `Adapt`
    token_beams: bool  # it can serve a `Sampling.beam_width` above 1
    needs_weights: bool  # `model_dir` must be a checkpoint; else a server has it, and the name may be a mere name
    argument_types: Callable[[], Mapping[str, Any]]  # gives the type of each argument, by name
    required_arguments: Mapping[str, str]  # those without default, each with an example
    neutral_arguments: frozenset[str]  # those that change speed and memory alone; others may change what is written
    tells_certainty: bool = False  # it can serve `Sampling.want_certainty`, which needs the probabilities of all tokens
    # loads it so that batches follow from the trees alone, over an interpreter and a checker that it counts
    # (`engine.hf.lockstep`); None where it can't
    load_lockstep: Callable[[EngineOptions, Interpreter, Checker], Any] | None = None

    def result_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Those of an engine's given arguments that may change results, sorted by name."""
        return {name: arguments[name] for name in sorted(arguments) if name not in self.neutral_arguments}
