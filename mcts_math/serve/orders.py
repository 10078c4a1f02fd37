"""From the body of a chat request to a search: what is asked is obeyed, or refused by its name."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from mcts_math.errors import TaskError
from mcts_math.scheduler import MakeSearch, RunLimits
from mcts_math.serve.models import ServedModel
from mcts_math.settings import Settings, explain, suggest
from mcts_math.solver import limits_of, searcher
from mcts_math.tasks import JsonObject, Task
from mcts_math.tasks.task import derived_id, make_task
from mcts_math.web import Refused

_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "stop": ([], ""),
    "store": (False,),
}
"""Keys of the protocol that no search obeys, and the values that ask for nothing; null is one of them everywhere."""


class TextPart(Settings):
    type: Literal["text"]
    text: str


_FIRST: Final = Field(fail_fast=True)
"""Of a list the first wrong item is told: a body may hold hundreds of thousands, and each makes objects of errors."""


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Turn(Settings):
    """A message of a request. Clients send back what they were sent, thoughts included; these are not shown again."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[list[TextPart], _FIRST, BeforeValidator(_parts)]
    name: str | None = None
    reasoning_content: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, data: Any) -> Any:
        """What is null is not there: OpenAI's client writes all that a message might have."""
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.content)

    def to_json(self) -> JsonObject:
        """As a question's record holds it."""
        return {"role": "system" if self.role == "developer" else self.role, "content": self.text}


class StreamOptions(Settings):
    """What a stream tells beside the message."""

    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(Settings):
    """The keys of a request, those of OpenAI's protocol first. Null is as absent."""

    model: str
    messages: Annotated[list[Turn], _FIRST] = Field(min_length=1)
    max_tokens: int | None = Field(None, description="most tokens of the reply: of all steps of a solution", ge=1)
    max_completion_tokens: int | None = Field(None, description="the same", ge=1)
    temperature: float | None = Field(None, description="of the sampling of steps", ge=0, le=2)
    top_p: float | None = Field(None, description="nucleus mass", gt=0, le=1)
    n: int | None = Field(None, description="most solutions to return as choices, best first", ge=1, le=128)
    seed: int | None = Field(None, description="seed of the search; absent: drawn, and told", ge=0, lt=2**63)
    stream: bool | None = Field(None, description="send the reply in parts, and until there are some how far it is")
    stream_options: StreamOptions | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    max_question_tokens: int | None = Field(None, description="generated tokens of the whole search", ge=1)
    max_total_time: float | None = Field(None, description="seconds of machine time of the search", gt=0)
    return_tree: bool | None = Field(None, description="return the tree too, as a line of a results file")


@dataclass(frozen=True, slots=True)
class Order:
    request: ChatRequest
    model: ServedModel
    task: Task
    make_search: MakeSearch
    limits: RunLimits
    seed: int  # that is in force


def read_request(body: bytes) -> ChatRequest:
    """Reads a body. Raises Refused, which names the key that is wrong."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise Refused(400, f"the body must be a JSON object, not {type(data).__name__}")
    for key in list(data):
        if key in _NEUTRAL and (value := data.pop(key)) is not None and value not in _NEUTRAL[key]:
            raise Refused(400, f"{key}: a search can't obey it; leave it out", key)
        if key not in _NEUTRAL and key not in ChatRequest.model_fields:
            advice = suggest(key, ChatRequest.model_fields, "See docs/serve.md.")
            raise Refused(400, f"unknown key {key[:80]!r}.{advice}", key[:80])
    try:
        return ChatRequest(**data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Refused(400, explain(first)[:500], ".".join(map(str, first["loc"]))) from None


def make_order(request: ChatRequest, model: ServedModel) -> Order:
    """The search that a request asks of a model. Raises Refused, which names what can't be obeyed."""
    if (request.n or 1) > 1 and model.config.method.is_chain:
        raise Refused(400, f"n: mode {model.config.mode} makes one solution; leave n out", "n")
    seed = secrets.randbelow(1 << 31) if request.seed is None else request.seed
    sampling = model.expansion.sampling
    expansion = replace(
        model.expansion,
        sampling=replace(
            sampling,
            temperature=sampling.temperature if request.temperature is None else request.temperature,
            top_p=sampling.top_p if request.top_p is None else request.top_p,
        ),
        run_seed=seed,
        max_solution_tokens=_max_tokens(request),
    )
    task = _task(request)
    try:
        expansion.format.prompt(task, [])
    except TaskError as error:
        raise Refused(400, f"messages: {error} (the steps of {model.name} are such)", "messages") from None
    return Order(request, model, task, searcher(model.config, expansion), _limits(request, model), seed)


def _task(request: ChatRequest) -> Task:
    """The last message as a question. Its id follows from the conversation: the same seed gives the same tree."""
    *before, last = request.messages
    if last.role != "user":
        raise Refused(400, f"messages: the last one must be the user's, not one of the {last.role}", "messages")
    record: JsonObject = {"question": last.text}
    if before:
        record["chat_before"] = [turn.to_json() for turn in before]
        record["id"] = derived_id(json.dumps(record), Counter())
    try:
        return make_task(record, "the last message", Counter())
    except TaskError as error:
        raise Refused(400, f"messages: {error}", "messages") from None


def _max_tokens(request: ChatRequest) -> int:
    asked = {limit for limit in (request.max_tokens, request.max_completion_tokens) if limit is not None}
    if len(asked) > 1:
        raise Refused(
            400, "max_tokens and max_completion_tokens differ, and mean the same: leave one out", "max_tokens"
        )
    return asked.pop() if asked else 0


def _limits(request: ChatRequest, model: ServedModel) -> RunLimits:
    """A request may ask for less than the config allows, never for more."""
    allowed = limits_of(model.config)
    for name, asked, most in (
        ("max_total_time", request.max_total_time, allowed.question_s),
        ("max_question_tokens", request.max_question_tokens, allowed.question_tokens),
    ):
        if asked is not None and 0 < most < asked:
            raise Refused(400, f"{name}: {asked} is more than {model.name} allows, {most:g}", name)
    return replace(
        allowed,
        question_s=request.max_total_time or allowed.question_s,
        question_tokens=request.max_question_tokens or allowed.question_tokens,
    )
