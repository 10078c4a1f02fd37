"""Gradients as labels, and products of tuples: rules of the kind that `notations` lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mcts_math.answer.text.vocabulary import meanings

_FIELDS: Final = meanings(r"\Xi: grad; \Upsilon: div \cdot; \Upsilon_{1}: curl rot \times")
_ENTRIES: Final = r"[^()]{1,60}?,[^()]{1,60}"  # of a vector


def _dot(match: re.Match[str]) -> str:
    """A product of two tuples as the sum that it is."""
    first, second = match[1].split(","), match[2].split(",")
    products = (f"({a})({b})" for a, b in zip(first, second, strict=False))
    return f"({'+'.join(products)})" if len(first) == len(second) else match[0]


VECTORS: Final[tuple[tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (
        "=",
        re.compile(
            r"^(?:\\nabla ?(\\cdot|\\times)?|\\(?:operatorname|mathrm|text) ?\{ ?(grad|div|curl|rot) ?\})"
            r" ?(?:\\(?:mathbf|vec|boldsymbol) ?\{? ?)?[A-Za-z] ?\}?(?: ?\([\w, ]{1,12}\))? ?="
        ),
        lambda m: f"{_FIELDS[m[1] or m[2] or 'grad']} =",
    ),
    (r"\cdot", re.compile(rf"(?<![\w}}])\(({_ENTRIES})\) ?\\cdot ?\(({_ENTRIES})\)"), _dot),
)
