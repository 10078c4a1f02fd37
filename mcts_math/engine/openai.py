"""`engine: openai`: any server with an OpenAI-compatible API as policy; vLLM's, with our value head, gives values too.

1. Where the model's folder is here (config.json and tokenizer are enough), prompts are tokenised here and conversations
   rendered here with the model's chat template, and a vLLM server is sent and asked for token ids: samples, stops and
   log-probabilities are those of `engine: vllm`. Else the server gets text, and conversations go to its chat endpoint.
2. Values need a vLLM server that was started by `python -m mcts_math.engine.serve`, and the model's folder. Whether the
   server really knows the head is tried out at the start.
3. A request with n samples is one request on a vLLM server, which gives sample i seed + i; on others, whose meaning of
   seed and n is not fixed, it is n requests.
4. A sample whose log-probability the server does not tell is an error: MCTS would otherwise run on made-up priors.
"""

from __future__ import annotations

import asyncio
import math
import os
from typing import Any

from mcts_math.engine.asking import check_request, cut_sample, encode_prompt, refuse_what_hf_alone_does
from mcts_math.engine.http import Server, ServerRefusedError
from mcts_math.engine.loop_thread import together
from mcts_math.engine.remote import Remote, look, reading
from mcts_math.engine.text import require_text
from mcts_math.engine.vllm_head import decode_value
from mcts_math.errors import EngineError, RefusedError
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, Message, Prompt, Sample, Sampling

_SEEDS = (1 << 62) - 1
_OF_THE_REQUEST = (400, 413, 422)  # HTTP statuses: too large, or not to the server's taste
_TOO_LONG = ("context length", "maximum model length", "too long", "context window", "context size")


