"""SplitMix64 (Steele, Lea and Flood 2014): numbers that are a pure function of a seed and a position."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", int, NDArray[np.uint64])

MASK: Final = (1 << 64) - 1
STRIDE: Final = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio


def mix(state: Number) -> Number:
    """The output function: 64 well mixed bits of 64 bits, of an integer or of each in an array."""
    bits: Any = state
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & MASK
    mixed: Number = bits ^ bits >> 31
    return mixed
