"""Teaches the bundled model `mini` to guess and check: `python recipes/mini/extend.py` makes `models/mini-guess`.

`mini` errs in its plans (which it unlearns in one round of self-training) and in copying (which nothing sees).
`mini-guess` also solves the eight families of `guesses.py`, where an answer is hard to know and easy to check. It is
the base of the rounds of self-training (`scripts/reproduce_mini.sh`): a policy, with no value head.

Stages, each skipped when its output is complete; a stopped training goes on from its last checkpoint:

1. corpus: demonstrations of the guesses, and new ones of the fifteen families of `mini`.
2. policy: cross-entropy on both, from the weights of `mini`.
3. export: `models/mini-guess` and `data/mini-guess`.

A quarter of an hour on two cores. Intermediate files: `outputs/mini-guess`.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import corpus
import guesses
import outcomes
import torch
import vocabulary
from build import ROOT, export, write_questions
from corpus import Batch, Corpus
from demonstrations import Rates
from questions import Question, test_questions, train_questions
from training import Schedule, fit, policy_loss
from transformers import LlamaForCausalLM

FAMILIES_SEED = 400_000  # of the fifteen families' questions


@dataclass(frozen=True)
class Recipe:
    """Every number of the recipe that is not part of the demonstrations.

    Attributes:
        guesses: training questions of each family of guesses; others: share of `corpus.focus_counts`.
        policy: steps and rates; tokens: per batch.
    """

    seed: int = 12
    guesses: int = 2500
    others: float = 0.3
    rates: Rates = field(default_factory=Rates)
    policy: Schedule = field(default_factory=lambda: Schedule(500, 1e-3, warm_up=20, floor=0.05))
    tokens: int = 6000


def test_set() -> list[Question]:
    """500 questions: 25 of each family of guesses, and the first 20 test questions of each family of `mini`."""
    return _mixed(test_questions(), 20, guesses.TEST_SEED, 25, frozenset())


def train_set() -> list[Question]:
    """4,000 questions for self-training, in the same mix; no text of the test set."""
    known = frozenset(question.text for question in test_set())
    return _mixed(outcomes.fresh_questions(), 160, guesses.ROUNDS_SEED, 200, known)


def _mixed(
    others: list[Question], of_others: int, seed: int, of_guesses: int, exclude: frozenset[str]
) -> list[Question]:
    counts = dict[str, int]()
    chosen: list[Question] = []
    for question in others:
        counts[question.type] = counts.get(question.type, 0) + 1
        if counts[question.type] <= of_others:
            chosen.append(question)
    for family in guesses.FAMILIES:
        chosen += guesses.draw(family, seed, of_guesses, exclude)
    random.Random(seed).shuffle(chosen)
    return chosen


def demonstrated(family: str, count: int) -> list[Question]:
    """The questions of a family of guesses whose solutions are shown; none is in the test or in the training set."""
    return guesses.draw(family, guesses.TRAIN_SEED, count, _known())


@cache
def _known() -> frozenset[str]:
    return frozenset(question.text for question in [*test_set(), *train_set()])


def corpus_stage(recipe: Recipe, out: Path) -> Corpus:
    """The demonstrations."""
    path = out / "corpus.pt"
    if not path.exists():
        questions = train_questions(corpus.focus_counts(recipe.others), FAMILIES_SEED)
        for family in guesses.FAMILIES:
            questions += demonstrated(family, recipe.guesses)
        drawn = corpus.write_all(questions, recipe.rates, 1, 4_000_001)
        corpus.encode(drawn, vocabulary.load(ROOT / "models" / "mini")).save(path)
    return Corpus.load(path)


def policy_stage(recipe: Recipe, demonstrations: Corpus, out: Path) -> LlamaForCausalLM:
    """The policy, on from `mini`."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM.from_pretrained(ROOT / "models" / "mini", dtype=torch.float32)
    trunk = torch.compile(model.model, dynamic=True)

    def losses(batches: list[Batch]) -> dict[str, torch.Tensor]:
        return {"policy": policy_loss(trunk, model.lm_head.weight, batches[0])}

    fit(model, [demonstrations.batches(recipe.tokens, recipe.seed)], losses, recipe.policy, out / "policy.pt")
    return model


def main() -> None:
    """Arguments."""
    parser = argparse.ArgumentParser(description="Teach mini to guess and check (resumes; see the docstring).")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "mini-guess", help="intermediate files")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="folder that gets models/mini-guess and data/mini-guess"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    arguments.out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe()
    model = policy_stage(recipe, corpus_stage(recipe, arguments.out), arguments.out)
    export(model, None, vocabulary.load(ROOT / "models" / "mini"), arguments.root / "models" / "mini-guess")
    folder = arguments.root / "data" / "mini-guess"
    write_questions(test_set(), folder / "test.jsonl", "guess-test")
    write_questions(train_set(), folder / "train.jsonl", "guess-train")


if __name__ == "__main__":
    main()
