"""Reward models on servers: vLLM's `/pooling`, a small contract of our own for any other scorer, and chat models that
are asked."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from mcts_math.engine.openai.client import Client, ServerRefusedError
from mcts_math.engine.openai.replies import checked, parse_usage, reading
from mcts_math.engine.openai.server import find_card
from mcts_math.engine.tokenizer import require_text
from mcts_math.errors import EngineError, RefusedError
from mcts_math.values.batches import Batches
from mcts_math.values.families import GenrmOptions
from mcts_math.values.layouts import Encoded, Layout
from mcts_math.values.rewards import Scores

_TRIAL: Final = ("How much is 1 + 1?", ("1 + 1 is 2.",))
_AT_ONCE: Final = 8  # requests to a scorer that are in the air
_PLACES: Final = re.compile(r"\{question\}|\{solution\}")  # filled at once: a question may hold "{solution}"
_Solution: TypeAlias = tuple[str, tuple[str, ...]]  # a question, and steps


class PoolingScorer:
    """A model with head `labels` or `logit` on vLLM, whose logits come back by `/pooling`. Its client is closed with
    it."""

    def __init__(self, client: Client, name: str, layout: Layout, context_length: int | None) -> None:
        self._client, self._name, self._layout = client, name, layout
        self._context_length = context_length or 1 << 30

    @classmethod
    def connect(cls, client: Client, model: str, layout: Layout) -> PoolingScorer:
        """Asks what the server serves, and has it score a solution; this blocks. Raises EngineError."""
        card = find_card(client, model)
        scorer = cls(client, str(card["id"]), layout, card.get("max_model_len"))
        encoded = layout.encode(*_TRIAL)
        doubt = "Is it vLLM with a reward model (vllm serve MODEL)?"
        reply = client.try_out("/pooling", scorer._body(encoded), doubt)
        scorer._read(reply, encoded)
        return scorer

    async def score(self, question: str, steps: tuple[str, ...]) -> Scores:
        """Scores by the server. Raises RefusedError where it refuses the solution, else EngineError."""
        encoded = self._layout.encode(question, steps)
        if len(encoded.ids) > self._context_length:
            return Scores(None)
        reply = await post_solution(self._client, "/pooling", self._body(encoded))
        return Scores(None) if reply is None else self._read(reply, encoded)

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    def _body(self, encoded: Encoded) -> dict[str, Any]:
        task = "token_classify" if self._layout.head == "labels" else "classify"
        return {"model": self._name, "input": list(encoded.ids), "task": task, "use_activation": False}

    def _read(self, reply: Any, encoded: Encoded) -> Scores:
        """The scores in a reply: of each token, or of each mark where the server picks these (pooling type STEP)."""
        try:
            rows = reply["data"][0]["data"]
            if self._layout.head == "logit":
                return Scores((_sigmoid(float(rows[0])),), len(encoded.ids))
            chosen = self._choose(rows, encoded)
            return Scores(tuple(_sigmoid(float(good) - float(bad)) for bad, good in chosen), len(encoded.ids))
        except (LookupError, TypeError, ValueError) as error:
            raise EngineError(
                f"{self._client.base_url}/pooling answers in another form than vLLM's for this layout: {error!r}"
            ) from error

    def _choose(self, rows: Sequence[Any], encoded: Encoded) -> list[Any]:
        if len(rows) == len(encoded.ids):
            return [rows[place] for place in encoded.places]
        marks = [i for i, token in enumerate(encoded.ids) if token == self._layout.mark]
        if len(rows) != len(marks):
            raise EngineError(
                f"{self._client.base_url} gave {len(rows)} scores for {len(marks)} steps ({len(encoded.ids)} tokens); "
                f"start vLLM with --pooler-config '{{\"step_tag_id\": {self._layout.mark}}}'"
            )
        return [rows[marks.index(place)] for place in encoded.places]


class HttpScorer:
    """Any scorer behind HTTP that keeps this contract; solutions that wait together are one request.

    POST {base_url}/score {"items": [{"question": "…", "steps": ["…", …]}, …]} is answered by
    {"scores": [[p, …], …], "num_tokens": [n, …]}: for each item in order one probability in [0, 1] for each step, null
    in place of the list where the item is too long; `num_tokens`, what was read for each item, may be missing.

    Its client is closed with it.
    """

    def __init__(self, client: Client, max_items: int) -> None:
        self._client = client
        self._batches: Batches[_Solution, Scores] = Batches(self._ask, max_items, _AT_ONCE)

    @classmethod
    def connect(cls, client: Client, max_items: int) -> HttpScorer:
        """Has the server score a solution; this blocks. Raises EngineError."""
        reply = client.try_out("score", _items([_TRIAL]), "See docs/values.md")
        scorer = cls(client, max_items)
        scorer._read(reply, 1)
        return scorer

    async def score(self, question: str, steps: tuple[str, ...]) -> Scores:
        """Scores by the server. Raises RefusedError where it refuses the solution, else EngineError."""
        return await self._batches.ask((question, steps))

    async def close(self) -> None:
        await self._batches.close()
        await asyncio.to_thread(self._client.close)

    async def _ask(self, solutions: Sequence[_Solution]) -> list[Scores | Exception]:
        """The scores of some solutions. Where the server answers, but refuses them together, each is asked for by
        itself."""
        try:
            reply = await post_solution(self._client, "score", _items(solutions))
            return [Scores(None)] if reply is None else [*self._read(reply, len(solutions))]
        except RefusedError as error:
            if len(solutions) == 1 or not isinstance(error.__cause__, ServerRefusedError):
                return [error] * len(solutions)
        return [scores for solution in solutions for scores in await self._ask([solution])]

    def _read(self, reply: Any, num_items: int) -> list[Scores]:
        try:
            scores = reply["scores"]
            lengths = reply.get("num_tokens") or [0] * num_items
            return [
                Scores(None if row is None else tuple(float(score) for score in row), int(length))
                for row, length in zip(_exactly(scores, num_items), _exactly(lengths, num_items), strict=True)
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(
                f"{self._client.base_url}/score answers in another form than docs/values.md says: {error}"
            ) from error


class GenerativeScorer:
    """A generative verifier: a chat model behind an OpenAI-compatible API is asked whether a solution is right so far.
    Closes its client.

    v = 2p - 1 with p = P(yes) / (P(yes) + P(no)), from the log-probabilities of the first token of its answer (Zhang et
    al., arXiv 2408.15240, take P(yes) itself). Words are read without case and spaces: "Yes", " yes" and "YES" add up.
    """

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


def _items(solutions: Sequence[_Solution]) -> dict[str, Any]:
    return {"items": [{"question": question, "steps": list(steps)} for question, steps in solutions]}


async def post_solution(client: Client, path: str, body: dict[str, Any], act: str = "score") -> Any:
    """The reply; None where a single solution is refused for want of room. `act`: what is asked for, in messages.
    Raises RefusedError: the server refuses this request; else EngineError."""
    is_single = len(body.get("items", [body])) == 1
    try:
        return await client.post(path, body)
    except ServerRefusedError as error:
        if error.is_for_want_of_room and is_single:
            return None
        raise error.as_error(f"{client.base_url} refuses to {act}") from error


def _exactly(items: Any, number: int) -> list[Any]:
    if not isinstance(items, list) or len(items) != number:
        raise ValueError(f"there must be {number} lists, one for each item")
    return items


def _sigmoid(logit: float) -> float:
    """1 / (1 + e^-x), without overflow; NaN stays NaN."""
    grown = math.exp(-abs(logit))
    return grown / (1 + grown) if logit < 0 else 1 / (1 + grown)
