"""Confidence intervals over questions, at 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence

_Z = 1.959964  # of a normal distribution, 95 % lies within so many standard deviations of its mean


def wilson_interval(correct: float, total: int) -> tuple[float, float]:
    """95 % confidence interval of a proportion (E. B. Wilson, 1927), in [0, 1]; (0, 1) where nothing was judged."""
    if not total:
        return 0.0, 1.0
    p, z = correct / total, _Z
    centre = p + z * z / (2 * total)
    spread = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # p lies between them; rounding would put it beyond an end where all answers are right, or all wrong
    return max(0.0, min(p, (centre - spread) / scale)), min(1.0, max(p, (centre + spread) / scale))


def normal_interval(scores: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """Mean of the scores of questions and its normal 95 % interval, from their spread; NaN without scores."""
    if not scores:
        return math.nan, (math.nan, math.nan)
    mean = sum(scores) / len(scores)
    variance = sum((score - mean) ** 2 for score in scores) / max(len(scores) - 1, 1)
    spread = _Z * math.sqrt(variance / len(scores))
    return mean, (mean - spread, mean + spread)


def share_interval(scores: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The same for scores in [0, 1]; that of a proportion where all are 0 or 1, or equal: there is no spread to go
    by."""
    mean, (low, high) = normal_interval(scores)
    if scores and (set(scores) <= {0, 1} or _all_same(scores)):
        return mean, wilson_interval(mean * len(scores), len(scores))
    return (mean, (max(0.0, low), min(1.0, high))) if scores else (mean, (0.0, 1.0))


def difference_interval(differences: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The same for paired differences of such scores. Where all are equal, half of each of the four outcomes of a
    pair is added (A. Agresti and Y. Min, Statistics in Medicine 24, 2005)."""
    mean, (low, high) = normal_interval(differences)
    if _all_same(differences):
        num = len(differences) + 2
        centre = sum(differences) / num
        variance = (sum(one * one for one in differences) + 1) / num - centre * centre
        spread = _Z * math.sqrt(variance / num)
        low, high = min(mean, centre - spread), max(mean, centre + spread)
    return (mean, (max(-1.0, low), min(1.0, high))) if differences else (mean, (-1.0, 1.0))


def _all_same(scores: Sequence[float]) -> bool:
    return bool(scores) and min(scores) == max(scores)
