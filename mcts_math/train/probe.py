"""A value head for a model that stays as it is, fitted to its last hidden states at the ends of steps: v = tanh(w·h
+ b) equals 2p - 1 where p = sigmoid(2(w·h + b)), so a logistic regression of p = (Q + 1)/2 gives w and b. Features
are standardised, as in a training the head moves by the learning rate whatever the scale of h."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.engine.value_head import ValueHead
from mcts_math.errors import ConfigError, RecordError
from mcts_math.train.analysis import area_under_curve
from mcts_math.train.config import TrainConfig
from mcts_math.train.model import load_model
from mcts_math.train.training import load_rows

_FOLDS: Final = 5
_RIDGES: Final = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_TOLD_EVERY: Final = 50  # rows


@dataclass(frozen=True, slots=True)
class Features:
    """Ends of steps."""

    hidden: Tensor  # [N, H] last hidden states, float32
    targets: Tensor  # [N] Q of each, in [-1, 1]
    questions: Sequence[str]  # [N]


@dataclass(frozen=True, slots=True)
class Fit:
    """A head and how well it does on questions that it was not fitted to."""

    head: ValueHead  # fitted to all
    ridge: float  # the weight of its penalty, chosen by the loss on questions left out
    loss: float  # mean cross-entropy on questions left out, nats
    constant_loss: float  # the same of the best constant
    area: float  # under the curve, of values of questions left out against Q > 0

    def __str__(self) -> str:
        return (
            f"on questions left out: area under the curve {self.area:.3f}, cross-entropy {self.loss:.3f} "
            f"(a constant: {self.constant_loss:.3f}), ridge {self.ridge:g}"
        )


@torch.no_grad()
def read_features(checkpoint: Checkpoint, config: TrainConfig, tell: Callable[[str], None]) -> Features:
    """One pass of the model over packed examples; of the config `examples`, `max_length` and `dtype` count. Raises
    CheckpointError, RecordError, and ConfigError where packed examples would see each other."""
    rows, collator, data = load_rows(config, checkpoint)
    tell(str(data))
    model = load_model(checkpoint, config).eval()
    if not model.keeps_sequences_apart():
        raise ConfigError(f"examples packed into a row would see each other in a {type(model.policy).__name__}.")
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    device = next(model.parameters()).device
    hidden, targets, questions = [], [], list[str]()
    for number, row in enumerate(rows):
        batch = collator([row])
        mask = batch["value_mask"].flatten()
        states = model.hidden(batch["input_ids"].to(device), batch["position_ids"].to(device))
        hidden.append(states[mask.to(device)].float().cpu())
        targets.append(batch["value_targets"].flatten()[mask])
        for item in row:
            questions += [item.question for sequence in item.sequences for _ in sequence.values]
        if number % _TOLD_EVERY == 0:
            tell(f"{number} of {len(rows)} rows read")
    return Features(torch.cat(hidden), torch.cat(targets), questions)


def fit_head(features: Features, seed: int = 0) -> Fit:
    """The head that fits best, with the ridge that does best on questions left out. Raises RecordError for too few."""
    names = sorted(set(features.questions))
    right = int((features.targets > 0).sum())
    if len(names) < _FOLDS or right in (0, len(features.targets)):
        told = f"not {right} right and {len(features.targets) - right} wrong ones of {len(names)}"
        raise RecordError(f"a head needs right and wrong steps (Q > 0 or not) of at least {_FOLDS} questions, {told}.")
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % _FOLDS, strict=True))
    folds = torch.tensor([int(fold_of[name]) for name in features.questions])
    hidden, chances = features.hidden.double(), (features.targets.double() + 1) / 2
    tried = []
    for ridge in _RIDGES:
        logits = torch.zeros_like(chances)
        for fold in range(_FOLDS):
            out = folds == fold
            weight, bias = _regress(hidden[~out], chances[~out], ridge)
            logits[out] = hidden[out] @ weight + bias
        tried.append((float(binary_cross_entropy_with_logits(logits, chances)), ridge, logits))
    loss, ridge, logits = min(tried, key=lambda each: each[0])
    weight, bias = _regress(hidden, chances, ridge)
    mean = chances.mean().expand_as(chances)
    constant = float(torch.nn.functional.binary_cross_entropy(mean, chances))
    area = area_under_curve(logits.tolist(), (features.targets > 0).tolist())
    return Fit(ValueHead(weight / 2, bias / 2), ridge, loss, constant, area)


def _regress(hidden: Tensor, chances: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight [H] and bias [] of the logit of hidden [N, H] that minimises cross-entropy + ridge/2 · |weights|²,
    standardised."""
    mean, scale = hidden.mean(dim=0), hidden.std(dim=0).clamp_min(1e-6)
    features = (hidden - mean) / scale
    weight = torch.zeros(hidden.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(features @ weight + bias, chances) + ridge / 2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    plain = (weight / scale).detach()
    return plain, bias.detach() - plain @ mean
