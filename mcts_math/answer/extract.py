"""The final answer in what a model wrote: it must be marked as one, no number that merely occurs will do."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text import closing_braces

_BOX: Final = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)|\\boxed\s+(\S+)")
_MARK: Final = re.compile(
    r"(?:final|correct)\s+(?:answer|choice|option)"
    r"\s*(?:(?:\*\*|__)\s*)?(?:is|:|=)+\s*(?:(?:\*\*|__)\s*)?:?"
    r"|\banswer\s*(?:(?:\*\*|__)\s*)?(?:is\b(?:\s*:)?|:)\s*(?:\*\*|__)?"
    r"|(?<!#)####(?!#)",
    re.IGNORECASE | re.MULTILINE,
)
_STOP: Final = re.compile(
    r"</p>|</step>|<Solution complete>|\n\s*\n|\n(?=[#*-] )|I hope it is correct|<\|", re.IGNORECASE
)
_BOLD: Final = re.compile(r"\*\*([^*\n]+)\*\*\.?\s*$")
_CHOICE: Final = re.compile(r"^\(?([A-Z])\)(?:\s|$|[.:])|^\(?([A-Z])\)?[.:]?$")
_SENTENCE: Final = re.compile(r"[.!]\s+(?=[A-Z])|[.!]$")


def extract_answer(text: str) -> str | None:
    """The answer that `text` marks as final, or None where it marks none.

    Marks, the last one in the text counting: `\\boxed{…}`, `Final Answer: …`, `The (final) answer is …`, `#### …`;
    failing these, bold text at the very end. A box within a marked answer is the answer. A choice letter in front
    (`(B) 12`) is the answer.
    """
    box = _last_box(text)
    mark = _last_mark(text)
    if box is not None and (mark is None or box[0] > mark[0]):
        return box[1]
    if mark is not None:
        return mark[1]
    bold = _BOLD.search(text.rstrip())
    return _clean(bold.group(1)) if bold is not None else None


def _last_box(text: str) -> tuple[int, str] | None:
    boxes = list(_BOX.finditer(text))
    closed = closing_braces(text) if boxes else {}
    for match in reversed(boxes):
        if match.group(1) is not None:
            return match.start(), match.group(1).strip("$.")
        end = closed.get(match.end())
        if end is not None:
            content = text[match.end() + 1 : end].strip()
            if content:
                inner = _last_box(content) if "\\boxed" in content else None
                return match.start(), inner[1] if inner else content
    return None


def _last_mark(text: str) -> tuple[int, str] | None:
    for match in reversed(list(_MARK.finditer(text))):
        rest = text[match.end() :]
        stop = _STOP.search(rest.lstrip())
        rest = rest.lstrip()[: stop.start()] if stop is not None else rest.strip()
        answer = _clean(rest)
        if answer:
            return match.start(), answer
    return None


def _clean(text: str) -> str | None:
    """The answer in the rest of a marked line: without what follows its sentence, bold marks and enclosing dollars."""
    text = text.strip().strip("*_").strip()
    if "$" in text:
        whole = re.match(r"^\$+([^$]+)\$+\s*(?:[.,!]|$)", text)
        if whole is not None and not text.startswith("\\$"):
            return whole.group(1).strip() or None
    if not text.startswith(("\\begin", "[[", "Matrix")):
        text = text.split("\n", 1)[0].strip() if "\\begin" not in text else text
    sentence = _SENTENCE.search(text)
    if sentence is not None and not re.search(r"\b[ap]\.m\.?$", text[: sentence.end()].strip(), re.IGNORECASE):
        text = text[: sentence.start()]
    text = text.strip().strip("*_").strip()
    choice = _CHOICE.match(text)
    if choice is not None:
        return choice.group(1) or choice.group(2)
    return text or None
