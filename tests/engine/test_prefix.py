"""The prefix cache against a plain list of sequences."""

from __future__ import annotations

import gc
import random
import weakref

import torch

from mcts_math.engine.hf.prefix_cache import PrefixCache, States


def states(tokens: tuple[int, ...], first: int, last: int) -> States:
    """Two buffers whose contents tell token and position."""
    ids = torch.tensor(tokens[first:last], dtype=torch.float32)
    places = torch.arange(first, last, dtype=torch.float32)
    return [(ids * 1000 + places).reshape(1, -1, 1), -(ids * 1000 + places).reshape(1, -1, 1)]


def hold(cache: PrefixCache, tokens: tuple[int, ...]) -> None:
    cache.insert(tokens, lambda first, last: states(tokens, first, last))


def check(cache: PrefixCache, tokens: tuple[int, ...], count: int) -> None:
    pieces = cache.fetch(tokens, count)
    assert [first for first, _, _ in pieces] == [0, *(last for _, last, _ in pieces[:-1])][: len(pieces)]
    assert (pieces[-1][1] if pieces else 0) == count
    for buffer, wanted in enumerate(states(tokens, 0, count)):
        got = [piece[2][buffer] for piece in pieces]
        assert torch.equal(torch.cat(got, dim=1) if got else wanted, wanted)


def test_what_is_dropped_needs_no_collector() -> None:
    """Keys and values are large: they must not wait until Python looks for cycles."""
    gc.disable()
    try:
        cache, kept = PrefixCache(100), []
        for tokens in ((1, 2, 3), (1, 2, 3, 4, 5), (1, 2, 6)):
            cache.insert(tokens, lambda first, last, tokens=tokens: states(tokens, first, last))  # type: ignore[misc]
        kept = [weakref.ref(state) for node in cache._by_age for state in node.states]
        cache.forget("")
        assert cache.num_tokens == 0
        assert len(kept) == 8
        assert not any(segment() is not None for segment in kept)
    finally:
        gc.enable()


def common(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def test_longest_common_prefix_with_anything_held() -> None:
    rng, cache, held = random.Random(0), PrefixCache(1 << 30), []
    for _ in range(300):
        base = rng.choice(held) if held and rng.random() < 0.7 else ()
        tokens = base[: rng.randrange(len(base) + 1)] + tuple(rng.randrange(4) for _ in range(rng.randrange(1, 9)))
        expected = max((common(tokens, other) for other in held), default=0)
        assert cache.match(tokens) == expected
        check(cache, tokens, expected)
        check(cache, tokens, rng.randrange(expected + 1))
        hold(cache, tokens)
        held.append(tokens)
        assert cache.match(tokens) == len(tokens)
    prefixes = {tokens[:i] for tokens in held for i in range(1, len(tokens) + 1)}
    assert cache.num_tokens == len(prefixes)  # a common prefix is held once


def test_bounded_and_the_latest_stay() -> None:
    rng, cache = random.Random(1), PrefixCache(100)
    stem = tuple(range(20))
    for number in range(500):
        tokens = stem + tuple(rng.randrange(50) for _ in range(rng.randrange(1, 30)))
        hold(cache, tokens)
        assert cache.num_tokens <= 100
        assert cache.match(tokens) == len(tokens)
        assert cache.match(stem) == 20, number
        check(cache, tokens, len(tokens))


def test_what_is_too_long_is_not_held() -> None:
    cache = PrefixCache(5)
    hold(cache, (1, 2, 3, 4, 5, 6))
    assert cache.match((1, 2)) == 0
    nothing = PrefixCache(0)
    hold(nothing, (1,))
    assert (nothing.match((1,)), nothing.num_tokens) == (0, 0)


def test_forget() -> None:
    cache = PrefixCache(50)
    hold(cache, (1, 2, 3))
    cache.forget("")
    assert (cache.match((1, 2, 3)), cache.num_tokens) == (0, 0)
    hold(cache, (1, 2))
    assert cache.match((1, 2, 3)) == 2
