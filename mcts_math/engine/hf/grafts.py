"""Small parts that are put on a model where peft has none of the kind: bottleneck adapters, LoReFT, prefixes.

The package `adapters` has the first two, but wants an older transformers than ours. They sit on hooks, so that any
architecture with layers of attention and feed-forward will do; a folder holds their weights and says for which base
model they are.

bottleneck  h + Up(ReLU(Down(h))), on the output of attention and of the feed-forward block (Houlsby et al., 1902.00751)
reft        h + Rᵀ(Wh + b - Rh) with orthonormal rows R, on a layer's output, at the first positions (2404.03592)
prefix      keys and values in front of every sequence (2101.00190), as peft has learnt them
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from mcts_math.engine.hf.parts import fingerprint, load_parts
from mcts_math.engine.part_settings import TUNED, TunedSettings, read_settings
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.settings import Integer, Settings, make_settings

_ATTENTION: Final = ("self_attn", "attention", "attn", "self_attention")
_FEED_FORWARD: Final = ("mlp", "feed_forward", "ffn")


class BottleneckOptions(Settings):
    reduction: Integer = Field(16, ge=1)


class ReftOptions(Settings):
    rank: Integer = Field(1, ge=1)
    positions: Integer = Field(3, ge=1)


class Bottleneck(nn.Module):
    """A bottleneck adapter: almost nothing at first."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, max(1, width // reduction))
        self.up = nn.Linear(self.down.out_features, width)
        for layer in (self.down, self.up):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden: Tensor, positions: Tensor | None) -> Tensor:
        x = hidden.to(self.down.weight.dtype)
        added: Tensor = self.up(self.down(x).relu())
        return hidden + added.to(hidden.dtype)


class Reft(nn.Module):
    """A low-rank linear intervention at the positions before `positions`."""

    def __init__(self, width: int, rank: int, positions: int) -> None:
        super().__init__()
        self.rotation = orthogonal(nn.Linear(width, rank, bias=False), orthogonal_map="householder")
        self.source = nn.Linear(width, rank)
        self.positions = positions

    def forward(self, hidden: Tensor, positions: Tensor | None) -> Tensor:
        if positions is None:
            raise EngineError("this architecture does not tell its layers the positions, which LoReFT needs")
        x = hidden.to(self.source.weight.dtype)
        change: Tensor = (self.source(x) - self.rotation(x)) @ self.rotation.weight
        return hidden + (change * (positions < self.positions).unsqueeze(-1)).to(hidden.dtype)


def make_grafts(kind: str, model: Any, options: Mapping[str, Any]) -> nn.ModuleDict:
    """Fresh parts for a model, by the names of the modules whose output they change ("/" for "."). Raises ConfigError
    for options of another kind, EngineError for a model without such modules."""
    width = int(model.config.get_text_config().hidden_size)
    form, part = (BottleneckOptions, Bottleneck) if kind == "bottleneck" else (ReftOptions, Reft)
    given = make_settings(form, options, dict.fromkeys(options, "options")).model_dump()
    names = [name for layer in _layers(model) for name in (_parts(model, layer) if kind == "bottleneck" else [layer])]
    return nn.ModuleDict({name.replace(".", "/"): part(width, **given) for name in names})


def attach(model: Any, grafts: nn.ModuleDict) -> None:
    for name, graft in grafts.items():
        model.get_submodule(name.replace("/", ".")).register_forward_hook(partial(_change, graft), with_kwargs=True)


def base_fingerprint(model: Any) -> str:
    """What tells a base model from others: its last layer's weights."""
    return fingerprint(model.get_submodule(_layers(model)[-1]).named_parameters())


def load_grafts(folder: str | Path, model: Any) -> list[list[Tensor]]:
    """Puts what a folder holds on a model; of a prefix returns keys and values [1, H, P, D] of each layer. Raises
    CheckpointError where the folder is incomplete or broken, or for another base model."""
    settings = read_settings(folder, TUNED, TunedSettings)
    if base_fingerprint(model) != settings.base_fingerprint:
        raise CheckpointError(
            f"tuned_dir: {folder} was trained for another model_dir ({settings.model_dir}); give that"
        )
    if settings.kind == "prefix":
        tensors = {name: tensor.to(model.device, model.dtype) for name, tensor in load_parts(folder, TUNED).items()}
        return [[tensors[f"{i}.keys"], tensors[f"{i}.values"]] for i in range(len(tensors) // 2)]
    grafts = make_grafts(settings.kind, model, settings.options)
    load_parts(folder, TUNED, grafts)
    attach(model, grafts.requires_grad_(False).eval().to(model.device))
    return []


def _change(graft: nn.Module, module: Any, arguments: Any, keywords: Mapping[str, Any], output: Any) -> Any:
    """Changes the output of a module, as a hook; that of attention is the first of several."""
    positions = keywords.get("position_ids")
    if isinstance(output, tuple):
        return (graft(output[0], positions), *output[1:])
    return graft(output, positions)


def _layers(model: Any) -> list[str]:
    count = int(model.config.get_text_config().num_hidden_layers)
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return [f"{name}.{number}" for number in range(count)]
    raise EngineError(f"{type(model).__name__} has no list of {count} layers")


def _parts(model: Any, layer: str) -> list[str]:
    there = dict(model.get_submodule(layer).named_children())
    found = [next((name for name in names if name in there), None) for names in (_ATTENTION, _FEED_FORWARD)]
    if None in found:
        raise EngineError(f"a layer of {type(model).__name__} has no attention or feed-forward: {', '.join(there)}")
    return [f"{layer}.{name}" for name in found]
