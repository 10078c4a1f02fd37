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
from itertools import product, zip_longest
from typing import Any, Final

from jinja2 import TemplateError

from mcts_math.engine.checkpoint import NO_TEMPLATE, NO_TOOLS
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Message, Tool, ToolCall, text_of, whole_text

_log: Final = logging.getLogger(__name__)
_MARK: Final = "The end of this turn."
_LONGEST_END: Final = 64  # characters that a template writes behind a turn
_RENDERINGS: Final = 4096  # kept; several trees ask for the same ones


class ChatTemplate:
    def __init__(
        self,
        tokenizer: Any,
        encode: Callable[[str], tuple[int, ...]],
        decode: Callable[[Sequence[int]], str],
        eos_ids: frozenset[int],
    ) -> None:
        """`encode` gives tokens of a rendered text, which brings its special tokens along; `decode` the text of tokens,
        special ones included. `eos_ids` end a turn."""
        self.num_rewritten = 0  # prompts of which the template shows an earlier turn in another way than it was written
        self._tokenizer = tokenizer
        self._encode, self._decode, self._eos_ids = encode, decode, eos_ids
        self.render = lru_cache(_RENDERINGS)(self._render)

    def encode(self, talk: Conversation) -> tuple[int, ...]:
        """Tokens of a conversation that asks for the next turn, or for more of the assistant's last one. Raises
        RefusedError where the template refuses it, and EngineError where there is none."""
        *before, last = talk.messages
        if last.role != "assistant":
            shown = self.render(talk, "asks")
            ids, stands = self._turns(talk, shown)
            return (*ids, *self._encode(shown[len(stands) :]))
        earlier = replace(talk, messages=tuple(before))
        shown = self.render(earlier, "asks") if last.written else self.render(talk, "open")
        ids, stands = self._turns(earlier, shown)
        return (*ids, *self._encode(shown[len(stands) :]), *self._written(last, keep_end=False))

    def encode_completion(self, talk: Conversation, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tokens of a conversation, and with its next message: the user's after the assistant's, with both turns' ends,
        else one of the assistant, which is left open. Raises RefusedError where the template does not show the message
        as it is."""
        before = self.encode(talk)
        if talk.messages[-1].role != "assistant":
            return before, before + self._encode(text)
        shown = self.render(talk.followed_by(Message("user", text)), "closed")
        if not text or text not in shown:
            raise RefusedError(f"the model's chat template does not show this user's message: {text!r}")
        ids, stands = self._turns(talk, shown)
        whole = (*ids, *self._encode(shown[len(stands) :]))
        if whole[: len(before)] == before:
            return before, whole
        # The template shows the turn in another way once it is past, as without its thought. What is said to it follows
        # what was sampled: else the turn itself would be told to the model once more, and learnt.
        return before, before + self._encode(self._behind_mark(talk, Message("user", text))[2])

    def end_of_reply(self, talk: Conversation, text: str) -> int | None:
        """The token that ends a reply of the assistant by the template; None where none does."""
        _, _, end = self.render(talk.followed_by(Message("assistant", text)), "closed").rpartition(text)
        return next((token for token in self._encode(end) if token in self._eos_ids), None)

    def opening(self, talk: Conversation) -> str:
        """What the assistant's turn begins with that the next sample continues: by the template, then as written."""
        last = talk.messages[-1]
        if last.role != "assistant":
            return self._opened(talk)
        before = replace(talk, messages=talk.messages[:-1])
        return self._opened(before) + text_of(last.pieces)

    def _opened(self, talk: Conversation) -> str:
        """What a template opens for the assistant, its own thought included."""
        asks, closed = self.render(talk, "asks"), self.render(talk, "closed")
        return asks[len(closed) :] if asks.startswith(closed) else ""

    def _turns(self, talk: Conversation, shown: str) -> tuple[list[int], str]:
        """Tokens of the turns up to the last one of the assistant with its end, and the text that they stand for.

        `shown` is `talk` as the template shows it, with whatever follows. It begins with the text that is returned,
        which is empty where the template shows the last of these turns in another way than it was written.
        """
        places = [i for i, message in enumerate(talk.messages) if message.role == "assistant" and message.written]
        ids, stands = list[int](), ""
        for place, after in zip_longest(places, places[1:]):
            turns = replace(talk, messages=talk.messages[:place])
            before = self.render(turns, "asks")
            ids += self._encode(before[len(stands) :])
            message = talk.messages[place]
            ids += self._written(message, keep_end=True)
            follows = shown if after is None else self.render(replace(talk, messages=talk.messages[:after]), "asks")
            found = self._end_as_written(before + text_of(message.written), ids, follows)
            found = self._end_as_shown(turns.followed_by(message), ids, follows) if found is None else found
            if found is None:
                self._note_rewritten()
                ids.clear()
            stands = found or ""
        return ids, stands

    def _end_as_written(self, stands: str, ids: list[int], follows: str) -> str | None:
        """The text that `ids` stand for, with the end of the turn, where the template shows the turn as it was written.
        An end that was sampled and is not the template's is taken off `ids`."""
        if not follows.startswith(stands):
            return None
        if ids[-1] in self._eos_ids:
            end = self._decode(ids[-1:])
            if follows.startswith(end, len(stands)):
                return stands + end
            ids.pop()
        return stands

    def _end_as_shown(self, turns: Conversation, ids: list[int], follows: str) -> str | None:
        """The same where the template shows the turn in its own way, such as the JSON of a call with other spaces. None
        where later turns, or the thought, are shown in another way too; the end then can't be told."""
        stands = self.render(turns, "closed")
        if not follows.startswith(stands) or turns.messages[-1].thought not in stands:
            return None
        end = self._end_of_turn(turns, ids, stands)
        if end is None:
            return None
        ids += self._encode(end)
        return stands

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
        """What the template writes behind the last turn; a sampled end is a part of it, or taken off `ids`."""
        if ids[-1] in self._eos_ids:
            text = self._decode(ids[-1:])
            at = stands.rfind(text)
            if at >= 0 and len(stands) - at - len(text) <= _LONGEST_END:
                return stands[at + len(text) :]
        _, found, end = self._behind_mark(turns)
        if not found or not stands.endswith(end):
            return None
        if ids[-1] in self._eos_ids:
            ids.pop()
        return end

    def _behind_mark(self, turns: Conversation, *more: Message) -> tuple[str, str, str]:
        marked = replace(turns, messages=(*turns.messages[:-1], Message("assistant", _MARK), *more))
        return self.render(marked, "closed").rpartition(_MARK)

    def _note_rewritten(self) -> None:
        if not self.num_rewritten:
            _log.warning(
                "the model's chat template shows earlier turns in another way than they were written (as a rule "
                "without thoughts): such prompts are rendered anew, and the prefix cache serves less of them"
            )
        self.num_rewritten += 1

    def _render(self, talk: Conversation, end: str) -> str:
        """A conversation as text that "asks" for the assistant's next turn, leaves the last "open", or is "closed"."""
        if not getattr(self._tokenizer, "chat_template", None):
            raise EngineError(f"the model's tokenizer {NO_TEMPLATE}")
        failure: Exception | None = None
        # Most templates want a call's arguments as an object, some as text; some know no system message.
        for as_text, messages in product((False, True), (talk.messages, _without_system(talk.messages))):
            try:
                text = whole_text(
                    self._tokenizer.apply_chat_template(
                        [_turn(message, messages[:i], as_text) for i, message in enumerate(messages)],
                        tools=[declared(tool) for tool in talk.tools] or None,
                        tokenize=False,
                        add_generation_prompt=end == "asks",
                        continue_final_message=end == "open",
                        **dict(talk.template),
                    )
                )
            except (ValueError, TypeError, TemplateError) as error:
                failure = failure or error
                continue
            if not _shows_system(text, messages):
                continue
            if not all(tool.name in text for tool in talk.tools):
                raise EngineError(f"the model's chat template {NO_TOOLS}")
            return text
        raise RefusedError(f"the model's chat template refuses the conversation: {failure}") from failure


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same with what the system message says in front of what the user says first."""
    first, *others = messages
    if first.role != "system" or not others:
        return messages
    merged = replace(others[0], content=f"{first.content}\n\n{others[0].content}")
    return (merged, *others[1:])


def _shows_system(text: str, messages: tuple[Message, ...]) -> bool:
    """Whether the text holds what the system message says: some templates leave it out without a word."""
    return messages[0].role != "system" or messages[0].content.strip()[:80] in text


def _turn(message: Message, before: Sequence[Message], as_text: bool) -> dict[str, Any]:
    """A message as templates know it. Each turn counts its calls anew, so the last call of an id before it is meant."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "assistant" and message.written and not (message.content or message.calls or message.thought):
        turn["content"] = text_of(message.written)
    if message.thought:
        turn |= {"reasoning_content": message.thought, "thinking": message.thought, "reasoning": message.thought}
    if message.calls:
        turn["tool_calls"] = [called(call, _given(call.arguments, as_text)) for call in message.calls]
    if message.role == "tool":
        names = [call.name for m in before for call in m.calls if call.id == message.call_id]
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


def called(call: ToolCall, arguments: Any) -> dict[str, Any]:
    """A call as templates and servers know it, with its arguments as they want them."""
    return {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": arguments}}


def declared(tool: Tool) -> dict[str, Any]:
    """A tool as templates and servers know it."""
    parameters = {
        "type": "object",
        "properties": {tool.argument: {"type": "string", "description": tool.about_argument}},
        "required": [tool.argument],
    }
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
