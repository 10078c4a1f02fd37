"""The parts of a step: what was thought, run, observed and answered, and the format's own words; together its text
to the letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from mcts_math.step import Step

Part: TypeAlias = tuple[str, str]
"""(kind, text). The kinds: `thought`, `code`, `observation`, `answer`, and `mark` for the format's own words."""

_SECTIONS: Final = {
    "<p>": "thought",
    "<code>": "code",
    "<output>": "observation",
    "Thought:": "thought",
    "Action Input:": "code",
    "Observation:": "observation",
    "Final Answer:": "answer",
}
"""A word of a format -> the kind of what follows it; what follows any other word is the format's own."""

_MARKS: Final = {
    "react_sft": re.compile(r"</?(?:step|p|code|output)>|Final Answer:"),
    "react": re.compile(r"Thought:|Action:|Action Input:|Observation:|Final Answer:|<Solution complete>"),
    "chat_code": re.compile(r"^[ \t]*```\w*", re.MULTILINE),  # around code that was run; others are part of the text
}
_SECTIONED: Final = ("react_sft", "react")
"""Formats that name the parts of every step."""
_NO_MARKS: Final = re.compile(r"(?!)")
_BEFORE_CODE: Final = ("<code>", "Action Input:")


def split_step(step: Step, form: str) -> list[Part]:
    """The parts of a step's text, in their order; of an unknown format what surrounds code and observation is
    thought."""
    marks = _MARKS.get(form, _NO_MARKS) if form in _SECTIONED or step.runs else _NO_MARKS
    known = [("code", run.input) for run in step.runs] + [("observation", run.observation or "") for run in step.runs]
    parts: list[Part] = []
    rest, kind = step.text, "thought"
    start = max(0, *(rest.find(word) for word in _BEFORE_CODE)) if step.runs else 0  # the thought may quote the code
    for name, part in known:
        before, found, after = _cut(rest, part, start)
        if found:
            parts += [*_by_marks(before, marks, kind), (name, found)]
            rest, kind, start = after, "mark", 0
    if kind == "mark" and form not in _SECTIONED:
        kind = "thought"
    return _merged([*parts, *_by_marks(rest, marks, kind)])


def _cut(text: str, part: str, start: int = 0) -> tuple[str, str, str]:
    """(before, part, after); all is before where the part is empty, or is not in the text."""
    at = text.find(part, start) if part else -1
    return (text, "", "") if at < 0 else (text[:at], part, text[at + len(part) :])


def _by_marks(text: str, marks: re.Pattern[str], kind: str) -> Iterator[Part]:
    """Parts by the words of a format. `kind` is that of what stands before the first one."""
    at = 0
    for match in marks.finditer(text):
        yield kind, text[at : match.start()]
        yield "mark", match[0]
        kind, at = _SECTIONS.get(match[0], "mark"), match.end()
    yield kind, text[at:]


def _merged(parts: list[Part]) -> list[Part]:
    """Without empty parts; blank ones are the format's own, and neighbours of one kind are one part."""
    merged: list[Part] = []
    for kind, text in parts:
        kind = kind if text.strip() else "mark"
        if merged and merged[-1][0] == kind:
            merged[-1] = kind, merged[-1][1] + text
        elif text:
            merged.append((kind, text))
    return merged
