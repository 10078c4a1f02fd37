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
    """How sessions learn at test time: a LoRA adapter each. The defaults are the published settings (SPEC B).

    Attributes:
        rank: of both factors.
        alpha: the product of the factors counts `alpha / rank` times.
        dropout: on the adapter's inputs while it learns, in [0, 1).
        targets: names of the adapted modules, as they end.
        lr: of AdamW, constant, without weight decay.
        gradient: "feedback" flows through what follows `Adapt.sampled` alone, "full" through all positions.
    """

    rank: int = 4
    alpha: float = 16.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    lr: float = 1e-5
    gradient: Literal["feedback", "full"] = "feedback"


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """Sessions get the weight change that a trained rule makes of one wrong attempt (SPEC B2). `folder`: the rule's."""

    folder: str


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """All that loading an engine needs; can be pickled.

    Attributes:
        engine: its name in `table.ENGINES`.
        model_dir: a checkpoint folder, a name on the Hugging Face hub, or a server's name of the model.
        arguments: the engine's own arguments, by name.
        need_value: the value head is loaded; it never is where this is false.
        adapter: how sessions learn at test time; None: they don't.
        num_replicas: engines side by side.
        example: a conversation of the run, which the model's chat template must be able to show; None: there is none.
    """

    engine: str
    model_dir: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    need_value: bool = False
    adapter: AdapterOptions | RuleOptions | None = None
    num_replicas: int = 1
    example: Conversation | None = None


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine, as it declares itself.

    Attributes:
        name: as in a config.
        summary: a few words for lists of engines.
        load: loads it; imports what is heavy only then. Takes an engine's worth of options: no replicas.
        gives_values: it can answer `Evaluate`, where the model has a value head.
        adapts: it can answer `Adapt`.
        token_beams: it can serve a `Sampling.beam_width` above 1.
        tells_certainty: it can serve `Sampling.want_certainty`, which needs the probabilities of all tokens.
        needs_weights: `model_dir` must be a checkpoint; else a server has it, and the name may be a mere name.
        argument_types: gives the type of each argument, by name.
        required_arguments: those without default, each with an example.
        neutral_arguments: those that change speed and memory alone. All others may change what is written.
        load_lockstep: loads it so that batches follow from the trees alone, over an interpreter and a checker that it
            counts (`engine.hf.lockstep`); None where it can't.
    """

    name: str
    summary: str
    load: Callable[[EngineOptions], Policy]
    gives_values: bool
    adapts: bool
    token_beams: bool
    needs_weights: bool
    argument_types: Callable[[], Mapping[str, Any]]
    required_arguments: Mapping[str, str]
    neutral_arguments: frozenset[str]
    tells_certainty: bool = False
    load_lockstep: Callable[[EngineOptions, Interpreter, Checker], Any] | None = None

    def result_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Those of an engine's given arguments that may change results, sorted by name."""
        return {name: arguments[name] for name in sorted(arguments) if name not in self.neutral_arguments}