class OpenAIEngine:
    """Policy and, on vLLM, value model behind HTTP. Make one with `OpenAIEngine.connect`."""

    def __init__(self, server: Server, remote: Remote) -> None:
        self._server = server
        self.remote = remote

    @classmethod
    def connect(
        cls,
        model: str,
        *,
        base_url: str,
        need_value: bool = False,
        served_name: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 600.0,
        retries: int = 4,
        pause_s: float = 0.5,
        max_connections: int = 1024,
    ) -> OpenAIEngine:
        """Asks a server what it serves; this blocks.

        Args:
            model: the model's folder, if it is here, or its name on the server.
            base_url: the server's address, up to and with "/v1".
            need_value: values are wanted.
            served_name: the model's name on the server, where that is not `model` and there are several.
            api_key_env: the environment variable that holds the API key, if one is needed.
            timeout_s, retries, pause_s, max_connections: see `Server`.

        Raises:
            EngineError: the server can't be reached, does not have the model, or gives no values.
            CheckpointError: the model's folder is here, but incomplete.
        """
        server = Server(base_url, _api_key(api_key_env), timeout_s, retries, pause_s, max_connections)
        try:
            engine = cls(server, look(server, model, served_name, need_value))
            if need_value:  # does the server know the head? A wrong one is told now
                engine._try_value()
        except BaseException:
            server.close()
            raise
        return engine

    async def generate(self, request: Generate) -> Generation:
        """Samples continuations of a prompt, with its value from the same request where wanted.

        Raises:
            EngineError: the request makes no sense, the server can't be reached, refuses it or answers nonsense.
        """
        check_request(request)
        refuse_what_hf_alone_does(request, "openai")
        prompt = await self._encode(request.prompt)
        if isinstance(prompt, int):
            return Generation((), too_long=True, num_prompt_tokens=prompt)
        want_value = request.want_value and self.remote.value_token is not None
        different = request.num_samples if request.sampling.temperature > 0 else 1
        if self.remote.is_vllm:
            bodies = [self._body(prompt, request.sampling, request.seed, different, want_value)]
        else:
            bodies = [self._body(prompt, request.sampling, request.seed + i, 1, False) for i in range(different)]
        replies = await together([self._ask(prompt, body) for body in bodies])
        first = replies[0]
        if first is None or None in replies:
            return Generation((), too_long=True)
        choices = [choice for reply in replies if reply is not None for choice in reply["choices"]]
        if len(choices) != different:
            raise EngineError(f"{self._server.base_url} gave {len(choices)} samples, not {different}")
        with reading(self._server.base_url):
            samples = tuple(self._sample(prompt, choice, request.sampling.stop) for choice in choices)
            value = self._value(choices[0]) if want_value else None
            return Generation(samples * (request.num_samples // different), value, False, *_usage(first))

    async def evaluate(self, request: Evaluate) -> Evaluation:
        """The value of a prompt, for one token. Raises EngineError as `generate` does, and where there is no head."""
        if self.remote.value_token is None:
            raise EngineError("a value was asked of a server that was connected to without need_value")
        one = await self.generate(Generate(request.prompt, 1, Sampling(0.0, max_tokens=1), 0, want_value=True))
        return Evaluation(one.value, one.too_long, one.num_prompt_tokens, one.num_cached_tokens)

    async def close(self) -> None:
        """Closes the connections; later requests get an EngineError. May be called again."""
        await asyncio.to_thread(self._server.close)

    def _try_value(self) -> None:
        """Raises EngineError where the server does not tell values."""
        assert self.remote.codec is not None
        body = self._body(self.remote.codec.encode("1"), Sampling(0.0, max_tokens=1), 0, 1, True)
        try:
            reply = self._server.post_now("completions", body)
        except ServerRefusedError as error:
            raise self._refused(error) from error
        self._value(self._checked(reply)["choices"][0])

    async def _encode(self, prompt: Prompt) -> tuple[int, ...] | str | tuple[Message, ...] | int:
        """Tokens where we can make them and the server takes them, else text or messages; a number if too long."""
        remote = self.remote
        if remote.codec is None:
            for text in [prompt] if isinstance(prompt, str) else [message.content for message in prompt]:
                require_text(text)
            return prompt
        tokens = await encode_prompt(remote.codec, prompt, remote.context_length or 1 << 30)
        return tokens if remote.is_vllm or isinstance(tokens, int) else remote.codec.render(prompt)

    def _body(self, prompt: Any, sampling: Sampling, seed: int, num_samples: int, want_value: bool) -> dict[str, Any]:
        """The request as JSON."""
        body: dict[str, Any] = {
            "model": self.remote.name,
            "max_tokens": min(sampling.max_tokens, self.remote.context_length or sampling.max_tokens),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed & _SEEDS,
            "n": num_samples,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if _is_chat(prompt):
            body |= {"messages": [{"role": m.role, "content": m.content} for m in prompt], "logprobs": True}
            if prompt[-1].role == "assistant":
                if not self.remote.is_vllm:
                    raise EngineError(
                        "the standard chat API can't continue a message of the assistant; give the model's folder as "
                        "model_dir, so that the conversation is rendered here"
                    )
                body |= {"add_generation_prompt": False, "continue_final_message": True}
        else:
            body |= {"prompt": list(prompt) if isinstance(prompt, tuple) else prompt, "logprobs": 1}
        if self.remote.is_vllm:
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
        if self.remote.codec is not None and self.remote.context_length is not None:
            body["stop_token_ids"] = sorted(self.remote.codec.eos_ids)
            body["max_tokens"] = min(sampling.max_tokens, self.remote.context_length - len(prompt))
        if not _is_chat(prompt):
            body |= {"logprobs": 0, "return_tokens_as_token_ids": True}
            if want_value:
                body |= {"logprobs": 1, "logprob_token_ids": [self.remote.value_token]}
        return body

    async def _ask(self, prompt: Any, body: dict[str, Any]) -> dict[str, Any] | None:
        """The server's reply, checked for its form; None where the prompt is too long for the model."""
        path = "chat/completions" if _is_chat(prompt) else "completions"
        try:
            reply = await self._server.post(path, body)
        except ServerRefusedError as error:
            if error.status in _OF_THE_REQUEST and any(words in error.message.lower() for words in _TOO_LONG):
                return None
            raise self._refused(error) from error
        return self._checked(reply)

    def _refused(self, error: ServerRefusedError) -> EngineError:
        kind = RefusedError if error.status in _OF_THE_REQUEST else EngineError
        return kind(f"{self._server.base_url} refuses the request: {error}")

    def _checked(self, reply: Any) -> dict[str, Any]:
        """A reply that has choices, in their order."""
        if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list) or not reply["choices"]:
            raise EngineError(f"{self._server.base_url} answered without choices: {str(reply)[:200]}")
        with reading(self._server.base_url):
            reply["choices"].sort(key=lambda choice: int(choice.get("index") or 0))
        return reply

    def _sample(self, prompt: Any, choice: dict[str, Any], stop: tuple[str, ...]) -> Sample:
        text = choice["message"]["content"] or "" if "message" in choice else choice["text"]
        if not isinstance(text, str):
            raise TypeError(f"the text of a sample is {text!r}")
        logprobs = _logprobs(choice)
        logprob = math.fsum(logprobs) if logprobs else math.nan
        if not math.isfinite(logprob):
            raise EngineError(
                f"{self._server.base_url} tells no log-probabilities of its samples, which are needed; serve the model "
                "with vLLM, or with a server that fills in `logprobs`"
            )
        finish, ids = choice.get("finish_reason"), choice.get("token_ids")
        if finish not in ("stop", "length"):
            raise RefusedError(f"{self._server.base_url} gave up on a sample: finish_reason {finish!r}")
        if ids is not None and isinstance(prompt, tuple) and not _is_chat(prompt) and self.remote.codec is not None:
            codec = self.remote.codec
            text = (
                codec.continuation(prompt, ids)
                if finish == "length"
                else cut_sample(codec, prompt, ids, stopped_by=choice.get("stop_reason"), stop=stop, fallback=text)
            )
        return Sample(text, logprob, len(logprobs), finish)

    def _value(self, choice: dict[str, Any]) -> float:
        with reading(self._server.base_url):
            score = choice["logprobs"]["top_logprobs"][0].get(f"token_id:{self.remote.value_token}")
        if score is None:
            raise EngineError(
                f"{self._server.base_url} does not tell the score of one token; is it vLLM 0.32 or newer?"
            )
        return decode_value(score)


def _is_chat(prompt: Any) -> bool:
    return isinstance(prompt, tuple) and bool(prompt) and isinstance(prompt[0], Message)


def _logprobs(choice: dict[str, Any]) -> list[float]:
    logprobs = choice.get("logprobs") or {}
    if "content" in logprobs:
        return [entry["logprob"] for entry in logprobs["content"] or ()]
    return [number for number in logprobs.get("token_logprobs") or () if number is not None]


def _usage(reply: dict[str, Any]) -> tuple[int, int]:
    """Tokens of the prompt, and how many of them came from a prefix cache (vLLM tells with one of its arguments)."""
    usage = reply.get("usage") or {}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return int(usage.get("prompt_tokens") or 0), int(cached or 0)


def _api_key(variable: str) -> str | None:
    """The key in an environment variable. Raises EngineError, without showing it, where it can't be sent."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise EngineError(f"the API key in {variable} holds characters that no HTTP header may have; set it again")
    return key or None
