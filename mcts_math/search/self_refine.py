"""Self-refine (Madaan et al., arXiv 2303.17651): the model criticises its own attempt, then tries again (SPEC B). The
verifier's verdict only ends the search; the model is never told of it."""

from __future__ import annotations

from dataclasses import replace

from mcts_math.search.attempts import Budget, StopAtSuccess, Trials, try_once
from mcts_math.search.expand import complete
from mcts_math.search.expansion import CONTEXT_LENGTH, Asking, Expansion, Search, ask_samples
from mcts_math.settings import Settings
from mcts_math.step import Outcome, Step
from mcts_math.tree import Node, Tree

CRITICISE = "Go through your solution above step by step and say where it is wrong. Don't solve the question again yet."
REFINE = "Solve the question again, and mend what you found to be wrong. End with the final answer."


class SelfRefineOptions(Settings):
    trials: Trials = 32
    stop_at_success: StopAtSuccess = True


def self_refine(tree: Tree, expansion: Expansion, options: SelfRefineOptions) -> Search:
    """Attempt, critique, attempt, … in one conversation, until one is right or it outgrows the context."""
    budget, node = Budget(options.trials, options.stop_at_success), tree.root
    while budget.left(tree) and (end := (yield from try_once(tree, expansion, node))):
        if budget.left(tree):
            critique = yield from write(tree, expansion, tree.say(end, CRITICISE), f"critique {len(tree.attempts)}")
            if critique is None:
                tree.stopped = CONTEXT_LENGTH
                return
            node = tree.say(critique, REFINE)


def write(tree: Tree, expansion: Expansion, node: Node, place: str) -> Asking[Node | None]:
    """One sample that is no attempt, by the model as it was loaded; None where the prompt does not fit the context."""
    request = replace(expansion.generate(tree, node, 1), seed=expansion.seed(tree, place))
    generation = yield from ask_samples(request)
    if generation.too_long:
        return None
    (sample,) = yield from complete(expansion, tree, node, generation.samples, places=[place])
    draft = expansion.format.read(sample)
    text = expansion.format.finished(draft)
    step = Step(text, Outcome.REPLY, logprob=sample.logprob, num_tokens=sample.num_tokens, message=draft.message)
    return tree.add_child(node, step, prior=1.0)
