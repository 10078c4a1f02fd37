"""Remarks behind an answer (its decimal, a reason, how it was rounded), and answers that are said twice."""

from __future__ import annotations

import re
from typing import Final

# how a remark begins that is no part of the answer, after its bracket
REMARK: Final = (
    r"(?:[\s$]|\\[ ,;(]){0,4}(?:(?:\\approx|≈|\\sim|(?:(?:or|that is|i\.e\.,?) )?(?:approx[a-z.]{0,8}|about|roughly)"
    r"\W)(?=\W{0,6}\d)|(?:since|because|as|where|note|after|double|repeated|rounded|assuming|reject\w{1,3}|using|e\.g\."
    r"|correct to|take|one checks|exact(?:ly)?|the only|by (?:the|[A-Z]|\w{1,20}'s)|to the nearest|the \w{1,20} are"
    r"|(?:to )?(?:\d|one|two|three|four) [sd]\w{3,9})\b|(?:to )?\d [sd]\.?[fp]\b|the answer(?=\)))"
)
_BRACKET: Final = re.compile(  # with a percentage, an equals sign or a word in it: no factor
    r"(.{1,200}?)(?:[ ~]|\\ |(?<=\}))(?:\\text ?\{ ?)?"
    r"\(((?=[^()]{0,60}%| ?=|[^()]{0,60}(?<![\\A-Za-z])[A-Za-z]{2})[^()]{1,100})\)[ }]{0,3}",
    re.DOTALL,
)
_AGAIN: Final = re.compile(
    r"(?:(?:\\text ?\{)? ?,? ?(?<![A-Za-z])(?:or|that is|namely)\b|,? ?i\.e\.),?(?: equivalently,?)? ?(?:\} ?)?"
    r"(?=\S)"
)


def said_twice(text: str) -> tuple[str, str] | None:
    """The two sayings of what may be one value: `1/2 or 0.5`, `18 (eighteen)`; None where there is but one."""
    if len(text) > 300:
        return None
    bracket = _BRACKET.fullmatch(text)
    parts = list(bracket.groups()) if bracket is not None else _AGAIN.split(text, maxsplit=1)
    sayings = [_AGAIN.sub("", part, count=1).strip(" ,=") if place else part for place, part in enumerate(parts)]
    return (sayings[0], sayings[1]) if len(sayings) == 2 and all(sayings) else None
