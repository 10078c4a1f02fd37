"""Outcomes: the model's own sampled solutions, each with the reward of its answer, for the value head."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import formats
import torch
from corpus import Corpus, lay_out
from questions import FAMILIES, Question, train_questions
from runner import Runner
from sampler import Sampler
from search import Chain, Searcher
from transformers import PreTrainedTokenizerFast

from mcts_math.files import new_file
from mcts_math.train.analysis import area_under_curve

SEED = 500_000  # questions that the demonstrations did not use
TEMPERATURES = (0.6, 1.0)


def fresh_questions() -> list[Question]:
    """The questions of `data/mini/train.jsonl`: 4,020, no text of them in the test set."""
    return train_questions({family: 800 if family == "gsm_symbolic" else 230 for family in FAMILIES}, SEED)


def sample_outcomes(
    sampler: Sampler, tokenizer: PreTrainedTokenizerFast, questions: list[Question], copies: int, seed: int
) -> list[tuple[Chain, int]]:
    """`copies` solutions of every question at each temperature, with reward +1 or -1."""
    runner = Runner()
    searcher = Searcher(sampler, tokenizer, questions, runner, seed)
    drawn: list[Chain] = []
    for temperature in TEMPERATURES:
        drawn += [chain for some in searcher.run(copies, temperature) for chain in some]
        print(f"outcomes at T={temperature}: {len(drawn)} solutions", flush=True)
    runner.close()
    return [(chain, 1 if searcher.right(chain) else -1) for chain in drawn]


def encode_outcomes(
    drawn: list[tuple[Chain, int]], questions: list[Question], tokenizer: PreTrainedTokenizerFast
) -> Corpus:
    """Each solution with its reward at the end of the question and of every step."""
    rows = []
    for chain, reward in drawn:
        texts = [formats.head(questions[chain.question].text), *(text + formats.DELIM for text in chain.texts)]
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        if sum(map(len, ids)) <= 400:  # a runaway sample would only pad the batch
            rows.append([(piece, False, reward) for piece in ids])
    return lay_out(rows)


@dataclass(frozen=True)
class Split:
    """Outcomes to train on, and held-out ones (of other questions) to judge the value head by."""

    train: Corpus
    held: list[tuple[Chain, int]]


def split(
    drawn: list[tuple[Chain, int]], questions: list[Question], tokenizer: PreTrainedTokenizerFast, seed: int
) -> Split:
    """One question in ten is held out."""
    rng = random.Random(seed)
    away = {q for q in range(len(questions)) if rng.random() < 0.1}
    train = [pair for pair in drawn if pair[0].question not in away]
    held = [pair for pair in drawn if pair[0].question in away]
    return Split(encode_outcomes(train, questions, tokenizer), held)


def judge_values(
    sampler: Sampler, tokenizer: PreTrainedTokenizerFast, questions: list[Question], held: list[tuple[Chain, int]]
) -> dict[str, float]:
    """The area under the curve of v on final steps, on intermediate ones, and on the question alone."""
    kinds: dict[str, list[tuple[list[int], bool]]] = {"question": [], "intermediate": [], "final": []}
    for chain, reward in held:
        texts = [formats.head(questions[chain.question].text), *(text + formats.DELIM for text in chain.texts)]
        ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
        for count in range(1, len(ids) + 1):
            kind = "question" if count == 1 else "final" if count == len(ids) else "intermediate"
            prompt = [token for piece in ids[:count] for token in piece]
            if len(prompt) < 600:
                kinds[kind].append((prompt, reward > 0))
    areas = {}
    for kind, cases in kinds.items():
        areas[kind] = area_under_curve(sampler.values([p for p, _ in cases]), [good for _, good in cases])
    return areas


def save_outcomes(drawn: list[tuple[Chain, int]], path: Path) -> None:
    """Write the outcomes in one piece."""
    with new_file(path) as scratch:
        torch.save([(c.question, c.texts, c.cells, c.answer, reward) for c, reward in drawn], scratch)


def load_outcomes(path: Path) -> list[tuple[Chain, int]]:
    """Read what `save_outcomes` wrote."""
    return [
        (Chain(question, tuple(texts), tuple(cells), answer, True), reward)
        for question, texts, cells, answer, reward in torch.load(path)
    ]
