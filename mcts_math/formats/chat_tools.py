"""`chat_tools`: the model calls Python by its own tool calls; a step is one turn of the assistant.

The calls of a turn run one after another; each is answered by a message of the tool, a bad one by an error. A turn that
calls nothing ends the solution. Calls are read as the server has parsed them, else by the model's syntax (`replies`).
"""

from __future__ import annotations

import json
from typing import Final

from mcts_math.formats.base import FormatOptions
from mcts_math.formats.chat import read_whole
from mcts_math.formats.turns import ChatFormat, message_of, read_turn
from mcts_math.messages import Message, Sample, Tool, ToolCall, whole_text
from mcts_math.step import TOOL, Action, Draft, Step

PYTHON: Final = Tool(
    TOOL,
    "Runs Python code and returns what it prints, or the value of its last line. Variables are kept between calls.",
    "code",
    "The Python code to run.",
)


def _show(step: Step) -> tuple[Message, ...]:
    answers = (Message("tool", run.observation or "", call_id=run.call_id) for run in step.runs)
    return (message_of(step), *answers)


def make_chat_tools(options: FormatOptions) -> ChatFormat:
    return ChatFormat("chat_tools", options, _read, show=_show, tools=(PYTHON,))


def _read(sample: Sample) -> Draft:
    message = read_turn(sample)
    if not message.calls:
        return read_whole(sample)
    actions = tuple(map(_action, message.calls))
    code = [action.input or call.arguments for action, call in zip(actions, message.calls, strict=True)]
    return Draft("\n".join(filter(None, [message.content, *code])), actions, message=message)


def _action(call: ToolCall) -> Action:
    """What a call asks for. A model that names no tool, as where it writes bare Python, means the only one."""
    if call.name not in ("", TOOL):
        return Action(call.name, call.arguments, f"Error: there is no tool {call.name[:80]!r}, only {TOOL}.", call.id)
    code = _code(call)
    if code is None or not code.strip():
        note = f"Error: the arguments must be a JSON object with the text {PYTHON.argument!r}."
        return Action(TOOL, "", note, call.id)
    return Action(TOOL, code, call_id=call.id)


def _code(call: ToolCall) -> str | None:
    """The code in a call's arguments: under the argument's name, or the only text there; bare Python without name."""
    try:
        arguments = json.loads(call.arguments, strict=False)
    except (ValueError, RecursionError):
        return None if call.name or call.arguments.lstrip().startswith("{") else call.arguments
    if isinstance(arguments, str):
        return whole_text(arguments)
    texts = arguments if isinstance(arguments, dict) else {}
    code = texts.get(PYTHON.argument, next(iter(texts.values())) if len(texts) == 1 else None)
    return whole_text(code) if isinstance(code, str) else None
