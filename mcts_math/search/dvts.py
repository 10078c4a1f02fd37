"""Diverse verifier tree search: step-level beam search in subtrees that never compete (Beeching et al., 2024, "Scaling
test-time compute with open models").

`step_beam_width` subtrees each keep one partial solution: of its `n_generate_sample` next steps the one of best value.
A beam search with one beam of that width would soon hold only children of one good step.

Departure: every answer that a kept step's siblings give is a solution too, as in the published code, ranked by value.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from mcts_math.requests import Generation
from mcts_math.search.expand import CONTEXT_LENGTH, Asking, Expansion, Search, by_value, grow, score
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Node, Tree


class DvtsOptions(Settings):
    """Numbers of the search."""

    step_beam_width: Integer = Field(4, description="subtrees, each of which keeps one partial solution", ge=1)
    n_generate_sample: Integer = Field(4, description="samples of each partial solution", ge=1)
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")


def dvts(tree: Tree, expansion: Expansion, options: DvtsOptions) -> Search:
    """Grows all subtrees at once, a step a round, until each has ended. `tree.solutions` is set, best value first."""
    expansion = replace(expansion, remove_duplicate=options.remove_duplicate)
    (generation,) = yield [expansion.generate(tree, tree.root, options.step_beam_width * options.n_generate_sample)]
    assert isinstance(generation, Generation)
    if generation.too_long:
        tree.stopped = CONTEXT_LENGTH
        return
    first = yield from grow(expansion, tree, tree.root, generation)
    groups = [first[i :: options.step_beam_width] for i in range(options.step_beam_width)]
    kept = yield from _choose(tree, expansion, groups)
    for _ in range(expansion.max_depth - 1):
        if not kept:
            return
        groups = yield from _extend(tree, expansion, kept, options.n_generate_sample)
        kept = yield from _choose(tree, expansion, groups)


def _extend(tree: Tree, expansion: Expansion, kept: list[Node], count: int) -> Asking[list[list[Node]]]:
    """The next steps of each partial solution."""
    replies = yield [expansion.generate(tree, node, count) for node in kept]
    groups = []
    for node, reply in zip(kept, replies, strict=True):
        assert isinstance(reply, Generation)
        if reply.too_long:
            tree.stopped, node.terminal = CONTEXT_LENGTH, True
        else:
            groups.append((yield from grow(expansion, tree, node, reply)))
    return groups


def _choose(tree: Tree, expansion: Expansion, groups: list[list[Node]]) -> Asking[list[Node]]:
    """The best step of each group, where it goes on. Answers are noted."""
    nodes = [node for group in groups for node in group]
    values = yield from score(expansion, tree, nodes)
    for node, value in zip(nodes, values, strict=True):
        node.value = value
    answers = [node.id for node in nodes if node.answer is not None]
    tree.solutions = sorted(tree.solutions + answers, key=lambda i: by_value(tree.nodes[i]), reverse=True)
    best = [max(group, key=by_value) for group in groups if group]
    return [node for node in best if not node.terminal]
