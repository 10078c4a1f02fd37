"""Feedback-based test-time training (FTTT, arXiv 2502.15771; SPEC B).

Sample from the bare question; if that is wrong, one optimiser step of the question's own adapter on the cross-entropy
of the feedback, given question and attempt; sample again from the bare question with the adapted weights.

With self-reflection the model as it was loaded also writes a short reflection on the mistakes, and the loss is the mean
cross-entropy of the feedback plus `reflection_weight` times that of the reflection.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcts_math.requests import Adapt, Adaptation, LossTerm, Verdict
from mcts_math.search.attempts import Budget, read_meter, try_once
from mcts_math.search.expand import Asking, Expansion, Search, derive_seed
from mcts_math.search.revision import INCORRECT
from mcts_math.search.self_refine import write
from mcts_math.tree import Node, Tree

# Begins with the feedback, so that one forward pass gives the losses of both.
REFLECT = f"{INCORRECT} Say in two or three sentences what the mistakes were. Don't solve the question."
RESET = "adapter reset: the loss or its gradient was not finite"
NO_STEP = "no optimiser step: question, attempt and feedback do not fit the context"


def fttt(tree: Tree, expansion: Expansion, budget: Budget, *, reflection_weight: float | None = None) -> Search:
    """Attempts by a model that learns from the verdict on each, until one is right.

    An attempt without an answer teaches nothing: it is tried again without a step.

    Args:
        tree: holds the root only.
        expansion: how attempts are made.
        budget: how many; `at_once` is not used.
        reflection_weight: weight of the reflection's loss, > 0; None: no reflection is asked for.
    """
    adapter, spent = "", (yield from read_meter())
    while budget.left(tree):
        tried = yield from try_once(tree, expansion, tree.root, spent, adapter)
        if tried is None:
            return
        end, verdict, spent = tried
        if budget.left(tree) and verdict is Verdict.INCORRECT:
            terms = yield from _terms(tree, expansion, end, reflection_weight)
            yield from _adapt(tree, expansion, terms)
            adapter = tree.task.id


def _terms(tree: Tree, expansion: Expansion, end: Node, reflection_weight: float | None) -> Asking[list[LossTerm]]:
    """What the step learns from: the feedback, and the reflection where one is wanted and comes out."""
    question, form = tree.task.question, expansion.format
    terms = [LossTerm(*form.user_turn(question, tree.steps(end), INCORRECT))]
    if reflection_weight is None:
        return terms
    asked = tree.say(end, REFLECT)
    reflection = yield from write(tree, expansion, asked, f"reflection {len(tree.attempts)}")
    if reflection is not None and reflection.step is not None and reflection.step.text.strip():
        prompt = form.prompt(question, tree.steps(asked))
        terms.append(LossTerm(prompt, reflection.step.text, reflection_weight))
    return terms


def _adapt(tree: Tree, expansion: Expansion, terms: Sequence[LossTerm]) -> Asking[None]:
    """One optimiser step; its loss, and whether it failed, go to the attempt that it learns from."""
    attempt = tree.attempts[-1]
    seed = derive_seed(expansion.run_seed, tree.task.id, f"step {len(tree.attempts)}")
    (adaptation,) = yield [Adapt(tree.task.id, tuple(terms), seed)]
    assert isinstance(adaptation, Adaptation)
    attempt.loss = None if adaptation.too_long else adaptation.loss
    attempt.note = RESET if adaptation.reset else NO_STEP if adaptation.too_long else ""
