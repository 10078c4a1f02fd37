"""Particle Gibbs over steps (Puri et al., arXiv 2502.01618): sweeps of a particle filter that remember a solution.

Of the particles that a sweep leaves, some are drawn by their weights and retained: in the next sweep they compete with
the new ones at every step, and a new one may branch off them. One sweep is a particle filter.
"""

from __future__ import annotations

import random

from pydantic import Field

from mcts_math.search.expansion import Expansion, Search
from mcts_math.search.particle_filter import sweep, weights
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Node, Tree


class GibbsOptions(Settings):
    n_generate_sample: Integer = Field(
        8, description="particles of a sweep, the retained ones among them; one is always new", ge=1
    )
    sweeps: Integer = Field(2, description="particle filters, one after another", ge=1)
    retained_particles: Integer = Field(1, description="solutions that a sweep hands on to the next", ge=1)


def particle_gibbs(tree: Tree, expansion: Expansion, options: GibbsOptions) -> Search:
    """Runs the sweeps. `tree.solutions` is set, best value first, whichever sweep found them."""
    retained: list[Node] = []
    for number in range(options.sweeps):
        new = max(1, options.n_generate_sample - len(retained))
        particles = yield from sweep(tree, expansion, new, retained, f"sweep {number} ")
        if not particles:
            continue  # all outgrew the context; those of the next sweep may not
        rng = random.Random(expansion.seed(tree, f"sweep {number} retained"))
        chances = weights([node.value for node in particles])
        retained = rng.choices(particles, weights=chances, k=options.retained_particles)
