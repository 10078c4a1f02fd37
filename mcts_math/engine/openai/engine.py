"""`engine: openai`: any server with an OpenAI-compatible API as policy; vLLM's, with our value head, gives values too.

Where the model's tokenizer is at hand (its folder, or the hub's), prompts are tokenised and conversations rendered
here, and servers that can (`dialects`) are sent and asked for token ids: samples, stops and log-probabilities are those
of `engine: vllm`. Else the server gets text, and conversations go to its chat endpoint, with the tools that they
declare; what it reads in a reply (thought, tool calls) is taken over. Values need a vLLM server that was started by
`python -m mcts_math.engine.serve`, and the model's folder; whether it really knows the head is tried out at the start.

What other servers lack is found by a short request before the first one of a kind, and said once (`abilities`). Where
log-probabilities are not told, they are 0, so that the samples of a node have equal priors: all of them where one is a
tool call, or a thought alone, of which none are told. A prompt is too long only if there is no room for one token after
it. A reply in another form than the API's, one that breaks off or that never comes, ends its question.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcts_math.concurrency import gather
from mcts_math.engine.checks import check_request, encode_prompt, evaluate_by_generating, refuse_undeclared
from mcts_math.engine.openai import replies as reader
from mcts_math.engine.openai.abilities import Abilities, make_trial, try_out
from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.engine.openai.bodies import make_body, require_told_stops
from mcts_math.engine.openai.client import Client, ServerRefusedError
from mcts_math.engine.openai.dialects import to_standard
from mcts_math.engine.openai.server import ServedModel, discover
from mcts_math.engine.tokenizer import require_text
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Prompt, Sampling, text_of
from mcts_math.requests import SEED_MASK, Evaluate, Evaluation, Generate, Generation


class OpenAIEngine:
    """Policy and, on vLLM, value model behind HTTP. Make one with `OpenAIEngine.connect`."""

    def __init__(self, client: Client, served: ServedModel) -> None:
        self.served = served
        self._client = client
        self._context_length = served.context_length  # or what the server's refusals told
        self._thought_key = ""  # what it calls a thought, once it has told one

    @classmethod
    def connect(cls, model: str, *, need_value: bool = False, **arguments: Any) -> OpenAIEngine:
        """Asks a server what it serves; this blocks. `model` is the model's folder, if it is here, or its name there.
        Raises EngineError where the server can't be reached, does not have the model, or gives no values, and
        CheckpointError where the model's folder is here, but incomplete."""
        chosen = ServerArguments(**arguments)
        client = Client(chosen)
        try:
            engine = cls(client, discover(client, model, need_value))
            if need_value:  # does the server know the head? A wrong one is told now
                engine._try_value()
        except BaseException:
            client.close()
            raise
        return engine

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same request where wanted. Raises RefusedError
        where the server refuses the request, or answers in another form (others may be fine); EngineError where the
        request makes no sense, or the server can't be reached."""
        check_request(request)
        refuse_undeclared(request, "openai")
        require_told_stops(self.served, request.prompt, request.sampling)
        prompt, length = await self._encode(request.prompt)
        if prompt is None:
            return Generation((), too_long=True, num_prompt_tokens=length)
        want_value = request.want_value and self.served.value_token is not None
        different = request.num_samples if request.sampling.temperature > 0 else 1
        body = self._body(prompt, request.sampling, request.seed, length, want_value)
        path = "chat/completions" if isinstance(prompt, Conversation) else self.served.dialect.texts
        opening = self._opening(request.prompt)
        url = self._client.base_url
        with reader.reading(url):
            able = await self._abilities(path, body)
            replies = await self._ask(able, path, self._split(body, different, able))
            if replies is None:
                return Generation((), too_long=True, num_prompt_tokens=length)
            told = "logprobs" not in able.lacks and not any(reader.leaves_out_logprobs(reply, url) for reply in replies)
            expected = reader.Expected(self.served, prompt, opening, request.sampling.stop, told)
            samples = [sample for reply in replies for sample in reader.parse_samples(reply, url, expected)]
            if len(samples) != different:
                raise RefusedError(f"{url} gave {len(samples)} samples, not {different}")
            self._thought_key = self._thought_key or reader.thought_key(replies[0])
            value = reader.parse_value(replies[0]["choices"][0], self.served.value_token) if want_value else None
            everyone = tuple(samples) * (request.num_samples // different)
            return Generation(everyone, value, False, *reader.parse_usage(replies[0]))

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
        body = self._body(prompt, Sampling(0.0, max_tokens=1), 0, len(prompt), want_value=True)
        reply = self._client.try_out("completions", body)
        with reader.reading(self._client.base_url):
            reader.parse_value(reader.checked(reply, self._client.base_url)[0], self.served.value_token)

    async def _encode(self, prompt: Prompt) -> tuple[tuple[int, ...] | str | Conversation | None, int]:
        """What the server is sent (tokens where we can make them and it takes them, else text or messages), and its
        number of tokens (0: not known); None in its place where it is too long."""
        codec = self.served.codec
        if codec is None:
            for text in [prompt] if isinstance(prompt, str) else [message.content for message in prompt.messages]:
                require_text(text)
            return prompt, 0
        tokens = await encode_prompt(codec, prompt, self._context_length or 1 << 30)
        if isinstance(tokens, int):
            return None, tokens
        return tokens if self.served.dialect.takes_tokens else codec.render(prompt), len(tokens)

    def _opening(self, prompt: Prompt) -> str:
        if self.served.codec is not None:
            return self.served.codec.opening(prompt)
        last = None if isinstance(prompt, str) else prompt.messages[-1]
        return "" if last is None or last.role != "assistant" else text_of(last.pieces)

    def _body(self, prompt: Any, sampling: Sampling, seed: int, length: int, want_value: bool) -> dict[str, Any]:
        """A request for one sample, for no more tokens than there is room for behind a prompt of `length`."""
        body = make_body(self.served, prompt, sampling, seed, self._thought_key)
        if self._context_length is not None:
            body["max_tokens"] = max(1, min(sampling.max_tokens, self._context_length - (length or 1)))
        if want_value:  # vLLM tells the score of one more token at each place
            body |= {"logprobs": 1, "logprob_token_ids": [self.served.value_token]}
        return {**body, **self._client.arguments.extra_body}

    def _split(self, body: dict[str, Any], num_samples: int, able: Abilities) -> list[dict[str, Any]]:
        """Requests for several samples: one, or one for each where the server gives one, or all the same."""
        dialect = self.served.dialect
        if num_samples == 1 or dialect.counts_seeds or not (dialect.is_known or "n" in able.lacks):
            return [body | {"n": num_samples}]
        return [body | {"seed": body["seed"] + i & SEED_MASK} for i in range(num_samples)]

    async def _abilities(self, path: str, body: dict[str, Any]) -> Abilities:
        """What the server can do with requests of this kind, tried out before the first one."""
        if self.served.dialect.is_known and "tools" not in body:
            return Abilities()
        trial = make_trial(body, num_samples=1 if self.served.dialect.is_known else 2)
        return await self._client.once(f"{path} {'tools' in body}", lambda: try_out(self._client, path, trial))

    async def _ask(self, able: Abilities, path: str, bodies: list[dict[str, Any]]) -> list[Any] | None:
        """The replies to requests that differ in their seeds alone; None where their prompt is too long."""
        replies = await gather(self._try(able, path, body) for body in bodies)
        while refusals := [reply for reply in replies if isinstance(reply, ServerRefusedError)]:
            most = await self._fit(able, path, bodies[0], refusals[0])
            if most is None:
                return None
            bodies = [body | {"max_tokens": most} for body in bodies]
            again = [i for i, reply in enumerate(replies) if isinstance(reply, ServerRefusedError)]
            for i, reply in zip(again, await gather(self._try(able, path, bodies[i]) for i in again), strict=True):
                replies[i] = reply
        return replies

    async def _try(self, able: Abilities, path: str, body: dict[str, Any]) -> Any:
        """The server's reply, or its refusal where that is for want of room."""
        try:
            return to_standard(await self._client.post(path, able.fit(body)))
        except ServerRefusedError as error:
            if error.is_for_want_of_room:
                return error
            raise error.as_error(f"{self._client.base_url} refuses the request") from error

    async def _fit(self, able: Abilities, path: str, body: dict[str, Any], refusal: ServerRefusedError) -> int | None:
        """Fewer tokens to ask for, such that they may fit behind a prompt; None where not even one does.

        The prompt alone is tried, with one token, and the server's reply tells its length. The context is then the one
        number in the refusal that the prompt fits into and the whole request does not; where it is not so clear, half
        as many tokens are asked for, as often as need be.
        """
        asked = int(body["max_tokens"])
        alone = await self._try(able, path, body | {"max_tokens": 1, "n": 1}) if asked > 1 else refusal
        if isinstance(alone, ServerRefusedError):
            return None
        length, _ = reader.parse_usage(alone)
        limit = refusal.find_limit(length, asked) if length else None
        if limit is None:
            return asked // 2
        self._context_length = limit
        return limit - length
