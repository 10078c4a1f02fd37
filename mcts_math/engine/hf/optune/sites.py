"""The layers of a model whose weights are changed: which they are, what flows through them, and their change.

Hooks do it all, so that any architecture with linear projections will do. Weights are constants: below the first
watched layer there is no gradient, and nothing of it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mcts_math.engine.hf.lessons import adding
from mcts_math.engine.hf.optune.rule import Change, Factors, Shape, make_factors
from mcts_math.engine.hf.parts import fingerprint
from mcts_math.errors import EngineError

_NUMBER = re.compile(r"\.(\d+)\.")  # of a layer, in the name of one of its modules

Sites = Mapping[str, nn.Linear]
"""The linear modules that are changed, by name, in the model's order."""


def find_sites(model: Any, layers: int | Sequence[int], targets: Sequence[str]) -> Sites:
    """The modules whose names end as a target says, in so many of the last layers, or in those of these numbers. Raises
    EngineError for a layer or a target that the model lacks, or a target that is not a linear layer."""
    numbered = [
        (int(found[1]), name, module)
        for name, module in model.named_modules()
        if (found := _NUMBER.search(name)) is not None
    ]
    count = max((number for number, _, _ in numbered), default=-1) + 1
    chosen = _choose_layers(count, layers, type(model).__name__)
    linear = {n: module for i, n, module in numbered if i in chosen and isinstance(module, nn.Linear)}
    sites = {n: module for n, module in linear.items() if any(n.endswith(f".{target}") for target in targets)}
    for target in targets:
        if not any(name.endswith(f".{target}") for name in sites):
            there = sorted({name.rpartition(".")[2] for name in linear})
            raise EngineError(
                f"targets: the chosen layers of {type(model).__name__} have no linear module {target!r}; linear are "
                f"{', '.join(there)}"
            )
    return sites


def shapes_of(sites: Sites) -> dict[str, Shape]:
    return {name: Shape(module.in_features, module.out_features) for name, module in sites.items()}


def base_fingerprint(sites: Sites) -> str:
    """What tells a base model from others: the weights that are changed."""
    return fingerprint((name, module.weight) for name, module in sites.items())


def measure(model: Any, sites: Sites, ids: Tensor) -> tuple[float, dict[str, Factors]]:
    """The inner loss: mean cross-entropy of all tokens of a conversation, in nats; and the factors of every site. The
    model's weights require no gradient; `ids` are [T] tokens, at least two."""
    seen: dict[str, Tensor] = {}
    probes: dict[str, Tensor] = {}

    def watch(name: str, inputs: Tensor, output: Tensor) -> Tensor:
        seen[name] = inputs.detach()
        probes[name] = torch.zeros_like(output, requires_grad=True)  # its gradient is that of the output
        return output + probes[name]

    with _hooked(sites, watch), torch.enable_grad():
        logits = model(input_ids=ids.unsqueeze(0), use_cache=False).logits[0]
        loss = cross_entropy(logits[:-1].float(), ids[1:])
        slopes = torch.autograd.grad(loss, [probes[name] for name in sites])
    factors = {
        name: make_factors(seen[name].flatten(0, -2), slope.flatten(0, -2))
        for name, slope in zip(sites, slopes, strict=True)
    }
    return float(loss.detach()), factors


@contextmanager
def changed(sites: Sites, changes: Mapping[str, Change]) -> Iterator[None]:
    """Within, the weights of the sites are W + ΔW, at every position."""

    def add(name: str, inputs: Tensor, output: Tensor) -> Tensor:
        return output + changes[name].apply(inputs).to(output.dtype)

    with _hooked(sites, add):
        yield


@contextmanager
def _hooked(sites: Sites, change: Callable[[str, Tensor, Tensor], Tensor]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, module in sites.items():
            stack.callback(module.register_forward_hook(adding(change, name)).remove)
        yield


def _choose_layers(count: int, layers: int | Sequence[int], model: str) -> set[int]:
    chosen = set(range(count - layers, count)) if isinstance(layers, int) else set(layers)
    if not chosen or min(chosen) < 0 or max(chosen) >= count:
        raise EngineError(f"layers: {layers}, but {model} has {count} layers, numbered from 0 on")
    return chosen
