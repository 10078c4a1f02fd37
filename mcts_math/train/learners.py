"""What can be trained on feedback: the rule of OpTune, and the weights of its baselines. One loop trains them all.

module     holds what learns, and whatever else belongs to a state
figures    numbers of the last lesson, by name, for the log
loss       of a lesson, with gradient; None where it is not finite before that, or there is no lesson. All processes
           call it together; one that has no example left passes None.
state      what `load` takes to go on
save       writes the result; raises OSError where it can't be written
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mcts_math.engine.checkpoint import Checkpoint, read_config, write_config
from mcts_math.engine.hf.grafts import attach, base_fingerprint, make_grafts
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.optune.changes import describe_rule
from mcts_math.engine.hf.optune.rule import Factors, UpdateRule
from mcts_math.engine.hf.optune.sites import changed, find_sites, measure, shapes_of
from mcts_math.engine.hf.parts import save_parts
from mcts_math.engine.part_settings import RULE, TUNED
from mcts_math.errors import EngineError
from mcts_math.settings import Settings, make_settings
from mcts_math.tasks import JsonObject
from mcts_math.train.config import RuleConfig, TuningConfig
from mcts_math.train.export import save_policy
from mcts_math.train.feedback import Lesson
from mcts_math.train.model import add_adapters
from mcts_math.train.processes import gather, rank

_PEFT: Final = {"lora": "LoraConfig", "ia3": "IA3Config", "layernorm": "LNTuningConfig", "prefix": "PrefixTuningConfig"}
_HALF: Final = (torch.bfloat16, torch.float16)


class RuleLearner:
    """The networks and rates of an `UpdateRule`: the model under W + ΔW should write the gold solution (SPEC B2).
    Raises ConfigError or EngineError where the options don't fit the model, as the other learner does."""

    def __init__(self, model: CausalModel, config: TuningConfig) -> None:
        options = make_settings(RuleConfig, config.options, dict.fromkeys(config.options, "options"))
        self._model = model
        model.raw.requires_grad_(False)
        self._sites = find_sites(model.raw, options.layers, options.targets)
        self._rank = options.rank
        rule = UpdateRule(shapes_of(self._sites), options.rank, options.dropout)
        self.module: UpdateRule = rule.to(model.device)
        self.figures: dict[str, float] = {}

    def loss(self, lesson: Lesson | None) -> Tensor | None:
        """The moments take in the tokens of all processes in the order of the examples."""
        factors = None if lesson is None else self._factors(lesson)
        summaries = gather(None if factors is None else self.module.summarise(factors).cpu())
        self._observe(summaries[: rank() + 1])
        loss = None if lesson is None or factors is None else self._outer(lesson, factors)
        self._observe(summaries[rank() + 1 :])
        return loss

    def _observe(self, summaries: Sequence[Tensor | None]) -> None:
        for summary in summaries:
            if summary is not None:
                self.module.observe(summary.to(self._model.device))

    def state(self) -> dict[str, Tensor]:
        return dict(self.module.state_dict())

    def load(self, state: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(state)

    def save(self, folder: Path, source: Checkpoint, recipe: JsonObject) -> None:
        base = describe_rule(self.module, self._model.raw, self._sites, self._rank, source.name)
        save_parts(folder, RULE, self.state(), recipe | base)

    def _factors(self, lesson: Lesson) -> dict[str, Factors] | None:
        """Factors of the inner loss; None where one is not finite."""
        ids = torch.tensor(lesson.conversation, device=self._model.device)
        inner, factors = measure(self._model.raw, self._sites, ids)
        self.figures = {"inner": inner}
        return factors if all(one.is_finite for one in factors.values()) else None

    def _outer(self, lesson: Lesson, factors: Mapping[str, Factors]) -> Tensor:
        changes = self.module.changes(factors)
        norms = [float(change.matrix.detach().norm()) for change in changes.values()]
        self.figures["change_norm"] = sum(norms) / len(norms)
        with changed(self._sites, changes):
            return target_loss(self._model, self._model.raw, lesson)


class TunedLearner:
    """Weights of a baseline, which learn to write the gold solution."""

    def __init__(self, model: CausalModel, config: TuningConfig) -> None:
        self._model, self._kind, self._options = model, config.kind, config.options
        self._base, self._dtype = base_fingerprint(model.raw), model.raw.dtype
        self._grafts: nn.ModuleDict | None = None
        self.module: nn.Module = self._prepare(config)
        for parameter in self.module.parameters():
            if parameter.requires_grad and parameter.dtype in _HALF:
                parameter.data = parameter.data.float()
        self.module.train()
        self._is_half = config.dtype == "bfloat16"
        self.figures: dict[str, float] = {}

    def loss(self, lesson: Lesson | None) -> Tensor | None:
        if lesson is None:
            return None
        with torch.autocast(self._model.device.type, torch.bfloat16, enabled=self._is_half):
            return target_loss(self._model, self.module, lesson)

    def state(self) -> dict[str, Tensor]:
        return {name: weight for name, weight in self.module.named_parameters() if weight.requires_grad}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(state, strict=False)

    def save(self, folder: Path, source: Checkpoint, recipe: JsonObject) -> None:
        """A checkpoint where the weights can be merged into the model's; else a folder for `tuned_dir` (hf)."""
        if self._grafts is not None or self._kind == "prefix":
            apart = self._prefix() if self._grafts is None else self._grafts.state_dict()
            told = {"kind": self._kind, "options": self._options, "base_fingerprint": self._base}
            save_parts(folder, TUNED, apart, recipe | told)
            return
        module: Any = self.module
        merged = module if self._kind == "full" else module.merge_and_unload()
        save_policy(merged.to(self._dtype), source, folder)
        config = read_config(folder)
        if config.pop("value_model", None):  # its head is not here, and was fitted to other features
            write_config(folder, config)

    def _prepare(self, config: TuningConfig) -> nn.Module:
        raw: nn.Module = self._model.raw
        if config.kind == "full":
            make_settings(Settings, config.options, dict.fromkeys(config.options, "options"))  # it has none
            return raw.requires_grad_(True)
        raw.requires_grad_(False)
        if config.kind in _PEFT:
            made: nn.Module = add_adapters(raw, _PEFT[config.kind], config.options, f"kind: {config.kind}, options")
            if not any(parameter.requires_grad and parameter.numel() for parameter in made.parameters()):
                name = type(raw).__name__
                raise EngineError(f"kind: {config.kind} found nothing to train in a {name}; set target_modules")
            return made
        self._grafts = make_grafts(config.kind, raw, config.options).to(self._model.device)
        attach(raw, self._grafts)
        raw.add_module("grafts", self._grafts)
        return raw

    @torch.no_grad()
    def _prefix(self) -> dict[str, Tensor]:
        """Keys and values of each layer, as the trained encoder gives them."""
        module: Any = self.module
        layers = enumerate(module.eval().get_prompt(batch_size=1).layers)
        return {f"{i}.{name}": getattr(layer, name) for i, layer in layers for name in ("keys", "values")}


def target_loss(model: CausalModel, module: Any, lesson: Lesson) -> Tensor:
    """Mean cross-entropy of the target's tokens, given the question."""
    ids = torch.tensor(lesson.target, device=model.device)
    places = torch.arange(lesson.start - 1, len(ids) - 1, device=model.device)
    return cross_entropy(model.logits(module, ids, places).float(), ids[lesson.start :])
