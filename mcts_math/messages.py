"""What a model is shown and what it writes: prompts, conversations, samples. Plain values; `formats` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias, get_args


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, as the model wrote it.

    Attributes:
        name: of the tool.
        arguments: JSON, or what stands in its place.
        id: which the tool's message answers.
    """

    name: str
    arguments: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what stands in an assistant's turn: sampled, or put in between (an observation, the end of a thought).

    Attributes:
        text: as it is read, tags and all.
        tokens: as they were sampled; () where it was not sampled here: it is then encoded by itself.
    """

    text: str
    tokens: tuple[int, ...] = ()


Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: whose it is.
        content: its text, without thought and tool calls.
        thought: what the model thought before it wrote the content.
        calls: the tools that it calls.
        call_id: of a tool's message: the call that it answers.
        written: an assistant's turn as it was written, thought, calls and tags included. Where it is there, a prompt
            holds it as it is, and the model's template shows only what stands around it.
    """

    role: Role
    content: str
    thought: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    written: tuple[Piece, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As files hold it; what is empty is left out, but for role and content."""
        data: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.thought:
            data["thought"] = self.thought
        if self.calls:
            data["calls"] = [asdict(call) for call in self.calls]
        if self.call_id:
            data["call_id"] = self.call_id
        if self.written:
            data["written"] = [{"text": piece.text, "tokens": list(piece.tokens)} for piece in self.written]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Message:
        """What `to_json` made. Raises KeyError, TypeError or ValueError where it is something else."""
        if data["role"] not in get_args(Role):
            raise ValueError(f"the role of a message is one of {', '.join(get_args(Role))}, not {data['role']!r}")
        texts = [data["content"], data.get("thought", ""), data.get("call_id", "")]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("content and thought of a message are texts")
        calls = tuple(ToolCall(call["name"], call["arguments"], call["id"]) for call in data.get("calls", ()))
        written = tuple(Piece(piece["text"], tuple(piece["tokens"])) for piece in data.get("written", ()))
        return cls(data["role"], texts[0], texts[1], calls, texts[2], written)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a conversation offers to the model, with one argument, a text."""

    name: str
    description: str
    argument: str
    about_argument: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, which the engine renders with the model's own chat template.

    Where the last message is the assistant's, the sample continues it; else it is a new message of the assistant.

    Attributes:
        messages: the turns.
        tools: what the model may call.
        template: further variables of the template, such as `enable_thinking`, by name.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    template: tuple[tuple[str, str | int | float | bool], ...] = ()

    def going_on(self, pieces: tuple[Piece, ...]) -> Conversation:
        """The same with more written in the assistant's turn, which begins here where the last one was another's."""
        *before, last = self.messages
        if last.role != "assistant":
            return replace(self, messages=(*self.messages, Message("assistant", "", written=pieces)))
        so_far = last.written or (Piece(last.content),)
        return replace(self, messages=(*before, replace(last, written=so_far + pieces)))

    def followed_by(self, *messages: Message) -> Conversation:
        """The same with more turns."""
        return replace(self, messages=self.messages + messages)


Prompt: TypeAlias = str | Conversation
"""A text to continue, or a conversation."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one step.

    Attributes:
        temperature: >= 0; 0 is greedy.
        top_p: nucleus mass in (0, 1]; 1 keeps all.
        top_k: number of most likely tokens to keep; -1 keeps all.
        max_tokens: most tokens of one sample, >= 1.
        stop: strings that end a sample; the returned text ends before the stop string.
        beam_width: above 1, samples are the best of a token-level beam search of this width, best first, as
            transformers' `generate` makes it (scores are mean log-probabilities a token); temperature must then be 0.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = -1
    max_tokens: int = 2000
    stop: tuple[str, ...] = ()
    beam_width: int = 1


FinishReason: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model wrote.

    Attributes:
        text: the continuation of the prompt, without the stop string that ended it.
        logprob: sum of the tokens' log-probabilities in nats, from the model's distribution before temperature,
            top-p and top-k; the stop string's tokens and the end-of-sequence token count.
        num_tokens: number of tokens that `logprob` sums over.
        finish: "stop" (stop string or end of sequence) or "length" (max_tokens or the context is used up).
        written: the same with its stop string, and with its tokens; () where the engine does not tell them.
        opening: what of the model's turn stands before `text`: what the template opens (such as `<think>`), and of a
            turn that is continued what was written before.
        message: the turn as a server has read it, thought and calls apart; None where it was not read there.
    """

    text: str
    logprob: float
    num_tokens: int
    finish: FinishReason = "stop"
    written: tuple[Piece, ...] = ()
    opening: str = ""
    message: Message | None = None


def text_of(pieces: Iterable[Piece]) -> str:
    """What is written in some pieces."""
    return "".join(piece.text for piece in pieces)
