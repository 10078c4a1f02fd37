"""Sides of a comparison, measured in turns within one run, so that other load hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Clock: TypeAlias = Callable[[], float]

CLOCKS: Final[dict[str, Clock]] = {"cpu": time.process_time, "wall": time.perf_counter}
"""Seconds that this process computed, which other programs hardly change; or that passed."""


def median_seconds(
    sides: Mapping[str, Callable[[], Any]], repeats: int, clock: Clock, *, warm_up: bool = False
) -> dict[str, float]:
    """Median seconds of each side over `repeats` rounds; `warm_up` adds a first round that does not count."""
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats + warm_up):
        for name, run in sides.items():
            begun = clock()
            run()
            seen[name].append(clock() - begun)
    return {name: statistics.median(seconds[warm_up:]) for name, seconds in seen.items()}
