"""Runs the code of demonstrations, which the recipe wrote itself: in this process, without a sandbox."""

from __future__ import annotations

import builtins
import io
from collections.abc import Sequence
from contextlib import redirect_stdout


def shown(text: str) -> str:
    """Printed text as the tool shows it: a float has four decimals at most where that is shorter; 500 characters."""
    text = text.strip()[:500]
    try:
        rounded = str(round(float(text), 4))
    except (ValueError, OverflowError):
        return text
    return rounded if len(rounded) < len(text) else text


def run_cells(cells: Sequence[str]) -> list[str]:
    """The observation of every cell, run one after another in one namespace; after a failure the rest fail too."""
    space: dict[str, object] = {"__builtins__": builtins}
    seen: list[str] = []
    for cell in cells:
        out = io.StringIO()
        try:
            with redirect_stdout(out):
                exec(compile(cell, "<cell>", "exec"), space)
            seen.append(shown(out.getvalue()))
        except Exception as error:
            seen.append(f"{type(error).__name__}: {error}"[:200])
    return seen
