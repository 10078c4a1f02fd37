"""Builds the bundled model `mini` from nothing: `python recipes/mini/build.py`.

Stages, each skipped when its output is complete, so that a stopped run goes on where it was (training from its last
checkpoint, at most two minutes back):

1. corpus: questions, demonstrations, tokenizer.
2. policy: cross-entropy on the demonstrations; then `focus`, the same on fewer word problems and more number copying.
3. outcomes: the policy's own solutions of fresh questions, sampled by the project's solver, with their rewards.
4. joint: policy loss on demonstrations and value loss on the outcomes, in one model, so that the trunk learns to
   represent the value and the head stays linear.
5. export: `models/mini` and `data/mini`. How good it is: `scripts/compare.py --cfg configs/mini/table.yaml`.

An hour and a half on two cores. Intermediate files: `outputs/mini`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpus
import outcomes
import torch
import vocabulary
from corpus import Batch, Corpus
from demonstrations import Rates
from network import ValueHead, fresh_model, save_checkpoint
from questions import Question, test_questions, train_questions
from torch import nn
from training import Schedule, fit, policy_loss, value_loss
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
FOCUS_SEED, JOINT_SEED = 200_000, 300_000  # of the questions; the first training's is questions.TRAIN_SEED


@dataclass(frozen=True)
class Recipe:
    """Every number of the recipe that is not part of the demonstrations.

    Attributes:
        scale: of the number of training questions (smaller for a trial run).
        policy, focus, joint: steps and rates of the three trainings.
        tokens: per batch in `policy` and `focus`; joint_tokens: per batch of demonstrations and of outcomes.
        rates, joint_rates: how the demonstrations slip; towards the end shaky questions slip a little less often and in
            more different ways, so that no wrong answer outvotes the right one.
        outcome_questions: how many of the fresh questions are sampled, once at each temperature.
        value_weight: of the value loss beside the policy loss.
    """

    seed: int = 11
    scale: float = 1.0
    rates: Rates = field(default_factory=Rates)
    policy: Schedule = field(default_factory=lambda: Schedule(3500, 2.5e-3))
    focus: Schedule = field(default_factory=lambda: Schedule(800, 1.4e-3, warm_up=20, floor=0.08))
    tokens: int = 6000
    outcome_questions: int = 2400
    joint: Schedule = field(default_factory=lambda: Schedule(350, 6e-4, warm_up=15, floor=0.03))
    joint_tokens: int = 3500
    joint_rates: Rates = field(
        default_factory=lambda: Rates(hurried={"firm": 0.2, "shaky": 0.55}, slip_weights=(0.4, 0.3, 0.3))
    )
    value_weight: float = 1.0


def corpus_stage(recipe: Recipe, out: Path) -> tuple[list[Corpus], PreTrainedTokenizerFast]:
    """The demonstrations of the three trainings, and the tokenizer."""
    first, second, third = out / "corpus.pt", out / "corpus_focus.pt", out / "corpus_joint.pt"
    if not first.exists():
        questions = train_questions(corpus.train_counts(recipe.scale))
        drawn = corpus.write_all(questions, recipe.rates, 3, 1)
        tokenizer = vocabulary.build(corpus.tokenizer_texts(drawn[::6]))
        tokenizer.save_pretrained(out / "tokenizer")
        corpus.encode(drawn, tokenizer).save(first)
    tokenizer = vocabulary.load(out / "tokenizer")
    if not second.exists():
        questions = train_questions(corpus.focus_counts(recipe.scale), FOCUS_SEED)
        drawn = corpus.write_all(questions, recipe.rates, 2, 2_000_001)
        corpus.encode(drawn, tokenizer).save(second)
    if not third.exists():
        questions = train_questions(corpus.focus_counts(0.4 * recipe.scale), JOINT_SEED)
        drawn = corpus.write_all(questions, recipe.joint_rates, 1, 3_000_001)
        corpus.encode(drawn, tokenizer).save(third)
    return [Corpus.load(path) for path in (first, second, third)], tokenizer


def policy_stage(recipe: Recipe, corpora: list[Corpus], out: Path) -> LlamaForCausalLM:
    """The policy alone."""
    model = fresh_model(recipe.seed)
    trunk = torch.compile(model.model, dynamic=True)  # twice as fast on CPU

    def losses(batches: list[Batch]) -> dict[str, torch.Tensor]:
        return {"policy": policy_loss(trunk, model.lm_head.weight, batches[0])}

    fit(model, [corpora[0].batches(recipe.tokens, recipe.seed)], losses, recipe.policy, out / "policy.pt")
    fit(model, [corpora[1].batches(recipe.tokens, recipe.seed + 1)], losses, recipe.focus, out / "focus.pt")
    return model


def outcome_stage(
    recipe: Recipe, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, questions: list[Question], out: Path
) -> Corpus:
    """Sampled solutions with rewards."""
    path = out / "outcomes.jsonl"
    if not path.exists():
        export(model, None, tokenizer, out / "policy")
        outcomes.save_outcomes(outcomes.sample_outcomes(out / "policy", questions, recipe.seed + 1), path)
    return outcomes.encode_outcomes(outcomes.load_outcomes(path), tokenizer)


def joint_stage(
    recipe: Recipe, model: LlamaForCausalLM, demonstrations: Corpus, solved: Corpus, out: Path
) -> ValueHead:
    """Policy and value together; `model` is changed in place, the head is returned."""
    torch.manual_seed(recipe.seed + 2)
    head = ValueHead()
    trunk = torch.compile(model.model, dynamic=True)

    def losses(batches: list[Batch]) -> dict[str, torch.Tensor]:
        return {
            "policy": policy_loss(trunk, model.lm_head.weight, batches[0]),
            "value": recipe.value_weight * value_loss(trunk, head, batches[1]),
        }

    streams = [
        demonstrations.batches(recipe.joint_tokens, recipe.seed + 2),
        solved.batches(recipe.joint_tokens, recipe.seed),
    ]
    fit(nn.ModuleList([model, head]), streams, losses, recipe.joint, out / "joint.pt")
    return head


def write_questions(questions: list[Question], path: Path, prefix: str) -> None:
    """Questions and answers as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, q in enumerate(questions):
        record: dict[str, Any] = {"id": f"{prefix}-{number:04d}", "question": q.text, "answer": q.answer}
        lines.append(json.dumps({**record, "type": q.type, "level": q.level}, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def export(model: LlamaForCausalLM, head: ValueHead | None, tokenizer: PreTrainedTokenizerFast, target: Path) -> None:
    """A model's folder, the model card apart, which people write; no file of it is ever half written."""
    scratch = target.with_name(f".{target.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    save_checkpoint(model, head, tokenizer, scratch)
    target.mkdir(parents=True, exist_ok=True)
    for file in scratch.iterdir():
        file.chmod(0o644)
        file.replace(target / file.name)
    scratch.rmdir()


def export_stage(
    model: LlamaForCausalLM, head: ValueHead, tokenizer: PreTrainedTokenizerFast, fresh: list[Question], root: Path
) -> None:
    """`models/mini` and `data/mini`."""
    export(model, head, tokenizer, root / "models" / "mini")
    test = test_questions()
    assert not {q.text for q in test} & {q.text for q in fresh}
    write_questions(test, root / "data" / "mini" / "test.jsonl", "mini-test")
    write_questions(fresh, root / "data" / "mini" / "train.jsonl", "mini-train")


def build(recipe: Recipe, out: Path, root: Path) -> None:
    """All stages."""
    out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()

    def tell(stage: str) -> None:
        print(f"[{(time.monotonic() - begun) / 60:5.1f} min] {stage}", flush=True)

    tell("corpus")
    corpora, tokenizer = corpus_stage(recipe, out)
    tell("policy")
    model = policy_stage(recipe, corpora, out)
    tell("outcomes")
    fresh = outcomes.fresh_questions()
    solved = outcome_stage(recipe, model, tokenizer, fresh[: recipe.outcome_questions], out)
    tell("joint")
    head = joint_stage(recipe, model, corpora[2], solved, out)
    tell("export")
    export_stage(model, head, tokenizer, fresh, root)
    tell("done")


def main() -> None:
    """Arguments."""
    parser = argparse.ArgumentParser(description="Build the bundled model mini (resumes; see the module's docstring).")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "mini", help="intermediate files")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that gets models/mini and data/mini")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    build(Recipe(), arguments.out, arguments.root)


if __name__ == "__main__":
    main()
