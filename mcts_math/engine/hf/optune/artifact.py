"""A trained rule as a folder: `optune.safetensors`, and `optune.json`, which says for which base model it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcts_math.engine.hf.optune.rule import Shape, UpdateRule
from mcts_math.engine.hf.optune.sites import Sites, base_fingerprint, shapes_of
from mcts_math.engine.hf.parts import load_parts
from mcts_math.engine.part_settings import RULE, Base, RuleSettings, read_settings
from mcts_math.errors import CheckpointError


def describe_rule(rule: UpdateRule, model: Any, sites: Sites, rank: int, name: str) -> dict[str, Any]:
    """What `optune.json` must hold for `load_rule`: the base model of that name, the changed layers, the rank."""
    base = Base(architecture=type(model).__name__, fingerprint=base_fingerprint(sites), name=name)
    layers = {name: (shape.inputs, shape.outputs) for name, shape in rule.shapes.items()}
    return RuleSettings(version=1, base=base, rank=rank, layers=layers).model_dump()


def load_rule(folder: str | Path, model: Any) -> tuple[UpdateRule, Sites]:
    """A trained rule, frozen, on the device of the model, and the layers of the model that it changes. Raises
    CheckpointError where the folder is incomplete or broken, or belongs to another base model."""
    settings = read_settings(folder, RULE, RuleSettings)
    layers = {name: Shape(*widths) for name, widths in settings.layers.items()}
    modules, base = dict(model.named_modules()), settings.base
    sites = {name: modules[name] for name in layers if name in modules}
    if type(model).__name__ != base.architecture or len(sites) < len(layers) or shapes_of(sites) != layers:
        raise CheckpointError(
            f"{folder} was trained for a {base.architecture} with other layers than this {type(model).__name__}; "
            "give the model_dir that it was trained on"
        )
    if base_fingerprint(sites) != base.fingerprint:
        raise CheckpointError(
            f"{folder} was trained for another base model: the weights of {next(iter(sites))} differ; give the "
            f"model_dir that it was trained on ({base.name})"
        )
    rule = UpdateRule(layers, settings.rank)
    load_parts(folder, RULE, rule)
    return rule.requires_grad_(False).eval().to(model.device), sites
