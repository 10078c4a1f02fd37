"""LoRA adapters that learn while the engine runs: one a session, all on one base model.

A step is computed by peft, on a second model that shares every weight, so every architecture and layer type
that peft knows will do; it serves one session at a time. The model that samples stays as it was loaded: its rows get
what their own session's adapter adds by two batched products, gathered by row, so rows of many sessions and of none
share one forward pass.

As published (`gradient: feedback`) the gradient flows through the positions of the feedback alone: keys and values of
question and attempt are those that sampling left in the cache, taken as constants, so a step costs as much as the
feedback is long. With `full` it flows through every position, for the cost of all of them; the loss is the same.

Steps are never batched: with `full` the new weights are the same bits whatever else is in flight, with `feedback` as
far as the keys and values are, which rows of other shapes round differently.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers.cache_utils import Cache, DynamicLayer

from mcts_math.engine.hf.kv_cache import KVBlock, Segments
from mcts_math.engine.hf.lessons import Lesson, Recall, Term, adding
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.spec import AdapterOptions
from mcts_math.errors import EngineError, boundary, require_package
from mcts_math.requests import Adaptation

SLOT = "session"
"""peft's name of the adapter in the model; its weights are those of the session that learns."""
_DROPOUT = threading.Lock()  # dropout samples from the process's own generator, which two engines must not seed at once


@dataclass(slots=True)
class _Session:
    slot: int
    parameters: list[nn.Parameter]  # A and B of every layer in turn
    optimizer: torch.optim.Optimizer
    version: int = 0


@dataclass(slots=True)
class _Gathered:
    sessions: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()
    down: list[Tensor] = field(default_factory=list)  # [B, in, rank] a layer
    up: list[Tensor] = field(default_factory=list)  # [B, rank, out] a layer, scaled


