"""Our searches take the same decisions as the public packages `treequest` and `its_hub`, step by step.

Both sides get one scripted writer and one scorer, and where they draw, the same numbers: the originals' generators are
replaced by ours. Where we depart on purpose is listed in docs/departures.md. The packages are the extra `originals`.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mcts_math.formats.base import FormatOptions, StepFormat
from mcts_math.messages import Sample, Sampling
from mcts_math.requests import Check, Evaluate, Evaluation, Generate, Generation, Meter, Reply, Request, Spent
from mcts_math.search.ab_mcts import AbMctsOptions, ab_mcts
from mcts_math.search.ab_mcts_steps import AbMctsStepsOptions, ab_mcts_steps
from mcts_math.search.beam import BeamOptions, beam_search
from mcts_math.search.expansion import Expansion, Search, derive_seed
from mcts_math.search.particle_filter import ParticleOptions, particle_filter
from mcts_math.search.particle_gibbs import GibbsOptions, particle_gibbs
from mcts_math.search.selection import SelectionOptions, selection
from mcts_math.search.votes import lead_is_lasting
from mcts_math.step import Draft, Outcome, Step
from mcts_math.tasks import Task
from mcts_math.tree import Tree, new_tree

TASK = Task("t", "Q", ("1",))
SEEDS = range(12)


@dataclass(frozen=True, slots=True)
class Lines(StepFormat):
    """A step is a line; one that begins with `answer` ends the solution. What the user says is not shown."""

    name: str = "lines"
    step_delim: str = "\n"
    stops: tuple[str, ...] = ("\n",)

    @classmethod
    def make(cls, options: FormatOptions) -> Lines:
        return cls()

    def prompt(self, task: Task, steps: Sequence[Step]) -> str:
        return "\n".join(step.text for step in steps if step.outcome is not Outcome.USER)

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[str, str]:
        raise NotImplementedError

    def read(self, sample: Sample) -> Draft:
        if sample.text.startswith("answer"):
            return Draft(sample.text, answer=sample.text)
        return Draft(sample.text, goes_on=True)

    def observed(self, draft: Draft, observations: Sequence[str]) -> str:
        return draft.text

    def finished(self, draft: Draft) -> str:
        return draft.text

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        raise NotImplementedError


def number_of(text: str) -> float:
    """In [0, 1), a function of the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48


@dataclass
class Script:
    """The writer and scorer of both sides. The k-th text after a beginning says k, so that no two are equal.

    Attributes:
        ends: the share of texts that are answers.
        seed: another one is another script.
        rounds: for each round of writing how often each beginning was asked for.
    """

    ends: float
    seed: int
    rounds: list[Counter[str]] = field(default_factory=list)
    written: Counter[str] = field(default_factory=Counter)

    def write(self, beginning: str) -> str:
        self.written[beginning] += 1
        number = self.written[beginning]
        ended = number_of(f"{self.seed} {beginning} {number}") < self.ends
        return f"{'answer' if ended else 'step'} {number}"

    def score(self, text: str) -> float:
        return number_of(f"{self.seed} {text}")


def run(script: Script, search: Callable[..., Search], options: Any, seed: int, max_depth: int = 6) -> Tree:
    """Our search, answered by the script."""
    tree = new_tree(TASK)
    expansion = Expansion(Lines(), Sampling(), max_depth, seed, use_values=True)
    parts = search(tree, expansion, options)
    replies: Sequence[Reply] | None = None
    while True:
        try:
            requests = next(parts) if replies is None else parts.send(replies)
        except StopIteration:
            return tree
        script.rounds.append(Counter())
        replies = [answer(script, request) for request in requests]
        if not script.rounds[-1]:
            script.rounds.pop()


def answer(script: Script, request: Request) -> Reply:
    match request:
        case Generate():
            beginning = str(request.prompt)
            script.rounds[-1][beginning] += request.num_samples
            texts = [script.write(beginning) for _ in range(request.num_samples)]
            return Generation(tuple(Sample(text, -1.0, 1) for text in texts))
        case Evaluate():
            return Evaluation(2 * script.score(str(request.prompt)) - 1)
        case Meter():
            return Spent()
        case Check():
            return request.answer in request.golds
    raise AssertionError(request)


# AB-MCTS against treequest.


