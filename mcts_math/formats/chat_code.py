"""`chat_code`: for chat models without tool calls. A step ends with a block of Python, which is run.

The whole solution is one turn of the assistant, so no template can rewrite earlier steps: what a block prints is put
behind it, in a block `output`, and the model writes on. A turn that ends without a block of Python ends the solution.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from mcts_math.formats.base import FormatOptions, Resumption
from mcts_math.formats.chat import read_whole
from mcts_math.formats.replies import open_thought, read_reply
from mcts_math.formats.turns import ChatFormat, message_of, read_turn, resume_thought, was_stopped
from mcts_math.messages import Message, Piece, Sample, Sampling, text_of
from mcts_math.step import TOOL, Action, Draft, Step

SYSTEM: Final = """Solve the problem step by step. Where it helps, write Python in a block that begins with ```python \
and ends with ```. The block is run as soon as you close it, and what it prints is shown to you in a block that begins \
with ```output. Print what you want to see; variables are kept. Never write the output yourself. When you know the \
answer, state it without another block."""
_BLOCK: Final = re.compile(
    r"^[ \t]*```[ \t]*(?:python3?|py)[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_FENCE: Final = re.compile(r"^[ \t]*```", re.MULTILINE)


def _show(step: Step) -> tuple[Message, ...]:
    """The turn as it was written, with its block closed and the output behind it."""
    message = message_of(step)
    if not step.runs:
        return (message,)
    output = f"```output\n{step.runs[0].observation or ''}\n```\n"
    shown = _closing(text_of(message.pieces)) + output
    return (replace(message, written=(*message.pieces, Piece(shown, given=True))),)


def _closing(text: str) -> str:
    """What closes the block at the end of a text, up to the end of the line."""
    if len(_FENCE.findall(read_reply(text).content)) % 2:  # a thought's fences close nothing
        return "```\n" if text.endswith("\n") else "\n```\n"
    return "" if text.endswith("\n") else "\n"


def make_chat_code(options: FormatOptions) -> ChatFormat:
    return ChatFormat("chat_code", options, _read, _show, _resume, own_stops=("```\n",), system=SYSTEM)


def _read(sample: Sample) -> Draft:
    message = read_turn(sample)
    block = _BLOCK.search(message.content)
    if block is None:
        return read_whole(sample)
    if not block[1].strip():
        return Draft(message.content, message=message)
    text = message.content if block[0].rstrip().endswith("```") else f"{message.content}\n```"
    return Draft(text, (Action(TOOL, block[1].rstrip()),), message=message)


def _resume(budget: int, sample: Sample, sampling: Sampling) -> Resumption | None:
    """A fence that closes no block of Python ends nothing."""
    resumption = resume_thought(budget, sample, sampling)
    left = sampling.max_tokens - sample.num_tokens
    if resumption is not None or not was_stopped(sample) or left <= 0:
        return resumption
    text = text_of(sample.written)
    if open_thought(text, sample.opening) is not None or _BLOCK.search(read_reply(text, sample.opening).content):
        return None
    return Resumption(replace(sampling, max_tokens=left))
