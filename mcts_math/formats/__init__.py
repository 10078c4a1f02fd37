"""Step formats: ways of writing a step. `FORMATS` is the one table of them; a record names the format of its tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mcts_math.formats.base import FormatFactory, FormatOptions, StepFormat
from mcts_math.formats.chat import make_chat
from mcts_math.formats.chat_code import make_chat_code
from mcts_math.formats.chat_steps import make_chat_steps
from mcts_math.formats.chat_tools import make_chat_tools
from mcts_math.formats.react import FewShotFormat
from mcts_math.formats.react_sft import SftFormat

FORMATS: Final[Mapping[str, FormatFactory]] = {
    "react": FewShotFormat.make,
    "react_sft": SftFormat.make,
    "chat": make_chat,
    "chat_tools": make_chat_tools,
    "chat_code": make_chat_code,
    "chat_steps": make_chat_steps,
}

_MARKS: Final = {"react_sft": ("<step>",), "react": ("Action Input:", "<Solution complete>", "Thought:")}


def make_format(name: str, options: FormatOptions | None = None) -> StepFormat:
    """The format of a name in `FORMATS`. Raises ConfigError where its prompt files can't be used."""
    return FORMATS[name](options or FormatOptions())


def recognise_format(texts: Iterable[str]) -> str | None:
    """The name of the published format that step texts are in, for files that don't tell; None where none fits all."""
    shown = [text for text in texts if text.strip()]
    for name, marks in _MARKS.items():
        if shown and all(any(mark in text for mark in marks) for text in shown):
            return name
    return None


__all__ = ["FORMATS", "FormatOptions", "StepFormat", "make_format", "recognise_format"]
