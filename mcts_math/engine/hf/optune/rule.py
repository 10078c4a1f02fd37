"""From what a layer saw of a wrong attempt to the change of its weights (SPEC B2).

For every token u is the layer's input and v the gradient of the loss at its output, both constants. Each is normalised
by its moments over all tokens of the training, [u'; v'] = N([u; v]) with a network N a weight shape, and the change of
W [out, in] is ΔW = rate · Σ v' u'ᵀ over the tokens, with a learned rate a layer. Plain gradient descent would be
-rate · Σ v uᵀ; the network learns the sign, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

import torch
from torch import Tensor, nn

EPSILON: Final = 1e-7  # is added to every deviation
FIRST_RATE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Factors:
    """What T tokens tell of a layer: `inputs` u [T, in] and `slopes` v [T, out], float32."""

    inputs: Tensor
    slopes: Tensor

    @property
    def is_finite(self) -> bool:
        return all(bool(torch.isfinite(part).all()) for part in (self.inputs, self.slopes))


def make_factors(inputs: Tensor, slopes: Tensor) -> Factors:
    """Factors in float32, without the tokens of which one factor is all zero: they would change nothing."""
    inputs, slopes = inputs.float(), slopes.float()
    there = inputs.any(dim=-1) & slopes.any(dim=-1)
    return Factors(inputs[there], slopes[there])


@dataclass(frozen=True, slots=True)
class Change:
    """A change of W [out, in]. Whichever form of it is smaller is kept: it is the faster one, too."""

    maps: tuple[Tensor, ...]  # one after another they give ΔWᵀ [in, out]: [in, T] and [T, out], or [in, out] alone

    def apply(self, inputs: Tensor) -> Tensor:
        """What the change adds to the layer's output [..., out], given its inputs [..., in]."""
        added = inputs.to(self.maps[0].dtype)
        for matrix in self.maps:
            added = added @ matrix
        return added

    @property
    def matrix(self) -> Tensor:
        """ΔW [out, in]."""
        return reduce(torch.matmul, self.maps).T


class Moments(nn.Module):
    """Count, mean and sum of squared deviations of vectors, a dimension each, in float64. Summaries are merged one
    after another (Chan, Golub and LeVeque 1979): the same ones in the same order give the same bits."""

    count: Tensor
    mean: Tensor
    squares: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(width, dtype=torch.float64))

    @staticmethod
    def summarise(values: Tensor) -> Tensor:
        """Count, mean and squares [1 + 2 · width] of vectors [T, width]."""
        exact = values.double()
        if not len(exact):
            return exact.new_zeros(1 + 2 * exact.shape[1])
        mean = exact.mean(dim=0)
        squares = (exact - mean).square().sum(dim=0)
        return torch.cat((exact.new_tensor([len(exact)]), mean, squares))

    def merge(self, summary: Tensor) -> None:
        count, (mean, squares) = summary[0], summary[1:].chunk(2)
        total = self.count + count
        if not bool(total):
            return
        apart = mean - self.mean
        self.mean = self.mean + apart * (count / total)
        self.squares = self.squares + squares + apart.square() * (self.count * count / total)
        self.count = total

    def normalise(self, values: Tensor) -> Tensor:
        """(x - mean) / (deviation + 1e-7), with the deviation of a sample (n - 1)."""
        deviation = (self.squares / (self.count - 1).clamp(min=1)).sqrt()
        return (values - self.mean.to(values.dtype)) / (deviation + EPSILON).to(values.dtype)


class Network(nn.Module):
    """x + Up(Dropout(Down(x))): linear, and the identity at first."""

    def __init__(self, width: int, rank: int, dropout: float) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.up(self.dropout(self.down(x)))
        return x + added


class ShapeRule(nn.Module):
    """Network and moments of all layers whose weights have one shape."""

    def __init__(self, shape: Shape, rank: int, dropout: float) -> None:
        super().__init__()
        self.network = Network(shape.inputs + shape.outputs, rank, dropout)
        self.inputs = Moments(shape.inputs)
        self.slopes = Moments(shape.outputs)

    def forward(self, factors: Factors) -> tuple[Tensor, Tensor]:
        """u' [T, in] and v' [T, out]."""
        parts = (self.inputs.normalise(factors.inputs), self.slopes.normalise(factors.slopes))
        whole: Tensor = self.network(torch.cat(parts, dim=-1))
        right, left = torch.split(whole, [part.shape[-1] for part in parts], dim=-1)
        return right, left


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a layer's weights: width of its inputs and of its outputs."""

    inputs: int
    outputs: int

    @property
    def key(self) -> str:
        return f"{self.outputs}x{self.inputs}"


class UpdateRule(nn.Module):
    def __init__(self, shapes: Mapping[str, Shape], rank: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.shapes = dict(shapes)  # name of a changed layer -> shape of its weights
        kinds = {shape.key: shape for shape in self.shapes.values()}
        self.by_shape = nn.ModuleDict({key: ShapeRule(shape, rank, dropout) for key, shape in kinds.items()})
        self.rates = nn.Parameter(torch.full((len(self.shapes),), FIRST_RATE))  # [layers], in the order of `shapes`

    def summarise(self, factors: Mapping[str, Factors]) -> Tensor:
        """Summaries of the factors, those of one shape together, as one vector for `observe`."""
        parts = []
        for key in self.by_shape:
            mine = [factors[name] for name, shape in self.shapes.items() if shape.key == key]
            parts.append(Moments.summarise(torch.cat([one.inputs for one in mine])))
            parts.append(Moments.summarise(torch.cat([one.slopes for one in mine])))
        return torch.cat(parts)

    def observe(self, summary: Tensor) -> None:
        moments = list(self._moments())
        pieces = torch.split(summary, [1 + 2 * len(one.mean) for one in moments])
        for one, piece in zip(moments, pieces, strict=True):
            one.merge(piece)

    def changes(self, factors: Mapping[str, Factors]) -> dict[str, Change]:
        """The change of every layer, with gradient to networks and rates."""
        return {name: self._change(i, self.shapes[name], factors[name]) for i, name in enumerate(self.shapes)}

    def _change(self, number: int, shape: Shape, factors: Factors) -> Change:
        right, left = self.by_shape[shape.key](factors)
        left = left * self.rates[number]
        if len(right) * (shape.inputs + shape.outputs) < shape.inputs * shape.outputs:
            return Change((right.contiguous().T, left))  # a copy: a view would keep both parts
        return Change((right.T @ left,))

    def _moments(self) -> Iterable[Moments]:
        for rule in self.by_shape.values():
            assert isinstance(rule, ShapeRule)
            yield from (rule.inputs, rule.slopes)
