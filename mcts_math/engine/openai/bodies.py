"""Requests to an OpenAI-compatible server, as JSON."""

from __future__ import annotations

from typing import Any

from mcts_math.engine.chat_template import called, declared
from mcts_math.engine.openai.server import ServedModel
from mcts_math.errors import EngineError
from mcts_math.messages import Conversation, Message, Prompt, Sampling, text_of
from mcts_math.requests import SEED_MASK


def make_body(
    served: ServedModel, prompt: tuple[int, ...] | str | Conversation, sampling: Sampling, seed: int, thought_key: str
) -> dict[str, Any]:
    """A request for one sample. `thought_key`: what the server calls a thought; "" where it has shown none. Raises
    EngineError where the server has no word for what is asked for."""
    if sampling.top_k > 0 and served.dialect.all_tokens is None:
        raise EngineError(
            "top_k is not part of the OpenAI API; set top_k=-1, or serve the model with vLLM, SGLang or llama.cpp"
        )
    body: dict[str, Any] = {
        "model": served.name,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed & SEED_MASK,
        "n": 1,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if isinstance(prompt, Conversation):
        body |= _conversation(served, prompt, thought_key)
    else:
        body |= {"prompt": list(prompt) if isinstance(prompt, tuple) else prompt, "logprobs": 1}
    body |= served.dialect.fields(sampling, is_chat=isinstance(prompt, Conversation))
    if served.codec is not None and "return_token_ids" in body:
        body["stop_token_ids"] = sorted(served.codec.eos_ids)
    return body


def require_told_stops(served: ServedModel, prompt: Prompt, sampling: Sampling) -> None:
    """Raises EngineError where a turn may go on after a stop string, and the server does not tell that one ended it."""
    told = served.dialect.tells_stops or (served.dialect.takes_tokens and served.codec is not None)
    if sampling.stop and isinstance(prompt, Conversation) and not told:
        raise EngineError(
            "the server does not tell which stop string ended a sample, and so whether the turn goes on; use vLLM, "
            "SGLang or llama.cpp with the model's folder as model_dir, or prompt_wrap: chat_tools or chat, without stop"
        )


def _conversation(served: ServedModel, talk: Conversation, thought_key: str) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [_turn(message, thought_key) for message in talk.messages], "logprobs": True}
    if talk.tools:
        body["tools"] = [declared(tool) for tool in talk.tools]
    if talk.template:
        body["chat_template_kwargs"] = dict(talk.template)
    if talk.messages[-1].role == "assistant":
        if not served.dialect.is_known:
            raise EngineError(
                "the standard chat API can't continue a message of the assistant; give the model's folder as model_dir"
            )
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    return body


def _turn(message: Message, thought_key: str) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.written and not message.calls:
        turn["content"] = text_of(message.written)
    if message.thought and thought_key:
        turn[thought_key] = message.thought
    if message.calls:
        turn["tool_calls"] = [called(call, call.arguments) for call in message.calls]
    if message.role == "tool":
        turn["tool_call_id"] = message.call_id
    return turn
