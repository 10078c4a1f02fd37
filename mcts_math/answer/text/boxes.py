"""Boxes in what a model wrote: `\\boxed{…}` and its kin, and `<answer>…</answer>`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, NamedTuple

from mcts_math.answer.text.braces import closing_braces
from mcts_math.answer.text.normalise import without_colour

_BOX: Final = re.compile(
    r"\\(?:boxed|fbox|framebox)\s*(?=\{)|(?<![\\a-z])boxed(?=\{)|\\boxed(?:\s+|(?=\d))(\S+)|<(?:final[_ ]?)?answer>",
    re.IGNORECASE,
)
_END_TAG: Final = re.compile(r"</(?:final[_ ]?)?answer>", re.IGNORECASE)
_GAP: Final = r"(?:[\s$]|\\[()\[\],;]|\\q?quad)*"
_JOINED: Final = re.compile(
    rf"{_GAP}(?:,|;|(?:,\s*)?(?:and|or)(?:\s+also)?|(?:,\s*)?\\text\s?\{{\s?,?\s?(?:and|or)\s?\}}|\.?\s?\n\s*\([b-h]\))"
    rf"{_GAP}(?:[a-z]\s*=\s*)?"
)
_DENIED: Final = re.compile(r"\b(?:not|isn't)(?: (?:be|equal(?: to)?|simply|just))?[\s$]{0,3}(?:\\[(\[]\s?)?\Z")
_PLACEHOLDER: Final = re.compile(r"(?:your[ _]|the[ _]|final[ _]){0,3}answer|\.{3}|\\l?dots", re.IGNORECASE)
# What belongs to the value though it stands beside the box. Anything else may be a formula whose gap the box fills.
_ORDER: Final = r"(?:[<>]|\\[lg]e(?:q|qslant)?(?![a-z])|\\[lg]t(?![a-z]))"
_SIGN: Final = re.compile(
    rf"(?:\$|\\[(\[]|[=&])\s?(-|\\pm|[a-z]\s?{_ORDER}|(?:-?[\d.]+|\\boxed\{{[^{{}}]{{1,20}}\}})\s?{_ORDER}\s?[a-z]\s?{_ORDER})\s?\Z"
)
_FACTOR: Final = re.compile(
    r"\s?(\\pi|i|\\sqrt\{\w{1,9}\}|\\times\s?10\^\{?-?\d{1,3}\}?|\+\s?C|!(?=\s?(?:\$|\\[)\]])))(?=\s?(?:\$|\\[)\]]|[.,;\n]|\Z))"
)
_FORMULA_ENDS: Final = re.compile(r"\s?(?:\$|\\[)\]]|[.,;\n]|\\text|\Z)")
_EXTREME: Final = re.compile(
    r"\b(?:least|smallest|greatest|largest|most|fewest|minimum|maximum|minimal|maximal)\b", re.I
)
_UNBOXED: Final = re.compile(r"\\boxed\{([^{}]*)\}")
_SINGLE: Final = re.compile(r"[\w.]+|\\[dt]?frac\{\w+\}\{\w+\}|\\frac\d\d")


class Boxed(NamedTuple):
    """Where the last box stands, and its answer (None: it does not end)."""

    start: int
    answer: str | None


class _Extent(NamedTuple):
    """Where a box starts and ends, and what it holds."""

    start: int
    end: int
    content: str


def last_box(text: str, read_tag: Callable[[str], str]) -> Boxed | None:
    """The last box and those that are joined to it; one that is empty, or denied ("not \\boxed{5}"), is none.

    Args:
        text: a reply.
        read_tag: what `<answer>…</answer>` says, by what is between the tags.
    """
    boxes = list(_BOX.finditer(text))
    closed = closing_braces(text) if boxes else {}
    tags = [match.span() for match in _END_TAG.finditer(text)] if boxes else []
    found: list[_Extent] = []
    following = -1
    for match in reversed(boxes):
        place = _extent(match, closed, tags)
        if place is None:
            if not found:
                return Boxed(match.start(), None)
            break
        first, last, end = place
        if found and not _JOINED.fullmatch(text, end, following):
            if end > following:  # this box holds the one found
                following = match.start()
                continue
            break
        content = _content(match, text[first:last], read_tag)
        if content and not _DENIED.search(text[max(match.start() - 30, 0) : match.start()]):
            found.append(_Extent(match.start(), end, content))
            following = match.start()
    if len(found) == 1:
        return Boxed(following, _with_signs(text, found[0]))
    return Boxed(following, ", ".join(dict.fromkeys(box.content for box in reversed(found)))) if found else None


def is_empty_box(text: str) -> bool:
    """Whether a box with nothing in it is all that the text is."""
    box = _BOX.match(text)
    return box is not None and text[box.end() :].strip(" {}$.") == "" and not box.group(1)


def _extent(box: re.Match[str], closed: dict[int, int], tags: list[tuple[int, int]]) -> tuple[int, int, int] | None:
    """Where what a box holds starts and ends, and where the box ends; None where it does not."""
    if box.group(1) is not None:
        return box.start(1), box.end(1), box.end()
    if box.group().startswith("<"):
        place = bisect_left(tags, (box.end(), 0))
        return None if place == len(tags) else (box.end(), *tags[place])
    end = closed.get(box.end())
    return None if end is None else (box.end() + 1, end, end + 1)


def _content(box: re.Match[str], inside: str, read_tag: Callable[[str], str]) -> str:
    if box.group().startswith("<"):
        content = read_tag(inside)
    else:
        content = inside.strip("$.") if box.group(1) is not None else without_colour(inside).strip()
    return "" if _PLACEHOLDER.fullmatch(content) else content


def _with_signs(text: str, box: _Extent) -> str:
    """What a box holds with the sign, bound or factor that stands beside it in its formula: `x = -\\boxed{5}`."""
    before = text[max(box.start - 80, 0) : box.start]
    factor = _FACTOR.match(text, box.end)
    sign = _SIGN.search(before) if factor is not None or _FORMULA_ENDS.match(text, box.end) else None
    if sign is not None and _EXTREME.search(before) and not sign.group(1).startswith(("-", "\\pm")):
        sign = None  # the least n with n >= 5
    if sign is None and factor is None:
        return box.content
    sign_text = _UNBOXED.sub(r"\1", sign.group(1)) if sign is not None else ""
    content = box.content if _SINGLE.fullmatch(box.content) else f"({box.content})"
    return f"{sign_text}{' ' * sign_text[-1:].isalpha()}{content}{factor.group(1) if factor is not None else ''}"
