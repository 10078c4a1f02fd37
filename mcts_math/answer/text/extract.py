"""The final answer in what a model wrote: it must be marked as one, no number that merely occurs will do."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final, NamedTuple

from mcts_math.answer.text.braces import closing_braces
from mcts_math.answer.text.normalise import without_colour

_BOX: Final = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)|\\boxed\s+(\S+)|<answer>", re.IGNORECASE)
_END_TAG: Final = re.compile(r"</answer>", re.IGNORECASE)
_MARK: Final = re.compile(
    r"(?:final|correct)\s+(?:answer|choice|option)"
    r"\s*(?:(?:\*\*|__)\s*)?(?:is|:|=)+\s*(?:(?:\*\*|__)\s*)?:?"
    r"|\banswer\s*(?:(?:\*\*|__)\s*)?(?:is\b(?:\s*:)?|:)\s*(?:\*\*|__)?"
    r"|(?<!#)####(?!#)"
    r"|^[ #*_]{0,9}final answer[ #*_]{0,9}$|^ {0,3}(?:#|\*\*|__)[ #*_]{0,6}answer[ #*_]{0,9}$",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_START: Final = re.compile(r"(?:^|\n)[ #*_>-]{0,9}(?:the )?\Z", re.IGNORECASE)
_STOP: Final = re.compile(
    r"</(?:p|step|s|answer|solution)>|<(?:eos|end_of_turn)>|<Solution complete>|\n\s*\n|\n(?=[#*-] )"
    r"|I hope it is correct|<\|",
    re.IGNORECASE,
)
_THOUGHT: Final = re.compile(r"[<\[](/?)(?:think|thinking|thought|reasoning)[>\]]", re.IGNORECASE)
_CHANNEL: Final = re.compile(r"<\|channel\|>(\w+)(?:[^<]{0,80})<\|message\|>")
_BOLD: Final = re.compile(r"\*\*([^*\n]+)\*\*\.?\s*$")
_CHOICE: Final = re.compile(r"^\(?([A-Z])\)(?:\s|$|[.:])|^\(?([A-Z])\)?[.:]?$")
_SENTENCE: Final = re.compile(r"[.!]\s+(?=[A-Z])|[.!]$")
_ABBREVIATED: Final = re.compile(r"\b(?:[ap]\.m|[AP]\.M|St|Mt|Dr|Mr|Mrs|Ms)\.?$")
_AFTERTHOUGHT: Final = re.compile(
    r",?\s+(?:which|because|since|as\s+(?:required|desired|expected))\b|,\s+(?:and\s+)?so\s+(?=[a-z]{2})"
)
_DISPLAYS: Final = ((r"\[", r"\]"), ("$$", "$$"), (r"\(", r"\)"))
_JOINED: Final = re.compile(r"[\s$]*(?:,|and|or|,\s*and|,\s*or|;)[\s$]*(?:[a-z]\s*=\s*)?")
_MAX_MARKED: Final = 5000  # characters behind a mark


class _Found(NamedTuple):
    """An answer (None: one that does not end), where it starts, and whether it is marked beyond doubt."""

    start: int
    answer: str | None
    strong: bool = True


def extract_answer(text: str) -> str | None:
    """The answer that `text` marks as final, or None where it marks none.

    Marks are a box (`\\boxed{…}`, `<answer>…</answer>`), `Final Answer: …` or that heading, `#### …`; the last of these
    in the text counts. Boxes that `and`, `or` or a comma joins are a list. Failing these, the last `the answer is …`,
    then bold text at the very end. A choice letter in front (`(B) 12`) is the answer. A thought (`<think>`) marks
    nothing, and a last box that does not end gives no answer.
    """
    reply = _without_thoughts(text)
    found = [item for item in (_last_box(reply), _last_mark(reply)) if item is not None]
    if found:
        return max(found, key=lambda item: (item.strong, item.start)).answer
    bold = _BOLD.search(reply.rstrip())
    return _clean(bold.group(1)) if bold is not None else None


def _without_thoughts(text: str) -> str:
    """The reply itself: without thoughts, finished or not, and of channels only the final one."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        last = channels[-1]
        text = text[last.end() :] if last.group(1) == "final" else ""
    kept: list[str] = []
    start, depth = 0, 0
    for match in _THOUGHT.finditer(text):
        if match.group(1):
            if not depth:
                kept.clear()  # the template had opened the thought
            depth = max(depth - 1, 0)
            start = match.end()
        else:
            if not depth:
                kept.append(text[start : match.start()])
            depth += 1
    return "".join([*kept, text[start:] if not depth else ""])


