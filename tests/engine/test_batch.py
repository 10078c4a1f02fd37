"""The running batch under tight limits: admission, preempted rows, cached prefixes, against a plain forward pass."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import FAMILIES, Reference
from transformers import AutoConfig, AutoModelForCausalLM

from mcts_math.engine.hf.arguments import BatchLimits, HFArguments
from mcts_math.engine.hf.batch import Batch
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.kv_cache import KVBlock, Workspace
from mcts_math.engine.hf.model import CausalModel, load_model
from mcts_math.engine.hf.sequence import Job
from mcts_math.errors import CheckpointError, EngineError
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate

WIDE = BatchLimits(max_batch_size=64, max_batch_tokens=1 << 20, max_prefill_tokens=4096, prefix_cache_tokens=0)
TIGHT = BatchLimits(max_batch_size=7, max_batch_tokens=300, max_prefill_tokens=23, prefix_cache_tokens=500)


def load(folder: Path) -> CausalModel:
    return load_model(folder, HFArguments(device="cpu"), need_value=True)


def jobs(seed: int, count: int = 14) -> list[Job]:
    """Jobs that share beginnings, of all lengths, many more than fit at a time."""
    rng = random.Random(seed)
    stem = [rng.randrange(3, 99) for _ in range(30)]
    made = []
    for _ in range(count):
        prompt = (0, *stem[: rng.randrange(30)], *(rng.randrange(3, 99) for _ in range(rng.randrange(9))))
        sampling = Sampling(rng.choice([0.0, 0.8]), max_tokens=rng.randrange(1, 60))
        made.append(Job(prompt, rng.choice([0, 1, 3, 9]), sampling, rng.randrange(99), want_value=True))
    return made


def work_off(batch: Batch, waiting: list[Job]) -> list[Job]:
    """Adds jobs one by one between steps, and steps until nothing is left."""
    done: list[Job] = []
    waiting = list(waiting)
    while waiting or not batch.is_idle:
        if waiting:
            batch.add(waiting.pop(0))
        done += batch.step()
    return done


def test_a_workspace_hands_out_zeros_in_the_same_memory(checkpoint: Callable[[str], Path]) -> None:
    layout = load(checkpoint("llama")).layout
    workspace = Workspace(layout, 64)
    first = workspace.buffers(3, 8)
    where = [buffer.data_ptr() for buffer in first]
    for buffer in first:
        buffer.fill_(float("nan"))  # what a broken request leaves must not reach the next one
    for rows, columns in ((3, 8), (8, 3), (2, 5), (0, 0)):
        buffers = workspace.buffers(rows, columns)
        assert [buffer.shape for buffer in buffers] == [buffer.shape for buffer in layout.allocate(rows, columns)]
        assert all(not buffer.any() for buffer in buffers)
    assert [buffer.data_ptr() for buffer in workspace.buffers(4, 6)] == where
    assert all(not buffer.any() for buffer in workspace.buffers(9, 9))


def test_rows_that_are_ever_longer_seldom_move_the_others(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(checkpoint("llama"))
    moves: list[int] = []
    move = KVBlock._move
    monkeypatch.setattr(KVBlock, "_move", lambda block, *args: (moves.append(block.end), move(block, *args))[1])
    block, lengths = KVBlock(model.layout, model.device, 0, 0), range(1, 161)
    for row, length in enumerate(lengths):
        source = KVBlock(model.layout, model.device, 1, length)
        source.end = length
        source.write(0, slice(0, length), [torch.full_like(buffer[0], length) for buffer in source.buffers])
        block.reserve(len(lengths), length, 1)
        block.num_rows = row + 1
        block.join(slice(row, row + 1), source, 0, length)
    assert len(moves) < 10
    for row, length in enumerate(lengths):
        assert block.mask[row, : block.end].tolist() == [0] * (block.end - length) + [1] * length
        assert all((buffer == length).all() for buffer in block.read(row, 0, length, length))


def test_few_long_rows_do_not_keep_the_room_of_many_short_ones(checkpoint: Callable[[str], Path]) -> None:
    model = load(checkpoint("llama"))
    block, most = KVBlock(model.layout, model.device, 0, 0), 64 * 800
    block.reserve(64, 20, 1, 64, most)
    assert block.mask.shape[0] == 64
    for width in range(50, 6000, 69):  # what the batch lets in: rows times width within the limit
        block.num_rows = max(1, min(64, most // (width + 1)))
        block.end = min(block.end, block.mask.shape[1])
        block.start = max(0, block.end - width)
        block.reserve(block.num_rows, width, 1, 64, most)
        rows, columns = block.mask.shape
        assert rows >= block.num_rows
        assert rows * columns <= 1.2 * most  # with a little to move in


@pytest.mark.parametrize("family", list(FAMILIES))
def test_tight_limits_change_nothing_but_the_time(checkpoint: Callable[[str], Path], family: str) -> None:
    model, reference = load(checkpoint(family)), Reference(checkpoint(family))
    wide, tight = Batch(model, WIDE), Batch(model, TIGHT)
    expected, got = jobs(0, 40), jobs(0, 40)
    assert set(map(id, work_off(wide, expected))) == set(map(id, expected))
    assert set(map(id, work_off(tight, got))) == set(map(id, got))
    assert tight.counters.num_preempted > 0
    assert tight.counters.num_cached_tokens > 0
    for one, other in zip(expected, got, strict=True):
        text = reference.tokenizer.decode(one.prompt[1:])
        assert one.value == pytest.approx(reference.value(text), abs=1e-5)
        assert other.value == pytest.approx(one.value, abs=1e-5)
        assert [s and s.text for s in one.samples] == [s and s.text for s in other.samples]
        assert [s and s.logprob for s in one.samples] == pytest.approx(
            [s and s.logprob for s in other.samples], abs=3e-4
        )


@pytest.mark.parametrize("limits", [WIDE, TIGHT])
def test_samples_are_computed_once_as_long_as_they_agree(
    checkpoint: Callable[[str], Path], limits: BatchLimits
) -> None:
    model = load(checkpoint("llama"))
    batch = Batch(model, limits)
    (greedy,) = work_off(batch, [Job((0, 5, 6), 6, Sampling(0.0, max_tokens=12))])
    assert len({sample and sample.text for sample in greedy.samples}) == 1
    assert batch.counters.num_generated_tokens == 6 * 12
    assert batch.counters.num_decoded_rows == batch.counters.num_decode_steps == 11  # the first comes with the prompt
    sampling = Sampling(0.25, max_tokens=40)
    (together,) = work_off(batch, [Job((0, 5, 6), 6, sampling, seed=3)])
    apart = [Job((0, 5, 6), 1, sampling, seed=3 + i) for i in range(6)]
    work_off(Batch(model, WIDE), apart)
    assert [s and s.text for s in together.samples] == [job.samples[0] and job.samples[0].text for job in apart]
    assert [s and s.logprob for s in together.samples] == pytest.approx(
        [job.samples[0] and job.samples[0].logprob for job in apart], abs=3e-4
    )
    assert 1 < len({sample and sample.text for sample in together.samples}) == together.num_rows


def test_certainty_is_that_of_a_plain_forward_pass(checkpoint: Callable[[str], Path]) -> None:
    """Also where samples begin alike, and are computed once until they part; who does not ask is not told."""
    folder = checkpoint("llama")
    model, batch = Reference(folder).model, Batch(load(folder), WIDE)
    asking = Sampling(0.8, max_tokens=12, want_certainty=True)
    wanted = [Job((0, 9, 8, 7), 6, asking, 1), Job((0, 5), 1, replace(asking, temperature=0.0), 2)]
    (plain,) = [Job((0, 9, 8), 2, Sampling(0.8, max_tokens=12), 1)]
    assert len(work_off(batch, [*wanted, plain])) == 3
    assert all(sample is not None and sample.certainty is None for sample in plain.samples)
    for job in wanted:
        for sample in job.samples:
            assert sample is not None
            tokens = [*job.prompt, *sample.written[0].tokens]
            with torch.no_grad():
                logp = model(torch.tensor([tokens])).logits[0].float().log_softmax(dim=-1)
            told = logp[len(job.prompt) - 1 : len(tokens) - 1]
            expected = -(told.mean(dim=-1) + math.log(told.shape[1])).sum().item()
            assert sample.certainty == pytest.approx(expected, abs=1e-3)


def test_admission_expects_what_the_last_samples_did(checkpoint: Callable[[str], Path]) -> None:
    """As many prompts at a time as the rows that their samples part into, not as the samples."""
    batch = Batch(load(checkpoint("llama")), replace(WIDE, max_batch_size=12))
    sampling = Sampling(0.0, max_tokens=9)
    many = [Job((0, 5 + i), 6, sampling) for i in range(40)]
    for job in many:
        batch.add(job)
    most = 0
    while not batch.is_idle:
        batch.step()
        most = max(most, batch._block.num_rows)
    assert all(job.is_done for job in many)
    assert 6 < most <= 12
    assert batch.counters.num_preempted == 0


def test_a_dropped_job_leaves_the_others_as_they_are(checkpoint: Callable[[str], Path]) -> None:
    model = load(checkpoint("llama"))
    expected, got = jobs(1), jobs(1)
    work_off(Batch(model, WIDE), expected)
    batch = Batch(model, TIGHT)
    for job in got:
        batch.add(job)
    for _ in range(5):
        batch.step()
    dropped = got[::3]
    for job in dropped:
        batch.cancel(job)
    while not batch.is_idle:
        batch.step()
    for one, other in zip(expected, got, strict=True):
        if other not in dropped:
            assert [s and s.text for s in one.samples] == [s and s.text for s in other.samples]


def test_memory_is_bounded(checkpoint: Callable[[str], Path]) -> None:
    batch = Batch(load(checkpoint("llama")), TIGHT)
    for job in jobs(2, 30):
        batch.add(job)
    while not batch.is_idle:
        batch.step()
        rows, width = batch._block.num_rows, batch._block.width
        assert rows <= TIGHT.max_batch_size
        assert rows <= 1 or rows * width <= TIGHT.max_batch_tokens
        assert batch._cache.num_tokens <= TIGHT.prefix_cache_tokens


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "lower max_batch_tokens"),
        (RuntimeError("boom"), "RuntimeError: boom"),
    ],
)
def test_a_fault_of_the_model_reaches_all_who_wait(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, fault: Exception, says: str
) -> None:
    async def scene() -> None:
        engine = HFEngine.load(checkpoint("llama"), need_value=True, device="cpu")
        monkeypatch.setattr(engine.model, "forward", lambda *args, **more: (_ for _ in ()).throw(fault))
        requests = [engine.generate(Generate("x", 2, Sampling(), seed)) for seed in range(5)]
        results = await asyncio.gather(*requests, engine.evaluate(Evaluate("y")), return_exceptions=True)
        assert all(isinstance(result, EngineError) and says in str(result) for result in results)
        with pytest.raises(EngineError, match=says.split(":")[0]):
            await engine.generate(Generate("x", 1, Sampling(), 0))
        await engine.close()

    asyncio.run(scene())


def test_broken_weights_are_told_as_such(checkpoint: Callable[[str], Path]) -> None:
    async def scene() -> None:
        engine = HFEngine.load(checkpoint("llama"), need_value=True, device="cpu")
        engine.model.raw.get_output_embeddings().weight.data.fill_(torch.nan)
        with pytest.raises(EngineError, match="weights are broken"):
            await engine.generate(Generate("x", 2, Sampling(), 0))
        await engine.close()

    asyncio.run(scene())


def test_half_precision_runs(checkpoint: Callable[[str], Path]) -> None:
    async def scene() -> None:
        engine = HFEngine.load(checkpoint("llama"), need_value=True, device="cpu", dtype="bfloat16")
        reply = await engine.generate(Generate("1 + 1 =", 3, Sampling(max_tokens=9), 0, want_value=True))
        assert reply.value == pytest.approx(Reference(checkpoint("llama")).value("1 + 1 ="), abs=0.1)
        await engine.close()

    asyncio.run(scene())


def test_an_engine_outlives_an_event_loop_that_did_not_wait(checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), need_value=True, device="cpu")

    tasks = []

    async def leave() -> None:
        for seed in range(20):
            tasks.append(asyncio.ensure_future(engine.generate(Generate("x", 3, Sampling(max_tokens=60), seed))))
        await asyncio.sleep(0.01)

    asyncio.run(leave())
    assert len(asyncio.run(engine.generate(Generate("x", 3, Sampling(max_tokens=5), 0))).samples) == 3
    asyncio.run(engine.close())


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("mamba", {"hidden_size": 16, "state_size": 4}),  # a recurrent state
        ("deepseek_v32", {"num_attention_heads": 2, "kv_lora_rank": 8, "q_lora_rank": 8}),  # keys of an index
    ],
)
def test_models_that_keep_other_things_than_keys_and_values_are_refused(family: str, settings: dict[str, int]) -> None:
    config = AutoConfig.for_model(family, vocab_size=20, num_hidden_layers=1, **settings)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(CheckpointError, match="keeps other things than keys and values"):
        CausalModel(model.eval(), None, 10, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_models_that_read_in_both_directions_are_refused(family: str) -> None:
    size = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "embedding_size": 16}
    config = AutoConfig.for_model(family, vocab_size=20, num_hidden_layers=1, **size)
    model = AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(CheckpointError, match="both directions"):
        CausalModel(model, None, 10, None)  # type: ignore[arg-type]
    config.is_decoder = True
    CausalModel(AutoModelForCausalLM.from_config(config).eval(), None, 10, None)  # type: ignore[arg-type]
