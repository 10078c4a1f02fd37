"""Reading what a chat model wrote: thought, text and tool calls, in the syntax of the model families' templates,
each with marks of its own. What can't be read is never an error: a call whose arguments are cut off stands as it was
written."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any, Final

from mcts_math.messages import Message, ToolCall, whole_text

_Calls = tuple[str, list[tuple[str, str]]]
"""The text without its calls, and of each call name and arguments."""


@dataclass(frozen=True, slots=True)
class ThoughtMarks:
    """What stands before and behind a thought."""

    begin: str
    end: str


THOUGHTS: Final = (
    ThoughtMarks("<think>", "</think>"),  # Qwen, DeepSeek, GLM, Nemotron, SmolLM3
    ThoughtMarks("[THINK]", "[/THINK]"),  # Mistral
    ThoughtMarks("<|channel|>analysis<|message|>", "<|end|>"),  # gpt-oss
    ThoughtMarks("<|channel>thought\n", "<channel|>"),  # Gemma
    ThoughtMarks("<seed:think>", "</seed:think>"),  # Seed-OSS
    ThoughtMarks("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere
)
_PLAIN: Final = THOUGHTS[0]
_HEADER: Final = re.compile(r"(?:<\|start\|>assistant)?(?:<\|channel\|>(?:final|commentary))?<\|message\|>")
_END: Final = re.compile(
    r"(?:<\|(?:im_end|eot_id|eom_id|end|return|call|endoftext|END_RESPONSE)\|>|<(?:turn\||end_of_turn)>)\s*\Z"
)

_CHANNEL: Final = re.compile(  # no two parts side by side match the same text: time is linear, whatever was written
    r"(?:<\|start\|>assistant\s*)?(?:\bto=([\w.-]+)\s*)?<\|channel\|>(?:commentary|analysis)([^<]*)"
    r"(?:<\|constrain\|>[^<]*)?<\|message\|>(.*?)(?:<\|call\|>|<\|end\|>|\Z)",
    re.DOTALL,
)
_DECODER: Final = JSONDecoder(strict=False)
_BETWEEN: Final = re.compile(r"[ \n\t;,]*")
_RECIPIENT: Final = re.compile(r"\bto=([\w.-]+)")


def open_thought(text: str, opening: str = "") -> ThoughtMarks | None:
    """The marks of the thought that a reply leaves open; None where it leaves none open. Arguments as `read_reply`."""
    return _split_thought(text, opening)[2]


def read_reply(text: str, opening: str = "") -> Message:
    """A reply, special tokens included, with thought, text and calls apart; a thought may have begun in `opening`."""
    thought, rest, _ = _split_thought(text, opening)
    rest = _END.sub("", rest)
    for read in _SYNTAXES:
        found = read(rest)
        if found is not None:
            content, calls = found
            # Ids of nine letters and digits, as Mistral asks.
            numbered = (ToolCall(name.strip(), given, f"call{i:05d}") for i, (name, given) in enumerate(calls))
            return Message("assistant", _clean(content), thought, tuple(numbered))
    return Message("assistant", _clean(rest), thought)


def _split_thought(text: str, opening: str) -> tuple[str, str, ThoughtMarks | None]:
    """The thoughts in front of a reply, what is left of it, and the marks of a last one without end."""
    opened = next((m for m in THOUGHTS if opening.rfind(m.begin.strip()) > opening.rfind(m.end)), None)
    if opened is None and not opening:  # nobody tells what the template opens: an end without beginning tells it
        begin, end = text.find(_PLAIN.begin), text.find(_PLAIN.end)
        opened = _PLAIN if end >= 0 and not 0 <= begin < end else None
    thoughts: list[str] = []
    if opened is None:
        opened = _opened_by(text)
        text = text if opened is None else text.partition(opened.begin)[2]
    while opened is not None:
        thought, end_mark, text = text.partition(opened.end)
        thoughts.append(thought.strip())
        if not end_mark:
            return "\n\n".join(filter(None, thoughts)), "", opened
        opened = _opened_by(text)
        if opened is not None:
            text = text.partition(opened.begin)[2]
    return "\n\n".join(filter(None, thoughts)), text, None


def _opened_by(text: str) -> ThoughtMarks | None:
    """The marks of the thought that a text begins with."""
    start = text.lstrip().removeprefix("<|start|>assistant")
    return next((marks for marks in THOUGHTS if start.startswith(marks.begin)), None)


def _clean(text: str) -> str:
    return _END.sub("", _HEADER.sub("", text)).strip()  # what stood before a call has an end of its own


def _harmony(text: str) -> _Calls | None:
    """gpt-oss: a channel addressed to a function, before its mark or behind it."""
    content, calls, end = list[str](), list[tuple[str, str]](), 0
    for found in _CHANNEL.finditer(text):
        behind = _RECIPIENT.search(found[2])
        name = found[1] or (behind[1] if behind else "")
        if name:
            content.append(text[end : found.start()])
            calls.append((name.removeprefix("functions."), found[3]))
            end = found.end()
    return ("".join([*content, text[end:]]), calls) if calls else None


def _tagged(text: str) -> _Calls | None:
    """`<tool_call>`: JSON (Hermes, Qwen), XML of functions and parameters (Qwen-Coder), keys and values (GLM)."""
    before, mark, rest = text.partition("<tool_call>")
    if not mark:
        return None
    outside, calls = [before], list[tuple[str, str]]()
    while mark:
        end = _end_of_json(rest)  # code in a JSON text may hold the mark of the end
        behind, _, after = rest[end:].partition("</tool_call>")
        calls += _read_block((rest[:end] + behind).strip())
        before, mark, rest = after.partition("<tool_call>")
        outside.append(before)
    return "".join(outside), calls


def _end_of_json(text: str) -> int:
    """Where the JSON ends that a text begins with; 0 where it begins with none."""
    start = len(text) - len(text.lstrip())
    if not text.startswith(("{", "["), start):
        return 0
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return 0


def _read_block(block: str) -> list[tuple[str, str]]:
    if block.startswith("<function="):
        name, _, body = block.removeprefix("<function=").partition(">")
        parameters = re.findall(r"<parameter=([^<>]+)>\n?(.*?)\n?(?:</parameter>|\Z)", body, re.DOTALL)
        return [(name, json.dumps(dict(parameters)))]
    if "<arg_key>" in block:
        pairs = re.findall(r"<arg_key>([^<]*)</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|\Z)", block, re.DOTALL)
        return [(block.partition("<arg_key>")[0], json.dumps(dict(pairs)))]
    return _json_calls(block) or [("", block)]


def _deepseek_calls(block: str) -> list[tuple[str, str]]:
    """DeepSeek: `NAME<sep>ARGUMENTS`, or `function<sep>NAME` and the arguments in a fence of JSON."""
    name, _, arguments = block.partition("<｜tool▁sep｜>")
    if name.strip() == "function":
        name, _, arguments = arguments.partition("\n")
        arguments = arguments.strip().removeprefix("```json").removesuffix("```")
    return [(name, arguments.strip())]


def _mistral(text: str) -> _Calls | None:
    """Mistral: `[TOOL_CALLS]` and a list, or a name and `[ARGS]`, once a call."""
    content, mark, rest = text.partition("[TOOL_CALLS]")
    if not mark:
        return None
    if "[ARGS]" not in rest:
        return content, _json_calls(rest.strip()) or [("", rest.strip())]
    calls = []
    for part in rest.split("[TOOL_CALLS]"):
        name, _, arguments = part.partition("[ARGS]")
        calls.append((name.partition("[CALL_ID]")[0], arguments.strip()))
    return content, calls


def _gemma_calls(block: str) -> list[tuple[str, str]]:
    """Gemma: `call:NAME{key:<|"|>text<|"|>}`."""
    name, _, body = block.strip().removeprefix("call:").partition("{")
    pairs = re.findall(r'\b(\w+):<\|"\|>(.*?)(?:<\|"\|>|\Z)', body, re.DOTALL)
    return [(name, json.dumps(dict(pairs)))]


def _python_calls(block: str) -> list[tuple[str, str]]:
    """LFM: a list of calls in Python."""
    block = block.strip()
    for text in (block, block.replace("\n", "\\n")):  # some templates write a line's end in a string as it is
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in strings, such as \d
                (statement,) = ast.parse(text, mode="exec").body
            calls = statement.value.elts  # type: ignore[attr-defined]
            return [
                (ast.unparse(call.func), json.dumps({word.arg: ast.literal_eval(word.value) for word in call.keywords}))
                for call in calls
            ]
        except (ValueError, SyntaxError, TypeError, AttributeError, RecursionError, MemoryError):
            continue
    return [("", block)]


def _llama(text: str) -> _Calls | None:
    """Llama 3: a reply that is JSON with name and parameters, or Python behind `<|python_tag|>`."""
    content, tag, rest = text.partition("<|python_tag|>")
    body = (rest if tag else text).strip()
    calls = _json_calls(body) if body.startswith("{") else []
    if calls:
        return (content if tag else ""), calls
    return (content, [("", body)]) if tag else None


def _in_blocks(
    begin: str, end: str, read: Callable[[str], list[tuple[str, str]]], beside: str = r"(?!)"
) -> Callable[[str], _Calls | None]:
    """Calls in blocks between two marks; the last may lack its end. `beside`: marks that stand outside the blocks."""

    def find(text: str) -> _Calls | None:
        before, *parts = text.split(begin)
        blocks = [part.partition(end) for part in parts]
        outside = "".join([before, *(after for _, _, after in blocks)])
        calls = [call for block, _, _ in blocks for call in read(block)]
        return (re.sub(beside, "", outside), calls) if blocks else None

    return find


_SYNTAXES: Final = (
    _harmony,
    _tagged,
    _in_blocks(
        "<｜tool▁call▁begin｜>",
        "<｜tool▁call▁end｜>",
        _deepseek_calls,
        r"<｜tool▁calls▁(?:begin|end)｜>|<｜end▁of▁sentence｜>",
    ),
    _mistral,
    _in_blocks("<|tool_call>", "<tool_call|>", _gemma_calls, r"<\|tool_response>"),
    _in_blocks("<|tool_call_start|>", "<|tool_call_end|>", _python_calls),
    _llama,
)


def _json_calls(text: str) -> list[tuple[str, str]]:
    """Calls as JSON objects one after another, or as a list of them; none where the text is anything else."""
    place, values = 0, list[Any]()
    while place < len(text):
        try:
            value, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):  # not JSON, a number of too many digits, or nested too deeply
            return []
        values += value if isinstance(value, list) else [value]
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]  # it matches "" too
    calls = [_json_call(value) for value in values]
    return [call for call in calls if call is not None] if None not in calls else []


def _json_call(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    for key in ("arguments", "parameters"):
        if key in value:
            given = value[key]
            return value["name"], whole_text(given if isinstance(given, str) else json.dumps(given, ensure_ascii=False))
    return None
