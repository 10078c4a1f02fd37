"""Token-level beam search over whole solutions (SPEC B): right if any beam is.

Where a solution is one step (`prompt_wrap: chat`) this is one beam search of the engine. Where it is a chain of steps
with code in between, the beam goes on step by step: the open partial solutions share the width, and of all that they
become, open or ended, the best by mean log-probability a token are kept. Observations are not the model's: they don't
count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from mcts_math.search.attempts import record, side_by_side
from mcts_math.search.expand import grow
from mcts_math.search.expansion import CONTEXT_LENGTH, Asking, Expansion, Search, ask_samples, mean_logprob
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Node, Tree


class TokenBeamOptions(Settings):
    trials: Integer = Field(32, description="width of the beam", ge=1)


def token_beam(tree: Tree, expansion: Expansion, options: TokenBeamOptions) -> Search:
    """Keeps as many hypotheses as the beam is wide, then shows every one that ended to the verifier, best first."""
    width, beam, is_open = options.trials, [tree.root], True
    while is_open:
        share = max(1, width // sum(not node.terminal for node in beam))
        grown = yield from side_by_side([_go_on(tree, expansion, node, share) for node in beam])
        beam = sorted(
            (node for nodes in grown for node in nodes), key=lambda node: mean_logprob(tree.steps(node)), reverse=True
        )
        beam = beam[:width]
        tree.solutions = tree.solutions_in(beam)  # what a search that is cut short leaves
        is_open = any(not node.terminal for node in beam)
    ends = [node for node in beam if node.step is not None]
    if not ends:
        tree.stopped = CONTEXT_LENGTH
        return
    yield from record(tree, ends)


def _go_on(tree: Tree, expansion: Expansion, node: Node, share: int) -> Asking[Sequence[Node]]:
    """The `share` best continuations of a hypothesis; itself where it has ended, or its prompt is too long."""
    if node.terminal:
        return [node]
    request = expansion.generate(tree, node, share)
    generation = yield from ask_samples(replace(request, sampling=replace(request.sampling, beam_width=share)))
    if generation.too_long:
        node.terminal = True
        return [node]
    return (yield from grow(expansion, tree, node, generation, [f"beam {node.id}.{i}" for i in range(share)]))
