"""Thompson sampling in a tree whose nodes may get new children at any time (AB-MCTS-A, arXiv 2503.04412).

At a node there is the choice between a new child and the old ones, and then among these. Each choice has a belief about
the scores that it leads to, in [0, 1]; a number is drawn from each, and the highest wins. The score of a new child goes
to the belief in new children at its parent and to its own; then to the beliefs in each old child on the way up.

The two kinds of belief and their priors are those of the package `treequest`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

_LEAST: Final = 1e-300  # of a Gamma variate, whose inverse must be finite


class Belief(Protocol):
    """What is believed of the mean of scores in [0, 1]."""

    def tell(self, score: float) -> None:
        """Learns from one score."""

    def draw(self, rng: random.Random) -> float:
        """A mean, drawn from the posterior."""


@dataclass(slots=True)
class Gaussian:
    """Scores are normal; their mean and variance have the normal-inverse-chi-squared prior (0, 1, 1, 0.1)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared distances from the mean

    def tell(self, score: float) -> None:
        self.count += 1
        off = score - self.mean
        self.mean += off / self.count
        self.squares += off * (score - self.mean)

    def draw(self, rng: random.Random) -> float:
        weight = 1.0 + self.count  # of the mean, in scores; also the degrees of freedom
        mean = self.count * self.mean / weight
        scale = 0.1 + self.squares + self.count * self.mean**2 / weight  # degrees of freedom times the variance
        variance = scale / 2 / max(rng.gammavariate(weight / 2, 1.0), _LEAST)
        return rng.gauss(mean, math.sqrt(variance / weight))


@dataclass(slots=True)
class Beta:
    """A score is a share of successes; the chance of success has Jeffreys' prior Beta(0.5, 0.5)."""

    successes: float = 0.5
    failures: float = 0.5

    def tell(self, score: float) -> None:
        self.successes += score
        self.failures += 1 - score

    def draw(self, rng: random.Random) -> float:
        return rng.betavariate(self.successes, self.failures)


BELIEFS: Final[Mapping[str, Callable[[], Belief]]] = {"gaussian": Gaussian, "beta": Beta}


@dataclass(slots=True)
class _Arms:
    parent: int | None
    new: Belief
    old: Belief
    children: dict[int, Belief] = field(default_factory=dict)


class Chooser:
    """Chooses nodes, which go by their ids, to expand, and learns from the scores of their children. `belief` makes the
    prior; all draws come from `rng`."""

    def __init__(self, root: int, belief: Callable[[], Belief], rng: random.Random) -> None:
        self._root, self._belief, self._rng = root, belief, rng
        self._arms = {root: _Arms(None, belief(), belief())}

    def choose(self) -> int:
        """The node that is to get a new child."""
        node = self._root
        while True:
            arms = self._arms[node]
            new, old = arms.new.draw(self._rng), arms.old.draw(self._rng)
            if new >= old or not arms.children:
                return node
            drawn = {child: belief.draw(self._rng) for child, belief in arms.children.items()}
            node = max(drawn, key=drawn.__getitem__)

    def tell(self, parent: int, child: int, score: float, *, is_open: bool = True) -> None:
        """A new child and its score in [0, 1]. `is_open`: it can get children itself."""
        self._arms[parent].new.tell(score)
        if is_open:
            self._arms[child] = _Arms(parent, self._belief(), self._belief())
            self._arms[parent].children[child] = self._belief()
            self._arms[parent].children[child].tell(score)
        node = parent
        while (above := self._arms[node].parent) is not None:
            self._arms[above].old.tell(score)
            if node in self._arms[above].children:
                self._arms[above].children[node].tell(score)
            node = above

    def close(self, node: int) -> None:
        """A node, not the root, that is to get no more children, nor are those below it."""
        parent = self._arms[node].parent
        assert parent is not None
        self._arms[parent].children.pop(node, None)
