"""Self-consistency: a vote among independent attempts; the ground truth is never looked at (SPEC B). A vote may weigh
by the attempt's value, or by how confident or certain the model was, and may end before all trials are made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mcts_math.search.attempts import AtOnce, Budget, Trials, appraise, certainty, next_attempts, record
from mcts_math.search.expansion import Expansion, Search, chance, likelihood, mean_logprob
from mcts_math.search.votes import VoteTotal, group, is_certain, lead_is_lasting, totals, winner
from mcts_math.settings import Real, Settings
from mcts_math.tree import Node, Tree


class SelfConsistencyOptions(Settings):
    trials: Trials = 32
    n_generate_sample: AtOnce = 1
    vote_weight: Literal["one", "value", "confidence", "certainty"] = Field(
        "one",
        description="weight of a vote: one, value (of the attempt, mapped to [0, 1]), confidence (the geometric mean "
        "of its tokens' probabilities), or certainty (Borda votes by self-certainty; engine: hf)",
    )
    borda_power: Real = Field(1.0, description="vote_weight: certainty: power of the share of votes outranked", gt=0)
    vote_total: VoteTotal = "sum"
    vote_stop: Literal["never", "certain", "beta"] = Field(
        "never",
        description="end before all trials: certain (no further vote can change the outcome), or beta (the leader "
        "stays ahead of the second with a chance of vote_confidence)",
    )
    vote_confidence: Real = Field(0.95, description="chance at which vote_stop: beta ends", gt=0.5, lt=1)

    @model_validator(mode="after")
    def _agree(self) -> SelfConsistencyOptions:
        if self.vote_stop == "beta" and (self.vote_weight, self.vote_total) != ("one", "sum"):
            raise ValueError("vote_stop: beta counts whole votes: leave out vote_weight and vote_total, or use certain")
        if self.vote_stop == "certain" and self.vote_weight == "certainty":
            raise ValueError("vote_stop: certain needs weights that stay: with vote_weight: certainty leave it out")
        return self


def self_consistency(tree: Tree, expansion: Expansion, options: SelfConsistencyOptions) -> Search:
    """Makes attempts until the budget is used up or the vote is decided, and takes the answer that wins. A search that
    is cut short leaves the winner among what was compared until then, else of equal texts."""
    budget = Budget(options.trials, stop_at_success=False, at_once=options.n_generate_sample)
    equal: dict[str, str] = {}  # for each text the first one that is an equal answer
    try:
        while ends := (yield from next_attempts(tree, expansion, budget)):
            if options.vote_weight == "value":
                yield from appraise(tree, expansion, ends)
            yield from record(tree, ends, judged=False)
            if options.vote_stop != "never" or not budget.left(tree):
                yield from group(equal, [answer for _, answer in _voters(tree)])
                if _is_decided(tree, equal, options, budget.left(tree)):
                    return
    finally:
        _elect(tree, equal, options)


def _voters(tree: Tree) -> list[tuple[Node, str]]:
    """The attempts that vote: the nodes that end them, and their answers."""
    return [(tree.nodes[attempt.node], attempt.answer) for attempt in tree.attempts if attempt.answer is not None]


def _weights(tree: Tree, ends: list[Node], options: SelfConsistencyOptions) -> list[float]:
    """By certainty a vote counts its share of those that are no more certain, to a power (arXiv 2502.18581)."""
    if options.vote_weight == "certainty":
        certainties = [certainty(tree, end) for end in ends]
        return [(sum(other <= own for other in certainties) / len(ends)) ** options.borda_power for own in certainties]
    if options.vote_weight == "confidence":
        return [likelihood(mean_logprob(tree.turn(end))) for end in ends]
    return [chance(end) if options.vote_weight == "value" else 1.0 for end in ends]


def _votes(tree: Tree, equal: dict[str, str], options: SelfConsistencyOptions) -> dict[str, float]:
    voters = _voters(tree)
    weights = _weights(tree, [end for end, _ in voters], options)
    answers = [equal.get(answer, answer) for _, answer in voters]
    return totals(list(zip(answers, weights, strict=True)), options.vote_total)


def _is_decided(tree: Tree, equal: dict[str, str], options: SelfConsistencyOptions, left: int) -> bool:
    standing = _votes(tree, equal, options)
    if options.vote_stop == "beta":
        return lead_is_lasting(standing) >= options.vote_confidence
    return options.vote_stop == "certain" and is_certain(standing, left, options.vote_total)


def _elect(tree: Tree, equal: dict[str, str], options: SelfConsistencyOptions) -> None:
    """Solutions: the attempts of the answer that wins, the first to appear among equal ones; then the others."""
    best = winner(_votes(tree, equal, options))
    chosen = [end.id for end, answer in _voters(tree) if equal.get(answer, answer) == best]
    tree.solutions = chosen + [end.id for end, _ in _voters(tree) if end.id not in chosen]
