"""A trained rule as a folder, which belongs to one base model, and the weight changes of many questions in one batch.

A step makes the change of its session anew, from the base weights and one wrong attempt; it never adds to an earlier
one. It is computed by itself, and what a row gets is computed from its own session's change alone: so a session's
change, and what it adds to given inputs, are the same bits whatever else is in flight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mcts_math.engine.hf.lessons import Lesson, Recall, adding
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.optune.rule import Change, Shape, UpdateRule
from mcts_math.engine.hf.optune.sites import Sites, base_fingerprint, measure, shapes_of
from mcts_math.engine.hf.parts import load_parts
from mcts_math.engine.part_settings import RULE, Base, RuleSettings, read_settings
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.requests import Adaptation


@dataclass(frozen=True, slots=True)
class _Session:
    changes: Mapping[str, Change]
    version: int


class WeightChanges:
    """The changes that a trained rule makes of a model, which gets hooks, one a session; see `lessons.SessionWeights`.
    Raises CheckpointError where the rule's folder is broken, or for another base model."""

    def __init__(self, model: CausalModel, folder: str) -> None:
        self._model = model
        model.raw.requires_grad_(False)
        self._rule, self._sites = load_rule(folder, model.raw)
        self._sessions: dict[str, _Session] = {}
        self._active: list[tuple[slice | list[int], Mapping[str, Change]]] = []  # rows, and what changes them
        self._num_rows = 0
        for name, module in self._sites.items():
            module.register_forward_hook(adding(self.add, name))

    def __contains__(self, session: str) -> bool:
        return session in self._sessions

    def namespace(self, session: str) -> str:
        return f"{self._sessions[session].version} {session}" if session in self._sessions else ""

    def select(self, sessions: Sequence[str]) -> None:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(sessions):
            if name:
                rows.setdefault(name, []).append(row)
        self._num_rows = len(sessions)
        self._active = [(_as_slice(mine), self._sessions[name].changes) for name, mine in rows.items()]

    def add(self, name: str, inputs: Tensor, output: Tensor) -> Tensor:
        """A layer's output [B, T, out] with what each row's change adds to it."""
        if not self._active:
            return output
        if inputs.ndim != 3 or len(inputs) != self._num_rows:
            raise EngineError(
                f"targets: {name} gets inputs {list(inputs.shape)}, which rows can't share; train a rule on other ones"
            )
        for rows, changes in self._active:
            if name in changes:
                output[rows] += changes[name].apply(inputs[rows]).to(output.dtype)
        return output

    def step(self, name: str, lesson: Lesson, recall: Recall) -> Adaptation:
        """The change that the rule makes of the first term, all of its tokens; it replaces the session's last one. A
        loss, gradient or change that is not finite leaves the session without any."""
        if lesson.longest > self._model.context_length:
            return Adaptation(0.0, too_long=True)
        self.select([])
        tokens = lesson.terms[0].tokens
        ids = torch.tensor(tokens, device=self._model.device)
        loss, factors = measure(self._model.raw, self._sites, ids)
        with torch.no_grad():
            changes = self._rule.changes(factors)
        tensors = [matrix for change in changes.values() for matrix in change.maps]
        is_finite = math.isfinite(loss) and all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
        before = self._sessions.get(name)
        self._sessions[name] = _Session(changes if is_finite else {}, before.version + 1 if before else 1)
        return Adaptation(loss, len(tokens), reset=not is_finite)

    def release(self, name: str) -> None:
        self._sessions.pop(name, None)


def _as_slice(rows: list[int]) -> slice | list[int]:
    """Rows that lie side by side as a slice, which copies nothing."""
    side_by_side = rows[-1] - rows[0] + 1 == len(rows)
    return slice(rows[0], rows[-1] + 1) if side_by_side else rows


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
            f"{folder} was trained for a {base.architecture} with other layers than this {type(model).__name__} has; "
            f"give the model_dir that it was trained on ({base.name})"
        )
    if base_fingerprint(sites) != base.fingerprint:
        raise CheckpointError(f"{folder} was trained for another base model; give the model_dir of then ({base.name})")
    rule = UpdateRule(layers, settings.rank)
    load_parts(folder, RULE, rule)
    return rule.requires_grad_(False).eval().to(model.device), sites