class Adapters:
    """The adapters of one model, which gets hooks; see `lessons.SessionWeights`.

    Raises EngineError where peft is not installed, or the model lacks a target.
    """

    def __init__(self, model: CausalModel, options: AdapterOptions) -> None:
        self._model = model
        self._options = options
        self._scale = options.alpha / options.rank
        # Steps of 1e-5 would be lost in half precision.
        self._dtype = torch.float64 if model.raw.dtype == torch.float64 else torch.float32
        self._learner = _copy_with_lora(model, options)
        from peft.tuners.lora import LoraLayer

        layers = {name: module for name, module in self._learner.named_modules() if isinstance(module, LoraLayer)}
        self._layers = list(layers.values())
        self._sessions: dict[str, _Session] = {}
        self._free: list[int] = []
        self._down, self._up = self._allocate(1)  # slot 0 stays zero: the model as it was loaded
        self._gathered = _Gathered()
        self._active: _Gathered | None = None
        for number, name in enumerate(layers):
            model.raw.get_submodule(name).register_forward_hook(adding(self.add, number))

    def __contains__(self, session: str) -> bool:
        return session in self._sessions

    def namespace(self, session: str) -> str:
        return f"{self._sessions[session].version} {session}" if session in self._sessions else ""

    def select(self, sessions: Sequence[str]) -> None:
        if not any(sessions):
            self._active = None
            return
        versions = tuple(self._sessions[name].version if name else 0 for name in sessions)
        kept = self._gathered
        if kept.sessions != tuple(sessions) or kept.versions != versions:
            slots = [self._sessions[name].slot if name else 0 for name in sessions]
            index = torch.tensor(slots, device=self._model.device)
            kept = _Gathered(tuple(sessions), versions, [t[index] for t in self._down], [t[index] for t in self._up])
            self._gathered = kept
        self._active = kept

    def add(self, layer: int, inputs: Tensor, output: Tensor) -> Tensor:
        """A layer's output [B, T, out] with what each row's adapter adds to it."""
        if self._active is None:
            return output
        down, up = self._active.down[layer], self._active.up[layer]
        if inputs.ndim != 3 or inputs.shape[0] != down.shape[0]:
            raise EngineError(
                f"adapter_targets: module {layer} gets {list(inputs.shape)}, which rows can't share; choose others"
            )
        return output + torch.bmm(torch.bmm(inputs.to(down.dtype), down), up).to(output.dtype)

    def step(self, name: str, lesson: Lesson, recall: Recall) -> Adaptation:
        """One step of AdamW on a session's adapter, which is made where there is none. A loss, gradient or new weight
        that is not finite makes the adapter afresh instead."""
        seed = lesson.seed
        session = self._sessions.get(name) or self._open(name, seed)
        if lesson.longest > self._model.context_length:
            return Adaptation(0.0, too_long=True)
        for parameter in session.parameters:
            parameter.grad = None
        kept, num_recalled = self._constants(lesson, recall)
        loss, num_tokens = self._backward(session, lesson, kept)
        gradients = [parameter.grad for parameter in session.parameters if parameter.grad is not None]
        is_finite = math.isfinite(loss) and all(bool(torch.isfinite(g).all()) for g in gradients)
        if is_finite:
            session.optimizer.step()
            is_finite = all(bool(torch.isfinite(p * self._scale).all()) for p in session.parameters)
        if not is_finite:
            session.parameters, session.optimizer = self._fresh(seed)
        self._publish(session)
        return Adaptation(loss, num_recalled + num_tokens, reset=not is_finite)

    def release(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            self._free.append(session.slot)
            self._gathered = _Gathered()

    def _constants(self, lesson: Lesson, recall: Recall) -> tuple[list[Segments], int]:
        """Keys and values that the gradient does not flow through, a pair a layer, and the tokens computed for them."""
        if self._options.gradient == "full" or not lesson.sampled:
            return [], 0
        block, num_computed = recall(lesson.terms[0].tokens[: lesson.sampled])
        return read_row(block), num_computed

    def _backward(self, session: _Session, lesson: Lesson, kept: list[Segments]) -> tuple[float, int]:
        """Loss of the terms and number of tokens computed; leaves the gradients in the session's parameters."""
        weights = iter(session.parameters)
        for layer in self._layers:
            layer.lora_A[SLOT].weight, layer.lora_B[SLOT].weight = next(weights), next(weights)
            layer.lora_dropout.train()
        total, num_tokens, first = 0.0, 0, lesson.sampled if kept else 0
        try:
            devices = [self._model.device] if self._model.device.type == "cuda" else []
            with _DROPOUT, torch.enable_grad(), torch.random.fork_rng(devices):
                torch.manual_seed(lesson.seed)
                for term in lesson.terms:
                    loss = self._loss(term, first, kept)
                    loss.backward()  # type: ignore[no-untyped-call]
                    total += float(loss.detach())
                    num_tokens += len(term.tokens) - first
        finally:
            for layer in self._layers:
                layer.lora_dropout.eval()
        return total, num_tokens

    def _loss(self, term: Term, first: int, kept: list[Segments]) -> Tensor:
        """A term's weighted mean cross-entropy; its tokens before `first` are those of the kept keys and values."""
        ids = torch.tensor(term.tokens[first:], device=self._model.device)
        start = term.start - first
        places = torch.arange(start - 1, len(ids) - 1, device=ids.device)
        cache = cache_of(kept) if kept else None
        logits = self._model.logits(self._learner, ids, places, cache).to(self._dtype)
        return term.weight * cross_entropy(logits, ids[start:])

    def _open(self, name: str, seed: int) -> _Session:
        if not self._free:
            first = self._down[0].shape[0]
            grown = self._allocate(2 * first)
            for old, new in zip((*self._down, *self._up), (*grown[0], *grown[1]), strict=True):
                new[:first] = old
            self._down, self._up = grown
            self._free = list(range(first, 2 * first))[::-1]
        session = self._sessions[name] = _Session(self._free.pop(), *self._fresh(seed))
        self._publish(session)
        return session

    def _fresh(self, seed: int) -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
        """As peft starts an adapter: A uniform in ±1/sqrt(in), B zero; the same for the same seed."""
        generator = torch.Generator().manual_seed(seed)
        parameters = []
        for layer in self._layers:
            for module, bound in ((layer.lora_A[SLOT], layer.in_features**-0.5), (layer.lora_B[SLOT], 0.0)):
                weight = (torch.rand(module.weight.shape, generator=generator) * 2 - 1) * bound
                parameters.append(nn.Parameter(weight.to(self._model.device, self._dtype)))
        return parameters, torch.optim.AdamW(parameters, lr=self._options.lr, weight_decay=0.0)

    @torch.no_grad()
    def _publish(self, session: _Session) -> None:
        """Copies a session's weights to where sampling gathers them from."""
        for i, (down, up) in enumerate(zip(self._down, self._up, strict=True)):
            down[session.slot] = session.parameters[2 * i].T
            up[session.slot] = session.parameters[2 * i + 1].T * self._scale
        session.version += 1

    def _allocate(self, slots: int) -> tuple[list[Tensor], list[Tensor]]:
        device, dtype, rank = self._model.device, self._dtype, self._options.rank
        down = [torch.zeros((slots, x.in_features, rank), device=device, dtype=dtype) for x in self._layers]
        up = [torch.zeros((slots, rank, x.out_features), device=device, dtype=dtype) for x in self._layers]
        return down, up


def read_row(block: KVBlock) -> list[Segments]:
    """Copies of keys and values of a block's only row, layer by layer."""
    window = slice(block.start, block.end)
    return [
        [block.buffers[at.buffer][:1, at.heads, window].clone() for at in slices or ()]
        for slices in block.layout.layers
    ]


def cache_of(layers: Sequence[Segments]) -> Cache:
    """A cache of transformers that begins with given keys and values, and leaves them as they are."""
    made = []
    for segments in layers:
        layer = DynamicLayer()
        if segments:
            layer.update(*segments)
        made.append(layer)
    return Cache(layers=made)


def _copy_with_lora(model: CausalModel, options: AdapterOptions) -> Any:
    """A copy of the model's modules that shares every weight, and has peft's layers at the targets: the model itself
    can sample while the copy computes a gradient. Raises EngineError where peft is not installed, or the model has no
    such targets."""
    peft = require_package("peft", "learning at test time", "ttt", EngineError)
    _check_targets(model.raw, options.targets)
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.raw.parameters(), *model.raw.buffers())}
    shared[id(model)] = model  # hooks of the model belong to it
    learner = copy.deepcopy(model.raw, shared)
    for module in learner.modules():
        module._forward_hooks.clear()
    config = peft.LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules=list(options.targets)
    )
    with boundary(f"peft can't adapt {', '.join(options.targets)}", EngineError):  # not every type of module
        peft.inject_adapter_in_model(config, learner, adapter_name=SLOT)
    return learner.eval()


def _check_targets(model: Any, targets: Sequence[str]) -> None:
    names = [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            ends = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
            raise EngineError(
                f"adapter_targets: {type(model).__name__} has no module {target!r}; it has {', '.join(ends)}"
            )