def run_treequest(script: Script, belief: str, trials: int, batch: int) -> None:
    treequest = pytest.importorskip("treequest", reason="the extra `originals` is not installed")
    algorithm = treequest.ABMCTSA(dist_type=belief)
    state, left = algorithm.init_tree(), trials
    while left:
        state, asked = algorithm.ask_batch(state, min(batch, left), ["write"])
        left -= len(asked)
        parents = [trial.parent_state or "" for trial in asked]
        script.rounds.append(Counter(parents))
        for trial, parent in zip(asked, parents, strict=True):
            text = "\n".join(filter(None, [parent, script.write(parent)]))
            state = algorithm.tell(state, trial.trial_id, (text, script.score(text)))


def feed_draws(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """treequest draws from the generator that our search has under this seed."""
    prob_state = pytest.importorskip("treequest.algos.ab_mcts_a.prob_state", reason="the extra `originals`")
    rng = random.Random(derive_seed(seed, TASK.id, "thompson"))
    monkeypatch.setattr(prob_state.beta, "rvs", rng.betavariate)
    monkeypatch.setattr(prob_state.invgamma, "rvs", lambda a, scale: scale / rng.gammavariate(a, 1.0))
    monkeypatch.setattr(prob_state.np.random, "normal", rng.gauss)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("belief", ["gaussian", "beta"])
def test_ab_mcts_grows_the_trees_of_treequest(monkeypatch: pytest.MonkeyPatch, belief: Any, batch: int) -> None:
    trials = 24
    deepest = 0
    for seed in SEEDS:
        feed_draws(monkeypatch, seed)
        theirs, ours, steps = Script(1.0, seed), Script(1.0, seed), Script(0.0, seed)
        run_treequest(theirs, belief, trials, batch)
        run(ours, ab_mcts, AbMctsOptions(trials=trials, n_generate_sample=batch, belief=belief), seed)
        assert ours.rounds == theirs.rounds
        feed_draws(monkeypatch, seed)
        run_treequest(theirs := Script(0.0, seed), belief, trials, batch)
        few = AbMctsStepsOptions(iterations=trials, n_generate_sample=batch, belief=belief)
        run(steps, ab_mcts_steps, few, seed, max_depth=trials)
        assert steps.rounds == theirs.rounds
        deepest = max(deepest, *(beginning.count("\n") for asked in steps.rounds for beginning in asked))
    assert deepest >= 1  # both kinds of choice were taken


# Particles, beam and best-of-n against its_hub.


class Writer:
    """The script as a language model of its_hub."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def agenerate(self, messages: Any, stop: Any = None, **more: Any) -> list[dict[str, str]]:
        beginnings = [talk[1].content.removesuffix("\n") if len(talk) > 1 else "" for talk in messages]
        self.script.rounds.append(Counter(beginnings))
        return [{"role": "assistant", "content": self.script.write(beginning)} for beginning in beginnings]

    async def agenerate_single(self, messages: Any, stop: Any = None, **more: Any) -> dict[str, str]:
        return {"role": "assistant", "content": self.script.write("")}


class Scorer:
    """The script as a reward model of its_hub, of steps and of whole answers."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def ascore(self, prompt: Any, steps: Sequence[str] = (), **more: Any) -> list[float]:
        texts = steps or [talk[-1].content for talk in prompt]
        return [self.script.score(text) for text in texts]


class Draws:
    """What its_hub draws, from the generators that our sweeps have. A choice among indices retains particles."""

    def __init__(self, seed: int, *, sweeps: bool) -> None:
        self.seed, self.sweeps = seed, sweeps
        self.sweep = self.depth = 0

    def choices(self, population: Any, weights: Any, k: int) -> list[Any]:
        retains = isinstance(population, range)
        name = f"sweep {self.sweep} " if self.sweeps else ""
        name += "retained" if retains else f"resampling {self.depth}"
        self.sweep, self.depth = (self.sweep + 1, 0) if retains else (self.sweep, self.depth + 1)
        return random.Random(derive_seed(self.seed, TASK.id, name)).choices(population, weights=weights, k=k)


def infer(monkeypatch: pytest.MonkeyPatch, script: Script, kind: str, budget: int, draws: Draws, **more: Any) -> Any:
    particles = pytest.importorskip("its_hub.core.algorithms.particle_gibbs", reason="the extra `originals`")
    monkeypatch.setattr(particles, "random", draws)
    made = getattr(particles, kind)(step_generation(), Scorer(script), **more)
    return asyncio.run(made.ainfer(Writer(script), "Q", budget, return_response_only=False))


def step_generation() -> Any:
    steps = pytest.importorskip("its_hub.core.lms.step_generation", reason="the extra `originals` is not installed")
    return steps.StepGeneration(6, step_token="\n", stop_token="answer")


def test_particles_are_resampled_as_by_its_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in SEEDS:
        theirs, ours = Script(0.2, seed), Script(0.2, seed)
        result = infer(monkeypatch, theirs, "ParticleFiltering", 6, Draws(seed, sweeps=False))
        tree = run(ours, particle_filter, ParticleOptions(n_generate_sample=6), seed)
        assert ours.rounds == theirs.rounds
        texts = {"\n".join(step.text for step in tree.steps(node)) for node in tree.nodes if node.terminal}
        assert {response["content"] for response in result.responses} <= texts


@pytest.mark.parametrize("retained", [1, 2])
def test_particle_gibbs_sweeps_as_its_hub(monkeypatch: pytest.MonkeyPatch, retained: int) -> None:
    branched = 0
    for seed in SEEDS:
        theirs, ours = Script(0.2, seed), Script(0.2, seed)
        draws = Draws(seed, sweeps=True)
        infer(monkeypatch, theirs, "ParticleGibbs", 12, draws, num_iterations=3, num_ref_particles=retained)
        options = GibbsOptions(n_generate_sample=4, sweeps=3, retained_particles=retained)
        run(ours, particle_gibbs, options, seed)
        assert ours.rounds == theirs.rounds
        begins = [number for number, asked in enumerate(ours.rounds) if "" in asked]
        assert len(begins) == 3
        seen = {beginning for asked in ours.rounds[: begins[1]] for beginning in asked}
        branched += any(beginning in seen - {""} for asked in ours.rounds[begins[1] :] for beginning in asked)
    assert branched  # a later sweep went on from a solution that was retained


def test_a_beam_of_one_is_that_of_its_hub() -> None:
    beam = pytest.importorskip("its_hub.core.algorithms.beam_search", reason="the extra `originals` is not installed")
    for seed in SEEDS:
        theirs, ours = Script(0.2, seed), Script(0.2, seed)
        made = beam.BeamSearch(step_generation(), Scorer(theirs), beam_width=1)
        result = asyncio.run(made.ainfer(Writer(theirs), "Q", 5, return_response_only=False))
        tree = run(ours, beam_search, BeamOptions(n_generate_sample=5), seed)
        assert ours.rounds == theirs.rounds[: len(ours.rounds)]
        if tree.solutions:
            steps = tree.steps(tree.nodes[tree.solutions[0]])
            assert "\n".join(step.text for step in steps) == result.the_one["content"]
        else:  # theirs goes one step deeper
            assert len(theirs.rounds) == len(ours.rounds) + 1


def test_the_best_of_n_is_that_of_its_hub() -> None:
    bon = pytest.importorskip("its_hub.core.algorithms.bon", reason="the extra `originals` is not installed")
    for seed in SEEDS:
        theirs, ours = Script(1.0, seed), Script(1.0, seed)
        made = bon.BestOfN(Scorer(theirs), Gatherer())
        result = asyncio.run(made.ainfer(Writer(theirs), "Q", 8, return_response_only=False))
        tree = run(ours, selection, SelectionOptions(trials=8), seed)
        assert tree.nodes[tree.solutions[0]].answer == result.the_one["content"]


class Gatherer:
    """its_hub's orchestrator, without its limits."""

    async def agenerate(self, lm: Writer, batch: Sequence[Any], **more: Any) -> list[dict[str, str]]:
        return [await lm.agenerate_single(talk) for talk in batch]


def test_a_vote_ends_with_the_same_chance_as_its_hub() -> None:
    beta = pytest.importorskip("its_hub.core.algorithms.beta_self_consistency", reason="the extra `originals`")
    for first in range(1, 30):
        for second in range(first + 1):
            theirs = beta.BetaSelfConsistency.beta_stopping_probability(first, second)
            assert lead_is_lasting({"a": second, "b": first} if second else {"b": first}) == pytest.approx(theirs)
