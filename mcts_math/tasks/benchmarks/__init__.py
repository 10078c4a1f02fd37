"""Published data sets as question records. `BENCHMARKS` is the one table of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcts_math.tasks.benchmarks.base import Benchmark, Position
from mcts_math.tasks.benchmarks.gsm8k import GSM8K
from mcts_math.tasks.benchmarks.humaneval import HUMANEVAL
from mcts_math.tasks.benchmarks.livecodebench import LIVECODEBENCH
from mcts_math.tasks.benchmarks.math500 import MATH500
from mcts_math.tasks.benchmarks.mbpp import MBPP, MBPP_SANITIZED

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "humaneval": HUMANEVAL,
    "mbpp": MBPP,
    "mbpp-sanitized": MBPP_SANITIZED,
    "livecodebench": LIVECODEBENCH,
    "gsm8k": GSM8K,
    "math500": MATH500,
}

__all__ = ["BENCHMARKS", "Benchmark", "Position"]
