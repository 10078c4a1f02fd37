"""Greedy ReAct: one chain, one sample a step."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mcts_math.search.expand import grow
from mcts_math.search.expansion import CONTEXT_LENGTH, Expansion, Search, ask_samples
from mcts_math.settings import Real, Settings
from mcts_math.step import Outcome
from mcts_math.tree import Tree


class ReactOptions(Settings):
    """A chain has one beam and one sample a step; published files write so."""

    n_generate_sample: Literal[1] = Field(1, description="B2: a chain has one sample a step")
    step_beam_width: Literal[1] = Field(1, description="B1: a chain is one beam")
    negative_reward: Real = Field(-1.0, description="value of a step whose prompt exceeds the context", ge=-1, le=1)


def react(tree: Tree, expansion: Expansion, options: ReactOptions) -> Search:
    """Grows one chain until a step ends it, by `max_depth` steps at most: step-level beam search of width one."""
    node = tree.root
    while not node.terminal and node.depth < expansion.max_depth:
        generation = yield from ask_samples(expansion.generate(tree, node, 1))
        if generation.too_long:
            tree.stopped, node.value = CONTEXT_LENGTH, options.negative_reward
            tree.close(node)
            return
        (node,) = yield from grow(expansion, tree, node, generation)
    if node.answer is not None or (node.step is not None and node.step.outcome is Outcome.REPLY):
        tree.solutions = [node.id]
