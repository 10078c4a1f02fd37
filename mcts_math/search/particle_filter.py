"""Particle filtering over steps (Puri et al., arXiv 2502.01618): partial solutions are resampled by their value.

All particles grow by a step, are weighted, and as many are drawn with replacement from these weights: a good partial
solution goes on several times, in different ways, a bad one seldom. The weight of a particle is the softmax over all of
the logit of its value, mapped from [-1, 1] to a probability; one that has ended stays in the draw with the weight that
it had. A node that was drawn k times is sampled k times in one request.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from pydantic import Field

from mcts_math.search.expansion import Asking, Expansion, Search
from mcts_math.search.guided import grow_each
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Node, Tree

_CLIP = 1e-7  # of a probability, so that its logit is finite


class ParticleOptions(Settings):
    n_generate_sample: Integer = Field(8, description="particles", ge=1)


def particle_filter(tree: Tree, expansion: Expansion, options: ParticleOptions) -> Search:
    """Grows particles until all have ended. `tree.solutions` is set, best value first."""
    yield from sweep(tree, expansion, options.n_generate_sample, [], "")


def sweep(tree: Tree, expansion: Expansion, new: int, retained: Sequence[Node], name: str) -> Asking[list[Node]]:
    """Grows `new` particles from the root until all have ended; returns those that the last draw left, in their order.

    `retained` are ends of solutions of an earlier sweep: they take part in every draw with the weight that they ended
    with, and are never replaced; one that is drawn goes on from what it was at this depth. `name` is what the seeds of
    the draws depend on beside run, question and depth.
    """
    particles = [tree.root] * new + list(retained)
    for depth in range(expansion.most_steps):
        if all(node.terminal for node in particles):
            break
        particles = yield from _propagate(tree, expansion, particles)
        if not particles:
            break
        rng = random.Random(expansion.seed(tree, f"{name}resampling {depth}"))
        chances = weights([node.value for node in particles])
        drawn = rng.choices(particles, weights=chances, k=len(particles) - len(retained))
        as_they_were = (node if node.depth <= depth + 1 else tree.path(node)[depth] for node in drawn)
        particles = [*as_they_were, *retained]
    return particles


def weights(values: Sequence[float | None]) -> list[float]:
    """Weights of particles that add up to 1: the softmax of the logits of (v + 1) / 2; one without value counts -1."""
    chances = [min(max((-1.0 if v is None else v) / 2 + 0.5, _CLIP), 1 - _CLIP) for v in values]
    odds = [p / (1 - p) for p in chances]  # exp of the logit
    total = math.fsum(odds)
    return [each / total for each in odds]


def _propagate(tree: Tree, expansion: Expansion, particles: Sequence[Node]) -> Asking[list[Node]]:
    """The particles in their order, each grown by a step if it has not ended; those too long for the context go."""
    going = [i for i, node in enumerate(particles) if not node.terminal]
    children = yield from grow_each(expansion, tree, [particles[i] for i in going])
    moved = dict(enumerate(particles)) | dict(zip(going, children, strict=True))
    return [node for node in moved.values() if node is not None]
