"""Token-level beam search, with the outcome of transformers' `generate` at the same width.

transformers' own keeps the logits of every step to tell what its hypotheses score, and copies all keys and values at
every token; this one works on a `KVBlock` and knows the engine's stop strings. As there, a hypothesis ends only by a
token among the `width` likeliest, scores are mean log-probabilities a token, and the search ends when no open
hypothesis, as it stands, beats the worst of `width` ended ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mcts_math.engine.hf.kv_cache import KVBlock, Workspace
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.prefill import Prefill, compute, prepare
from mcts_math.engine.hf.prefix_cache import PrefixCache
from mcts_math.engine.hf.sequence import Job, find_end
from mcts_math.errors import EngineError
from mcts_math.messages import Sample

_PREFILL = 4096  # prompt tokens that are computed at a time


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    ids: tuple[int, ...]
    logprob: float


@torch.inference_mode()
def beam_search(model: CausalModel, job: Job) -> None:
    """Fills `job.samples` with the best `num_samples` hypotheses of width `job.sampling.beam_width`, best first. Raises
    EngineError where the request makes no sense, or the model's log-probabilities are not finite."""
    width = job.sampling.beam_width
    if job.adapter:
        raise EngineError("a beam search by an adapter is not to be had; leave out `adapter` or `beam_width`")
    if job.num_samples > width or job.sampling.temperature or job.want_value:
        raise EngineError("a beam search gives at most `beam_width` samples, at temperature 0 and without a value")
    block, logits = _prefill(model, job, width)
    beams, ended = [_Hypothesis((), 0.0)], list[Sample]()
    while beams:
        candidates = _best(logits[: len(beams)], [beam.logprob for beam in beams], 2 * width)
        going, sources = list[_Hypothesis](), list[int]()
        for rank, (source, token, logprob) in enumerate(candidates):
            hypothesis = _Hypothesis((*beams[source].ids, token), logprob)
            end = find_end(job, hypothesis.ids, model)
            if end is None and len(going) < width:
                going.append(hypothesis)
                sources.append(source)
            elif end is not None and rank < width:
                ended.append(job.sample(hypothesis.ids, logprob, end))
        ended = sorted(ended, key=_score, reverse=True)[:width]
        beams = going
        if not beams or (len(ended) == width and _score(ended[-1]) >= beams[0].logprob / len(beams[0].ids)):
            break
        logits = _advance(model, block, beams, sources, len(job.prompt))
    for i in range(job.num_samples):
        # Fewer have ended only where the model has fewer tokens than the width: the last one fills up.
        job.samples[i] = ended[min(i, len(ended) - 1)]


def _prefill(model: CausalModel, job: Job, width: int) -> tuple[KVBlock, Tensor]:
    """A block with the prompt in each of `width` rows, and the logits [1, V] after it."""
    length, alone = len(job.prompt), Workspace(model.layout, 0)
    first, ids, _ = prepare([Prefill(job, job.prompt, None)], length, model, PrefixCache(0), alone)
    result = compute(model, first, ids, _PREFILL)
    block = KVBlock(model.layout, model.device, 0, 0)
    block.reserve(width, length, 1)
    block.num_rows = width
    block.join(slice(0, width), first, 0, length)
    return block, result.logits


def _best(logits: Tensor, totals: list[float], count: int) -> list[tuple[int, int, float]]:
    """(hypothesis, token, log-probability with it) of the likeliest continuations, best first."""
    vocabulary = logits.shape[1]
    before = torch.tensor(totals, device=logits.device).unsqueeze(1)
    scores = (logits.float().log_softmax(dim=-1) + before).flatten()
    best = scores.topk(min(count, len(scores)))
    found = [
        (index // vocabulary, index % vocabulary, value)
        for index, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    if not all(math.isfinite(value) for _, _, value in found[:1]):
        raise EngineError("the model gave a log-probability that is not finite: its weights are broken, or overflow")
    return [entry for entry in found if math.isfinite(entry[2])]


def _score(sample: Sample) -> float:
    return sample.logprob / sample.num_tokens


def _advance(
    model: CausalModel, block: KVBlock, beams: list[_Hypothesis], sources: list[int], prompt_length: int
) -> Tensor:
    """Computes the last token of every hypothesis; logits [len(beams), V]."""
    device, rows = model.device, len(beams)
    block.num_rows = max(rows, 1)
    block.reorder(torch.tensor(sources, device=device))
    block.reserve(rows, block.width, 1)
    block.mask[:rows, block.end] = 1
    ids = torch.tensor([[beam.ids[-1]] for beam in beams], device=device)
    position = prompt_length + len(beams[0].ids) - 1
    return model.forward(block, ids, torch.full_like(ids, position)).logits
