"""Quick accuracies on the test questions: `python recipes/mini/evaluate.py [--questions N]` judges `models/mini`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import demonstrations
import formats
import torch
import vocabulary
from network import load_head
from questions import Question, test_questions
from runner import Runner
from sampler import Sampler
from search import Chain, Searcher, majority
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]


def accuracy(good: list[bool]) -> float:
    """In percent, one decimal."""
    return round(100 * sum(good) / max(1, len(good)), 1)


def by_kind(good: list[bool], questions: list[Question]) -> dict[str, float]:
    """Accuracy of each family, and of the questions that the demonstrations treat as firm and as shaky."""
    groups: dict[str, list[bool]] = {}
    for right, question in zip(good, questions, strict=True):
        care = demonstrations.PLANS[question.type](question).care
        for key in (question.type, care):
            groups.setdefault(key, []).append(right)
    return {key: accuracy(groups[key]) for key in sorted(groups)}


def table(
    sampler: Sampler,
    tokenizer: PreTrainedTokenizerFast,
    questions: list[Question],
    seed: int,
    temperature: float = 0.6,
    beam: bool = True,
) -> dict[str, Any]:
    """Greedy, one sample, majority and best of five, and SBS(3, 5) with the value head."""
    runner = Runner()
    searcher = Searcher(sampler, tokenizer, questions, runner, seed)

    def voted(chains: list[Chain], question: Question) -> bool:
        answer = majority(chains)
        return answer is not None and formats.same_answer(answer, question.answer)

    greedy = [searcher.right(some[0]) for some in searcher.run(1, 0.0)]
    drawn = searcher.run(5, temperature)
    flat = [chain for some in drawn for chain in some]
    report: dict[str, Any] = {
        "greedy": accuracy(greedy),
        "sample": accuracy([searcher.right(chain) for chain in flat]),
        "maj@5": accuracy([voted(some, q) for some, q in zip(drawn, questions, strict=True)]),
        "pass@5": accuracy([any(map(searcher.right, some)) for some in drawn]),
        "no answer": accuracy([chain.answer is None for chain in flat]),
        "steps": dict(sorted(Counter(len(chain.texts) for chain in flat).items())),
        "greedy by kind": by_kind(greedy, questions),
    }
    print(json.dumps(report), flush=True)  # the beam search takes longest
    if beam:
        found = [bool(some) and searcher.right(some[0]) for some in searcher.beam(3, 5, temperature)]
        report["sbs(3,5)"] = accuracy(found)
        report["sbs by kind"] = by_kind(found, questions)
    runner.close()
    return report


def main() -> None:
    """Arguments."""
    parser = argparse.ArgumentParser(description="Accuracies of a saved mini on its test questions.")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "mini")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = LlamaForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    sampler = Sampler(model, load_head(arguments.model))
    some = test_questions()[: arguments.questions]
    tokenizer = vocabulary.load(arguments.model)
    print(json.dumps(table(sampler, tokenizer, some, arguments.seed, arguments.temperature), indent=1))


if __name__ == "__main__":
    main()
