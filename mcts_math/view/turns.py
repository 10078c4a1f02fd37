"""The conversation of a tree as the model saw it: what stands before the first step, and what each step adds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from mcts_math.config import make_config
from mcts_math.errors import ConfigError
from mcts_math.formats import FORMATS, FormatOptions, StepFormat, make_format, recognise_format
from mcts_math.messages import Conversation, Message, text_of
from mcts_math.step import Outcome, Step
from mcts_math.tasks import Task, is_ours
from mcts_math.tree import Tree

Turn: TypeAlias = tuple[str, str]
"""(role, text). The roles are those of messages, and `tools` for what is declared to the model's template."""

_MARK: Final = "\0"


def format_of(record: Mapping[str, Any], tree: Tree) -> tuple[str, StepFormat | None]:
    """The name of the steps' format, and the format where it is known."""
    said = record.get("format") if is_ours(record) else None
    texts = (node.step.text for node in tree.nodes if node.step is not None)
    name = said if isinstance(said, str) else recognise_format(texts) or ""
    delimiter = record.get("step_delim") if said else None
    return name, _known_format(name, delimiter if isinstance(delimiter, str) else None) if name in FORMATS else None


@lru_cache(maxsize=64)
def _known_format(name: str, delimiter: str | None) -> StepFormat:
    return make_format(name, FormatOptions(step_delim=delimiter))


def opening(task: Task, form: StepFormat | None) -> tuple[list[Turn], bool]:
    """What stands before the first step, and whether worked examples stood before that, see `examples_of`."""
    if form is None:
        return [("user", f"{task.question}\n")], False
    prompt = form.prompt(task, ())
    if isinstance(prompt, Conversation):
        tools = [("tools", f"{tool.name}({tool.argument}): {tool.description}") for tool in prompt.tools]
        return [*tools, *map(_turn, prompt.messages)], False
    if form.fingerprint():
        return [("user", f"Question: {task.question}\n\n")], True
    return [("user", prompt)], False


def examples_of(description: Mapping[str, Any]) -> str:
    """Instructions and worked examples that a run's prompts began with; "" where there were none, or can't be told
    any more."""
    if not description.get("prompt"):
        return ""
    try:
        form = make_config(description.get("config", {})).make_format()
    except ConfigError:
        return ""
    prompt = form.prompt(Task("", _MARK), ())
    if isinstance(prompt, Conversation) or form.fingerprint() != description["prompt"]:
        return ""
    before, found, _ = prompt.partition(f"Question: {_MARK}")
    return before if found else ""


def added_turns(task: Task, step: Step, form: StepFormat | None) -> list[Turn] | None:
    """What a step adds; None where that is its text and the delimiter."""
    if form is not None and (messages := form.turns(step)):
        return list(map(_turn, messages))
    if step.outcome is not Outcome.USER:
        return None
    if form is None:
        return [("user", f"{step.text}\n")]
    return [("user", str(form.prompt(task, (step,))).removeprefix(str(form.prompt(task, ()))))]


def _turn(message: Message) -> Turn:
    """A turn as it was written; where that is not known, its content, and the calls, which the template writes."""
    if message.written or not message.calls:
        return message.role, text_of(message.pieces) if message.role == "assistant" else message.content
    calls = [f"{call.name}({call.arguments})" for call in message.calls]
    return message.role, "\n".join(filter(None, [message.content, *calls]))
