"""`engine: openai`: any server with an OpenAI-compatible API as policy; vLLM's, with our value head, gives values too.

1. Where the model's folder is here (config.json and tokenizer are enough), prompts are tokenised here and conversations
   rendered here with the model's chat template, and a vLLM server is sent and asked for token ids: samples, stops and
   log-probabilities are those of `engine: vllm`. Else the server gets text, and conversations go to its chat endpoint.
2. Values need a vLLM server that was started by `python -m mcts_math.engine.serve`, and the model's folder. Whether the
   server really knows the head is tried out at the start.
3. A request with n samples is one request on a vLLM server, which gives sample i seed + i; on others, whose meaning of
   seed and n is not fixed, it is n requests.
4. A sample whose log-probability the server does not tell is an error: searches would otherwise run on made-up priors.
5. A server that refuses a prompt together with the tokens asked for is asked for fewer (`_fit`). A prompt is too long
   only if there is no room for one token after it.
6. A reply in another form than the API's ends its question. Where a server has sent nothing else, it ends the run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcts_math.concurrency import gather
from mcts_math.engine.checks import check_request, encode_prompt, evaluate_by_generating, refuse_undeclared
from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.engine.openai.client import Client, ServerRefusedError
from mcts_math.engine.openai.replies import checked, is_chat, parse_sample, parse_usage, parse_value, reading
from mcts_math.engine.openai.server import ServedModel, discover
from mcts_math.engine.tokenizer import require_text
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Prompt, Sampling, text_of
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation

_SEEDS = (1 << 62) - 1
_FEWEST_ODD = 32  # replies in another form, and no good one, from which on this is no such server


class OpenAIEngine:
    """Policy and, on vLLM, value model behind HTTP. Make one with `OpenAIEngine.connect`.

    Attributes:
        served: what is known of the model.
    """

    def __init__(self, client: Client, served: ServedModel) -> None:
        self.served = served
        self._client = client
        self._context_length = served.context_length  # or what the server's refusals told
        self._num_odd: int | None = 0  # odd replies so far; None once there was a good one
        self._in_flight = self._most_in_flight = 0

    @classmethod
    def connect(cls, model: str, *, need_value: bool = False, **arguments: Any) -> OpenAIEngine:
        """Asks a server what it serves; this blocks.

        Args:
            model: the model's folder, if it is here, or its name on the server.
            need_value: values are wanted.
            arguments: see `ServerArguments`.

        Raises:
            EngineError: the server can't be reached, does not have the model, or gives no values.
            CheckpointError: the model's folder is here, but incomplete.
        """
        chosen = ServerArguments(**arguments)
        client = Client(chosen, _api_key(chosen.api_key_env))
        try:
            engine = cls(client, discover(client, model, need_value))
            if need_value:  # does the server know the head? A wrong one is told now
                engine._try_value()
        except BaseException:
            client.close()
            raise
        return engine

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same request where wanted.

        Raises:
            RefusedError: the server refuses the request, or answers in another form; others may be fine.
            EngineError: the request makes no sense, or the server can't be reached or serves nobody.
        """
        check_request(request)
        refuse_undeclared(request, "openai")
        prompt, length = await self._encode(request.prompt)
        if prompt is None:
            return Generation((), too_long=True, num_prompt_tokens=length or 0)
        want_value = request.want_value and self.served.value_token is not None
        different = request.num_samples if request.sampling.temperature > 0 else 1
        body = self._body(prompt, length, request.sampling, request.seed, want_value)
        bodies = [body | {"n": different}]
        if not self.served.is_vllm:
            bodies = [body | {"seed": request.seed + i & _SEEDS} for i in range(different)]
        with self._noting_oddities():
            replies = await self._ask("chat/completions" if is_chat(prompt) else "completions", bodies)
            if replies is None:
                return Generation((), too_long=True, num_prompt_tokens=length or 0)
            choices = [choice for reply in replies for choice in checked(reply, self._client.base_url)]
            if len(choices) != different:
                raise RefusedError(f"{self._client.base_url} gave {len(choices)} samples, not {different}")
            samples = tuple(parse_sample(self.served, prompt, choice, request.sampling.stop) for choice in choices)
            value = parse_value(choices[0], self.served.value_token) if want_value else None
            return Generation(samples * (request.num_samples // different), value, False, *parse_usage(replies[0]))

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value of a prompt, for one token. Raises EngineError as `generate` does, and where there is no head."""
        if self.served.value_token is None:
            raise EngineError("a value was asked of a server that was connected to without need_value")
        return await evaluate_by_generating(self, request)

    async def close(self) -> None:
        """Closes the connections; later requests get an EngineError. May be called again."""
        await asyncio.to_thread(self._client.close)

    def _try_value(self) -> None:
        """Raises EngineError where the server does not tell values."""
        assert self.served.codec is not None
        prompt = self.served.codec.encode("1")
        body = self._body(prompt, len(prompt), Sampling(0.0, max_tokens=1), 0, want_value=True)
        try:
            reply = self._client.post_now("completions", body)
        except ServerRefusedError as error:
            raise self._refused(error) from error
        with reading(self._client.base_url):
            parse_value(checked(reply, self._client.base_url)[0], self.served.value_token)

    async def _encode(self, prompt: Prompt) -> tuple[tuple[int, ...] | str | Conversation | None, int | None]:
        """What the server is sent, and its number of tokens where we can tell; None in its place where it is too long.

        Tokens where we can make them and the server takes them, else text or messages.
        """
        codec = self.served.codec
        if codec is None:
            for text in [prompt] if isinstance(prompt, str) else [message.content for message in prompt.messages]:
                require_text(text)
            return prompt, None
        tokens = await encode_prompt(codec, prompt, self._context_length or 1 << 30)
        if isinstance(tokens, int):
            return None, tokens
        return tokens if self.served.is_vllm else codec.render(prompt), len(tokens)

    def _body(self, prompt: Any, length: int | None, sampling: Sampling, seed: int, want_value: bool) -> dict[str, Any]:
        """A request for one sample, as JSON."""
        room = sampling.max_tokens if self._context_length is None else self._context_length - (length or 1)
        body: dict[str, Any] = {
            "model": self.served.name,
            "max_tokens": max(1, min(sampling.max_tokens, room)),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed & _SEEDS,
            "n": 1,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if is_chat(prompt):
            turns = [{"role": m.role, "content": text_of(m.written) or m.content} for m in prompt.messages]
            body |= {"messages": turns, "logprobs": True}
            if prompt.messages[-1].role == "assistant":
                if not self.served.is_vllm:
                    raise EngineError(
                        "the standard chat API can't continue a message of the assistant; give the model's folder as "
                        "model_dir, so that the conversation is rendered here"
                    )
                body |= {"add_generation_prompt": False, "continue_final_message": True}
        else:
            body |= {"prompt": list(prompt) if isinstance(prompt, tuple) else prompt, "logprobs": 1}
        if self.served.is_vllm:
            return body | self._vllm_body(prompt, sampling, want_value)
        if sampling.top_k > 0:
            raise EngineError("top_k is not part of the OpenAI API; set top_k=-1, or serve the model with vLLM")
        return body

    def _vllm_body(self, prompt: Any, sampling: Sampling, want_value: bool) -> dict[str, Any]:
        """What only vLLM understands."""
        body: dict[str, Any] = {
            "top_k": max(sampling.top_k, 0),
            "min_p": 0.0,  # the model's generation_config.json would have its say else
            "repetition_penalty": 1.0,
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "return_token_ids": True,
        }
        if self.served.codec is not None:
            body["stop_token_ids"] = sorted(self.served.codec.eos_ids)
        if not is_chat(prompt):
            body |= {"logprobs": 0, "return_tokens_as_token_ids": True}
            if want_value:
                body |= {"logprobs": 1, "logprob_token_ids": [self.served.value_token]}
        return body

    async def _ask(self, path: str, bodies: list[dict[str, Any]]) -> list[Any] | None:
        """The replies to requests that differ in their seeds alone; None where their prompt is too long."""
        replies = await gather(self._try(path, body) for body in bodies)
        while refusals := [reply for reply in replies if isinstance(reply, ServerRefusedError)]:
            most = await self._fit(path, bodies[0], refusals[0])
            if most is None:
                return None
            bodies = [body | {"max_tokens": most} for body in bodies]
            again = [i for i, reply in enumerate(replies) if isinstance(reply, ServerRefusedError)]
            for i, reply in zip(again, await gather(self._try(path, bodies[i]) for i in again), strict=True):
                replies[i] = reply
        return replies

    async def _try(self, path: str, body: dict[str, Any]) -> Any:
        """The server's reply, or its refusal where that is for want of room."""
        try:
            return await self._client.post(path, body)
        except ServerRefusedError as error:
            if error.is_for_want_of_room:
                return error
            raise self._refused(error) from error

    async def _fit(self, path: str, body: dict[str, Any], refusal: ServerRefusedError) -> int | None:
        """Fewer tokens to ask for, such that they may fit behind a prompt; None where not even one does.

        The prompt alone is tried, with one token, and the server's reply tells its length. The context is then the one
        number in the refusal that the prompt fits into and the whole request does not; where it is not so clear, half
        as many tokens are asked for, as often as need be.
        """
        asked = int(body["max_tokens"])
        alone = await self._try(path, body | {"max_tokens": 1, "n": 1}) if asked > 1 else refusal
        if isinstance(alone, ServerRefusedError):
            return None
        length, _ = parse_usage(alone)
        limit = refusal.find_limit(length, asked) if length else None
        if limit is None:
            return asked // 2
        self._context_length = limit
        return limit - length

    def _refused(self, error: ServerRefusedError) -> EngineError:
        kind = RefusedError if error.is_of_the_request else EngineError
        return kind(f"{self._client.base_url} refuses the request: {error}")

    @contextmanager
    def _noting_oddities(self) -> Iterator[None]:
        """While a request is served: an error where the server answers all in another form.

        That is said only when as many replies have come as were ever in the air at once: odd ones may be the fast ones.
        """
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            with reading(self._client.base_url):
                yield
        except RefusedError as error:
            if self._num_odd is not None and not isinstance(error.__cause__, ServerRefusedError):
                self._num_odd += 1
                if self._num_odd >= max(_FEWEST_ODD, self._most_in_flight):
                    raise EngineError(f"{error}. So it was with all of its {self._num_odd} replies so far") from error
            raise
        else:
            self._num_odd = None
        finally:
            self._in_flight -= 1


def _api_key(variable: str) -> str | None:
    """The key in an environment variable. Raises EngineError, without showing it, where it can't be sent."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise EngineError(f"the API key in {variable} holds characters that no HTTP header may have; set it again")
    return key or None
