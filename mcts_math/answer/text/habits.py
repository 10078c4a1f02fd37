"""Habits of writing: patterns with what is meant by them, in tables, and the two ways to read a text by a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

Meaning: TypeAlias = str | Callable[[re.Match[str]], str]


class Habit(NamedTuple):
    """A pattern, and what stands for it in the notation that the grammar reads: a template, or a function."""

    needed: str  # what each text has in it that the pattern is found in, which is quick to see; "" says nothing
    pattern: re.Pattern[str]
    meaning: Meaning


def habits(rows: Iterable[tuple[str, str, Meaning]]) -> tuple[Habit, ...]:
    """A table of habits that are found within texts: what is needed, pattern, meaning."""
    return tuple(Habit(needed, re.compile(pattern, re.DOTALL), meaning) for needed, pattern, meaning in rows)


def turns(rows: Iterable[tuple[str, Meaning]], flags: int = 0) -> tuple[Habit, ...]:
    """A table of habits that are the whole of a text: pattern, meaning."""
    return tuple(Habit("", re.compile(pattern, flags), meaning) for pattern, meaning in rows)


def rewritten(text: str, table: Iterable[Habit]) -> str:
    """`text` with every habit rewritten, one after another."""
    for needed, pattern, meaning in table:
        if needed in text and pattern.search(text) is not None:  # looking is cheaper than rewriting
            text = pattern.sub(meaning, text)
    return text


def in_other_words(text: str, table: Iterable[Habit]) -> str | None:
    """The meaning of the first habit that is the whole of `text`; None where none is."""
    for _, pattern, meaning in table:
        if (match := pattern.fullmatch(text)) is not None:
            return match.expand(meaning) if isinstance(meaning, str) else meaning(match)
    return None
