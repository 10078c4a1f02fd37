"""The labelled suite: tables in `suite/*.txt`, one answer in many spellings and its near misses on each line.

    spelling ;; spelling ;; … !! near miss ;; near miss

Every two spellings are a pair that is equal; a line that starts with `* ` pairs the first with each other one only
(units and roundings: 90 minutes and 1.5 hours are both 90-or-1.5 without a unit, but not each other's number).
The first spelling and each near miss are a pair that differs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUITE = Path(__file__).resolve().parent / "suite"


@dataclass(frozen=True)
class SuitePair:
    """A labelled pair, and the table and the kind (a line `# --- kind`) that it comes from."""

    table: str
    gold: str
    pred: str
    equal: bool
    kind: str = ""


def suite_rows() -> Iterator[tuple[str, bool, list[str], list[str]]]:
    """(table, first spelling only, spellings, near misses) of every line."""
    for table, first_only, spellings, near, _ in _rows():
        yield table, first_only, spellings, near


def _rows() -> Iterator[tuple[str, bool, list[str], list[str], str]]:
    for path in sorted(SUITE.glob("*.txt")):
        kind = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# --- "):
                kind = line[6:].strip()
            if not line.strip() or line.startswith("#"):
                continue
            assert line.count(" !! ") < 2, f"{path.name}: near misses are parted by ;;: {line}"
            first_only = line.startswith("* ")
            same, _, different = line.removeprefix("* ").partition(" !! ")
            spellings = [text.strip(" ").replace("\\n[", "\n[") for text in same.split(" ;; ")]
            near = [text.strip(" ") for text in different.split(" ;; ")] if different else []
            yield path.stem, first_only, spellings, near, kind


def suite_pairs() -> Iterator[SuitePair]:
    """All pairs of the suite."""
    for table, first_only, same, near, kind in _rows():
        pairs = ((same[0], other) for other in same[1:]) if first_only else itertools.combinations(same, 2)
        for gold, pred in pairs:
            yield SuitePair(table, gold, pred, True, kind)
        for miss in near:
            yield SuitePair(table, same[0], miss, False, kind)
