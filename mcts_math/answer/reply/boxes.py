"""Boxes in what a model wrote: `\\boxed{…}` and its kin, and `<answer>…</answer>`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, NamedTuple

from mcts_math.answer.reply.sentences import is_aside
from mcts_math.answer.text.alphabet import closing_braces
from mcts_math.answer.text.normalise import without_colour
from mcts_math.answer.text.vocabulary import MARKS

_BOX: Final = re.compile(
    r"\\(?:boxed|fbox|framebox)\s*(?=\{)|(?<![\\a-z])boxed(?=\{)|\\boxed(?:\s+|(?=\d))([^\s$]+)"
    r"|<(?:final[_ ]?)?answer>|<solution>(?=[^<\n]{1,80}</solution>)",
    re.IGNORECASE,
)
_END_TAG: Final = re.compile(r"</(?:(?:final[_ ]?)?answer|solution)>", re.IGNORECASE)
_GAP: Final = r"(?:[\s$]|\\[()\[\],;]|\\q?quad){0,20}"
_JOINED: Final = re.compile(
    rf"(?<=\}})(?:[ $]|\\[()]){{0,9}}\n?(?:[ $]|\\[()]){{0,9}}"
    rf"|{_GAP}(?:,|;|(?:,\s*)?(?:and|or)|(?:,\s*)?\\text\s?\{{\s?,?\s?(?:and|or)\s?\}}){_GAP}(?:[a-z]\s*=\s*)?"
)
_FORMATTING: Final = re.compile(r"[$*#]|\\[()\[\]]|\\q?quad")
_PART: Final = re.compile(
    r"(?:\A|\n|[.;,!?:] )\s{0,3}(?:[-•] )?(part |case |question |problem )?\(?([a-h]|[iv]{1,3}|\d)(?:[).:]|(?=\s))",
    re.IGNORECASE,
)
_LABEL: Final = re.compile(
    r"(?:\A|\n|[.:;,!?]\s|\band )\s{0,3}(?:[-•] )?(?:and )?(?:the )?"
    r"([a-z](?:[\w'-]| (?=\w)){0,40}(?:\(\w\))?)\s?(is|=|:|are|equals)\s{0,3}\Z",
    re.IGNORECASE,
)
_NO_PART: Final = re.compile(
    r"\b(?:answer|result|final|total|altogether|in all|case|so|hence|thus|therefore|then|we|this|it|that)\b", re.I
)
_DENIED: Final = re.compile(r"\b(?:not|isn't|rather than|instead of|reject(?:s|ing)?)[\s$]{0,3}(?:\\[(\[]\s?)?\Z", re.I)
_PLACEHOLDER: Final = re.compile(
    r"(?:\\text ?\{ ?)?(?:your[ _]|the[ _]|final[ _]){0,3}answer(?: here)?(?: ?\})?|\?{1,3}|\.{3}|\\l?dots",
    re.IGNORECASE,
)
# What belongs to the value though it stands beside the box. Anything else may be a formula whose gap the box fills.
_SIGN: Final = re.compile(r"(?:\$|\\[(\[]|[=&])\s?(-|\\pm)\s?\Z")
_FACTOR: Final = re.compile(
    r"\s?(\\pi|i|\\sqrt\{\w{1,9}\}|\\times\s?10\^\{?-?\d{1,3}\}?|\+\s?C)(?=\s?(?:\$|\\[)\]]|[.,;\n]|\Z))"
)
_FORMULA_ENDS: Final = re.compile(r"\s?(?:\$|\\[)\]]|[.,;\n]|\\text|\Z)")
_SINGLE: Final = re.compile(r"[\w.]+|\\[dt]?frac\{\w+\}\{\w+\}|\\frac\d\d")


class Found(NamedTuple):
    """An answer (None: one that does not end), where it starts, and how it is marked: 2 beyond doubt, 0 by the way."""

    start: int
    answer: str | None
    rank: int = 2


class _Extent(NamedTuple):
    """Where a box starts and ends, and what it holds."""

    start: int
    end: int
    content: str


def last_box(text: str, read_tag: Callable[[str], str]) -> Found | None:
    """The last box and those that are joined to it; one that is empty, or denied ("not \\boxed{5}"), is none.

    `read_tag` tells what `<answer>…</answer>` says, by what is between the tags.
    """
    boxes = list(_BOX.finditer(text))
    closed = closing_braces(text) if boxes else {}
    tags = [match.span() for match in _END_TAG.finditer(text)] if boxes else []
    found: list[_Extent] = []
    following, aside, parts = -1, None, False
    for index, match in reversed(list(enumerate(boxes))):
        place = _extent(match, closed, tags)
        if place is None:
            if not found:
                return Found(match.start(), None)
            break
        first, last, end = place
        if found and not _JOINED.fullmatch(text, end, following):
            previous = _extent(boxes[index - 1], closed, tags) if index else None
            before = text[max(match.start() - 600, previous[2] if previous is not None else 0) : match.start()]
            if not (parts := _is_next_part(before, text[end:following])):
                break
        content = _content(match, text[first:last], read_tag)
        if not content or _DENIED.search(text[max(match.start() - 30, 0) : match.start()]):
            continue
        box = _Extent(match.start(), end, content)
        if not found and is_aside(text, match.start(), end):
            aside = aside or Found(match.start(), _with_signs(text, box), 0)
            continue
        found.append(box)
        following = match.start()
    if len(found) == 1:
        return Found(following, _with_signs(text, found[0]))
    contents = [box.content for box in reversed(found)]
    return Found(following, ", ".join(contents if parts else dict.fromkeys(contents))) if found else aside


def _is_next_part(before: str, between: str) -> bool:
    """Whether two boxes answer parts of one question, by the texts before the first and between the two."""
    before, between = (_FORMATTING.sub("", text) for text in (before, between))
    earlier, later = list(_PART.finditer(before)), list(_PART.finditer(between))
    if earlier and len(later) == 1 and any(f"{earlier[-1][2]} {later[0][2]}".lower() in row for row in MARKS):
        said = between[later[0].end() :].strip()
        if later[0][2].isdigit() and not later[0][1]:  # perhaps steps
            return not said or (said.endswith(":") and len(said) < 60 and not _NO_PART.search(said))
        return later[0][1] is not None or earlier[-1][1] is not None or _NO_PART.search(said) is None
    first, second = _LABEL.search(before[-100:]), _LABEL.search(between)
    if first is None or second is None or len(between) > 100 or first[2] != second[2] or _NO_PART.search(second[1]):
        return False
    one_sentence = re.search(r"[.!?]\s|\n", between[: second.start(1)]) is None or first[2] == ":"
    return first[1] != second[1] if one_sentence else len(first[1]) == len(second[1]) == 1


def is_empty_box(text: str) -> bool:
    """Whether a box with nothing in it is all that the text is."""
    box = _BOX.match(text)
    inside = text[box.end() :].strip(" {}$.") if box is not None and not box.group(1) else "."
    return not inside or _PLACEHOLDER.fullmatch(inside) is not None


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
        content = inside.strip(".,;") if box.group(1) is not None else without_colour(inside).strip()
    return "" if _PLACEHOLDER.fullmatch(content) else content


def _with_signs(text: str, box: _Extent) -> str:
    """What a box holds with the sign or factor that stands beside it in its formula: `x = -\\boxed{5}`."""
    factor = _FACTOR.match(text, box.end)
    ends = factor is not None or _FORMULA_ENDS.match(text, box.end) is not None
    sign = _SIGN.search(text[max(box.start - 9, 0) : box.start]) if ends else None
    if sign is None and factor is None:
        return box.content
    content = box.content if _SINGLE.fullmatch(box.content) else f"({box.content})"
    before = sign[1].ljust(len(sign[1]) + sign[1][-1].isalpha()) if sign is not None else ""
    return f"{before}{content}{factor[1] if factor is not None else ''}"
