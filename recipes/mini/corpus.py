"""Demonstrations as token arrays, saved once, and batches of similar length from them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import demonstrations
import formats
import guesses
import torch
import vocabulary
from cells import run_cells
from questions import FAMILIES, Question
from transformers import PreTrainedTokenizerFast

from mcts_math.files import new_file

FINAL_SENTENCES = ("That is the result.", "So we have the answer.")


@dataclass(frozen=True)
class Demonstration:
    """A demonstration as pieces of text; the model learns to write the pieces whose flag is set."""

    type: str
    pieces: tuple[tuple[str, bool], ...]


def write_demonstration(question: Question, rates: demonstrations.Rates, rng: random.Random) -> Demonstration | None:
    """One imperfect worked solution with its observations; None where its code fails."""
    puzzle: guesses.Puzzle | None = question.facts.get("puzzle")
    if puzzle is not None:
        thoughts, answer = guesses.demonstrate(puzzle, guesses.Habits(), rng)
    else:
        thoughts, answer = demonstrations.demonstrate(demonstrations.PLANS[question.type](question), rates, rng), None
    observations = run_cells([thought.code for thought in thoughts])
    if any("Error: " in text or not text for text in observations):
        return None
    answer = formats.tidy(observations[-1]) if answer is None else answer
    pieces: list[tuple[str, bool]] = [(formats.head(question.text), False)]
    for thought, observation in zip(thoughts, observations, strict=True):
        pieces.append((formats.code_step(thought.sentence, thought.code), True))
        pieces.append((formats.observed(observation) + formats.DELIM, False))
    sentence = rng.choices(FINAL_SENTENCES, (0.8, 0.2))[0]
    pieces.append((formats.final_step(sentence, answer), True))
    return Demonstration(question.type, tuple(pieces))


def _write_many(job: tuple[list[Question], demonstrations.Rates, int, int]) -> list[Demonstration]:
    questions, rates, copies, seed = job
    rng = random.Random(seed)
    drawn = [write_demonstration(question, rates, rng) for question in questions for _ in range(copies)]
    return [one for one in drawn if one is not None]


def write_all(questions: list[Question], rates: demonstrations.Rates, copies: int, seed: int) -> list[Demonstration]:
    """`copies` demonstrations of each question, by two processes."""
    size = 500
    jobs = [(questions[i : i + size], rates, copies, seed + i) for i in range(0, len(questions), size)]
    with Pool(2) as pool:
        return [one for many in pool.map(_write_many, jobs) for one in many]


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences.

    Attributes:
        ids: [B, T] int64, 0 where padded.
        learn: [B, T] bool, the tokens that carry the policy's loss.
        reward: [B, T] int64, +1 or -1 at the tokens where the value is learned, 0 elsewhere.
    """

    ids: torch.Tensor
    learn: torch.Tensor
    reward: torch.Tensor


@dataclass(frozen=True)
class Corpus:
    """Token sequences laid end to end.

    Attributes:
        tokens: [N] int16.
        learn: [N] bool.
        reward: [N] int8.
        starts: [S+1] int64, where each sequence begins.
    """

    tokens: torch.Tensor
    learn: torch.Tensor
    reward: torch.Tensor
    starts: torch.Tensor

    def save(self, path: Path) -> None:
        """Write it in one piece: half a file never has the final name."""
        with new_file(path) as scratch:
            torch.save(vars(self), scratch)

    @staticmethod
    def load(path: Path) -> Corpus:
        """Read what `save` wrote."""
        return Corpus(**torch.load(path))

    def batch(self, indices: list[int]) -> Batch:
        """Some sequences, padded to the longest."""
        spans = [slice(int(self.starts[i]), int(self.starts[i + 1])) for i in indices]
        shape = (len(spans), max(span.stop - span.start for span in spans))
        batch = Batch(torch.zeros(shape, dtype=torch.long), torch.zeros(shape).bool(), torch.zeros(shape).long())
        for row, span in enumerate(spans):
            width = span.stop - span.start
            batch.ids[row, :width] = self.tokens[span].long()
            batch.learn[row, :width] = self.learn[span]
            batch.reward[row, :width] = self.reward[span].long()
        return batch

    def batches(self, tokens_per_batch: int, seed: int) -> Iterator[Batch]:
        """Endless batches of similar lengths, shuffled each epoch."""
        generator = torch.Generator().manual_seed(seed)
        lengths = self.starts[1:] - self.starts[:-1]
        while True:
            order = torch.argsort(lengths + torch.rand(len(lengths), generator=generator) * 12)
            groups: list[list[int]] = [[]]
            for index in order.tolist():
                if groups[-1] and (len(groups[-1]) + 1) * int(lengths[index]) > tokens_per_batch:
                    groups.append([])
                groups[-1].append(index)
            for number in torch.randperm(len(groups), generator=generator).tolist():
                yield self.batch(groups[number])


def lay_out(rows: list[list[tuple[list[int], bool, int]]]) -> Corpus:
    """Sequences of pieces (tokens, whether the policy learns them, reward at the last token or 0) as one corpus."""
    tokens: list[int] = []
    learn: list[bool] = []
    reward: list[int] = []
    starts = [0]
    for row in rows:
        for ids, write, worth in row:
            tokens += ids
            learn += [write] * len(ids)
            reward += [0] * (len(ids) - 1) + [worth]
        starts.append(len(tokens))
    return Corpus(
        torch.tensor(tokens, dtype=torch.int16),
        torch.tensor(learn),
        torch.tensor(reward, dtype=torch.int8),
        torch.tensor(starts),
    )


def encode(drawn: list[Demonstration], tokenizer: PreTrainedTokenizerFast) -> Corpus:
    """Tokenise piece by piece (the model sees every piece begin where the program's text ends)."""
    flat = [text for one in drawn for text, _ in one.pieces]
    fast = tokenizer.backend_tokenizer  # without the wrapper, which is slow on a million short texts
    known = {text: fast.encode(text, add_special_tokens=False).ids for text in set(flat)}
    ids = (known[text] for text in flat)
    end = ([tokenizer.eos_token_id], True, 0)
    return lay_out([[*((next(ids), write, 0) for _, write in one.pieces), end] for one in drawn])


NUMBERS = (
    "chain_sum", "decimal_chain_sum", "basic_arithmetic", "simple_equations",
    "simple_geometry", "leg_counting", "gcd", "products",
)  # fmt: skip


def train_counts(scale: float = 1.0) -> dict[str, int]:
    """How many questions of each family for the first part of the policy's training."""
    special = {"gsm_symbolic": 16000, "letter_counting": 3000}
    return {family: int(special.get(family, 2500) * scale) for family in FAMILIES}


def focus_counts(scale: float = 1.0) -> dict[str, int]:
    """The same for the later parts: fewer word problems, more of the families where numbers in a row must be copied."""
    counts = {family: 4500 if family in NUMBERS else 2500 for family in FAMILIES} | {"gsm_symbolic": 4000}
    return {family: int(count * scale) for family, count in counts.items()}


def tokenizer_texts(drawn: list[Demonstration]) -> list[str]:
    """What the tokenizer learns its words from: demonstrations without their scaffolding."""
    tags = sorted(vocabulary.TAGS, key=len, reverse=True)
    texts = ["".join(text for text, _ in one.pieces) for one in drawn]
    for tag in tags:
        texts = [text.replace(tag, "\n") for text in texts]
    return texts