def _last_box(text: str) -> _Found | None:
    """The last box and those that are joined to it; one that is open has no answer, an empty one is none."""
    boxes = list(_BOX.finditer(text))
    closed = closing_braces(text) if boxes else {}
    ends = [match.start() for match in _END_TAG.finditer(text)] if boxes else []
    found: list[str] = []
    start, following = 0, -1
    for match in reversed(boxes):
        content, end = _boxed(text, match, closed, ends)
        if content is None:
            if not found:
                return _Found(match.start(), None)
            break
        if found and not _JOINED.fullmatch(text, end, following):
            if end > following:  # this box holds the one found
                start, following = match.start(), match.start()
                continue
            break
        if content:
            found.append(content)
            start = following = match.start()
    answers = dict.fromkeys(reversed(found))
    return _Found(start, ", ".join(answers)) if answers else None


def _boxed(text: str, box: re.Match[str], closed: dict[int, int], tags: list[int]) -> tuple[str | None, int]:
    """What a box holds (None where it does not end), and where it ends."""
    if box.group(1) is not None:
        return box.group(1).strip("$."), box.end()
    if box.group().startswith("<"):
        place = bisect_left(tags, box.end())
        end = tags[place] if place < len(tags) else None
        return (None, 0) if end is None else (_clean(text[box.end() : end]) or "", end + len("</answer>"))
    end = closed.get(box.end())
    return (None, 0) if end is None else (without_colour(text[box.end() + 1 : end]).strip(), end + 1)


def _last_mark(text: str) -> _Found | None:
    marks = list(_MARK.finditer(text))
    strong = {match.start() for match in marks if _is_strong(text, match)}
    for match in sorted(marks, key=lambda match: (match.start() in strong, match.start()), reverse=True):
        rest = text[match.end() : match.end() + _MAX_MARKED].lstrip()
        stop = _STOP.search(rest)
        rest = rest[: stop.start()] if stop is not None else rest.rstrip()
        inner = _MARK.match(rest[4:] if rest[:4].lower() == "the " else rest)
        answer = _clean(rest if inner is None else rest[rest.index(inner.group()) + len(inner.group()) :])
        if answer:
            return _Found(match.start(), answer, match.start() in strong)
    return None


def _is_strong(text: str, match: re.Match[str]) -> bool:
    """Whether a mark is no part of a sentence: a heading, `####`, `Final Answer:`, `Answer:` in front of a line."""
    mark = match.group().lower()
    if " is" in mark and ":" not in mark:
        return False
    return (
        "final" in mark
        or "answer" not in mark
        or _LINE_START.search(text[max(match.start() - 14, 0) : match.start()]) is not None
    )


def _clean(text: str) -> str | None:
    """The answer in the rest of a marked line: without what follows its sentence, bold marks and enclosing dollars."""
    text = without_colour(text).strip().strip("*_").strip()
    for left, right in _DISPLAYS:
        if text.startswith(left) and "\\begin" not in text and (end := text.find(right, 2)) > 0:
            return text[2:end].strip(" \n.") or None
    if "$" in text:
        whole = re.match(r"^\$+([^$]+)\$+\s*(?:[.,!]|$)", text)
        if whole is not None and not text.startswith("\\$"):
            return whole.group(1).strip() or None
    if not text.startswith(("\\begin", "[[", "Matrix")):
        text = text.split("\n", 1)[0].strip() if "\\begin" not in text else text
    for sentence in _SENTENCE.finditer(text):
        if not _ABBREVIATED.search(text, max(sentence.start() - 6, 0), sentence.end()) and not _ABBREVIATED.search(
            text[max(sentence.start() - 6, 0) : sentence.start()]
        ):
            text = text[: sentence.start()]
            break
    text = _AFTERTHOUGHT.split(text, maxsplit=1)[0].strip().strip("*_").strip()
    whole = re.match(r"^\$([^$]+)\$$", text)
    if whole is not None:
        return whole.group(1).strip() or None
    choice = _CHOICE.match(text)
    if choice is not None:
        return choice.group(1) or choice.group(2)
    return text or None
