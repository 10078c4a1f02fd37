"""Conversations as tokens, by the model's own chat template.

What was sampled stands in a prompt as the very tokens that were sampled; the template shows only what stands around
it: a new turn is what a rendering with it has more than the rendering before it. A template that shows an earlier turn
in another way than it was written (most leave out earlier thoughts) has the last word: the conversation is then
rendered anew up to there, which is counted and said once, since it costs what the prefix cache held of it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, Literal

from jinja2 import TemplateError

from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Message, Tool, text_of

_log: Final = logging.getLogger(__name__)
_MARK: Final = "The end of this turn."
_LONGEST_END: Final = 64  # characters that a template writes behind a turn
_RENDERINGS: Final = 4096  # kept; several trees ask for the same ones


class ChatTemplate:
    """A tokenizer's chat template.

    Attributes:
        num_rewritten: prompts of which the template shows an earlier turn in another way than it was written.
    """

    def __init__(
        self,
        tokenizer: Any,
        encode: Callable[[str], tuple[int, ...]],
        decode: Callable[[Sequence[int]], str],
        eos_ids: frozenset[int],
    ) -> None:
        """Args:
        tokenizer: of transformers.
        encode: tokens of a rendered text, which brings its special tokens along.
        decode: text of tokens, special ones included.
        eos_ids: tokens that end a turn.
        """
        self.num_rewritten = 0
        self._tokenizer = tokenizer
        self._encode, self._decode, self._eos_ids = encode, decode, eos_ids
        self.render = lru_cache(_RENDERINGS)(self._render)

    def encode(self, talk: Conversation) -> tuple[int, ...]:
        """Tokens of a conversation that asks for the next turn, or for more of the assistant's last one.

        Raises:
            RefusedError: the template refuses the conversation.
            EngineError: there is no template.
        """
        last = talk.messages[-1]
        is_open = last.role == "assistant"
        ids, stands = self._turns(replace(talk, messages=talk.messages[:-1]) if is_open else talk)
        if is_open and last.written:
            self._extend(ids, stands, self._before(talk, len(talk.messages) - 1))
            return (*ids, *self._written(last, keep_end=False))
        self._extend(ids, stands, self.render(talk, "open" if is_open else "asks"))
        return tuple(ids)

    def _turns(self, talk: Conversation) -> tuple[list[int], str]:
        """Tokens of the turns up to the last one of the assistant with its end, and the text that they stand for.

        Nothing where the template shows that turn in another way than it was written.
        """
        ids, stands = list[int](), ""
        for i, message in enumerate(talk.messages):
            if message.role != "assistant" or not message.written:
                continue
            self._extend(ids, stands, self._before(talk, i))
            ids += self._written(message, keep_end=True)
            turns = replace(talk, messages=talk.messages[: i + 1])
            stands = self.render(turns, "closed")
            end = self._end_of_turn(turns, ids, stands) if message.thought.strip() in stands else None
            if end is None or not self._goes_on_from(talk, i, stands):
                ids, stands = [], ""
                self._note_rewritten()
            elif end:
                ids += self._encode(end)
        return ids, stands

    def encode_completion(self, talk: Conversation, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tokens of a conversation up to its next message, and with its text: the user's after the assistant's.

        Raises:
            RefusedError: the template does not show the message as it is.
        """
        role: Literal["user", "assistant"] = "user" if talk.messages[-1].role == "assistant" else "assistant"
        if role == "assistant":
            before = self.encode(talk)
            return before, before + self._encode(text)
        shown = self.render(talk.followed_by(Message("user", text)), "closed")
        start = shown.rfind(text)
        if not text or start < 0:
            raise RefusedError(f"the model's chat template does not show this {role}'s message: {text!r}")
        ids, stands = self._turns(talk)
        if not shown.startswith(stands):
            ids, stands = [], ""
            self._note_rewritten()
        start -= len(stands)
        shown = shown[len(stands) :]
        return (*ids, *self._encode(shown[:start])), (*ids, *self._encode(shown[: start + len(text)]))

    def opening(self, talk: Conversation) -> str:
        """What the assistant's turn begins with that the next sample continues: by the template, then as written."""
        last = talk.messages[-1]
        if last.role != "assistant":
            return self._opened(talk)
        before = replace(talk, messages=talk.messages[:-1])
        return self._opened(before) + (text_of(last.written) or last.content)

    def _opened(self, talk: Conversation) -> str:
        """What a template opens for the assistant, its own thought included."""
        asks, closed = self.render(talk, "asks"), self.render(talk, "closed")
        return asks[len(closed) :] if asks.startswith(closed) else ""

    def _before(self, talk: Conversation, i: int) -> str:
        return self.render(replace(talk, messages=talk.messages[:i]), "asks")

    def _goes_on_from(self, talk: Conversation, i: int, stands: str) -> bool:
        """Whether later turns leave what stands as it is."""
        later = next((j for j in range(i + 1, len(talk.messages)) if talk.messages[j].role == "assistant"), None)
        shown = self._before(talk, later) if later is not None else self.render(talk, "asks")
        return shown.startswith(stands)

    def _extend(self, ids: list[int], stands: str, shown: str) -> None:
        """Takes what is shown beyond what stands; everything anew where that is shown in another way."""
        if not stands or not shown.startswith(stands):
            ids.clear()
            stands = ""
        ids += self._encode(shown[len(stands) :])

    def _written(self, message: Message, *, keep_end: bool) -> list[int]:
        """The tokens of a turn as it was written; an end of turn stays only where the turn ends there."""
        ids: list[int] = []
        for number, piece in enumerate(message.written):
            tokens = piece.tokens or self._encode(piece.text)
            is_last = number == len(message.written) - 1
            ends = bool(tokens) and tokens[-1] in self._eos_ids
            ids += tokens[:-1] if ends and not (is_last and keep_end) else tokens
        return ids

    def _end_of_turn(self, turns: Conversation, ids: list[int], stands: str) -> str | None:
        """What the template writes behind the last turn, of which an end that was sampled is a part.

        An end of another kind than the template's own is taken off `ids`. None: it can't be told.
        """
        sampled = ids[-1] if ids[-1] in self._eos_ids else None
        if sampled is not None:
            text = self._decode([sampled])
            at = stands.rfind(text)
            if at >= 0 and len(stands) - at - len(text) <= _LONGEST_END:
                return stands[at + len(text) :]
        marked = replace(turns, messages=(*turns.messages[:-1], Message("assistant", _MARK)))
        _, found, end = self.render(marked, "closed").rpartition(_MARK)
        if not found or not stands.endswith(end):
            return None
        if sampled is not None:
            ids.pop()
        return end

    def _note_rewritten(self) -> None:
        if not self.num_rewritten:
            _log.warning(
                "the model's chat template shows earlier turns in another way than they were written (as a rule "
                "without thoughts): such prompts are rendered anew, and the prefix cache serves less of them"
            )
        self.num_rewritten += 1

    def _render(self, talk: Conversation, end: str) -> str:
        """A conversation as text.

        Args:
            talk: what to show.
            end: "asks" for the assistant's next turn, "open" leaves the last turn open, "closed" does neither.
        """
        if not getattr(self._tokenizer, "chat_template", None):
            raise EngineError(
                "the model's tokenizer has no chat template, which a conversation needs; "
                "add one to the checkpoint (chat_template.jinja), or choose prompt_wrap: react_sft or react"
            )
        failure: Exception | None = None
        for as_text in (False, True):  # most templates want a call's arguments as an object, some as text
            try:
                text = self._tokenizer.apply_chat_template(
                    [_turn(message, talk.messages, as_text) for message in talk.messages],
                    tools=[_declared(tool) for tool in talk.tools] or None,
                    tokenize=False,
                    add_generation_prompt=end == "asks",
                    continue_final_message=end == "open",
                    **dict(talk.template),
                )
                return str(text)
            except (ValueError, TypeError, TemplateError) as error:
                failure = failure or error
            if not any(message.calls for message in talk.messages):
                break
        raise RefusedError(f"the model's chat template refuses the conversation: {failure}") from failure


def _turn(message: Message, messages: Sequence[Message], as_text: bool) -> dict[str, Any]:
    """A message as templates know it."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "assistant" and message.written and not (message.content or message.calls or message.thought):
        turn["content"] = text_of(message.written)
    if message.thought:
        turn |= {"reasoning_content": message.thought, "thinking": message.thought, "reasoning": message.thought}
    if message.calls:
        turn["tool_calls"] = [
            {
                "type": "function",
                "id": call.id,
                "function": {"name": call.name, "arguments": _given(call.arguments, as_text)},
            }
            for call in message.calls
        ]
    if message.role == "tool":
        names = [call.name for m in messages for call in m.calls if call.id == message.call_id]
        turn |= {"tool_call_id": message.call_id, "name": names[-1] if names else ""}
    return turn


def _given(arguments: str, as_text: bool) -> Any:
    if as_text:
        return arguments
    try:
        given = json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return arguments
    return given if isinstance(given, dict) else arguments


def _declared(tool: Tool) -> dict[str, Any]:
    """A tool as templates and servers know it."""
    parameters = {
        "type": "object",
        "properties": {tool.argument: {"type": "string", "description": tool.about_argument}},
        "required": [tool.argument],
    }
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
