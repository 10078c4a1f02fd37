"""Drawing tokens: the right distribution, from numbers that depend on seed and position alone."""

from __future__ import annotations

import math

import pytest
import torch

from mcts_math.engine.hf import sampling as module
from mcts_math.engine.hf.sampling import BatchSampling, UniformStream, _nucleus, _top_k_top_p, certainty_of
from mcts_math.messages import Sampling

CPU = torch.device("cpu")
LOGITS = torch.tensor([2.0, 1.5, 0.0, -1.0, -3.0, 1.0, -20.0, 0.5])


def frequencies(sampling: Sampling, draws: int = 20_000) -> torch.Tensor:
    """Of tokens drawn half in rows of their own, half in one row."""
    numbers = [UniformStream(seed).at(3) for seed in range(draws)]
    half = draws // 2
    apart, _ = BatchSampling([sampling] * half, CPU).sample(LOGITS.expand(half, -1), [[n] for n in numbers[:half]])
    together, _ = BatchSampling([sampling], CPU).sample(LOGITS[None], [numbers[half:]])
    return torch.bincount(torch.cat((apart[:, 0], together[0])), minlength=len(LOGITS)) / draws


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_tokens_come_as_often_as_they_are_likely(temperature: float) -> None:
    expected = (LOGITS / temperature).softmax(dim=0)
    assert torch.allclose(frequencies(Sampling(temperature)), expected, atol=4 * math.sqrt(0.25 / 20_000))


def test_top_k_keeps_the_likeliest() -> None:
    kept = torch.tensor([0, 1, 5])
    expected = torch.zeros(len(LOGITS)).index_copy(0, kept, LOGITS[kept].softmax(dim=0))
    assert torch.allclose(frequencies(Sampling(1.0, top_k=3)), expected, atol=0.015)


def test_top_p_keeps_the_smallest_set_of_that_mass() -> None:
    # Probabilities in order: 0.43, 0.26, 0.16, …: the third passes 0.8.
    kept = torch.tensor([0, 1, 5])
    expected = torch.zeros(len(LOGITS)).index_copy(0, kept, LOGITS[kept].softmax(dim=0))
    assert torch.allclose(frequencies(Sampling(1.0, top_p=0.8)), expected, atol=0.015)
    assert frequencies(Sampling(1.0, top_p=1e-6), 50)[0] == 1


@pytest.mark.parametrize(
    "sampling", [Sampling(1e-30), Sampling(1e-40), Sampling(1e-300, top_p=0.5), Sampling(1e-40, top_k=3)]
)
def test_a_temperature_near_0_is_greedy(sampling: Sampling) -> None:
    assert frequencies(sampling, 50)[0] == 1


def test_more_than_all_tokens_are_all_tokens() -> None:
    assert torch.equal(frequencies(Sampling(1.0, top_k=10**20), 50), frequencies(Sampling(1.0, top_k=8), 50))


def test_rows_of_a_batch_are_sampled_each_in_its_way() -> None:
    ways = [Sampling(0.0), Sampling(1.0), Sampling(0.3, top_k=2), Sampling(2.0, top_p=0.5), Sampling(0.0, top_k=1)]
    numbers = [[0.999, 0.1]] * len(ways)
    together, logprobs = BatchSampling(ways, CPU).sample(LOGITS.expand(len(ways), -1), numbers)
    for i, way in enumerate(ways):
        for j, number in enumerate(numbers[i]):
            alone, logprob = BatchSampling([way], CPU).sample(LOGITS[None], [[number]])
            assert (alone.item(), logprob.item()) == (together[i, j].item(), logprobs[i, j].item())
    assert torch.allclose(logprobs, LOGITS.log_softmax(dim=0)[together])


