"""Outcomes: the model's own sampled solutions, each with the reward of its answer, for the value head."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from corpus import Corpus, lay_out
from questions import FAMILIES, Question, train_questions
from transformers import PreTrainedTokenizerFast

from mcts_math import Task, make_config, solve
from mcts_math.files import new_file
from mcts_math.formats import make_format

SEED = 500_000  # questions that the demonstrations did not use
TEMPERATURES = (0.6, 1.0)
MAX_TOKENS = 400  # of a solution that is learned from: a runaway one would only pad its batch


@dataclass(frozen=True)
class Outcome:
    """A solution of the policy.

    Attributes:
        texts: the question, then the steps with their observations, as the model reads them.
        reward: 1 where its answer is right, else -1.
    """

    texts: tuple[str, ...]
    reward: int


def fresh_questions() -> list[Question]:
    """The questions of `data/mini/train.jsonl`: 4,020, no text of them in the test set."""
    return train_questions({family: 800 if family == "gsm_symbolic" else 230 for family in FAMILIES}, SEED)


def sample_outcomes(policy: Path, questions: list[Question], seed: int) -> list[Outcome]:
    """One solution of every question at each temperature, by the project's own solver with the checkpoint `policy`."""
    tasks = [Task(str(number), question.text, (question.answer,)) for number, question in enumerate(questions)]
    step_format = make_format("react_sft")
    drawn: list[Outcome] = []
    for temperature in TEMPERATURES:
        config = make_config({
            "mode": "react", "model_dir": str(policy), "prompt_wrap": "react_sft", "temperature": temperature,
            "max_tokens": 150, "max_depth": 8, "max_total_time": 0, "seed": seed,
        })  # fmt: skip
        for solved in solve(config, tasks):
            if solved.error:
                raise RuntimeError(f"question {solved.tree.task.id}: {solved.error}")
            steps = solved.tree.steps(solved.tree.nodes[-1])
            texts = (step_format.prompt(solved.tree.task, []), *step_format.training_texts(steps))
            drawn.append(Outcome(texts, 1 if solved.tree.correct else -1))
        print(f"outcomes at T={temperature}: {len(drawn)} solutions", flush=True)
    return drawn


def encode_outcomes(drawn: list[Outcome], tokenizer: PreTrainedTokenizerFast) -> Corpus:
    """Each solution with its reward at the end of the question and of every step."""
    rows = []
    for outcome in drawn:
        ids = tokenizer(list(outcome.texts), add_special_tokens=False)["input_ids"]
        if sum(map(len, ids)) <= MAX_TOKENS:
            rows.append([(piece, False, outcome.reward) for piece in ids])
    return lay_out(rows)


def save_outcomes(drawn: list[Outcome], path: Path) -> None:
    """Write the outcomes in one piece."""
    with new_file(path) as scratch:
        scratch.write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in drawn), encoding="utf-8")


def load_outcomes(path: Path) -> list[Outcome]:
    """Read what `save_outcomes` wrote."""
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Outcome(tuple(record["texts"]), record["reward"]) for record in records]
