"""Feedback-based test-time training (FTTT, arXiv 2502.15771; SPEC B).

Sample from the bare question; if that is wrong, one optimiser step of the question's own adapter on the cross-entropy
of the feedback, given question and attempt; sample again from the bare question with the adapted weights. The feedback
counts from the header of its turn to its end.

With self-reflection the model as it was loaded also writes a short reflection on the mistakes, and the loss is the mean
cross-entropy of the feedback plus `reflection_weight` times that of the reflection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from mcts_math.requests import Adapt, Adaptation, LossTerm
from mcts_math.search.attempts import Budget, Trials, try_once
from mcts_math.search.expansion import Asking, Expansion, Search
from mcts_math.search.revision import INCORRECT
from mcts_math.search.self_refine import write
from mcts_math.settings import Integer, Real, Settings
from mcts_math.step import Verdict
from mcts_math.tree import Node, Tree

REFLECT = f"{INCORRECT} Say in two or three sentences what the mistakes were. Don't solve the question."
RESET = "adapter reset: the loss or its gradient was not finite"
NO_STEP = "no optimiser step: question, attempt and feedback do not fit the context"


class FtttOptions(Settings):
    """Attempts, and how the model learns between them. It can't go on after a right answer."""

    trials: Trials = 32
    self_reflection: bool = Field(False, description="learn from the model's own reflection too")
    reflection_weight: Real = Field(1.0, description="weight of the reflection's loss", gt=0)
    adapter_rank: Integer = Field(4, description="rank of the LoRA adapter", ge=1)
    adapter_alpha: Real = Field(16, description="scale of the adapter, times its rank", gt=0)
    adapter_dropout: Real = Field(0.05, description="dropout before the adapter in its step", ge=0, lt=1)
    adapter_targets: list[str] = Field(
        default_factory=lambda: ["q_proj", "v_proj"], description="names of the modules that are adapted", min_length=1
    )
    adapter_lr: Real = Field(1e-5, description="learning rate of AdamW, constant, without weight decay", gt=0)
    feedback_gradient: Literal["feedback", "full"] = Field(
        "feedback",
        description="feedback: the gradient flows through the feedback's positions alone, on the keys and values that "
        "sampling left (published); full: through those of question and attempt too",
    )


def fttt(tree: Tree, expansion: Expansion, options: FtttOptions) -> Search:
    """Attempts by a model that learns from the verdict on each, until one is right. One without an answer teaches
    nothing: it is tried again without a step."""
    budget, sampler = Budget(options.trials), expansion
    while budget.left(tree) and (end := (yield from try_once(tree, sampler, tree.root))):
        if budget.left(tree) and tree.attempts[-1].verdict is Verdict.INCORRECT:
            terms = yield from _terms(tree, expansion, end, options)
            yield from adapt(tree, expansion, end, terms)
            sampler = replace(expansion, adapter=tree.task.id)


def _terms(tree: Tree, expansion: Expansion, end: Node, options: FtttOptions) -> Asking[list[LossTerm]]:
    """What the step learns from: the feedback, and the reflection where one is wanted and comes out."""
    form = expansion.format
    terms = [LossTerm(*form.user_turn(tree.task, tree.steps(end), INCORRECT))]
    if not options.self_reflection:
        return terms
    asked = tree.say(end, REFLECT)
    reflection = yield from write(tree, expansion, asked, f"reflection {len(tree.attempts)}")
    if reflection is not None and reflection.step is not None and reflection.step.text.strip():
        prompt = form.prompt(tree.task, tree.steps(asked))
        terms.append(LossTerm(prompt, reflection.step.text, options.reflection_weight))
    return terms


def adapt(tree: Tree, expansion: Expansion, end: Node, terms: Sequence[LossTerm]) -> Asking[bool]:
    """One step on the last attempt, which ends at `end`; its loss, and whether it failed, are noted there. False where
    there is nothing to sample with: the terms do not fit the context."""
    attempt = tree.attempts[-1]
    seed = expansion.seed(tree, f"step {len(tree.attempts)}")
    (adaptation,) = yield [Adapt(tree.task.id, tuple(terms), seed, expansion.prompt(tree, end))]
    assert isinstance(adaptation, Adaptation)
    attempt.loss = None if adaptation.too_long else adaptation.loss
    attempt.note = RESET if adaptation.reset else NO_STEP if adaptation.too_long else ""
    return not adaptation.too_long