@pytest.mark.parametrize("spread", [0.01, 1.0, 8.0])
@pytest.mark.parametrize("top_p", [0.001, 0.5, 0.95, 0.9999])
def test_a_nucleus_is_found_without_sorting_all(spread: float, top_p: float) -> None:
    """The tokens kept by the short way are those of a full sort, but where rounding decides about the last one."""
    logits = torch.randn(20, 3000, generator=torch.Generator().manual_seed(0)) * spread
    limits = torch.full((20, 1), 3000), torch.full((20, 1), top_p)
    full, short = _top_k_top_p(logits, *limits), torch.zeros_like(logits)
    left = torch.ones(20, dtype=torch.bool)
    for count in (64, 512, 4096):
        tokens, kept, is_cut = _nucleus(logits.softmax(dim=-1), limits[1], count)
        assert bool((tokens.diff(dim=1) > 0).all()), "not in the order of their ids"
        short[left] = torch.zeros_like(logits).scatter(1, tokens, kept)[left]
        assert not bool((is_cut & ~left).any()), "a nucleus that was found needs more"
        left = is_cut
    assert not bool(left.any())
    assert int(((short > 0) != (full > 0)).sum(dim=1).max()) <= 1
    kept = (short > 0) & (full > 0)
    assert torch.allclose(short[kept], full[kept])
    assert bool(kept.any(dim=1).all())


def test_rows_beyond_the_cache_are_sampled_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are taken a few at a time on a CPU, and those of wide nuclei once more; it changes no token."""
    logits = torch.randn(9, 3000, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.01, 8, 9).unsqueeze(1)
    ways = [Sampling(0.7, top_p=0.95) if i % 3 else Sampling(0.7) for i in range(9)]
    numbers = [[i / 9, 0.5] for i in range(9)]
    monkeypatch.setattr(module, "_CACHED", 4 * 3000)
    together = BatchSampling(ways, CPU).sample(logits, numbers)
    for i, way in enumerate(ways):
        tokens, logprobs = BatchSampling([way], CPU).sample(logits[i : i + 1], numbers[i : i + 1])
        assert torch.equal(tokens[0], together[0][i])
        assert torch.equal(logprobs[0], together[1][i])


def test_certainty_is_the_distance_from_the_uniform_distribution() -> None:
    size = len(LOGITS)
    uniform = torch.full((size,), 1 / size)
    distances = [torch.nn.functional.kl_div(LOGITS.log_softmax(dim=0), uniform, reduction="sum").item(), 0.0]
    assert certainty_of(torch.stack((LOGITS, torch.ones(size)))) == pytest.approx(distances, abs=1e-6)
    assert BatchSampling([Sampling(), Sampling(want_certainty=True)], CPU).wants_certainty


def test_half_precision_logits_give_float32_log_probabilities() -> None:
    _, logprob = BatchSampling([Sampling(0.0)], CPU).sample(LOGITS.bfloat16()[None], [[0.5]])
    assert logprob.dtype == torch.float32
    assert logprob.item() == pytest.approx(LOGITS.log_softmax(dim=0).max().item(), abs=1e-6)


def test_extreme_numbers_never_draw_an_impossible_token() -> None:
    logits = torch.full((2, 5), -torch.inf)
    logits[:, 2] = 0.0
    tokens, _ = BatchSampling([Sampling(1.0)] * 2, CPU).sample(logits, [[0.0], [1 - 2.0**-24]])
    assert tokens.tolist() == [[2], [2]]


def test_not_a_number_shows_in_the_log_probability() -> None:
    for sampling in (Sampling(0.0), Sampling(1.0), Sampling(1.0, top_p=0.5)):
        _, logprob = BatchSampling([sampling], CPU).sample(torch.full((1, 5), torch.nan), [[0.5]])
        assert not math.isfinite(logprob.item())


def test_streams_depend_on_seed_and_position_alone() -> None:
    forward, backward = UniformStream(5), UniformStream(5)
    numbers = [forward.at(i) for i in range(200)]
    assert [backward.at(i) for i in reversed(range(200))] == numbers[::-1]
    assert all(0 <= number < 1 for number in numbers)
    assert len({UniformStream(seed).at(0) for seed in range(1000)}) > 990
    assert UniformStream(-1).at(0) == UniformStream((1 << 64) - 1).at(0)
    mean = sum(UniformStream(seed).at(t) for seed in range(100) for t in range(100)) / 10_000
    assert mean == pytest.approx(0.5, abs=0.012)
