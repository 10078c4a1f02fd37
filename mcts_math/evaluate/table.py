"""Tables as text: for the terminal, and in Markdown."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from shutil import get_terminal_size


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int = 0) -> str:
    """Aligns columns, the first to the left; a row may lack some at its end. Columns that hold nothing are left out;
    those that have no room on a screen of this width (0: no limit) follow below, behind the first one again."""
    held = {i for row in rows for i, cell in enumerate(row) if cell not in ("", "-")}
    filled = [i for i in range(len(header)) if i == 0 or i in held or not rows]
    table = [[row[i] if i < len(row) else "" for i in filled] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]

    def line(row: Sequence[str], shown: Sequence[int]) -> str:
        cells = [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in shown)]
        return "  ".join(cells).rstrip()

    rule = ["-" * one for one in widths]
    blocks: list[str] = []
    for shown in _blocks(widths, width):
        there = [row for row in table[1:] if not blocks or any(row[i] for i in shown)]
        blocks.append("\n".join(line(row, shown) for row in (table[0], rule, *there)))
    return "\n\n".join(blocks)


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Which columns stand beside each other behind the first one, at least one in a block."""
    blocks: list[list[int]] = [[]]
    left = room - widths[0]
    for i, width in enumerate(widths[1:], 1):
        left -= width + 2
        if room and left < 0 and blocks[-1]:
            blocks.append([])
            left = room - widths[0] - width - 2
        blocks[-1].append(i)
    return blocks


def screen_width() -> int:
    """Columns of the terminal that standard output is; 0 where it is none, and lines may be as long as they are."""
    return get_terminal_size().columns if sys.stdout.isatty() else 0


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def marked(name: str, oracle: bool) -> str:
    """The name of a method or file, with a mark where the verdict of the ground truth was read."""
    return f"{name} (oracle)" if oracle else name


def percent(value: float) -> str:
    """A share in [0, 1] in points, as every program and page tells an accuracy."""
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def interval(bounds: tuple[float, float]) -> str:
    """The ends of its 95 % interval, in points."""
    return f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}"


def number(value: float, digits: int = 1) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"
