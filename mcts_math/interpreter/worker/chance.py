"""Where random numbers come from: one seed for each cell, and no entropy, so that a cell can be run again.

A state seeds the generators of `random`, `numpy.random` and sympy. What asks the machine for entropy
(`random.Random()`, `default_rng()`, `secrets`, `uuid4`) gets it from one more generator, which goes on from cell to
cell, so that two cells with the same seed get different numbers. Only C code still gets it from the kernel.
"""

from __future__ import annotations

import _random
import os
import random
import sys
from collections.abc import Callable

_SEED_MASK = (1 << 32) - 1
_SEED_BYTES = 32
_the_random = random._inst
_c_seed, _c_bits = _random.Random.seed, _random.Random.getrandbits
_seed_from = random.Random.seed
_source = _random.Random(0)
_next_seed: int | None = None  # mixed in when somebody asks: few cells need it


def urandom(size: int, /) -> bytes:
    """Takes the place of `os.urandom`. Raises OverflowError for 256 MiB or more."""
    global _next_seed
    if _next_seed is not None:
        _c_seed(_source, _c_bits(_source, 64) << 64 | _next_seed)
        _next_seed = None
    return _c_bits(_source, 8 * size).to_bytes(size, "little")


def _seed(self: random.Random, a: int | float | str | bytes | bytearray | None = None, version: int = 2) -> None:
    """Initialize internal state from a seed."""
    _seed_from(self, int.from_bytes(urandom(_SEED_BYTES), "little") if a is None else a, version)


def settle() -> None:
    """Takes the place of entropy in this process and its forks. Call it before `numpy` and the like are imported."""
    os.urandom = random._urandom = urandom  # type: ignore[attr-defined]
    random.Random.seed = _seed  # type: ignore[method-assign]
    random.seed = _the_random.seed


def seeds() -> list[Callable[[int], object]]:
    """What a state calls with a cell's seed (64 bits) before it runs the cell; for the modules that are imported."""
    found: list[Callable[[int], object]] = [_seed_random, _seed_source]
    if "numpy" in sys.modules:
        seed_numpy = sys.modules["numpy"].random.seed
        found.append(lambda seed: seed_numpy(seed & _SEED_MASK))
    if "sympy.core.random" in sys.modules:
        of_sympy = sys.modules["sympy.core.random"].rng
        found.append(lambda seed: _c_seed(of_sympy, seed))
    return found


def _seed_source(seed: int) -> None:
    global _next_seed
    _next_seed = seed


def _seed_random(seed: int) -> None:
    """`random.seed`, in fewer steps."""
    _c_seed(_the_random, seed)
    _the_random.gauss_next = None  # type: ignore[attr-defined]
