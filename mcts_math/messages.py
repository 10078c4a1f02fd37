"""What a model is shown and what it writes: prompts, conversations, samples. Plain values; `formats` reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: str  # JSON, or what stands in its place
    id: str = ""  # which the tool's message answers


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an assistant's turn: sampled, or put in between (an observation, the end of a thought)."""

    text: str  # as it is read, tags and all
    tokens: tuple[int, ...] = ()  # as they were sampled; () where they are not known: it is then encoded by itself
    given: bool = False  # it is not the model's, but was put in between


Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str  # its text, without thought and tool calls
    thought: str = ""  # what the model thought before it wrote the content
    calls: tuple[ToolCall, ...] = ()  # the tools that it calls
    call_id: str = ""  # of a tool's message: the call that it answers
    # an assistant's turn as it was written, thought, calls and tags included. Where it is there, a prompt holds it as
    # it is, and the model's template shows only what stands around it.
    written: tuple[Piece, ...] = ()

    def continued(self, more: Message) -> Message:
        """This turn of the assistant, and more of it, as one."""
        return replace(
            self,
            content=self.content + more.content,
            thought="\n\n".join(filter(None, (self.thought, more.thought))),
            calls=self.calls + more.calls,
            written=self.pieces + more.pieces,
        )

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """A turn as it was written; its content where that is not known."""
        return self.written or (Piece(self.content),)

    def to_json(self) -> dict[str, Any]:
        """As files hold it; what is empty is left out, but for role and content."""
        data: dict[str, Any] = _MESSAGES.dump_python(self, mode="json", exclude_defaults=True)
        return data

    @classmethod
    def from_json(cls, data: Any) -> Message:
        """What `to_json` made. Raises ValueError where it is something else."""
        return _MESSAGES.validate_python(data)


_MESSAGES: Final = TypeAdapter(Message)  # to make one takes some 5 ms


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    argument: str
    about_argument: str


TemplateVariables: TypeAlias = tuple[tuple[str, str | int | float | bool], ...]
"""Names and values, in order."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, which the engine renders with the model's own chat template; a sample continues its last message
    where that is the assistant's, and is a new one else."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    template: TemplateVariables = ()  # further variables of the template, such as `enable_thinking`, by name

    def going_on(self, pieces: tuple[Piece, ...]) -> Conversation:
        """The same with more written in the assistant's turn, which begins here where the last one was another's."""
        return self.followed_by(Message("assistant", "", written=pieces))

    def followed_by(self, *messages: Message) -> Conversation:
        """The same with more turns; one of the assistant that follows another of its own continues that."""
        turns = list(self.messages)
        for message in messages:
            if message.role == "assistant" and turns and turns[-1].role == "assistant":
                message = turns.pop().continued(message)
            turns.append(message)
        return replace(self, messages=tuple(turns))


Prompt: TypeAlias = str | Conversation
"""A text to continue, or a conversation."""


@dataclass(frozen=True, slots=True)
class Sampling:
    temperature: float = 0.7  # >= 0; 0 is greedy
    top_p: float = 1.0  # nucleus mass in (0, 1]; 1 keeps all
    top_k: int = -1  # number of most likely tokens to keep; -1 keeps all
    max_tokens: int = 2000  # most tokens of one sample, >= 1
    stop: tuple[str, ...] = ()  # strings that end a sample; the returned text ends before the stop string
    # above 1, samples are the best of a token-level beam search of this width, best first, as transformers'
    # `generate` makes it (scores are mean log-probabilities a token); temperature must then be 0
    beam_width: int = 1
    want_certainty: bool = False  # `Sample.certainty` is wanted


FinishReason: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Sample:
    text: str  # the continuation of the prompt, without the stop string that ended it
    # sum of the tokens' log-probabilities in nats, from the model's distribution before temperature, top-p and top-k;
    # the stop string's tokens and the end-of-sequence token count
    logprob: float
    num_tokens: int  # number of tokens that `logprob` sums over
    # "stop": stop string or end of sequence; "length": max_tokens or the context is used up
    finish: FinishReason = "stop"
    written: tuple[Piece, ...] = ()  # with its stop string and its tokens; () where the engine does not tell them
    opening: str = ""  # of its turn what stands before `text`: opened by the template, or written before
    message: Message | None = None  # as a server has read it, thought and calls apart; None where none has
    # sum over the same tokens of -1/V Σ log(V p), how far the model's distribution p over its V tokens is from the
    # uniform one, nats, >= 0 (self-certainty, Kang et al., arXiv 2502.18581); None where not asked for
    certainty: float | None = None


def text_of(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def half_character(text: str) -> int | None:
    """Position of the first half of a surrogate pair that stands alone: no encoding, so no tokenizer, has it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def whole_text(text: str) -> str:
    """The same with U+FFFD for halves of surrogate pairs: JSON's escapes can spell one, which no tokenizer reads."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def whole_texts(data: Any) -> Any:
    """JSON data with `whole_text` of all its texts, those of keys included."""
    if isinstance(data, str):
        return whole_text(data)
    if isinstance(data, list):
        return [whole_texts(part) for part in data]
    return {whole_text(key): whole_texts(part) for key, part in data.items()} if isinstance(data, dict) else data
