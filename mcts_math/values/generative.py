"""A generative verifier: a chat model behind an OpenAI-compatible API is asked whether a solution is right so far.

v = 2p - 1 with p = P(yes) / (P(yes) + P(no)), from the log-probabilities of the first token of its answer (Zhang et
al., arXiv 2408.15240, take P(yes) itself). Words are read without case and spaces: "Yes", " yes" and "YES" add up.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any, Final

from mcts_math.engine.openai.client import Client
from mcts_math.engine.openai.replies import checked, parse_usage, reading
from mcts_math.engine.openai.server import find_card
from mcts_math.engine.tokenizer import require_text
from mcts_math.errors import EngineError, RefusedError
from mcts_math.values.families import GenrmOptions
from mcts_math.values.rewards import Scores
from mcts_math.values.servers import post_solution

_PLACES: Final = re.compile(r"\{question\}|\{solution\}")  # filled at once: a question may hold "{solution}"


class GenerativeScorer:
    """Scores solutions, as far as they go, by one token of a chat model. Closes its client."""

    def __init__(self, client: Client, name: str, options: GenrmOptions) -> None:
        self._client, self._name, self._options = client, name, options

    @classmethod
    def connect(cls, client: Client, options: GenrmOptions) -> GenerativeScorer:
        """Asks what the server serves, and the model one question; this blocks. Raises EngineError."""
        scorer = cls(client, str(find_card(client, options.model)["id"]), options)
        reply = client.try_out("chat/completions", scorer._body("How much is 1 + 1?", "1 + 1 is 2."))
        with reading(client.base_url):
            scorer._require_logprobs(reply)
        return scorer

    async def score(self, question: str, steps: tuple[str, ...]) -> Scores:
        """One score of all steps together. Raises RefusedError where the solution is refused or neither word is
        likely; else EngineError."""
        solution = "\n".join(steps)
        for text in (question, solution):
            require_text(text)
        reply = await post_solution(self._client, "chat/completions", self._body(question, solution), "judge")
        if reply is None:
            return Scores(None)
        with reading(self._client.base_url):
            return Scores((self._read(reply),), parse_usage(reply)[0] + 1)

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    def _body(self, question: str, solution: str) -> dict[str, Any]:
        content = _PLACES.sub(lambda found: question if found[0] == "{question}" else solution, self._options.prompt)
        body = {
            "model": self._name,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": self._options.top_logprobs,
        }
        return {**body, **self._options.extra_body}

    def _read(self, reply: Any) -> float:
        """P(yes) / (P(yes) + P(no)) of a reply."""
        likely, words = self._require_logprobs(reply), (self._options.yes.casefold(), self._options.no.casefold())
        yes, no = (
            math.fsum(math.exp(one["logprob"]) for one in likely if one["token"].strip().casefold() == word)
            for word in words
        )
        if not yes + no > 0:
            told = ", ".join(repr(one["token"]) for one in likely[:5])
            raise RefusedError(
                f"the model on {self._client.base_url} answers neither {words[0]!r} nor {words[1]!r} but {told}; "
                "change prompt, yes or no in value_args, or turn its thinking off in extra_body"
            )
        return yes / (yes + no)

    def _require_logprobs(self, reply: Any) -> list[dict[str, Any]]:
        logprobs = checked(reply, self._client.base_url)[0].get("logprobs") or {}
        content = logprobs.get("content") or []
        likely = (content[0].get("top_logprobs") if content else None) or []
        if not likely:
            raise EngineError(
                f"{self._client.base_url} tells no log-probabilities of likely tokens (top_logprobs), which value: "
                "genrm needs. vLLM, SGLang, llama.cpp and OpenAI's non-reasoning models do"
            )
        return list(likely)
