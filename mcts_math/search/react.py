"""Greedy ReAct: one chain, one sample a step. That is step-level beam search of width one (SPEC A6)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mcts_math.search.beam import BeamOptions, beam_search
from mcts_math.search.expansion import Expansion, Search
from mcts_math.settings import Real, Settings
from mcts_math.step import Outcome
from mcts_math.tree import Tree


class ReactOptions(Settings):
    """A chain has one beam and one sample a step; published files write so."""

    n_generate_sample: Literal[1] = Field(1, description="B2: a chain has one sample a step")
    step_beam_width: Literal[1] = Field(1, description="B1: a chain is one beam")
    negative_reward: Real = Field(-1.0, description="value of a step whose prompt exceeds the context", ge=-1, le=1)


def react(tree: Tree, expansion: Expansion, options: ReactOptions) -> Search:
    """Grows one chain until a step ends it, by `max_depth` steps at most. A whole reply is a solution in any case."""
    yield from beam_search(tree, expansion, BeamOptions(**options.model_dump()))
    end = tree.nodes[-1]
    if end.step is not None and end.step.outcome is Outcome.REPLY:
        tree.solutions = [end.id]
