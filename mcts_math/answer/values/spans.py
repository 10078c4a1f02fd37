"""How many directions a set of vectors spans: by that, families of functions and straight lines are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Vector = Sequence[Any]  # real or complex numbers
_LOST: Final = 1e-8  # relative size below which a value is rounding error


def same_flat(left: Sequence[Vector], right: Sequence[Vector], dimension: int) -> bool:
    """Whether the points `left` span the same flat (line, plane, …) of that dimension as the points `right`."""
    return all(
        rank([[a - b for a, b in zip(point, points[0], strict=True)] for point in points[1:]]) == dimension
        for points in (left, right, [*left, *right])
    )


def rank(vectors: Sequence[Vector]) -> int:
    """How many of the vectors are linearly independent."""
    rows = []
    for vector in vectors:
        size = max(map(abs, vector))
        if size:
            rows.append([value / size for value in vector])
    count = 0
    while rows:
        pivot = max(rows, key=lambda row: max(map(abs, row)))
        place = max(range(len(pivot)), key=lambda index: abs(pivot[index]))
        if abs(pivot[place]) < _LOST:
            break
        count += 1
        rows.remove(pivot)
        for row in rows:
            factor = row[place] / pivot[place]
            row[:] = [value - factor * other for value, other in zip(row, pivot, strict=True)]
    return count
