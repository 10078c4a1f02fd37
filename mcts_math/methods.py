"""The table of methods: what each is, what it needs, which keys it knows. Config, help, README and programs read it.

A new method is one new file in `search` (its options and its search) and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from mcts_math.engine.spec import AdapterOptions, RuleOptions
from mcts_math.search.ab_mcts import AbMctsOptions, ab_mcts
from mcts_math.search.ab_mcts_steps import AbMctsStepsOptions, ab_mcts_steps
from mcts_math.search.beam import BeamOptions, beam_search
from mcts_math.search.best_of_n import BestOfNOptions, best_of_n
from mcts_math.search.dvts import DvtsOptions, dvts
from mcts_math.search.expansion import Expansion, Search
from mcts_math.search.fttt import FtttOptions, fttt
from mcts_math.search.mcts import MctsOptions, mcts
from mcts_math.search.optune import OptuneOptions, optune
from mcts_math.search.particle_filter import ParticleOptions, particle_filter
from mcts_math.search.particle_gibbs import GibbsOptions, particle_gibbs
from mcts_math.search.react import ReactOptions, react
from mcts_math.search.rebase import RebaseOptions, rebase
from mcts_math.search.revision import RevisionOptions, revision
from mcts_math.search.selection import SelectionOptions, selection
from mcts_math.search.self_consistency import SelfConsistencyOptions, self_consistency
from mcts_math.search.self_refine import SelfRefineOptions, self_refine
from mcts_math.search.token_beam import TokenBeamOptions, token_beam
from mcts_math.settings import Settings
from mcts_math.tree import Tree

SearchFunction: TypeAlias = Callable[[Tree, Expansion, Any], Search]


def _never(options: Any) -> bool:
    return False


def _always(options: Any) -> bool:
    return True


def _where(key: str, value: object) -> Callable[[Any], bool]:
    return lambda options: bool(getattr(options, key) == value)


def _fttt_adapter(options: FtttOptions) -> AdapterOptions:
    return AdapterOptions(
        rank=options.adapter_rank,
        alpha=options.adapter_alpha,
        dropout=options.adapter_dropout,
        targets=tuple(options.adapter_targets),
        lr=options.adapter_lr,
        gradient=options.feedback_gradient,
    )


@dataclass(frozen=True, slots=True)
class Method:
    title: str  # how tables and help call it
    summary: str  # what it does, in half a line
    options: type[Settings]  # the keys that it knows beside the common ones
    search: SearchFunction  # grows a tree under these options
    reads_verdicts: Callable[[Any], bool] = _never  # the ground truth takes part in the search, or chooses
    uses_values: Callable[[Any], bool] = _never  # it asks for values where there are any
    can_do_without: Callable[[Any], bool] = _never  # though it uses values, it makes sense without them
    is_chain: bool = False  # its tree is one chain, of which published readers take the deepest node
    makes_attempts: bool = False  # it makes whole attempts, which stand in the record one by one
    independent: bool = False  # its attempts don't see each other: pass@k and Maj@k can be estimated from them
    ranks_answers: bool = False  # it compares final answers with each other, so it can't do anything with programs
    backs_up: bool = False  # its nodes have Q, N and a prior
    # how the engine learns at test time; None: it need not
    adapter: Callable[[Any], AdapterOptions | RuleOptions] | None = None
    needs_certainty: Callable[[Any], bool] = _never  # samples tell how certain the model is of them
    needs_token_beams: bool = False  # the engine searches over tokens; nothing is drawn, so temperature must be 0

    def needs_values(self, options: Any) -> bool:
        return self.uses_values(options) and not self.can_do_without(options)


METHODS: Final[Mapping[str, Method]] = {
    "react": Method(
        title="greedy ReAct",
        summary="one chain of steps per question",
        options=ReactOptions,
        search=react,
        is_chain=True,
    ),
    "sbs": Method(
        title="step-level beam search",
        summary="SBS(B1, B2): keeps the B1 (`step_beam_width`) best partial solutions, B2 (`n_generate_sample`) "
        "samples each",
        options=BeamOptions,
        search=beam_search,
        uses_values=_always,
        can_do_without=lambda options: not options.lookahead,
    ),
    "dvts": Method(
        title="DVTS",
        summary="diverse verifier tree search: `step_beam_width` subtrees that never compete, each keeps its best step",
        options=DvtsOptions,
        search=dvts,
        uses_values=_always,
    ),
    "rebase": Method(
        title="REBASE",
        summary="reward-balanced search: samples are shared among the nodes of a depth by the softmax of their values",
        options=RebaseOptions,
        search=rebase,
        uses_values=_always,
    ),
    "particle_filter": Method(
        title="particle filter",
        summary="`n_generate_sample` partial solutions, resampled after each step by their values",
        options=ParticleOptions,
        search=particle_filter,
        uses_values=_always,
    ),
    "particle_gibbs": Method(
        title="particle Gibbs",
        summary="`sweeps` particle filters one after another, each with solutions of the one before in its draws",
        options=GibbsOptions,
        search=particle_gibbs,
        uses_values=_always,
    ),
    "mcts": Method(
        title="MCTS",
        summary="simulations with PUCT; `is_sampling: true` makes training data, rewarded by the ground truth",
        options=MctsOptions,
        search=mcts,
        reads_verdicts=_where("is_sampling", True),
        uses_values=_always,
        can_do_without=_where("update_leaf_value", False),
        backs_up=True,
    ),
    "ab_mcts": Method(
        title="AB-MCTS",
        summary="adaptive branching over attempts: Thompson sampling by values decides to try anew or to refine one",
        options=AbMctsOptions,
        search=ab_mcts,
        uses_values=_always,
        makes_attempts=True,
    ),
    "ab_mcts_steps": Method(
        title="AB-MCTS over steps",
        summary="adaptive branching over steps: another step here, or on from one that is there",
        options=AbMctsStepsOptions,
        search=ab_mcts_steps,
        uses_values=_always,
    ),
    "best_of_n": Method(
        title="best-of-n",
        summary="independent attempts until the verifier passes one",
        options=BestOfNOptions,
        search=best_of_n,
        reads_verdicts=_always,
        makes_attempts=True,
        independent=True,
    ),
    "selection": Method(
        title="selection",
        summary="best-of-n without the ground truth: values, the model's certainty, or the model by comparing, choose",
        options=SelectionOptions,
        search=selection,
        uses_values=_where("choose", "value"),
        needs_certainty=_where("choose", "certainty"),
        makes_attempts=True,
        independent=True,
    ),
    "self_consistency": Method(
        title="self-consistency",
        summary="majority over independent attempts; weights and an early end on request",
        options=SelfConsistencyOptions,
        search=self_consistency,
        uses_values=_where("vote_weight", "value"),
        needs_certainty=_where("vote_weight", "certainty"),
        makes_attempts=True,
        independent=True,
        ranks_answers=True,
    ),
    "revision": Method(
        title="revision",
        summary='a conversation: attempt, "your answer is incorrect", attempt, …',
        options=RevisionOptions,
        search=revision,
        reads_verdicts=_always,
        makes_attempts=True,
    ),
    "self_refine": Method(
        title="self-refine",
        summary="attempt, the model looks for its own error, attempt, …",
        options=SelfRefineOptions,
        search=self_refine,
        reads_verdicts=_always,
        makes_attempts=True,
    ),
    "token_beam": Method(
        title="token beam",
        summary="token-level beam search, right if any beam is",
        options=TokenBeamOptions,
        search=token_beam,
        reads_verdicts=_always,
        makes_attempts=True,
        needs_token_beams=True,
    ),
    "fttt": Method(
        title="FTTT",
        summary="an adapter of its own for each question learns from the verdict between attempts",
        options=FtttOptions,
        search=fttt,
        reads_verdicts=_always,
        makes_attempts=True,
        adapter=_fttt_adapter,
    ),
    "optune": Method(
        title="OpTune",
        summary="a trained rule changes the weights for every second attempt, given the one before",
        options=OptuneOptions,
        search=optune,
        reads_verdicts=_always,
        makes_attempts=True,
        adapter=lambda options: RuleOptions(options.optune_dir),
    ),
}


def methods_that_know(key: str) -> list[str]:
    return [name for name, method in METHODS.items() if key in method.options.model_fields]
